/* Runs one self-test against a node's libvirtd, under the accelerator that it is told: the same
 * function that `host` calls with KVM. Only for tests/system/self_test.sh.
 *
 *   self_test_drive kvm|tcg DEADLINE_MS IMAGES STATE KERNEL
 *
 * Prints one line: verdict=boots|fails|unknown said="…" */
#include "base/check.h"
#include "drive.h"
#include "host/log.h"
#include "node-agent/host_self_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void on_up(void *context, bool up)
{
    if (up) {
        uv_stop(context);
    }
}

static void on_ended(void *context, uint64_t instance, uint32_t why)
{
    CHECK(context == NULL); /* No instance is made here, so none ends. */
    CHECK(instance == 0 && why == 0);
}

int main(int argc, char **argv)
{
    static const char *const names[] = { "", "boots", "fails", "unknown" };
    uint8_t kernel[SHA256_SIZE];
    uv_loop_t loop;
    struct host_domains *domains = NULL;
    struct self_test_told told;
    if (argc != 6) {
        return 2;
    }
    log_start("self-test");
    drive_digest(argv[5], kernel);
    CHECK(uv_loop_init(&loop) == 0);
    const struct host_domain_hooks hooks = { &loop, on_up, on_ended };
    CHECK(host_domains_open(&loop, "/run/libvirt/libvirt-sock", 1, &hooks, &domains).code == 0);
    (void)uv_run(&loop, UV_RUN_DEFAULT); /* Until libvirt is there. */
    const struct self_test test = {
        .type = strcmp(argv[1], "kvm") == 0 ? DOMAIN_KVM : DOMAIN_TCG,
        .images = argv[3],
        .directory = argv[4],
        .kernel = kernel,
        .deadline_ms = strtoull(argv[2], NULL, 10),
    };
    host_self_test_run(domains, &test, &told);
    printf("verdict=%s said=\"%s\"\n", names[told.verdict], told.said);
    return told.verdict == SELF_TEST_BOOTS ? 0 : 1;
}
