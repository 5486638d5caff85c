/* Decides, for one row at a time, the next operation that brings the seen closer to the wanted, and
 * what a failure costs. Never orders anything itself, never sees a frame. */
#ifndef NODE_AGENT_CORE_RECONCILE_H
#define NODE_AGENT_CORE_RECONCILE_H

#include "node-agent/core/model.h"

/* What the decision may depend on besides the row. */
struct reconcile_context {
    uint64_t now_ms;
    uint32_t starts_in_flight;
    bool heard_all; /* A complete list was received (INV-VM-4). */
};

/* What a noticed failure led to, for the log. */
enum reconcile_note {
    RECONCILE_NOTE_NONE = 0,
    RECONCILE_NOTE_REPAIR = 1,
    RECONCILE_NOTE_GAVE_UP = 2,
};

/* The next operation of this instance, or OPERATION_NONE. Notices failures on the way. The row is
 * not busy. */
enum operation reconcile_instance(
    struct model *model,
    struct model_instance *instance,
    const struct reconcile_context *context,
    enum reconcile_note *note_out);

/* Counts the members of every segment; call before reconcile_segment. */
void reconcile_count_members(struct model *model);
enum operation reconcile_segment(
    const struct model *model,
    const struct model_segment *segment,
    const struct reconcile_context *context);

/* The operation was handed to host. */
void reconcile_begin(struct model_instance *instance, enum operation operation, uint64_t now_ms);
/* Host answered it: `failure` is enum failure, 0 is done. */
void reconcile_end(
    struct model_instance *instance,
    enum operation operation,
    uint32_t failure,
    uint64_t boots,
    uint64_t now_ms,
    enum reconcile_note *note_out);
/* Host says that a domain ended; `why` as in InstanceEnded. An event is a hint: it may belong to an
 * earlier boot, so that only the observation which follows says what is there. */
void reconcile_ended(struct model_instance *instance, uint32_t why);

#endif
