/* A controller's process in the simulator: when it starts, what reaches it, what of it survives a
 * crash. Never decides what is right (plane_check.c). */
#include "tests/sim/plane_controller.h"
#include "base/check.h"
#include "base/id.h"
#include "controller/core/feature.h"
#include "tests/sim/plane_attempt.h"
#include "tests/sim/plane_check.h"
#include "tests/sim/plane_machine.h"
#include "tests/sim/plane_net.h"
#include "tests/sim/sim_store.h"
#include "tests/sim/trial.h"
#include "wire/frame.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

static struct plane_controller controllers[PLANE_CONTROLLERS];

struct plane_controller *plane_controller_of(uint32_t machine)
{
    CHECK(machine < PLANE_CONTROLLERS);
    return &controllers[machine];
}

/* ---- Start ---- */

static bool levels_differ(const struct plane *plane)
{
    bool seen[2] = { false, false };
    for (uint32_t i = 0; i < PLANE_CONTROLLERS; i++) {
        seen[controllers[i].old_build ? 1 : 0] |= plane->machines[i].exists;
    }
    return seen[0] && seen[1];
}

static void start(struct plane *plane, struct plane_controller *self)
{
    struct plane_machine *machine = &plane->machines[self->machine];
    CHECK(!machine->up && self->server == NULL);
    sim_disk_restart(&self->disk);
    if (self->old_build && plane->now_ms > plane->conf.life_ms / 3) {
        plane_seen(plane, PLANE_OLD_BUILD);
        self->old_build = false; /* It is brought up to date when it starts anew. */
    }
    plane->mixed = plane->mixed || levels_differ(plane);
    self->dying = false;
    self->turning = false;
    self->flushing = false;
    plane_check_forget(plane, self->machine);
    struct result opened = plane_server_open(plane, self);
    if (opened.code != 0) {
        plane_trace(plane, "m%u cannot start: %s", self->machine, result_name(opened));
        bool refuses = opened.code == FAILURE_CORRUPT || opened.code == FAILURE_SET_BACK;
        if (self->hurt && refuses) {
            plane_seen(plane, PLANE_REFUSED_TO_START);
            plane_lost_refused(plane, self->machine);
        } else if (
            !self->disk.dead && opened.code != FAILURE_IO && opened.code != FAILURE_NO_SPACE) {
            plane_fail(plane, "START m%u: %s", self->machine, result_name(opened));
        }
        self->server = NULL;
        sim_disk_kill(&self->disk);
        plane_after(
            plane,
            (self->hurt ? 1000 : 100) + plane_below(plane, 400),
            PLANE_RESTART,
            self->machine);
        return;
    }
    machine->up = true;
    self->started_ms = plane->now_ms;
    plane_trace(
        plane,
        "m%u starts at %llu",
        self->machine,
        (unsigned long long)engine_applied(server_engine(self->server)));
    plane_wake(plane, self->machine);
    self->applied = engine_applied(server_engine(self->server));
    plane_lost_starts(self->machine, self->applied);
    plane_after(plane, 1 + plane_below(plane, LIMIT_TICK_MS), PLANE_TICK, self->machine);
    plane_relink(plane, self->machine);
}

void plane_controllers_begin(struct plane *plane)
{
    CHECK(plane->machines_count > PLANE_CONTROLLERS);
    for (uint32_t i = 0; i < PLANE_CONTROLLERS; i++) {
        struct plane_controller *self = plane_controller_of(i);
        self->plane = plane;
        self->machine = i;
        (void)snprintf(self->address, sizeof(self->address), "c%u:1", i);
        (void)snprintf(self->rows, sizeof(self->rows), "c%u/rows", i);
        (void)snprintf(self->snapshots, sizeof(self->snapshots), "c%u/snapshots", i);
        plane_disk_begin(plane, self);
    }
}

void plane_old_builds(struct plane *plane)
{
    /* The first is one of them: alone, a new one would raise the level at once. */
    for (uint32_t i = 0; i < plane->conf.controllers && plane->swarm.old_builds; i++) {
        plane_controller_of(i)->old_build = i == 0 || plane_odds(plane, 5000);
    }
}

void plane_controllers_end(struct plane *plane)
{
    for (uint32_t i = 0; i < PLANE_CONTROLLERS; i++) {
        server_close(plane_controller_of(i)->server);
        plane_controller_of(i)->server = NULL;
        plane->machines[i].up = false;
        plane_disk_end(plane_controller_of(i));
        sim_pages_end(&plane_controller_of(i)->memory);
    }
    sim_store_reset();
}

void plane_controller_join(struct plane *plane, uint32_t machine, uint64_t id)
{
    CHECK(machine < PLANE_CONTROLLERS && !plane->machines[machine].exists);
    plane_machine_is(plane, machine, id);
    plane->machines[machine].exists = true;
    plane_controller_of(machine)->joined++;
    start(plane, plane_controller_of(machine));
}

void plane_controller_off(struct plane *plane, uint32_t machine)
{
    struct plane_controller *self = plane_controller_of(machine);
    if (plane->machines[machine].up) {
        plane_controller_crash(plane, machine, true);
    }
    plane_trace(plane, "m%u is switched off and wiped", machine);
    self->old_build = false; /* Who comes later comes up to date. */
    plane->machines[machine].exists = false;
    plane->machines[machine].life++; /* A start that is on its way finds nothing. */
    plane_disk_wipe(plane, self);
}

/* ---- End ---- */

void plane_controller_crash(struct plane *plane, uint32_t machine, bool power)
{
    struct plane_controller *self = plane_controller_of(machine);
    CHECK(plane->machines[machine].up && self->server != NULL);
    plane_trace(plane, "m%u %s", machine, power ? "loses power" : "is killed");
    plane_seen(plane, power ? PLANE_POWER_LOSS : PLANE_KILL);
    plane_unlink(plane, machine);
    plane_client_lost(plane, machine);
    uint64_t torn = self->disk.torn;
    self->disk.dead = true;
    if (self->server->store != NULL) {
        if (plane_strikes(plane, PLANE_FLUSH_UNASKED, 3000)) {
            sim_store_flush_unasked(self->server->store);
        }
        sim_store_crash(self->server->store);
        self->server->store = NULL;
    }
    server_close(self->server);
    self->server = NULL;
    plane->machines[machine].up = false;
    plane_wake(plane, machine);
    plane->machines[machine].life++;
    if (power) {
        sim_disk_power_loss(&self->disk);
        self->mark = (struct server_mark){ .set_back = self->mark.set_back };
    } else {
        sim_disk_kill(&self->disk);
    }
    plane_disk_crashed(plane, self);
    if (self->disk.torn != torn) {
        plane_seen(plane, PLANE_TORN_WRITE);
    }
    uint64_t away_ms = plane->trouble && plane_odds(plane, 3000) ? 3000 : 400;
    if (self->returning) { /* To restore a disk takes longer than an election. */
        self->returning = false;
        plane_after(plane, 3500, PLANE_RESTART, machine);
        return;
    }
    plane_after(plane, 20 + plane_below(plane, away_ms), PLANE_RESTART, machine);
}

/* What was done is paid for by time: everything else waits meanwhile. */
static void pay(struct plane *plane, struct plane_controller *self)
{
    uint64_t applied = engine_applied(server_engine(self->server));
    uint64_t entries = applied > self->applied ? applied - self->applied : 0;
    self->applied = applied;
    plane_spend(plane, self->machine, entries * plane_cost(PLANE_COST_APPLY));
}

static void settle(struct plane *plane, struct plane_controller *self)
{
    CHECK(plane->machines[self->machine].up);
    if (self->dying || self->disk.dead) {
        if (self->disk.dead) {
            plane_seen(plane, PLANE_DEATH_IN_DISK_CALL);
        }
        plane_controller_crash(plane, self->machine, plane_odds(plane, 5000));
        return;
    }
    pay(plane, self);
    if (!self->turning && server_turn_due(self->server)) {
        self->turning = true;
        plane_post_us(
            plane, plane_below(plane, 1000), PLANE_TURN, self->machine, 0, 0, SLICE_EMPTY);
    }
    if (self->server->role == REPLICA_LEADING && self->server->term != self->term) {
        self->term = self->server->term;
        plane_seen(plane, PLANE_ELECTION);
        plane_trace(plane, "m%u leads in %llu", self->machine, (unsigned long long)self->term);
    }
    plane_check_machine(plane, self->machine);
}

/* ---- Input ---- */

static void keys_answer(struct plane *plane, struct plane_controller *self, struct slice bytes)
{
    static uint8_t certificate[8] = { 0x30, 1 };
    const Wire__Frame *asked = plane_decode(plane, bytes);
    Wire__Frame frame = WIRE__FRAME__INIT;
    Wire__NoteTold note = WIRE__NOTE_TOLD__INIT;
    Wire__IssueTold issue = WIRE__ISSUE_TOLD__INIT;
    frame.format = FRAME_FORMAT;
    if (asked->body_case == WIRE__FRAME__BODY_NOTE_ASK) {
        note.handle = asked->note_ask->handle;
        note.signature = "\xe2\x80\x94 plane AAAA";
        frame.body_case = WIRE__FRAME__BODY_NOTE_TOLD;
        frame.note_told = &note;
    } else if (asked->body_case == WIRE__FRAME__BODY_ISSUE_ASK) {
        issue.handle = asked->issue_ask->handle;
        issue.certificate = (ProtobufCBinaryData){ sizeof(certificate), certificate };
        frame.body_case = WIRE__FRAME__BODY_ISSUE_TOLD;
        frame.issue_told = &issue;
    } else {
        plane_fail(plane, "KEYS asked for %s", frame_name(asked->body_case));
    }
    server_keys(
        self->server, plane_now(plane, self->machine), plane_wall(plane, self->machine), &frame);
}

static void tick(struct plane *plane, struct plane_controller *self)
{
    plane_spend(plane, self->machine, plane_cost(PLANE_COST_TICK));
    server_tick(self->server, plane_now(plane, self->machine), plane_wall(plane, self->machine));
    if (!self->dying && !self->disk.dead && !self->flushing &&
        server_flush_begin(self->server) != NULL) {
        self->flushing = true;
        plane_after(plane, 1 + plane_below(plane, 300), PLANE_FLUSHED, self->machine);
    }
    plane_post_us(
        plane,
        plane_lasts_us(plane, self->machine, LIMIT_TICK_MS),
        PLANE_TICK,
        self->machine,
        0,
        0,
        SLICE_EMPTY);
}

static void ask(struct plane *plane, struct plane_controller *self, const struct plane_event *event)
{
    uint64_t now_ms = plane_now(plane, self->machine);
    uint64_t wall_ms = plane_wall(plane, self->machine);
    const Wire__Frame *frame = plane_decode(plane, slice_of(event->bytes, event->size));
    plane_attempt_heard(plane, self->machine, frame->asks->asks[0]->handle);
    plane_spend(plane, self->machine, plane_cost(PLANE_COST_ASK));
    server_ask(self->server, now_ms, wall_ms, frame->asks->asks[0]);
}

static void turn(struct plane *plane, struct plane_controller *self)
{
    server_turn(self->server, plane_now(plane, self->machine), plane_wall(plane, self->machine));
    self->turning = true; /* A turn asks for no further turn. */
    settle(plane, self);
    self->turning = false;
}

void plane_controller_event(struct plane *plane, const struct plane_event *event)
{
    struct plane_controller *self = plane_controller_of(event->machine);
    const struct plane_machine *machine = &plane->machines[event->machine];
    if (event->kind == PLANE_ROOM) {
        plane_controller_full(plane, event->machine, false);
        return;
    }
    if (event->life != machine->life) {
        return;
    }
    if (machine->dead || !machine->exists) {
        return;
    }
    if (event->kind == PLANE_RESTART) {
        start(plane, self);
        return;
    }
    CHECK(self->server != NULL);
    if (event->kind == PLANE_TICK) {
        tick(plane, self);
    } else if (event->kind == PLANE_TURN) {
        turn(plane, self);
        return;
    } else if (event->kind == PLANE_ASK) {
        ask(plane, self, event);
    } else if (event->kind == PLANE_FLUSHED) {
        self->flushing = false;
        struct result flushed = store_flush(self->server->store);
        if (flushed.code == 0) {
            plane_leaves_flushed(self->machine);
        }
        server_flush_end(self->server, flushed);
    } else {
        keys_answer(plane, self, slice_of(event->bytes, event->size));
    }
    settle(plane, self);
}

void plane_controller_frame(
    struct plane *plane, uint32_t machine, uint32_t from, const Wire__Frame *frame)
{
    struct plane_controller *self = plane_controller_of(machine);
    CHECK(from != machine && self->server != NULL);
    plane_spend(plane, machine, plane_cost(PLANE_COST_LETTER));
    server_frame(self->server, plane_now(plane, machine), plane_wall(plane, machine), frame);
    settle(plane, self);
}

void plane_controller_link(struct plane *plane, uint32_t machine, uint32_t peer, bool up)
{
    struct plane_controller *self = plane_controller_of(machine);
    Wire__Kind kind = plane_is_node(peer) ? WIRE__KIND__KIND_NODE : WIRE__KIND__KIND_CONTROLLER;
    server_link(
        self->server,
        plane_now(plane, machine),
        plane_wall(plane, machine),
        kind,
        plane->machines[peer].id,
        up);
    settle(plane, self);
}

/* ---- Looking ---- */

struct server *plane_server(struct plane *plane, uint32_t machine)
{
    CHECK(machine < PLANE_CONTROLLERS);
    return plane->machines[machine].up ? plane_controller_of(machine)->server : NULL;
}

struct store *plane_store(struct plane *plane, uint32_t machine)
{
    const struct server *server = plane_server(plane, machine);
    return server == NULL ? NULL : server->store;
}

uint32_t plane_leader(struct plane *plane)
{
    uint32_t found = PLANE_NONE;
    uint64_t term = 0;
    for (uint32_t i = 0; i < PLANE_CONTROLLERS; i++) {
        const struct server *server = plane_server(plane, i);
        if (server != NULL && server->role == REPLICA_LEADING && server->term > term) {
            found = i;
            term = server->term;
        }
    }
    return found;
}
