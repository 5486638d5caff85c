/* The plane without a trial, for programs that never run an experiment. Decides nothing. */
#include "base/check.h"
#include "tests/sim/trial.h"

void trial_begin(struct plane *plane)
{
    CHECK(plane->trial == NULL);
}

void trial_over(struct plane *plane)
{
    CHECK(plane->trial == NULL);
}

void trial_event(struct plane *plane, const struct plane_event *event)
{
    CHECK(plane->trial != NULL && event->kind != PLANE_TRIAL); /* Nobody posts one. */
}

void trial_asked(struct plane *plane, uint32_t client)
{
    CHECK(plane->trial == NULL && client < PLANE_CLIENTS);
}

void trial_answered(struct plane *plane, uint32_t client, bool done)
{
    (void)done;
    CHECK(plane->trial == NULL && client < PLANE_CLIENTS);
}

void trial_queued(struct plane *plane, uint32_t length)
{
    CHECK(plane->trial == NULL && length > 0);
}

void trial_started(struct plane *plane, uint32_t machine, uint64_t instance)
{
    CHECK(plane->trial == NULL && plane_is_node(machine) && instance != 0);
}

void trial_happens(struct plane *plane, const struct plane_event *event)
{
    CHECK(plane->trial == NULL && event->kind != PLANE_TRIAL);
}

void trial_says(struct plane *plane, const char *format, va_list arguments)
{
    (void)arguments;
    CHECK(plane->trial == NULL && format != NULL);
}

void trial_flush(struct plane *plane)
{
    CHECK(plane->trial == NULL);
}

bool trial_is_calm(const struct plane *plane)
{
    CHECK(plane->trial == NULL);
    return false;
}

bool trial_has_weather(const struct plane *plane)
{
    CHECK(plane->trial == NULL);
    return false;
}

place_policy *trial_placement(const struct plane *plane)
{
    CHECK(plane->trial == NULL);
    return NULL;
}

uint64_t trial_rest_ms(const struct plane *plane, uint32_t client)
{
    CHECK(plane->trial == NULL && client < PLANE_CLIENTS);
    return TRIAL_REST_MS;
}

uint32_t trial_choose(struct plane *plane, uint32_t client)
{
    CHECK(plane->trial == NULL);
    return plane_request_choose(plane, client);
}

enum plane_act trial_act(struct plane *plane)
{
    CHECK(plane->trial == NULL);
    return 0;
}

void trial_recut(struct plane *plane)
{
    CHECK(plane->trial == NULL);
}
