/* The checkers against random histories: of a toy cell that keeps its word, of one that lies once,
 * and against a checker that tries every order there is. */
#include "base/check.h"
#include "base/prng.h"
#include "tests/history/model.h"
#include "tests/history/tale.h"
#include "tests/history/toy.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static struct history_verdict judged(
    uint64_t seed, const struct toy_size *size, enum toy_lie lie, bool *found_out)
{
    struct history *history = tale_new();
    struct history_verdict first = { .word = HISTORY_CLEAN };
    toy_play(history, seed, size, lie);
    *found_out = false;
    for (uint32_t i = 0; i < HISTORY_CHECKERS; i++) {
        struct history_verdict verdict = history_check(history, i);
        cr_expect(verdict.looked > 0, "%s looked at nothing", history_checker_name(i));
        first = first.word == HISTORY_CLEAN ? verdict : first;
        *found_out = *found_out || verdict.word == HISTORY_ANOMALY;
    }
    tale_free(history);
    return first;
}

Test(random, a_cell_that_keeps_its_word_is_clean)
{
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct toy_size size = { .clients = 2 + (uint32_t)(seed % 7),
                                 .objects = 3 + (uint32_t)(seed % 11),
                                 .operations = 200 + (uint32_t)seed * 4,
                                 .lost = (uint32_t)(seed % 4) };
        bool found = false;
        struct history_verdict verdict = judged(seed, &size, TOY_TRUTH, &found);
        cr_assert(
            verdict.word == HISTORY_CLEAN,
            "seed %llu: %s",
            (unsigned long long)seed,
            verdict.sentence);
    }
}

Test(random, one_lie_is_found)
{
    for (uint32_t lie = TOY_TRUTH + 1; lie < TOY_LIES; lie++) {
        for (uint64_t seed = 1; seed <= 30; seed++) {
            struct toy_size size = { .clients = 5, .objects = 40, .operations = 300, .lost = 1 };
            bool found = false;
            (void)judged(seed, &size, (enum toy_lie)lie, &found); /* Which one found it is open. */
            cr_assert(
                found, "%s, seed %llu", toy_lie_name((enum toy_lie)lie), (unsigned long long)seed);
        }
    }
}

/* ---- Every order there is ---- */

enum { TINY = 6, STATES = 64, MOMENTS = 12 };

struct tiny {
    struct model_op op;
    uint64_t invoke_ns;
    uint64_t return_ns;
};

/* One stage at a time, unlike the model's. */
struct concrete {
    enum history_stage stage;
    uint64_t epoch;
};

struct possible {
    struct concrete states[STATES];
    uint32_t count;
};

static void possible_add(struct possible *possible, enum history_stage stage, uint64_t epoch)
{
    for (uint32_t i = 0; i < possible->count; i++) {
        if (possible->states[i].stage == stage && possible->states[i].epoch == epoch) {
            return;
        }
    }
    CHECK(possible->count < STATES);
    possible->states[possible->count++] = (struct concrete){ stage, epoch };
}

static void possible_move(struct possible *possible)
{
    for (uint32_t i = 0; i < possible->count; i++) { /* It grows while it is walked. */
        struct concrete state = possible->states[i];
        if (state.stage == HISTORY_STAGE_STARTING) {
            possible_add(possible, HISTORY_STAGE_RUNNING, state.epoch);
            possible_add(possible, HISTORY_STAGE_FAILED, state.epoch);
        } else if (state.stage == HISTORY_STAGE_RUNNING) {
            possible_add(possible, HISTORY_STAGE_STARTING, state.epoch);
            possible_add(possible, HISTORY_STAGE_FAILED, state.epoch);
        } else if (state.stage == HISTORY_STAGE_STOPPING) {
            possible_add(possible, HISTORY_STAGE_STOPPED, state.epoch);
        } else if (state.stage == HISTORY_STAGE_DELETING) {
            possible_add(possible, HISTORY_STAGE_ABSENT, state.epoch);
        }
    }
}

static bool takes(enum history_f f, enum history_stage stage)
{
    switch (stage) {
    case HISTORY_STAGE_ABSENT: return f == HISTORY_CREATE;
    case HISTORY_STAGE_STOPPED:
    case HISTORY_STAGE_FAILED: return f == HISTORY_START || f == HISTORY_DELETE;
    case HISTORY_STAGE_STARTING:
    case HISTORY_STAGE_STOPPING: return f == HISTORY_STOP || f == HISTORY_DELETE;
    case HISTORY_STAGE_RUNNING:
        return f == HISTORY_STOP || f == HISTORY_DELETE || f == HISTORY_REBOOT;
    case HISTORY_STAGE_UNTOLD:
    case HISTORY_STAGE_DELETING:
    case HISTORY_STAGE_END: break;
    }
    return false;
}

static void do_it(struct possible *next, const struct model_op *op, struct concrete state)
{
    bool rests = state.stage == HISTORY_STAGE_STOPPED || state.stage == HISTORY_STAGE_FAILED;
    if (op->f == HISTORY_CREATE) {
        possible_add(
            next,
            op->value == 1 ? HISTORY_STAGE_STARTING : HISTORY_STAGE_STOPPED,
            op->value == 1 ? 1 : 0);
    } else if (op->f == HISTORY_START || op->f == HISTORY_REBOOT) {
        possible_add(next, HISTORY_STAGE_STARTING, state.epoch + (op->f == HISTORY_START ? 1 : 0));
    } else if (op->f == HISTORY_STOP) {
        possible_add(next, HISTORY_STAGE_STOPPING, state.epoch);
    } else {
        possible_add(next, rests ? HISTORY_STAGE_ABSENT : HISTORY_STAGE_DELETING, state.epoch);
    }
}

static void take(struct possible *possible, const struct model_op *op)
{
    struct possible next = { .count = 0 };
    possible_move(possible);
    for (uint32_t i = 0; i < possible->count; i++) {
        struct concrete state = possible->states[i];
        bool there = state.stage != HISTORY_STAGE_ABSENT;
        if (op->sight) {
            bool epoch =
                !there || op->seen.epoch == HISTORY_UNTOLD || op->seen.epoch == state.epoch;
            if (op->seen.stage == state.stage && epoch) {
                possible_add(&next, state.stage, state.epoch);
            }
        } else if (op->outcome == HISTORY_FAIL) {
            bool so = op->refusal == HISTORY_ABSENT  ? !there
                      : op->refusal == HISTORY_TAKEN ? there
                                                     : there && !takes(op->f, state.stage);
            if (so) {
                possible_add(&next, state.stage, state.epoch);
            }
        } else if (takes(op->f, state.stage)) {
            do_it(&next, op, state);
        }
    }
    *possible = next;
}

static bool order_explains(const struct tiny *tiny, const uint32_t *order, uint32_t count)
{
    struct possible possible = { .count = 0 };
    possible_add(&possible, HISTORY_STAGE_ABSENT, 0);
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t k = i + 1; k < count; k++) {
            if (tiny[order[k]].return_ns < tiny[order[i]].invoke_ns) {
                return false;
            }
        }
        take(&possible, &tiny[order[i]].op);
    }
    return possible.count > 0;
}

/* The next permutation in the order of a dictionary; false: that was the last. */
static bool next_order(uint32_t *order, uint32_t count)
{
    uint32_t i = count;
    while (i > 1 && order[i - 2] >= order[i - 1]) {
        i--;
    }
    if (i <= 1) {
        return false;
    }
    uint32_t k = count;
    while (order[k - 1] <= order[i - 2]) {
        k--;
    }
    uint32_t other = order[k - 1];
    order[k - 1] = order[i - 2];
    order[i - 2] = other;
    for (uint32_t low = i - 1, high = count - 1; low < high; low++, high--) {
        other = order[low];
        order[low] = order[high];
        order[high] = other;
    }
    return true;
}

/* With every choice of those that may never have been done. */
static bool some_order_explains(const struct tiny *tiny, uint32_t count)
{
    for (uint32_t without = 0; without < UINT32_C(1) << count; without++) {
        uint32_t order[TINY];
        uint32_t left = 0;
        bool allowed = true;
        for (uint32_t i = 0; i < count; i++) {
            if ((without >> i & 1U) == 0) {
                order[left++] = i;
            } else {
                allowed = allowed && tiny[i].return_ns == HISTORY_OPEN;
            }
        }
        for (bool more = allowed; more; more = next_order(order, left)) {
            if (order_explains(tiny, order, left)) {
                return true;
            }
        }
    }
    return false;
}

static void tiny_write(struct prng *prng, struct tiny *tiny)
{
    static const enum history_f fs[] = {
        HISTORY_CREATE, HISTORY_DELETE, HISTORY_START, HISTORY_STOP, HISTORY_REBOOT
    };
    uint64_t said = prng_below(prng, 8);
    tiny->op.f = prng_below(prng, 3) == 0 ? HISTORY_CREATE : fs[prng_below(prng, COUNT_OF(fs))];
    tiny->op.value = prng_below(prng, 2);
    tiny->op.outcome = said < 5 ? HISTORY_OK : said == 5 ? HISTORY_INFO : HISTORY_FAIL;
    if (tiny->op.outcome == HISTORY_INFO) {
        tiny->return_ns = HISTORY_OPEN;
    } else if (tiny->op.outcome == HISTORY_FAIL) {
        bool create = tiny->op.f == HISTORY_CREATE;
        tiny->op.refusal = create ? HISTORY_TAKEN : said == 6 ? HISTORY_ABSENT : HISTORY_STATE;
    }
}

static void tiny_make(struct prng *prng, struct tiny *tiny)
{
    memset(tiny, 0, sizeof(*tiny));
    tiny->op.kind = HISTORY_INSTANCE;
    tiny->invoke_ns = prng_below(prng, MOMENTS);
    tiny->return_ns = tiny->invoke_ns + 1 + prng_below(prng, MOMENTS / 2);
    if (prng_below(prng, 2) == 0) {
        tiny_write(prng, tiny);
        return;
    }
    tiny->op.sight = true;
    tiny->op.f = HISTORY_READ;
    tiny->op.outcome = HISTORY_OK;
    tiny->op.seen.kind = HISTORY_INSTANCE;
    tiny->op.seen.stage = (enum history_stage)(1 + prng_below(prng, HISTORY_STAGE_END - 1));
    tiny->op.seen.epoch = prng_below(prng, 2) == 0 ? HISTORY_UNTOLD : prng_below(prng, 3);
    tiny->op.seen.revision = HISTORY_UNTOLD;
}

static void tiny_tell(struct history *history, const struct tiny *tiny, uint32_t client)
{
    struct history_asked asked = { .client = client,
                                   .f = tiny->op.f,
                                   .kind = tiny->op.kind,
                                   .object = "a",
                                   .account = "",
                                   .key = "",
                                   .at_ns = tiny->invoke_ns,
                                   .value = tiny->op.value };
    struct history_told told = { .outcome = tiny->op.outcome,
                                 .refusal = tiny->op.refusal,
                                 .at_ns = tiny->return_ns };
    uint32_t event = history_invoke(history, &asked);
    history_return(history, event, &told);
    if (tiny->op.sight) {
        history_add_sight(history, event, "a", &tiny->op.seen);
    }
}

Test(random, the_search_agrees_with_every_order_there_is)
{
    struct prng prng;
    uint32_t clean = 0;
    prng_seed(&prng, 20261121);
    for (uint32_t round = 0; round < 20000; round++) {
        struct tiny tiny[TINY];
        struct history history;
        static const struct history_limits limits = { TINY, TINY, 1, 1, 4 };
        static _Alignas(16) uint8_t memory[8192];
        CHECK(history_memory(&limits) <= sizeof(memory));
        memset(memory, 0, sizeof(memory));
        history_init(&history, &limits, memory);
        uint32_t count = 2 + (uint32_t)prng_below(&prng, TINY - 1);
        for (uint32_t i = 0; i < count; i++) {
            tiny_make(&prng, &tiny[i]);
            tiny_tell(&history, &tiny[i], i + 1);
        }
        bool slow = some_order_explains(tiny, count);
        struct history_verdict verdict = history_check_registers(&history);
        cr_assert_eq(verdict.word == HISTORY_CLEAN, slow, "round %u: %s", round, verdict.sentence);
        clean += slow ? 1 : 0;
    }
    cr_assert_gt(clean, 1000, "%u", clean);
    cr_assert_lt(clean, 19000);
}
