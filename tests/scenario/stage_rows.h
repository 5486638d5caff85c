/* What can be seen of rows: shared by the stages that have a core in their own process. Decides
 * nothing, changes nothing. */
#ifndef TESTS_SCENARIO_STAGE_ROWS_H
#define TESTS_SCENARIO_STAGE_ROWS_H

#include "controller/core/state.h"
#include "tests/scenario/stage.h"

const struct instance_row *rows_instance(
    const struct state *state, const char *tenant, const char *name);
void rows_see_instance(
    const struct state *state,
    const char *tenant,
    const char *name,
    struct seen_instance *seen_out);
void rows_see_account(
    const struct state *state,
    const char *tenant,
    const char *project,
    struct seen_account *seen_out);
void rows_see_node(const struct state *state, const char *name, struct seen_node *seen_out);
void rows_see_operation(const struct state *state, const char *name, char out[static STAGE_NAME]);
/* SEEN_ALARMS, SEEN_INSTANCES or SEEN_NETWORKS. */
uint64_t rows_count(const struct state *state, enum seen_count what, const char *name);
/* User, by name; NULL: nobody. */
const struct user_row *rows_person(const struct state *state, const char *name);

#endif
