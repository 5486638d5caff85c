/* Decides how fast recovery may go. Never decides what is recovered, nor counts starts. */
#include "scheduler/breaker.h"

#include "base/check.h"
#include "scheduler/liveness.h"

static bool above(uint32_t lost, uint32_t members, uint32_t percent)
{
    return (uint64_t)lost * 100 > (uint64_t)members * percent;
}

enum breaker_level breaker_level_of(uint32_t lost, uint32_t members)
{
    CHECK(lost <= members);
    if (members == 0) {
        return BREAKER_CLOSED;
    }
    if (lost >= liveness_quorum(members)) {
        return BREAKER_OPEN; /* All of them, too: there is no other end of the scale. */
    }
    bool many = lost > 1 && above(lost, members, BREAKER_SLOW_PERCENT);
    return many ? BREAKER_SLOW : BREAKER_CLOSED;
}

static bool calm(uint32_t lost, uint32_t members)
{
    return lost <= 1 || !above(lost, members, BREAKER_CALM_PERCENT);
}

struct breaker breaker_look(
    struct breaker breaker, uint32_t lost, uint32_t members, uint64_t now_ms)
{
    enum breaker_level before = breaker.level == 0 ? BREAKER_CLOSED : breaker.level;
    enum breaker_level now = breaker_level_of(lost, members);
    if (now >= before) { /* As bad or worse: at once. */
        breaker.level = now;
        breaker.calm_ms = 0;
        return breaker;
    }
    breaker.level = BREAKER_SLOW; /* Better: step by step, and never in one. */
    if (now == BREAKER_SLOW || !calm(lost, members)) {
        breaker.calm_ms = 0;
        return breaker;
    }
    breaker.calm_ms = breaker.calm_ms == 0 ? now_ms : breaker.calm_ms;
    CHECK(now_ms >= breaker.calm_ms);
    if (now_ms - breaker.calm_ms >= BREAKER_CALM_MS) {
        breaker = (struct breaker){ .level = BREAKER_CLOSED, .closed_ms = now_ms };
    }
    return breaker;
}

uint32_t breaker_pace(const struct breaker *breaker, uint64_t now_ms)
{
    switch (breaker->level) {
    case BREAKER_OPEN: return 0;
    case BREAKER_SLOW: return 1;
    case BREAKER_CLOSED: break;
    }
    if (breaker->closed_ms == 0) {
        return BREAKER_WHOLE;
    }
    CHECK(now_ms >= breaker->closed_ms);
    uint64_t steps = 1 + (now_ms - breaker->closed_ms) / BREAKER_STEP_MS;
    return steps < BREAKER_WHOLE ? (uint32_t)steps : (uint32_t)BREAKER_WHOLE;
}

bool breaker_differs(const struct breaker *a, const struct breaker *b)
{
    return a->level != b->level || a->calm_ms != b->calm_ms || a->closed_ms != b->closed_ms;
}
