/* What one object does when it is asked one thing after the other. Decides whether an answer fits a
 * state, and which state follows. Never decides in which order things were done.
 *
 * What a cell does by itself (a guest comes up, a stopped one is reported) may happen at any time:
 * a state therefore holds every stage that is possible now.
 *
 * An account has to do with what it made and with nothing else: what another one made is to it like
 * what never was (INV-SEC-1). */
#ifndef HISTORY_MODEL_H
#define HISTORY_MODEL_H

#include "tests/history/history.h"

struct model_state {
    uint64_t id; /* Of this life, if `bound`; else of an earlier one. 0: none was ever told. */
    uint64_t revision; /* At least this one; of a value: this one, if it is known. */
    uint64_t value;
    uint64_t epoch;  /* Placements in this life. */
    uint32_t stages; /* Bits of enum history_stage. */
    uint32_t bound;
    uint32_t known; /* Bits of enum model_known. */
    uint32_t owner; /* The account that made this life; 0: none, or untold. */
};

enum model_known { MODEL_VALUE = 1, MODEL_REVISION = 2 };

struct model_op {
    bool sight; /* A read; else a write with its answer. */
    enum history_f f;
    enum history_kind kind;
    enum history_outcome outcome;
    enum history_refusal refusal;
    uint32_t account; /* Who asks; 0: untold. */
    uint64_t value;
    uint64_t match;
    uint64_t id;
    struct history_sight seen; /* Of a sight. */
};

void model_begin(enum history_kind kind, struct model_state *state_out);
/* False: it cannot have been answered like that in this state. An INFO that was done takes the step
 * of one that was answered OK. */
bool model_step(
    const struct model_op *op, const struct model_state *state, struct model_state *next_out);

#endif
