/* Decides the pace of every tap. The same for all: no tenant has asked for another yet. Never
 * touches a device that is not a tap of ours. */
#include "node-agent/host_tc.h"

#include "base/check.h"
#include "host/log.h"
#include "isolation/network.h"
#include "node-agent/host_exec.h"

#include <string.h>

const char HOST_TC_PATH[] = "/usr/sbin/tc";

enum { DEADLINE_MS = 10000, OUTPUT_SIZE = 4096 };

RESULT host_tc_tap(const char *tap)
{
    uint64_t id = 0;
    uint32_t nic = 0;
    CHECK(network_name_parse(tap, &id, &nic) == NETWORK_NAME_TAP);
    /* A gigabit, and a burst of one timer tick of it at HZ = 250. */
    const char *const arguments[] = { HOST_TC_PATH, "qdisc",   "replace", "dev",   tap,
                                      "root",       "tbf",     "rate",    "1gbit", "burst",
                                      "512kb",      "latency", "50ms",    NULL };
    char output[OUTPUT_SIZE];
    struct result result = host_exec(arguments, SLICE_EMPTY, output, sizeof(output), DEADLINE_MS);
    if (result.code != 0) {
        output[strcspn(output, "\n")] = '\0';
        log_line(LOG_LEVEL_ERROR, "tc-refused", "tap=%s said=%s", tap, log_text(output));
    }
    return result;
}
