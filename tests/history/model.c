/* The moves of an instance are those of controller/core/instance.c, written down anew: what the
 * product does is held to this, so it is not read from there. */
#include "tests/history/model.h"

#include "base/check.h"

#include <string.h>

#define BIT(stage) (UINT32_C(1) << HISTORY_STAGE_##stage)

_Static_assert(sizeof(struct model_state) == 4 * 8 + 4 * 4, "a state has no holes");

enum {
    PLACED = BIT(STARTING) | BIT(RUNNING) | BIT(STOPPING),
    AT_REST = BIT(STOPPED) | BIT(FAILED)
};
#define THERE (PLACED | AT_REST | BIT(DELETING))

/* With all that may come of it by itself. */
static uint32_t closed(uint32_t stages)
{
    if ((stages & (BIT(STARTING) | BIT(RUNNING))) != 0) {
        stages |= BIT(STARTING) | BIT(RUNNING) | BIT(FAILED);
    }
    if ((stages & BIT(STOPPING)) != 0) {
        stages |= BIT(STOPPED);
    }
    if ((stages & BIT(DELETING)) != 0) {
        stages |= BIT(ABSENT);
    }
    return stages;
}

void model_begin(enum history_kind kind, struct model_state *state_out)
{
    memset(state_out, 0, sizeof(*state_out));
    state_out->stages = kind == HISTORY_VALUE ? 0 : BIT(ABSENT);
}

/* The stages in which a write is taken. */
static uint32_t taken_in(const struct model_op *op)
{
    switch (op->f) {
    case HISTORY_CREATE: return BIT(ABSENT);
    case HISTORY_START: return AT_REST;
    case HISTORY_STOP: return PLACED;
    case HISTORY_REBOOT: return BIT(RUNNING);
    case HISTORY_DELETE: return THERE & ~BIT(DELETING);
    case HISTORY_SET:
    case HISTORY_READ:
    case HISTORY_LIST:
    case HISTORY_ACCOUNT:
    case HISTORY_F_END: break;
    }
    return 0;
}

static uint32_t after(const struct model_op *op, uint32_t stages)
{
    switch (op->f) {
    case HISTORY_CREATE: return op->value == 1 ? BIT(STARTING) : BIT(STOPPED);
    case HISTORY_START:
    case HISTORY_REBOOT: return BIT(STARTING);
    case HISTORY_STOP: return BIT(STOPPING);
    case HISTORY_DELETE:
        return ((stages & AT_REST) != 0 ? BIT(ABSENT) : 0) |
               ((stages & PLACED) != 0 ? BIT(DELETING) : 0);
    case HISTORY_SET:
    case HISTORY_READ:
    case HISTORY_LIST:
    case HISTORY_ACCOUNT:
    case HISTORY_F_END: break;
    }
    return 0;
}

/* The life that an answer names is the present one; the first answer of a life tells its number. */
static bool life_is(struct model_state *state, uint64_t id)
{
    if (id == 0) {
        return true;
    }
    if (state->bound != 0) {
        return state->id == id;
    }
    if (id <= state->id) {
        return false;
    }
    state->id = id;
    state->bound = 1;
    return true;
}

/* What the account that asks did not make. */
static bool foreign(const struct model_op *op, const struct model_state *state)
{
    return state->owner != 0 && op->account != 0 && state->owner != op->account;
}

static void none_left(struct model_state *state)
{
    if (state->stages == BIT(ABSENT)) { /* Whatever comes is another life. */
        state->bound = 0;
        state->owner = 0;
    }
}

static bool keep(struct model_state *next, uint32_t stages)
{
    next->stages &= stages;
    none_left(next);
    next->stages = closed(next->stages);
    return next->stages != 0;
}

/* It is not there, or it is not there for this account. */
static bool absent(const struct model_op *op, struct model_state *next)
{
    return foreign(op, next) || keep(next, BIT(ABSENT));
}

static bool refused(const struct model_op *op, struct model_state *next)
{
    switch (op->refusal) {
    case HISTORY_ABSENT: return absent(op, next);
    case HISTORY_TAKEN: return keep(next, THERE);
    case HISTORY_USED: return !foreign(op, next) && keep(next, THERE);
    case HISTORY_STATE: return !foreign(op, next) && keep(next, THERE & ~taken_in(op));
    case HISTORY_UNTRIED:
    case HISTORY_REUSED:
    case HISTORY_CHANGED:
    case HISTORY_REFUSED: return true;
    case HISTORY_REFUSAL_END: break;
    }
    UNREACHABLE();
}

static bool written(const struct model_op *op, struct model_state *next)
{
    uint32_t stages = next->stages & taken_in(op);
    if (stages == 0 || (op->f != HISTORY_CREATE && foreign(op, next))) {
        return false;
    }
    if (op->f == HISTORY_CREATE) {
        next->bound = 0;
        next->revision = 1;
        next->owner = op->account;
        next->epoch = op->value == 1 ? 1 : 0;
    } else {
        next->revision++;
        next->epoch += op->f == HISTORY_START ? 1 : 0;
    }
    if (!life_is(next, op->id)) {
        return false;
    }
    next->stages = after(op, stages);
    none_left(next);
    next->stages = closed(next->stages);
    return true;
}

static bool seen(const struct model_op *op, struct model_state *next)
{
    const struct history_sight *seen = &op->seen;
    if (seen->stage == HISTORY_STAGE_ABSENT) {
        return absent(op, next);
    }
    uint32_t stages = seen->stage == HISTORY_STAGE_UNTOLD ? THERE : UINT32_C(1) << seen->stage;
    bool told = seen->revision != HISTORY_UNTOLD;
    bool fits = !foreign(op, next) && life_is(next, seen->id) &&
                (seen->epoch == HISTORY_UNTOLD || seen->epoch == next->epoch) &&
                (!told || seen->revision >= next->revision);
    next->revision = told ? seen->revision : next->revision;
    return fits && keep(next, stages);
}

/* Does a value have this revision? From now on it does. */
static bool revision_is(struct model_state *next, uint64_t revision)
{
    bool known = (next->known & MODEL_REVISION) != 0;
    bool fits = known ? next->revision == revision : next->revision <= revision;
    next->revision = revision;
    next->known |= MODEL_REVISION;
    return fits;
}

static bool value_seen(const struct history_sight *seen, struct model_state *next)
{
    bool known = (next->known & MODEL_VALUE) != 0;
    bool fits = !known || next->value == seen->value;
    next->value = seen->value;
    next->known |= MODEL_VALUE;
    return fits && (seen->revision == HISTORY_UNTOLD || revision_is(next, seen->revision));
}

/* A SET makes a value known, whether or not its revision is. */
static bool value_step(const struct model_op *op, struct model_state *next)
{
    if (op->sight) {
        return value_seen(&op->seen, next);
    }
    if (op->outcome == HISTORY_FAIL) {
        bool known = (next->known & MODEL_REVISION) != 0;
        bool changed = op->match != 0 && (!known || next->revision != op->match);
        return op->refusal != HISTORY_CHANGED || changed;
    }
    if (op->match != 0 && !revision_is(next, op->match)) {
        return false;
    }
    next->value = op->value;
    next->known |= MODEL_VALUE;
    next->revision++;
    return true;
}

bool model_step(
    const struct model_op *op, const struct model_state *state, struct model_state *next_out)
{
    *next_out = *state;
    if (op->kind == HISTORY_VALUE) {
        return value_step(op, next_out);
    }
    if (op->sight) {
        return seen(op, next_out);
    }
    return op->outcome == HISTORY_FAIL ? refused(op, next_out) : written(op, next_out);
}
