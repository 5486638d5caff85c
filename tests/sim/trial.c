/* What the plane's files ask of a trial: that nothing happens where there is none is decided here.
 */
#include "tests/sim/trial.h"
#include "base/check.h"

void trial_begin(struct plane *plane)
{
    if (plane->trial != NULL) {
        plane->conf.life_ms = plane->now_ms + plane->trial->experiment->duration_ms;
        trial_meter_begin(plane);
        trial_workload_begin(plane);
        trial_log_fault(plane, "workload", "begins");
        trial_schedule_begin(plane);
    }
}

void trial_over(struct plane *plane)
{
    if (plane->trial != NULL) {
        trial_meter_over(plane);
        trial_log_fault(plane, "workload", "ends; everything is healed, and must come together");
        trial_lasts_over(plane);
    }
}

void trial_event(struct plane *plane, const struct plane_event *event)
{
    CHECK(plane->trial != NULL && event->kind == PLANE_TRIAL);
    if (event->a == TRIAL_SECOND) {
        trial_meter_second(plane);
    } else {
        trial_schedule_event(plane, event);
    }
}

bool trial_is_calm(const struct plane *plane)
{
    return plane->trial != NULL && !plane->trial->experiment->swarm;
}

bool trial_has_weather(const struct plane *plane)
{
    return plane->trial != NULL && plane->trial->experiment->has_weather;
}

place_policy *trial_placement(const struct plane *plane)
{
    return plane->trial == NULL ? NULL : plane->trial->experiment->placement->choose;
}
