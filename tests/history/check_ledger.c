/* Decides whether accounts are charged with what there is (INV-LED-2, INV-LED-6). Where a read
 * knows the sum over the objects of the very same state, the two are equal. Where it does not, the
 * charge lies between what surely existed all the while and what may have existed meanwhile. No
 * instance is taken beyond the cap, where a history tells of it (caps.h). A sum that does not fit
 * its number is nobody's charge.
 *
 * Never counts a name twice: two lives of one name do not overlap. Looks at so much and no more:
 * after that the verdict is unknown. */
#include "base/check.h"
#include "tests/history/caps.h"
#include "tests/history/history.h"
#include "tests/history/lives.h"
#include "tests/history/merge.h"

#include <stdio.h>
#include <string.h>

#define WORK_BASE (UINT64_C(1) << 29)
#define WORK_EACH (UINT64_C(1) << 10)

struct ledger {
    const struct history *history;
    struct merge merge;
    struct lives lives;
    struct caps caps;
    struct work work;
    struct history_verdict verdict;
};

/* ---- Reads ---- */

struct bounds {
    uint64_t least[HISTORY_AMOUNTS];
    uint64_t most[HISTORY_AMOUNTS];
    uint64_t begins_ns; /* Before it nothing of that was there. */
    bool wraps;         /* A sum does not fit. */
};

/* False: it does not fit, and stays as great as it can be. */
static bool sum_add(uint64_t *sum, uint64_t amount)
{
    bool fits = !__builtin_add_overflow(*sum, amount, sum);
    *sum = fits ? *sum : UINT64_MAX;
    return fits;
}

/* Of what there may have been between two moments. */
static void bounds_of(
    struct ledger *ledger,
    uint32_t account,
    uint64_t from_ns,
    uint64_t to_ns,
    struct bounds *bounds_out)
{
    memset(bounds_out, 0, sizeof(*bounds_out));
    bounds_out->begins_ns = from_ns;
    uint64_t most[HISTORY_AMOUNTS] = { 0 }; /* Of one name. */
    for (size_t i = lives_of(&ledger->lives, account); i < ledger->lives.count; i++) {
        const struct life *life = &ledger->lives.all[i];
        if (life->account != account || !work_take(&ledger->work, 1)) {
            return;
        }
        bool may = life->begins_ns <= to_ns && life->gone_ns >= from_ns;
        bool doubted = life->doubtful_ns <= to_ns && life->seen_ns <= to_ns;
        bool surely = life->there_ns < from_ns && !doubted;
        bool last = i + 1 == ledger->lives.count || !lives_same_name(life, life + 1);
        if (may && life->begins_ns < bounds_out->begins_ns) {
            bounds_out->begins_ns = life->begins_ns;
        }
        for (uint32_t k = 0; k < HISTORY_AMOUNTS; k++) {
            most[k] = may && life->amounts[k] > most[k] ? life->amounts[k] : most[k];
            bool fits = sum_add(&bounds_out->least[k], surely ? life->amounts[k] : 0);
            fits = sum_add(&bounds_out->most[k], last ? most[k] : 0) && fits;
            bounds_out->wraps = bounds_out->wraps || !fits;
            most[k] = last ? 0 : most[k];
        }
    }
}

static void say(
    struct ledger *ledger,
    const struct history_event *event,
    uint64_t charged,
    const char *what,
    uint64_t held_to)
{
    if (ledger->verdict.word != HISTORY_CLEAN) {
        return;
    }
    ledger->verdict.word = HISTORY_ANOMALY;
    (void)snprintf(
        ledger->verdict.sentence,
        sizeof(ledger->verdict.sentence),
        "account %s at %.6f s: charged with %llu %s %llu",
        history_text(ledger->history, event->account),
        (double)event->invoke_ns / 1e9,
        (unsigned long long)charged,
        what,
        (unsigned long long)held_to);
}

enum { INSTANCES = 2 }; /* Among the amounts. */

/* Who was let in fitted under the cap, together with all that surely was there. */
static void create_check(struct ledger *ledger, uint32_t number)
{
    const struct history_event *event = &ledger->history->events[number];
    uint64_t from_ns = ledger->merge.invoke_ns[number];
    uint64_t cap = 0;
    struct bounds bounds;
    if (event->amounts[INSTANCES] == 0 ||
        !caps_most(
            &ledger->caps, event->account, from_ns, event->told.at_ns, &ledger->work, &cap)) {
        return;
    }
    bounds_of(ledger, event->account, from_ns, event->told.at_ns, &bounds);
    (void)sum_add(&bounds.least[INSTANCES], event->amounts[INSTANCES]); /* Or the greatest. */
    if (bounds.least[INSTANCES] > cap) {
        say(ledger, event, bounds.least[INSTANCES], "instances, and the cap is at most", cap);
    }
    ledger->verdict.looked++;
}

static void read_check(struct ledger *ledger, const struct history_event *event)
{
    static const char *const names[HISTORY_AMOUNTS] = {
        "vcpus", "memory", "instances", "networks"
    };
    struct bounds bounds;
    const uint64_t *charged = event->told.charged;
    bounds_of(ledger, event->account, event->invoke_ns, event->told.at_ns, &bounds);
    if (bounds.wraps) {
        say(ledger, event, charged[0], "vcpus, and a sum of what may exist is beyond", UINT64_MAX);
    }
    for (uint32_t k = 0; k < HISTORY_AMOUNTS; k++) {
        const char *what = NULL;
        uint64_t held_to = 0;
        char words[96];
        if (event->told.summed && charged[k] != event->told.inventory[k]) {
            what = "the objects of the same state sum up to";
            held_to = event->told.inventory[k];
        } else if (charged[k] < bounds.least[k]) {
            what = "what surely existed all the while sums up to";
            held_to = bounds.least[k];
        } else if (charged[k] > bounds.most[k]) {
            what = "all that may have existed sums up to";
            held_to = bounds.most[k];
        }
        ledger->verdict.looked++;
        if (what != NULL) {
            (void)snprintf(words, sizeof(words), "%s, and %s", names[k], what);
            say(ledger, event, charged[k], words, held_to);
        }
    }
    uint64_t cap = 0;
    bool told = caps_most(
        &ledger->caps, event->account, bounds.begins_ns, event->told.at_ns, &ledger->work, &cap);
    if (told && charged[INSTANCES] > cap) {
        say(ledger, event, charged[INSTANCES], "instances, and the cap was at most", cap);
    }
}

static void ledger_begin(struct ledger *ledger)
{
    ledger->work.left = WORK_BASE + WORK_EACH * ledger->history->events_count;
    merge_begin(ledger->history, &ledger->merge);
    caps_begin(ledger->history, &ledger->merge, &ledger->caps);
    lives_begin(ledger->history, &ledger->merge, &ledger->work, &ledger->lives);
}

static void ledger_end(struct ledger *ledger)
{
    merge_end(&ledger->merge);
    caps_end(&ledger->caps);
    lives_end(&ledger->lives);
}

struct history_verdict history_check_ledger(const struct history *history)
{
    struct ledger ledger = { .history = history, .verdict = { .word = HISTORY_CLEAN } };
    uint64_t reads = 0;
    uint64_t summed = 0;
    ledger_begin(&ledger);
    for (uint32_t i = 0; i < history->events_count; i++) {
        const struct history_event *event = &history->events[i];
        bool ok = event->told.outcome == HISTORY_OK;
        if (event->f == HISTORY_ACCOUNT && ok) {
            read_check(&ledger, event);
            reads++;
            summed += event->told.summed ? 1 : 0;
        } else if (event->f == HISTORY_CREATE && ok && ledger.merge.speaker[i] == i) {
            create_check(&ledger, i);
        }
    }
    if (ledger.work.left == 0) { /* What was not looked at proves nothing, for or against. */
        ledger.verdict.word = HISTORY_UNKNOWN;
        (void)snprintf(
            ledger.verdict.sentence,
            sizeof(ledger.verdict.sentence),
            "too much to look at: %zu lives, %llu reads",
            ledger.lives.count,
            (unsigned long long)reads);
    }
    if (ledger.verdict.word == HISTORY_CLEAN) {
        (void)snprintf(
            ledger.verdict.sentence,
            sizeof(ledger.verdict.sentence),
            "%llu reads of accounts, %llu of them beside the sum of their objects",
            (unsigned long long)reads,
            (unsigned long long)summed);
    }
    ledger_end(&ledger);
    return ledger.verdict;
}
