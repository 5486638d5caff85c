/* Decides what is measured of a trial, and what the words mean: goodput is what clients were told
 * is done; unavailable is the longest time in which somebody waited and nobody was answered. Times
 * begin with the workload. Never judges. */
#include "base/check.h"
#include "base/id.h"
#include "tests/sim/plane_host.h"
#include "tests/sim/trial.h"

#include <stdlib.h>

static uint64_t asked_us[PLANE_CLIENTS]; /* Of what a client waits for; 0: for nothing. */
static uint32_t waiting;
static uint64_t silent_us;   /* Somebody waits since, and nobody was answered since. */
static uint32_t *machine_by; /* Owned; by sequence of an instance: where it was started last. */

static bool measured(const struct plane *plane)
{
    return plane->trial != NULL && plane->trial->under_way;
}

static uint64_t since_us(const struct plane *plane)
{
    CHECK(plane->now_us >= plane->trial->begin_us);
    return plane->now_us - plane->trial->begin_us;
}

static uint32_t *second_of(const struct plane *plane, uint32_t *seconds)
{
    uint64_t second = since_us(plane) / 1000000;
    return &seconds[second < TRIAL_SECONDS ? second : TRIAL_SECONDS - 1];
}

/* ---- Clients ---- */

void trial_asked(struct plane *plane, uint32_t client)
{
    if (!measured(plane) || client == 0) {
        return;
    }
    CHECK(client < PLANE_CLIENTS && asked_us[client] == 0);
    silent_us = waiting == 0 ? plane->now_us : silent_us;
    asked_us[client] = plane->now_us;
    waiting++;
    plane->trial->measures->commands++;
}

static void silence_over(struct plane *plane)
{
    uint64_t silence_us = waiting > 0 ? plane->now_us - silent_us : 0;
    uint64_t *most = &plane->trial->measures->unavailable_us;
    *most = silence_us > *most ? silence_us : *most;
    silent_us = plane->now_us;
}

void trial_answered(struct plane *plane, uint32_t client, bool done)
{
    if (!measured(plane) || client == 0 || asked_us[client] == 0) {
        return;
    }
    struct trial_measures *measures = plane->trial->measures;
    uint64_t took_us = plane->now_us - asked_us[client];
    silence_over(plane);
    asked_us[client] = 0;
    waiting--;
    if (!done) {
        measures->refused++;
        return;
    }
    measures->acknowledged++;
    (*second_of(plane, measures->goodput))++;
    measures->latencies[trial_bucket(took_us)]++;
    measures->latency_max_us =
        took_us > measures->latency_max_us ? took_us : measures->latency_max_us;
}

/* ---- Machines ---- */

void trial_queued(struct plane *plane, uint32_t length)
{
    if (!measured(plane)) {
        return;
    }
    struct trial_measures *measures = plane->trial->measures;
    uint32_t *now = second_of(plane, measures->queue);
    *now = length > *now ? length : *now;
    measures->queue_max = length > measures->queue_max ? length : measures->queue_max;
}

void trial_started(struct plane *plane, uint32_t machine, uint64_t instance)
{
    if (plane->trial == NULL || machine_by == NULL) {
        return;
    }
    uint64_t sequence = id_sequence(instance);
    uint32_t *before = sequence < PLANE_SEQUENCES ? &machine_by[sequence] : NULL;
    struct trial_measures *measures = plane->trial->measures;
    bool moved = before != NULL && *before != 0 && *before != machine;
    if (before != NULL) {
        *before = machine;
    }
    if (!measured(plane)) {
        return;
    }
    measures->starts++;
    (*second_of(plane, measures->started))++;
    measures->moves += moved ? 1 : 0;
    *second_of(plane, measures->moved) += moved ? 1 : 0;
}

void trial_meter_strike(struct plane *plane, const struct trial_strike *strike)
{
    struct trial_measures *measures = plane->trial->measures;
    measures->struck++;
    if (measures->strikes_count < TRIAL_STRIKES) {
        measures->strikes[measures->strikes_count++] = *strike;
    }
}

/* ---- Begin, every second, end ---- */

void trial_meter_begin(struct plane *plane)
{
    struct trial *trial = plane->trial;
    machine_by = plane_zeroed(PLANE_SEQUENCES, sizeof(*machine_by));
    trial->begin_us = plane->now_us;
    trial->elections_before = plane->tally->faults[PLANE_ELECTION];
    trial->under_way = true;
    trial_meter_second(plane);
}

void trial_meter_second(struct plane *plane)
{
    struct trial_measures *measures = plane->trial->measures;
    if (!measured(plane)) {
        return;
    }
    measures->duration_ms = since_us(plane) / 1000; /* Also where a violation ends it. */
    measures->elections = plane->tally->faults[PLANE_ELECTION] - plane->trial->elections_before;
    for (uint32_t i = PLANE_CONTROLLERS; i < plane->machines_count; i++) {
        uint64_t running = 0;
        for (uint32_t k = 0; k < PLANE_DOMAINS; k++) {
            running += plane_host_domains(i)[k].running ? 1 : 0;
        }
        measures->busiest = running > measures->busiest ? running : measures->busiest;
    }
    plane_post(plane, 1000, PLANE_TRIAL, 0, TRIAL_SECOND, 0, SLICE_EMPTY);
}

void trial_meter_over(struct plane *plane)
{
    struct trial *trial = plane->trial;
    silence_over(plane);
    trial->measures->duration_ms = since_us(plane) / 1000;
    trial->measures->elections = plane->tally->faults[PLANE_ELECTION] - trial->elections_before;
    trial->under_way = false;
    free(machine_by);
    machine_by = NULL;
}
