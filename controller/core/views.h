/* Rows as people see them: the Resource views of the interface, made in the step's arena. */
#ifndef CONTROLLER_CORE_VIEWS_H
#define CONTROLLER_CORE_VIEWS_H

#include "controller/core/state.h"

#include <api.pb-c.h>

/* What only the leader knows of machines besides their rows. */
struct view_live {
    const struct state *state;
    struct arena *arena;
    /* 0 when unknown; asked by id. */
    uint64_t (*renewed_ms_ago)(const void *context, uint64_t node);
    /* Fills what consensus and the others' standing say of a controller. */
    void (*controller)(
        const void *context, struct arena *arena, uint64_t id, Wire__ControllerView *view);
    const void *context;
};

/* The view of a row of any table that has one; NULL when the arena is full. */
Wire__Resource *views_of(const struct view_live *live, enum state_table table, const void *row);
Wire__QuotaView *views_quota(
    const struct view_live *live,
    const struct tenant_row *tenant,
    const struct project_row *project);
Wire__OperationView *views_operation(const struct view_live *live, const struct operation_row *row);
Wire__AlarmView *views_alarm(const struct view_live *live, const struct alarm_row *row);
Wire__UserView *views_user(const struct view_live *live, const struct user_row *row);
Wire__ControllerView *views_controller(
    const struct view_live *live, const struct controller_row *row);

#endif
