/* What the hypervisors see of how guests are treated: who is not to be forced is asked first and
 * given time, and whoever does not come up is not tried more often than was agreed. Reckoned from
 * the verbs that agents give and from what really came of them. Decides also which guests do not
 * come up for a while; nothing else. */
#include "base/check.h"
#include "base/id.h"
#include "controller/server.h"
#include "node-agent/core/agent.h"
#include "tests/sim/plane_check.h"
#include "tests/sim/plane_guest.h"
#include "tests/sim/plane_hypervisor.h"
#include "tests/sim/plane_machine.h"
#include "tests/sim/plane_net.h"
#include "tests/sim/plane_time.h"

#include <stdlib.h>

enum { SICK_STARTS = 4 };

/* Of boots, in some seeds: guests that fail take no room, and full cells must come up, too. */
static const uint64_t sick_one_in[] = { 6, 24, 96 };

static struct plane_guest *guests; /* Owned; by sequence of the id. */

void plane_guests_begin(void)
{
    guests = plane_zeroed(PLANE_SEQUENCES, sizeof(*guests));
}

void plane_guests_over(void)
{
    free(guests);
    guests = NULL;
}

struct plane_guest *plane_guest_of(uint64_t instance)
{
    uint64_t at = id_sequence(instance);
    CHECK(at < PLANE_SEQUENCES);
    return &guests[at];
}

/* Drawn from what it is, so that no other draw moves. One boot is well, another is not; whoever may
 * fail often comes up after a while. */
bool plane_guest_sick(struct plane *plane, const Wire__Assignment *order)
{
    uint64_t drawn = plane->seed ^ (order->instance * UINT64_C(0x9e3779b97f4a7c15));
    drawn = (drawn ^ (drawn >> 29) ^ order->boots) * UINT64_C(0xbf58476d1ce4e5b9);
    bool sick = (drawn >> 32) % sick_one_in[plane->seed % COUNT_OF(sick_one_in)] == 0 &&
                plane_guest_of(order->instance)->tries.failed < SICK_STARTS;
    return plane_guest_of(order->instance)->dead ||
           (sick && plane_strikes(plane, PLANE_NEVER_UP, 10000));
}

static uint64_t agent_of(uint32_t machine)
{
    const struct plane_host *host = plane_host_of(machine);
    return (uint64_t)machine << 48 | (uint64_t)(host->life & UINT16_MAX) << 32 | host->channel;
}

void plane_guest_tries(
    struct plane *plane, uint32_t machine, const Wire__Assignment *order, bool heard)
{
    struct plane_tries *tries = &plane_guest_of(order->instance)->tries;
    uint64_t now_ms = plane_now(plane, machine);
    if (!heard || tries->generation != order->generation || tries->epoch != order->epoch ||
        tries->agent != agent_of(machine)) {
        *tries = (struct plane_tries){ .generation = heard ? order->generation : 0,
                                       .epoch = order->epoch,
                                       .agent = agent_of(machine) };
    } else if (tries->up) { /* It came up, and is there no more: its agent must have seen that. */
        tries->failed = now_ms - tries->started_ms >= AGENT_STABLE_MS ? 0 : tries->failed;
        tries->failed++;
    }
    tries->up = false;
    tries->started_ms = now_ms;
    plane_checked(plane, PLANE_CHECK_ATTEMPTS);
    if (tries->failed > order->max_attempts && !plane->lost) {
        plane_fail(
            plane,
            "ATTEMPTS m%u tries to start %llx once more, after %u of %u",
            machine,
            (unsigned long long)order->instance,
            tries->failed,
            order->max_attempts);
    }
}

void plane_guest_made(
    struct plane *plane, uint32_t machine, const struct plane_domain *domain, bool fails)
{
    struct plane_guest *guest = plane_guest_of(domain->instance);
    CHECK(plane_is_node(machine) && machine < plane->machines_count);
    guest->failed += fails ? 1 : 0;
    guest->tries.failed += fails && guest->tries.generation != 0 ? 1 : 0;
    guest->tries.up = !fails && domain->running;
    if (domain->running && domain->boots > guest->ran) {
        guest->ran = domain->boots;
    }
}

void plane_guest_ended(const struct plane_domain *domain)
{
    if (domain->running && id_sequence(domain->instance) < PLANE_SEQUENCES) {
        plane_guest_of(domain->instance)->failed++;
    }
}

/* ---- Stops ---- */

/* Whoever asked for this end said that the guest is to be asked first. Nobody knows of orders that
 * came since its row was last looked at, which in a large cell may be a while ago. */
static bool is_to_be_asked(
    struct plane *plane,
    uint32_t machine,
    const struct plane_domain *domain,
    const struct plane_guest *guest)
{
    const struct state *state = plane_change_newest(plane);
    const struct instance_row *row =
        state == NULL ? NULL : state_find(state, TABLE_INSTANCE, domain->instance);
    return row != NULL && row->desired == WIRE__DESIRED__DESIRED_STOPPED && !row->force &&
           row->generation == guest->ordered && guest->forced != row->epoch &&
           row->node.value == plane->machines[machine].id && row->epoch == domain->epoch &&
           row->boots == domain->boots;
}

void plane_guest_stop(struct plane *plane, uint32_t machine, uint64_t instance, bool force)
{
    const struct plane_domain *domain = plane_domain_of(plane_host_of(machine), instance);
    uint64_t now_ms = plane_now(plane, machine);
    if (domain == NULL || id_sequence(instance) >= PLANE_SEQUENCES) {
        return;
    }
    struct plane_guest *guest = plane_guest_of(instance);
    guest->tries.up = false;
    if (!force) {
        guest->asked_ms = now_ms + 1;
        guest->asked_at = machine;
        return;
    }
    if (plane->lost || !domain->running || !is_to_be_asked(plane, machine, domain, guest)) {
        return;
    }
    bool asked = guest->asked_ms != 0 && guest->asked_at == machine;
    plane_checked(plane, PLANE_CHECK_GRACE);
    if (!asked || now_ms + 1 - guest->asked_ms < AGENT_STOP_GRACE_MS) {
        plane_fail(
            plane,
            "GRACE m%u ends %llx, which was %s",
            machine,
            (unsigned long long)instance,
            asked ? "asked a moment ago" : "never asked");
    }
}

/* ---- Lies ---- */

bool plane_guest_forge_stop(struct plane *plane, const struct state *state)
{
    for (const struct instance_row *row = state_first(state, TABLE_INSTANCE); row != NULL;
         row = state_next(state, TABLE_INSTANCE, row)) {
        uint32_t machine =
            row->node.value == 0 ? PLANE_NONE : plane_machine_of(plane, row->node.value);
        const struct plane_domain *domain =
            machine == PLANE_NONE ? NULL : plane_domain_of(plane_host_of(machine), row->head.id);
        struct plane_guest *guest = plane_guest_of(row->head.id);
        if (domain != NULL && domain->running && is_to_be_asked(plane, machine, domain, guest)) {
            guest->asked_ms = 0;
            plane_guest_stop(plane, machine, row->head.id, true);
            return true;
        }
    }
    return false;
}

bool plane_guest_forge_tries(struct plane *plane, const struct instance_row *row)
{
    Wire__Assignment order = WIRE__ASSIGNMENT__INIT;
    uint32_t machine = plane_machine_of(plane, row->node.value);
    if (machine == PLANE_NONE) {
        return false;
    }
    order.instance = row->head.id;
    order.generation = row->generation;
    order.epoch = row->epoch;
    order.max_attempts = 1;
    plane_guest_of(row->head.id)->tries = (struct plane_tries){
        .generation = row->generation, .epoch = row->epoch, .agent = agent_of(machine), .failed = 2
    };
    plane_guest_tries(plane, machine, &order, true);
    return true;
}
