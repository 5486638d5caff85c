/* The table of a run: what struck, what was refused, what was checked. Decides which rows must
 * never be zero; never whether a seed was good. */
#include "base/check.h"
#include "tests/sim/plane_seed.h"

#include <stdio.h>
#include <string.h>

enum { WIDTH = 26 };

static const char *const fault_names[PLANE_FAULTS] = {
    "controller killed",
    "leader killed",
    "power lost",
    "torn write",
    "death in disk call",
    "disk call failed",
    "all controllers down",
    "half a sector",
    "write astray",
    "bit rot",
    "sync that lied",
    "directory set back",
    "refused to start",
    "disk slow",
    "disk full",
    "space back",
    "store broken",
    "flushed unasked",
    "machine cut off",
    "one-way cuts",
    "network split",
    "stream lost its tail",
    "frame dropped",
    "frame delayed",
    "frame overtaken",
    "asked twice at once",
    "flood of reads",
    "answer lost",
    "wall clock jumps",
    "clock drifts",
    "clock stands",
    "machine stands still",
    "machine slow",
    "link flaps",
    "old build",
    "members changed",
    "left for dead",
    "keys late",
    "keys died",
    "node crash",
    "node wiped",
    "agent restart",
    "host restart",
    "libvirt away",
    "guest crash",
    "guest's end untold",
    "start failed",
    "stop ignored",
    "stop lied about",
    "verb late",
    "told twice",
    "domain lost",
    "snapshot fetched",
    "snapshot damaged",
    "mirror started over",
    "narrow wire",
    "inbox full",
    "election",
    "ask forwarded",
    "verb outlives its host",
    "set back, foul weather",
    "guest never comes up",
    "disk lost",
    "memory lost",
    "refused by name",
    "stood still",
    "went on",
};
static const char *const checker_names[PLANE_CHECKERS] = {
    "equal index, digest",
    "a majority agrees",
    "ledger = inventory",
    "drawn within cap",
    "acknowledged kept",
    "answered once",
    "nothing invented",
    "reads are fresh",
    "one owner",
    "generation forward",
    "no stale start",
    "leaves chained",
    "leaves = frontier",
    "bounded",
    "converged",
    "inventory as told",
    "rooms and addresses",
    "let go, runs nowhere",
    "nobody ends the wanted",
    "notes sign what was",
    "a leaf for each change",
    "a leaf for each write",
    "linearizable",
    "lists in order",
    "charged with what is",
    "steps allocate nothing",
    "as it was asked",
    "segments whole",
    "leaves say who and whose",
    "alarms are so",
    "floors as promised",
    "floors fit the cell",
    "placed beside floors",
    "refused by floors, fairly",
    "ends are so",
    "who is down is said so",
    "asked before it is ended",
    "no attempt too many",
    "no refusal too many",
    "nothing unsaid",
};

const char *plane_fault_name(enum plane_fault fault)
{
    CHECK(fault < PLANE_FAULTS);
    return fault_names[fault];
}

/* Rows that never came up. */
static uint64_t print_rows_from(
    const char *title,
    const char *const *names,
    const uint64_t *counts,
    uint64_t first,
    uint64_t rows)
{
    uint64_t zero = 0;
    printf("%s\n", title);
    for (uint64_t i = first; i < rows; i++) {
        CHECK(names[i] != NULL);
        printf("  %-*s %12llu\n", WIDTH, names[i], (unsigned long long)counts[i]);
        zero += counts[i] == 0 ? 1 : 0;
    }
    return zero;
}

static uint64_t print_rows(
    const char *title, const char *const *names, const uint64_t *counts, uint64_t rows)
{
    return print_rows_from(title, names, counts, 0, rows);
}

/* Why this is never an answer to a client of the simulator; NULL: it is one. */
static const char *no_answer(enum reject reject)
{
    if (reject == REJECT_CONFLICT) {
        return "planned again by who leads, no client hears it";
    }
    if (reject == REJECT_STALE || reject == REJECT_FEATURE_LEVEL) {
        return "said to machines and controllers, never to a client";
    }
    if (reject >= REJECT_NO_CERTIFICATE) {
        return "said at the door of TLS, which is not simulated";
    }
    return NULL;
}

/* What the table does not have is said, too, with the reason. */
static void print_left_out(bool unrecoverable)
{
    for (enum reject reject = REJECT_NONE + 1; reject < REJECTS_END; reject++) {
        if (no_answer(reject) != NULL) {
            printf("left out: reject %s: %s\n", reject_name(reject), no_answer(reject));
        }
    }
    for (uint32_t i = PLANE_DISK_LOST; i < PLANE_FAULTS && !unrecoverable; i++) {
        printf("left out: fault %s: only without a budget (--unrecoverable)\n", fault_names[i]);
    }
    for (uint32_t i = PLANE_CHECK_UNSAID; i < PLANE_CHECKERS && !unrecoverable; i++) {
        printf("left out: check %s: only without a budget (--unrecoverable)\n", checker_names[i]);
    }
    if (unrecoverable) {
        printf("left out: the rows above may be zero: a cell that stands still comes to none of "
               "the later checks\n");
    }
}

static uint64_t print_rejects(const struct plane_tally *tally)
{
    uint64_t zero = 0;
    printf("rejects\n");
    for (enum reject reject = REJECT_NONE + 1; reject < REJECTS_END; reject++) {
        if (no_answer(reject) == NULL) {
            printf(
                "  %-*s %12llu\n",
                WIDTH,
                reject_name(reject),
                (unsigned long long)tally->rejects[reject]);
            zero += tally->rejects[reject] == 0 ? 1 : 0;
        }
    }
    return zero;
}

uint64_t plane_table_print(const struct plane_tally *tally, bool unrecoverable)
{
    uint64_t zero = print_rows("faults", fault_names, tally->faults, PLANE_DISK_LOST);
    zero += print_rejects(tally);
    /* The first to come to an index has nobody to be compared with. */
    uint64_t checks[PLANE_CHECKERS];
    memcpy(checks, tally->checks, sizeof(checks));
    CHECK(checks[PLANE_CHECK_DIGEST] >= tally->entries);
    checks[PLANE_CHECK_DIGEST] -= tally->entries;
    zero += print_rows("checks", checker_names, checks, PLANE_CHECK_UNSAID);
    print_left_out(unrecoverable);
    if (!unrecoverable) {
        return zero;
    }
    /* A cell that may stand still for good does not come to the last judgement: only what this mode
     * is for must come up. */
    printf("without a budget\n");
    zero = print_rows_from("faults", fault_names, tally->faults, PLANE_DISK_LOST, PLANE_FAULTS);
    return zero + print_rows_from(
                      "checks", checker_names, tally->checks, PLANE_CHECK_UNSAID, PLANE_CHECKERS);
}

uint64_t plane_lived_print(const struct plane_lived *lived, bool drawn)
{
    printf("cells: of");
    for (uint32_t i = 1; i <= PLANE_CONTROLLERS; i++) {
        if (lived->began_with[i] > 0 || i == 1 || i == 3 || i == 5) {
            printf(" %u controllers %llu,", i, (unsigned long long)lived->began_with[i]);
        }
    }
    printf(
        " members changed %llu times in %llu, snapshots installed %llu times in %llu, "
        "levels mixed in %llu\n",
        (unsigned long long)lived->changes,
        (unsigned long long)lived->changed_in,
        (unsigned long long)lived->installs,
        (unsigned long long)lived->installed_in,
        (unsigned long long)lived->mixed_in);
    uint64_t zero = drawn && lived->began_with[3] == 0 ? 1 : 0;
    zero += drawn && lived->began_with[5] == 0 ? 1 : 0;
    zero += lived->changed_in == 0 ? 1 : 0;
    zero += lived->installed_in == 0 ? 1 : 0;
    return zero + (lived->mixed_in == 0 ? 1 : 0);
}
