/* One boot of a real kernel under one accelerator, in a machine that is nobody's instance: does it
 * reach user space? Without network or disk, as a user of its own, bounded in memory and time. */
#ifndef NODE_AGENT_HOST_SELF_TEST_H
#define NODE_AGENT_HOST_SELF_TEST_H

#include "audit/sha256.h"
#include "base/limits.h"
#include "node-agent/host_domain.h"

enum {
    SELF_TEST_DEADLINE_MS =
        20000,           /* A kernel under KVM needs one or two seconds; a busy machine. */
    SELF_TEST_SAID = 96, /* Leaves room for the rest of a sentence of LIMIT_REASON. */
};

enum self_test_verdict {
    SELF_TEST_BOOTS = 1,
    SELF_TEST_FAILS = 2,
    SELF_TEST_UNKNOWN = 3, /* It could not be made: says nothing about the accelerator. */
};

struct self_test {
    enum domain_type type; /* What is judged. */
    const char *images;    /* Directories, absolute. */
    const char *directory; /* Ours: others may pass, nobody else writes. */
    const uint8_t *kernel; /* Digest of an image; verified first. */
    uint64_t deadline_ms;  /* From the moment that it runs. */
};

struct self_test_told {
    enum self_test_verdict verdict;
    uint64_t took_ms;
    char said[SELF_TEST_SAID]; /* Printable ASCII: what was seen instead of a boot; "" when it
                                  boots. */
};

/* Blocks: pool threads only, one at a time. Whatever it says, nothing of it is left, unless libvirt
 * is away: then host_domain_test_end later ends it. */
void host_self_test_run(
    struct host_domains *domains, const struct self_test *test, struct self_test_told *told_out);

/* For the sentence above: the last bytes of what a console or libvirt said, in printable ASCII with
 * single blanks, "..." before them when something was left out. */
void host_self_test_tail(const char *text, size_t length, char *out, size_t size);

#endif
