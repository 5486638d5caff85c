/* Decides in which order nft is asked: dry run, apply, read back. Never writes a rule's text
 * (host_rules.c). nft's own lock is per transaction; ours keeps check and apply together.
 *
 * The happy path: text → `nft -c` accepts → `nft` applies → `nft list chain` shows the same rules.
 * What can go wrong: nft missing or denied, a rule not understood (nothing is applied), rules that
 * read back otherwise (the caller does not go on to make a tap). */
#include "node-agent/host_nft.h"

#include "base/check.h"
#include "host/log.h"
#include "node-agent/host_exec.h"
#include "node-agent/host_rules.h"

#include <stdlib.h>
#include <string.h>
#include <uv.h>

const char HOST_NFT_PATH[] = "/usr/sbin/nft";

enum {
    DEADLINE_MS = 10000,
    OUTPUT_SIZE = 1024 * 1024,
    OUTPUT_SAID = 300, /* Of a refusal, in the log. */
};

static uv_mutex_t lock;
static uv_once_t once = UV_ONCE_INIT;
static char rules[HOST_RULES_SIZE]; /* Under the lock, as is output. */
static char output[OUTPUT_SIZE];

static void make_lock(void)
{
    CHECK(uv_mutex_init(&lock) == 0);
}

static void hold(void)
{
    uv_once(&once, make_lock);
    uv_mutex_lock(&lock);
}

static RESULT transaction(bool applies)
{
    CHECK(rules[0] == '{');
    static const char *const check[] = { HOST_NFT_PATH, "-j", "-c", "-f", "-", NULL };
    static const char *const apply[] = { HOST_NFT_PATH, "-j", "-f", "-", NULL };
    return host_exec(
        applies ? apply : check, slice_text(rules), output, sizeof(output), DEADLINE_MS);
}

/* `quiet`: a refusal is an answer here, not worth a line. */
static RESULT check_and_apply(bool quiet)
{
    struct result result = transaction(false);
    if (result.code == 0) {
        result = transaction(true);
    }
    if (result.code != 0 && !quiet) {
        const char *said = output + strspn(output, "\n");
        output[OUTPUT_SAID] = '\0';
        log_line(
            LOG_LEVEL_ERROR,
            "nft-refused",
            "failure=%s said=%s",
            result_name(result),
            log_text(said));
    }
    return result;
}

RESULT host_nft_base(uint32_t underlay)
{
    hold();
    CHECK(host_rules_base(underlay, rules, sizeof(rules)));
    struct result result = check_and_apply(false);
    uv_mutex_unlock(&lock);
    return result;
}

RESULT host_nft_tap(const struct network_nic *nic)
{
    const char *const list[] = { HOST_NFT_PATH, "-j",     "-a",     "list", "chain",
                                 "bridge",      "udatsu", nic->tap, NULL };
    hold();
    CHECK(host_rules_tap(nic, rules, sizeof(rules)));
    struct result result = check_and_apply(false);
    if (result.code == 0) {
        result = host_exec(list, SLICE_EMPTY, output, sizeof(output), DEADLINE_MS);
    }
    if (result.code == 0 && !host_rules_match(nic, output)) {
        log_line(LOG_LEVEL_ERROR, "nft-read-back", "tap=%s", nic->tap);
        result = FAIL(FAILURE_CORRUPT);
    }
    uv_mutex_unlock(&lock);
    return result;
}

RESULT host_nft_drop(const char *tap)
{
    const char *const list[] = { HOST_NFT_PATH, "-j",     "-a", "list", "chain",
                                 "bridge",      "udatsu", tap,  NULL };
    hold();
    CHECK(host_rules_drop(tap, rules, sizeof(rules)));
    struct result result = check_and_apply(true);
    if (result.code == FAILURE_IO &&
        host_exec(list, SLICE_EMPTY, output, sizeof(output), DEADLINE_MS).code == FAILURE_IO) {
        result = OK; /* There is no such chain. */
    }
    uv_mutex_unlock(&lock);
    return result;
}

RESULT host_nft_taps(char (*taps)[NETWORK_NAME], uint32_t size, uint32_t *count_out)
{
    static const char *const list[] = { HOST_NFT_PATH, "-j", "list", "chains", "bridge", NULL };
    CHECK(taps != NULL);
    CHECK(count_out != NULL);
    hold();
    struct result result = host_exec(list, SLICE_EMPTY, output, sizeof(output), DEADLINE_MS);
    uint32_t count = 0;
    const char *at = output;
    while (result.code == 0 && at != NULL && count < size) {
        at = host_rules_next_tap(at, taps[count]);
        count += at != NULL ? 1 : 0;
    }
    uv_mutex_unlock(&lock);
    if (result.code != 0) {
        return result;
    }
    *count_out = count;
    return OK;
}
