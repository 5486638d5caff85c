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

static bool keep(struct model_state *next, uint32_t stages)
{
    next->stages &= stages;
    if (next->stages == BIT(ABSENT)) {
        next->bound = 0; /* Whatever comes is another life. */
    }
    next->stages = closed(next->stages);
    return next->stages != 0;
}

static bool refused(const struct model_op *op, struct model_state *next)
{
    switch (op->refusal) {
    case HISTORY_ABSENT: return keep(next, BIT(ABSENT));
    case HISTORY_TAKEN:
    case HISTORY_USED: return keep(next, THERE);
    case HISTORY_STATE: return keep(next, THERE & ~taken_in(op));
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
    if (stages == 0) {
        return false;
    }
    if (op->f == HISTORY_CREATE) {
        next->bound = 0;
        next->revision = 1;
        next->epoch = op->value == 1 ? 1 : 0;
    } else {
        next->revision++;
        next->epoch += op->f == HISTORY_START ? 1 : 0;
    }
    if (!life_is(next, op->id)) {
        return false;
    }
    next->stages = after(op, stages);
    if (next->stages == BIT(ABSENT)) {
        next->bound = 0;
    }
    next->stages = closed(next->stages);
    return true;
}

static bool seen(const struct history_sight *seen, struct model_state *next)
{
    if (seen->stage == HISTORY_STAGE_ABSENT) {
        return keep(next, BIT(ABSENT));
    }
    uint32_t stages = seen->stage == HISTORY_STAGE_UNTOLD ? THERE : UINT32_C(1) << seen->stage;
    bool fits = life_is(next, seen->id) &&
                (seen->epoch == HISTORY_UNTOLD || seen->epoch == next->epoch) &&
                (seen->revision == 0 || seen->revision >= next->revision);
    next->revision = seen->revision == 0 ? next->revision : seen->revision;
    return fits && keep(next, stages);
}

static bool value_step(const struct model_op *op, struct model_state *next)
{
    if (op->sight) {
        bool fits = next->known == 0 ||
                    (next->value == op->seen.value && next->revision == op->seen.revision);
        next->known = 1;
        next->value = op->seen.value;
        next->revision = op->seen.revision;
        return fits;
    }
    bool matches = op->match == 0 || next->known == 0 || next->revision == op->match;
    if (op->outcome == HISTORY_FAIL) {
        return op->refusal != HISTORY_CHANGED || next->known == 0 || !matches;
    }
    if (!matches) {
        return false;
    }
    if (op->match != 0) { /* Taken: so it had that revision. */
        next->revision = op->match;
        next->known = 1;
    }
    next->value = op->value;
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
        return seen(&op->seen, next_out);
    }
    return op->outcome == HISTORY_FAIL ? refused(op, next_out) : written(op, next_out);
}
