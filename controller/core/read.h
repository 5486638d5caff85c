/* Reads: answers from applied state. Whether that state is fresh enough is engine.c's business. */
#ifndef CONTROLLER_CORE_READ_H
#define CONTROLLER_CORE_READ_H

#include "controller/core/apply.h"
#include "controller/core/nodes.h"
#include "controller/core/views.h"

/* Fills answer for Get, List, QuotaRead, AccessRead, Explain and ClusterStatus; refuses what the
 * principal may not see exactly like what is not there. */
void read_answer(
    const struct view_live *live,
    struct nodes *nodes,
    const Wire__Request *request,
    struct outcome *outcome,
    Wire__Answer *answer);

/* Does the ledger say what the inventory says? How many accounts do not. INV-LED-2 */
uint64_t read_ledger_mismatches(const struct state *state);

#endif
