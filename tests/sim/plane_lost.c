/* The mode without a budget: a majority of the controllers' disks is hurt, and nothing can give
 * back what only they knew. Decides which disks, and what is then still a lie: a replica whose own
 * disk kept its promises never unsays what it said; whoever does not start or stops says why, with
 * a name; ledgers, rooms and bounds are those of every honest state. Never asks that such a cell
 * goes on: it may stand still for good. That a majority which forgot, and found nobody to ask, goes
 * on from what it has, is not held against it (INV-LOG-10): nobody could tell it. */
#include "base/check.h"
#include "tests/sim/plane_check.h"
#include "tests/sim/plane_controller.h"
#include "tests/sim/plane_machine.h"
#include "tests/sim/plane_net.h"
#include "tests/sim/plane_people.h"

#include <stdlib.h>
#include <string.h>

enum { AGAIN_EACH_TIME = 4, STRIKES = 1000, HEARD_MS = 3000, SHELTER_MS = 8000, AWAKE_US = 100000 };

/* What one machine said, since its disk last broke its own promise. */
struct said {
    uint64_t *digests; /* Owned; by index; 0: nothing. */
    uint64_t highest;
    uint64_t before; /* The highest when memory was lost. */
    uint32_t again;
    uint32_t life; /* Of its process then: as long as it lives, it remembers whom it heard. */
    bool refused;  /* The last that was heard of it was a refusal with a name. */
};

static struct said said_of[PLANE_CONTROLLERS];
static bool sheltered; /* Nobody was cut off or struck while the hurt ones came back. */
static uint32_t *kept; /* Owned; requests that were acknowledged when memory was lost. */
static uint32_t kept_count;

void plane_lost_begin(const struct plane *plane)
{
    for (uint32_t i = 0; i < PLANE_CONTROLLERS && plane->unrecoverable; i++) {
        said_of[i].digests = plane_zeroed(PLANE_INDEXES, sizeof(*said_of[i].digests));
    }
}

void plane_lost_end(void)
{
    for (uint32_t i = 0; i < PLANE_CONTROLLERS; i++) {
        free(said_of[i].digests);
        said_of[i] = (struct said){ .highest = 0 };
    }
    free(kept);
    kept = NULL;
    kept_count = 0;
}

void plane_lost_starts(uint32_t machine, uint64_t applied)
{
    struct said *said = &said_of[machine];
    CHECK(machine < PLANE_CONTROLLERS);
    for (uint64_t i = applied + 1; i <= said->highest && said->digests != NULL; i++) {
        said->digests[i] = 0; /* That these were committed is on no disk. */
    }
    said->highest = said->highest < applied ? said->highest : applied;
    said->before = said->before < applied ? said->before : applied;
}

void plane_lost_forget(uint32_t machine)
{
    plane_lost_starts(machine, 0);
}

/* So many members, so many of them hurt. */
static bool majority_hurt(const struct plane *plane)
{
    uint32_t members = 0;
    uint32_t hurt = 0;
    for (uint32_t i = 0; i < PLANE_CONTROLLERS; i++) {
        members += plane->machines[i].exists ? 1 : 0;
        hurt += plane->machines[i].exists && plane_controller_hurt(i) ? 1 : 0;
    }
    return hurt > (members - 1) / 2;
}

static bool awake(const struct plane *plane, uint32_t machine)
{
    const struct plane_machine *self = &plane->machines[machine];
    return self->up && self->slow == 1 && self->clock.rate_ppm > 0 &&
           self->busy_us <= plane->now_us + AWAKE_US;
}

void plane_lost_note(struct plane *plane)
{
    if (!plane->unrecoverable || plane->lost || !majority_hurt(plane)) {
        return;
    }
    plane->lost = true;
    plane_seen(plane, PLANE_MEMORY_LOST);
    plane_trace(plane, "more disks are hurt than a majority can do without");
    kept = plane_zeroed(plane_requests_count + 1, sizeof(*kept));
    for (uint32_t i = 1; i <= plane_requests_count; i++) {
        if (plane_requests[i].state == PLANE_ACKNOWLEDGED && plane_requests[i].operation != 0) {
            kept[kept_count++] = i;
        }
    }
    for (uint32_t i = 0; i < PLANE_CONTROLLERS; i++) {
        said_of[i].before = said_of[i].highest;
        bool heard = sheltered && awake(plane, i) &&
                     plane_controller_of(i)->started_ms + HEARD_MS < plane->now_ms;
        said_of[i].life = heard ? plane->machines[i].life : UINT32_MAX;
    }
}

void plane_lost_refused(struct plane *plane, uint32_t machine)
{
    CHECK(machine < PLANE_CONTROLLERS);
    if (plane->lost && !said_of[machine].refused) {
        plane_seen(plane, PLANE_REFUSED_BY_NAME);
    }
    said_of[machine].refused = true;
}

void plane_lost_save(struct plane *plane)
{
    for (uint32_t i = 0; i < PLANE_CONTROLLERS; i++) {
        plane_disk_save(plane, i);
    }
}

/* Of each machine on its own: rot, a directory of long ago, or none at all. Until it is a majority.
 */
void plane_lost_strike(struct plane *plane)
{
    static const enum plane_fault kinds[] = { PLANE_ROT, PLANE_SET_BACK, PLANE_DISK_LOST };
    uint32_t from = (uint32_t)plane_below(plane, PLANE_CONTROLLERS);
    enum plane_fault same = kinds[plane_below(plane, COUNT_OF(kinds))];
    bool mixed = plane_odds(plane, 5000);
    sheltered = plane_odds(plane, 5000);
    if (sheltered) { /* Whoever remembers can be asked: what he knows must be heard. */
        plane->shelter_ms = plane->now_ms + SHELTER_MS;
        plane_weather_fair(plane);
    }
    for (uint32_t i = 0; i < STRIKES && !plane->lost; i++) {
        uint32_t machine = (from + i) % PLANE_CONTROLLERS;
        enum plane_fault how = mixed ? kinds[plane_below(plane, COUNT_OF(kinds))] : same;
        if (plane->machines[machine].exists) {
            (void)plane_disk_hurt(plane, machine, i < PLANE_CONTROLLERS ? how : PLANE_DISK_LOST);
        }
        if (i >= PLANE_CONTROLLERS) { /* Who is down is hurt when he is back. */
            (void)plane_until(plane, 100, NULL);
        }
    }
}

/* ---- What is still a lie ---- */

static void check_kept(
    struct plane *plane, uint32_t machine, uint64_t index, const struct state *state)
{
    struct said *said = &said_of[machine];
    for (uint32_t i = 0; i < AGAIN_EACH_TIME && kept_count > 0; i++) {
        said->again = (said->again + 1) % kept_count;
        const struct plane_request *request = &plane_requests[kept[said->again]];
        if (request->index <= said->before && request->index <= index &&
            !plane_check_kept(plane, request, state)) {
            plane_fail(
                plane,
                "UNSAID m%u: %s %s was in its state at %llu",
                machine,
                plane_act_name(request->act),
                request->name,
                (unsigned long long)request->index);
        }
    }
}

void plane_lost_look(
    struct plane *plane, uint32_t machine, uint64_t index, const struct state *state)
{
    struct said *said = &said_of[machine];
    uint64_t digest = state->digest | 1;
    if (!plane->unrecoverable) {
        return;
    }
    CHECK(index < PLANE_INDEXES);
    said->refused = false;
    if (said->digests[index] != 0 && said->digests[index] != digest) { /* INV-LOG-1 */
        plane_fail(
            plane,
            "UNSAID m%u: at %llu it said something else",
            machine,
            (unsigned long long)index);
    }
    said->digests[index] = digest;
    said->highest = index > said->highest ? index : said->highest;
    if (plane->lost) {
        plane_checked(plane, PLANE_CHECK_UNSAID);
        check_kept(plane, machine, index, state);
    }
}

bool plane_lost_forge(struct plane *plane)
{
    for (uint32_t i = 0; i < PLANE_CONTROLLERS && plane->lost; i++) {
        struct server *server = plane_server(plane, i);
        if (server != NULL && said_of[i].before > 0) {
            const struct state *state = engine_state(server_engine(server));
            said_of[i].digests[engine_applied(server_engine(server))] = (state->digest ^ 2) | 1;
            plane_lost_look(plane, i, engine_applied(server_engine(server)), state);
        }
    }
    return false;
}

/* This one has been asked, or could have been, ever since memory was lost (INV-LOG-10). */
static bool remembers(const struct plane *plane, uint32_t machine)
{
    const struct plane_machine *self = &plane->machines[machine];
    return self->exists && self->up && self->life == said_of[machine].life &&
           !plane_controller_hurt(machine);
}

/* Who leads has what somebody remembers to be done. */
static void check_leader(struct plane *plane, uint32_t leader)
{
    const struct state *state = engine_state(server_engine(plane_server(plane, leader)));
    uint64_t known = 0;
    for (uint32_t i = 0; i < PLANE_CONTROLLERS; i++) {
        bool more = remembers(plane, i) && said_of[i].before > known;
        known = more ? said_of[i].before : known;
    }
    for (uint32_t i = 0; i < kept_count; i++) {
        const struct plane_request *request = &plane_requests[kept[i]];
        if (request->index <= known && !plane_check_kept(plane, request, state)) {
            plane_fail(
                plane,
                "UNSAID m%u leads without %s %s of %llu, which others remember",
                leader,
                plane_act_name(request->act),
                request->name,
                (unsigned long long)request->index);
        }
    }
}

void plane_lost_judge(struct plane *plane)
{
    uint32_t leader = plane_leader(plane);
    CHECK(plane->lost);
    if (leader != PLANE_NONE) {
        check_leader(plane, leader);
    }
    for (uint32_t i = 0; i < PLANE_CONTROLLERS; i++) {
        const struct plane_machine *machine = &plane->machines[i];
        if (machine->exists && !machine->up && !said_of[i].refused) {
            plane_fail(plane, "SILENT m%u is down, and nobody knows why", i);
        }
    }
    plane_seen(plane, leader == PLANE_NONE ? PLANE_STOOD_STILL : PLANE_WENT_ON);
    plane_checked(plane, PLANE_CHECK_UNSAID);
}
