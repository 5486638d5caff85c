/* The life of an instance: its states and legal moves, and what it charges where. */
#ifndef CONTROLLER_CORE_INSTANCE_H
#define CONTROLLER_CORE_INSTANCE_H

#include "base/sm.h"
#include "controller/core/apply.h"

/* unset → stopped | starting; the picture in docs/machines is made from the table in instance.c. */
extern const struct sm instance_machine;

/* Why a deleted instance stays while its node is unknown. */
#define INSTANCE_NOT_HEARD "its node is not heard; it stays charged"

void instance_move(struct instance_row *row, Wire__InstanceState next);
/* vcpus, memory and one instance: what the ledger holds for it from creation until it is gone. */
struct quota_amounts instance_amounts(const struct instance_row *row);

/* Does this node pass every hard constraint for these amounts now? The leader's choice is held to
 * the same rules as the scheduler's filters. */
bool instance_fits_node(
    const struct state *state,
    const struct node_row *node,
    const struct image_row *image,
    uint32_t vcpus,
    uint64_t memory_bytes);
/* May its tenant place this much more without eating another's floor? */
enum reject instance_fits_floor(
    const struct state *state,
    const struct tenant_row *tenant,
    uint32_t vcpus,
    uint64_t memory_bytes,
    struct quota_refusal *refusal_out);

/* Gives it a node: a new epoch, and its room there is charged. */
void instance_place(struct apply *apply, struct instance_row *row, struct node_row *node);
/* Its room on its node is free again: only when the node said that nothing of it runs. */
void instance_unplace(struct apply *apply, struct instance_row *row);
/* Nothing of it is left: ledger, addresses and row are given back. INV-LED-6. */
void instance_gone(struct apply *apply, struct instance_row *row);
/* What was held since creation is used now. */
void instance_commit(struct apply *apply, struct instance_row *row);

#endif
