/* Decides what a leader, a guard and an executor do with a letter and with time: the product's two
 * cores decide; what stands around them here is what engine, guard and host do with their answers.
 */
#include "tests/fence/fence.h"

#include "base/check.h"

#include <stddef.h>

enum {
    GUARD_EVERY_MS = 250,   /* Its timer, at the latest; and the deadline itself wakes it. */
    PARENT_AFTER_MS = 2000, /* What its parent waits after the deadline. */
    CONFIRM_MS_MAX = 60,
};

static uint32_t machine_of(uint32_t node)
{
    return FENCE_CONTROLLERS + node;
}

/* ---- The leader. ---- */

static bool leads(const struct world *world, uint32_t controller)
{
    return world->agreed.leader == controller &&
           world->controllers[controller].term == world->agreed.term;
}

static unsigned int in_of(const struct world *world, uint32_t node)
{
    unsigned int in = 0;
    in |= (world->agreed.members_old >> node & 1U) != 0 ? (unsigned int)LIVENESS_IN_OLD : 0U;
    in |= (world->agreed.members_new >> node & 1U) != 0 ? (unsigned int)LIVENESS_IN_NEW : 0U;
    return in;
}

void rule_members(struct world *world, uint32_t controller)
{
    struct controller *self = &world->controllers[controller];
    uint64_t now_ms = world_clock(world, &self->clock);
    for (uint32_t node = 0; node < world->nodes; node++) {
        liveness_member(
            &self->liveness,
            node,
            in_of(world, node),
            (world->agreed.off >> node & 1U) != 0,
            now_ms);
    }
}

void rule_elect(struct world *world, uint32_t controller)
{
    struct controller *self = &world->controllers[controller];
    world->agreed.term++;
    world->agreed.leader = controller;
    self->term = world->agreed.term;
    liveness_lead(&self->liveness, self->term, world_clock(world, &self->clock));
    for (uint32_t i = 0; i < FENCE_PENDING; i++) {
        self->pending[i].used = false;
    }
    for (uint32_t node = 0; node < FENCE_NODES; node++) {
        self->sessions[node] = 0;
    }
    rule_members(world, controller);
    world->tally->elections++;
}

static void renewal_came(struct world *world, uint32_t controller, const struct letter *letter)
{
    struct controller *self = &world->controllers[controller];
    uint32_t node = letter->from - FENCE_CONTROLLERS;
    uint64_t now_ms = world_clock(world, &self->clock);
    if (self->term == 0) {
        return;
    }
    (void)liveness_renewed(
        &self->liveness,
        node,
        letter->term,
        letter->number,
        letter->epoch == world->agreed.epoch,
        now_ms);
    self->sessions[node] = letter->session;
    for (uint32_t i = 0; i < FENCE_PENDING; i++) {
        if (!self->pending[i].used) {
            self->pending[i] = (struct pending){
                .used = true,
                .confirm_ms = world->now_ms + 1 + prng_below(&world->prng, CONFIRM_MS_MAX),
                .session = letter->session,
                .seq = letter->seq,
                .epoch = letter->epoch,
                .node = node,
            };
            return;
        }
    }
}

void rule_controller_letter(struct world *world, uint32_t controller, const struct letter *letter)
{
    CHECK(letter->kind == LETTER_RENEW);
    renewal_came(world, controller, letter);
}

static void acknowledge(struct world *world, uint32_t controller, const struct pending *pending)
{
    struct controller *self = &world->controllers[controller];
    bool off = self->rows[pending->node].off; /* As its own rows have it, old as they may be. */
    if (off && !leads(world, controller)) {
        return; /* Who cannot commit that it is on again stays silent. */
    }
    if (off) {
        world->agreed.off &= ~(1U << pending->node);
        rule_members(world, controller);
    }
    uint64_t now_ms = world_clock(world, &self->clock);
    uint64_t number = liveness_issue(&self->liveness, pending->node, now_ms);
    struct letter *ack = world_post(world, LETTER_ACK, controller, machine_of(pending->node));
    if (ack == NULL) {
        return;
    }
    ack->term = self->term;
    ack->number = number;
    ack->session = pending->session;
    ack->seq = pending->seq;
    ack->epoch = world->agreed.epoch;
    ack->members = pending->epoch == world->agreed.epoch ? 0 : world->agreed.members_new;
}

/* A majority is asked after the renewal came, and answers while it still follows. Who is deposed
 * while he sleeps still sends what was confirmed before (clause 3). */
static void confirm(struct world *world, uint32_t controller)
{
    struct controller *self = &world->controllers[controller];
    bool may = leads(world, controller) && world->majority;
    for (uint32_t i = 0; i < FENCE_PENDING; i++) {
        struct pending *pending = &self->pending[i];
        if (!pending->used || pending->confirm_ms > world->now_ms) {
            continue;
        }
        pending->used = false;
        if (may || pending->confirmed) {
            acknowledge(world, controller, pending);
        }
    }
}

/* Somewhere that is alive, and not where it was. */
static uint32_t other_home(struct world *world, uint32_t controller, uint32_t not_there)
{
    struct controller *self = &world->controllers[controller];
    uint64_t now_ms = world_clock(world, &self->clock);
    uint32_t begin = (uint32_t)prng_below(&world->prng, world->nodes);
    for (uint32_t i = 0; i < world->nodes; i++) {
        uint32_t node = (begin + i) % world->nodes;
        bool member = (world->agreed.members_new >> node & 1U) != 0;
        if (node != not_there && member && liveness_alive(&self->liveness, node, now_ms) &&
            self->sessions[node] != 0) {
            return node;
        }
    }
    return not_there;
}

static void place(struct world *world, uint32_t controller, uint32_t guest)
{
    struct controller *self = &world->controllers[controller];
    struct guest *row = &world->agreed.guests[guest];
    uint64_t now_ms = world_clock(world, &self->clock);
    if (liveness_alive(&self->liveness, row->home, now_ms)) {
        if (self->sessions[row->home] != row->session) { /* It had to end what it ran. */
            row->epoch++;
            row->session = self->sessions[row->home];
        }
        return;
    }
    enum liveness_replace may = liveness_may_replace(&self->liveness, row->home, now_ms);
    uint32_t home = other_home(world, controller, row->home);
    if (may != REPLACE_YES || home == row->home) {
        return;
    }
    world->tally->moved++;
    world->tally->moved_off += (world->agreed.off >> row->home & 1U) != 0 ? 1 : 0;
    *row = (struct guest){ .home = home, .epoch = row->epoch + 1, .session = self->sessions[home] };
}

static void change_members(struct world *world, uint32_t controller)
{
    struct controller *self = &world->controllers[controller];
    uint64_t now_ms = world_clock(world, &self->clock);
    struct agreed *agreed = &world->agreed;
    if (agreed->members_old != 0 && liveness_settled(&self->liveness)) {
        agreed->members_old = 0;
        liveness_epoch(&self->liveness, now_ms);
        rule_members(world, controller);
        world->tally->settled++;
    }
    unsigned int homes = 0; /* Who has guests stays a member. */
    for (uint32_t guest = 0; guest < world->nodes; guest++) {
        homes |= 1U << agreed->guests[guest].home;
    }
    unsigned int wanted = (((1U << world->nodes) - 1) & ~agreed->buried) | homes;
    if (agreed->members_old == 0 && wanted != agreed->members_new && wanted != 0) {
        agreed->members_old = agreed->members_new;
        agreed->members_new = wanted;
        agreed->epoch++;
        liveness_epoch(&self->liveness, now_ms);
        rule_members(world, controller);
        world->tally->epochs++;
    }
}

void rule_controller_time(struct world *world, uint32_t controller)
{
    struct controller *self = &world->controllers[controller];
    confirm(world, controller);
    if (!leads(world, controller)) {
        self->term = 0;
        liveness_follow(&self->liveness);
        return;
    }
    if (!world->majority || world->now_ms < self->start_ms) {
        return;
    }
    self->start_ms = world->now_ms + world->look_ms;
    change_members(world, controller);
    for (uint32_t guest = 0; guest < world->nodes; guest++) {
        place(world, controller, guest);
        const struct guest *row = &world->agreed.guests[guest];
        struct letter *letter = world_post(world, LETTER_START, controller, machine_of(row->home));
        if (letter != NULL) {
            letter->guest = guest;
            letter->epoch = row->epoch;
            letter->session = row->session;
        }
    }
    if (!liveness_check(&self->liveness)) {
        world_fail(world, "the leader has miscounted", controller);
    }
}

/* ---- A node. ---- */

void rule_node_boot(struct world *world, uint32_t node)
{
    struct node *self = &world->machines[node];
    self->up = true;
    self->life++;
    self->guard_back_ms = 0;
    for (uint32_t guest = 0; guest < FENCE_NODES; guest++) {
        self->copies[guest] = (struct copy){ .runs = false };
    }
    self->clock.offset_ms = 1000; /* CLOCK_BOOTTIME begins anew. */
    uint64_t gone_ms = world->now_ms * self->clock.rate / 1000;
    self->clock.offset_ms -= gone_ms; /* Modulo 2^64. */
    lease_init(
        &self->lease, node + 1, NULL, prng_next(&world->prng), world_clock(world, &self->clock));
}

static void end_all(struct world *world, uint32_t node, uint64_t within_ms)
{
    struct node *self = &world->machines[node];
    for (uint32_t guest = 0; guest < world->nodes; guest++) {
        struct copy *copy = &self->copies[guest];
        if (copy->runs && copy->dies_ms == 0) {
            /* In the node's own milliseconds; the world's are up to a hundredth longer. */
            copy->dies_ms =
                world->now_ms + prng_below(&world->prng, within_ms + 1) * 1000 / self->clock.rate;
            copy->tomb = copy->epoch;
        }
    }
    world->tally->ended++;
}

static void renew(struct world *world, uint32_t node)
{
    struct node *self = &world->machines[node];
    for (uint32_t i = 0; i < FENCE_CONTROLLERS; i++) {
        struct letter *letter = world_post(world, LETTER_RENEW, machine_of(node), i);
        if (letter != NULL) {
            letter->term = self->lease.saved.term;
            letter->number = self->lease.saved.number;
            letter->session = self->lease.saved.session;
            letter->seq = self->lease.now_ms;
            letter->epoch = self->lease.saved.epoch;
        }
    }
}

void rule_node_time(struct world *world, uint32_t node)
{
    struct node *self = &world->machines[node];
    uint64_t now_ms = world_clock(world, &self->clock);
    if (!self->up) {
        return;
    }
    if (self->guard_back_ms != 0) { /* Its parent has the deadline, and starts it anew. */
        uint64_t until_ms = lease_run_until(&self->lease.saved);
        if (until_ms != 0 && now_ms >= until_ms + PARENT_AFTER_MS) {
            end_all(world, node, FENCE_KILL_MS - PARENT_AFTER_MS);
        }
        if (world->now_ms >= self->guard_back_ms) {
            static struct lease_saved page;
            page = self->lease.saved;
            self->guard_back_ms = 0;
            lease_init(&self->lease, node + 1, &page, prng_next(&world->prng), now_ms);
            world->tally->restarts++;
        }
        return;
    }
    struct lease_do wanted = lease_tick(&self->lease, now_ms);
    if (wanted.end) {
        end_all(world, node, FENCE_KILL_MS - FENCE_STEP_MS);
    }
    if (wanted.renew) {
        renew(world, node);
    }
    for (uint32_t peer = 0; wanted.challenge && peer < world->nodes; peer++) {
        struct letter *letter =
            peer == node ? NULL
                         : world_post(world, LETTER_CHALLENGE, machine_of(node), machine_of(peer));
        if (letter != NULL) {
            letter->nonce = wanted.nonce;
        }
    }
}

static void ack_came(struct world *world, struct node *self, const struct letter *letter)
{
    uint64_t members[FENCE_NODES];
    uint32_t count = 0;
    for (uint32_t i = 0; i < world->nodes; i++) {
        if ((letter->members >> i & 1U) != 0) {
            members[count++] = i + 1;
        }
    }
    const struct lease_ack ack = { .term = letter->term,
                                   .number = letter->number,
                                   .session = letter->session,
                                   .seq = letter->seq,
                                   .epoch = letter->epoch,
                                   .members = count == 0 ? NULL : members,
                                   .members_count = count };
    bool counts = lease_acked(&self->lease, &ack, world_clock(world, &self->clock));
    world->tally->late_acks += counts ? 0 : 1;
}

static void start_came(struct world *world, struct node *self, const struct letter *letter)
{
    struct copy *copy = &self->copies[letter->guest];
    uint64_t now_ms = world_clock(world, &self->clock);
    if (copy->runs || letter->epoch <= copy->tomb || letter->epoch < copy->epoch) {
        return;
    }
    if (!lease_may_start(&self->lease.saved, letter->session, now_ms)) {
        world->tally->late_starts++;
        return;
    }
    copy->runs = true;
    copy->epoch = letter->epoch;
    copy->dies_ms = 0;
}

static void challenged(struct world *world, uint32_t node, const struct letter *letter)
{
    const struct node *self = &world->machines[node];
    uint64_t age_ms = 0;
    if (!lease_challenged(&self->lease, world_clock(world, &self->clock), &age_ms)) {
        return;
    }
    struct letter *answer = world_post(world, LETTER_ANSWER, machine_of(node), letter->from);
    if (answer != NULL) {
        answer->nonce = letter->nonce;
        answer->age_ms = age_ms;
    }
}

void rule_node_letter(struct world *world, uint32_t node, const struct letter *letter)
{
    struct node *self = &world->machines[node];
    uint64_t now_ms = world_clock(world, &self->clock);
    if (letter->kind == LETTER_ACK) {
        ack_came(world, self, letter);
    } else if (letter->kind == LETTER_START) {
        start_came(world, self, letter);
    } else if (letter->kind == LETTER_CHALLENGE) {
        challenged(world, node, letter);
    } else {
        CHECK(letter->kind == LETTER_ANSWER);
        uint32_t peer = letter->from - FENCE_CONTROLLERS;
        if (lease_answered(&self->lease, peer + 1, letter->nonce, letter->age_ms, now_ms)) {
            world->tally->proofs++;
        }
    }
}
