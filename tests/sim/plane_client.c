/* Clients. Decides whom a client asks, when it asks again, and what it makes of an answer. */
#include "base/check.h"
#include "base/id.h"
#include "tests/sim/plane_attempt.h"
#include "tests/sim/plane_check.h"
#include "tests/sim/plane_fault.h"
#include "tests/sim/trial.h"
#include "wire/frame.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SWEEP_MS = 500 };

struct client {
    bool busy;
    bool calls;        /* A CLIENT event is on its way. */
    uint32_t commands; /* Chosen so far. */
    uint32_t request;  /* 0: none. */
    uint32_t waiting;  /* Attempts that may still be answered. */
    uint64_t ask_ms;   /* Not before. */
};

static struct client clients[PLANE_CLIENTS];
static uint64_t newest_index;
static uint32_t only = PLANE_NONE; /* The one controller that is asked; none: any. */

void plane_clients_only(uint32_t machine)
{
    only = machine;
}

static void call(struct plane *plane, uint32_t number, uint64_t at_ms)
{
    if (!clients[number].calls) {
        uint64_t wait_ms = at_ms > plane->now_ms ? at_ms - plane->now_ms : 0;
        clients[number].calls = true;
        plane_post(plane, wait_ms, PLANE_CLIENT, 0, number, 0, SLICE_EMPTY);
    }
}

void plane_clients_begin(struct plane *plane)
{
    CHECK(plane->conf.clients + 1 <= PLANE_CLIENTS);
    plane_requests = plane_zeroed(plane->conf.requests + 2, sizeof(*plane_requests));
    plane_attempts_begin(plane);
    plane_users[0] = id_make(PLANE_CELL, 2);
    plane_post(plane, SWEEP_MS, PLANE_CLIENT, 0, PLANE_CLIENTS, 0, SLICE_EMPTY);
}

const char *plane_tenant_name(uint32_t tenant)
{
    static char name[PLANE_NAME];
    static const char *const first[] = { "red", "blue", "green", "white" };
    if (tenant < COUNT_OF(first)) {
        return first[tenant];
    }
    (void)snprintf(name, sizeof(name), "tenant-%u", tenant);
    return name;
}

void plane_clients_end(struct plane *plane)
{
    CHECK(plane->lost || plane_clients_idle(plane)); /* Then some wait for good. */
    plane_attempts_end();
    free(plane_requests);
    plane_requests = NULL;
}

void plane_client_ahead(void)
{
    newest_index += 1000;
}

void plane_clients_busy(struct plane *plane, bool busy)
{
    CHECK(plane->conf.nodes > 0);
    for (uint32_t i = 1; i <= plane->conf.clients; i++) {
        clients[i].busy = busy;
        call(plane, i, plane->now_ms + i);
    }
}

bool plane_clients_idle(const struct plane *plane)
{
    bool idle = plane->conf.nodes > 0;
    for (uint32_t i = 0; i <= plane->conf.clients; i++) {
        idle = idle && clients[i].request == 0;
    }
    return idle;
}

/* ---- Asking ---- */

static uint32_t choose_machine(struct plane *plane)
{
    uint32_t chosen = PLANE_NONE;
    uint64_t seen = 0;
    for (uint32_t i = 0; i < PLANE_CONTROLLERS; i++) {
        bool asked = only == PLANE_NONE || only == i;
        if (asked && plane->machines[i].up && plane_below(plane, ++seen) == 0) {
            chosen = i;
        }
    }
    return chosen;
}

static uint32_t ask(struct plane *plane, uint32_t number, uint32_t machine)
{
    clients[number].waiting++;
    return plane_attempt_ask(plane, clients[number].request, machine, newest_index);
}

/* ---- Waiting ---- */

static void attempt_over(struct plane *plane, uint32_t number, uint32_t attempt)
{
    struct client *client = &clients[number];
    CHECK(!plane_attempts[attempt].given_up);
    plane_attempts[attempt].given_up = true;
    if (plane_attempts[attempt].request == client->request && client->waiting > 0) {
        client->waiting--;
        client->ask_ms = plane->now_ms + 20 + plane_below(plane, 400);
        call(plane, number, client->ask_ms);
    }
}

/* Whoever does not hear does not know. */
static void attempt_unsure(struct plane *plane, uint32_t attempt)
{
    struct plane_request *request = &plane_requests[plane_attempts[attempt].request];
    request->unsure = true;
    attempt_over(plane, request->client, attempt);
}

void plane_client_lost(struct plane *plane, uint32_t machine)
{
    for (uint32_t i = 0; (i = plane_attempt_lost(plane, machine, i)) != 0;) {
        attempt_unsure(plane, i);
    }
}

/* ---- Answers ---- */

/* Who fills a cell (--fill) hardly rests until it was full once: the level is what is to be seen.
 */
static uint64_t rest_ms(struct plane *plane)
{
    const struct plane_conf *conf = &plane->conf;
    uint64_t level = (uint64_t)conf->tenants * conf->instances * conf->fill / 100;
    bool fills = plane->trial == NULL && plane->tally->instances_most < level;
    return plane_below(plane, fills ? conf->think_ms / 16 + 1 : conf->think_ms);
}

static void answered(struct plane *plane, const struct plane_event *event)
{
    struct client *client = &clients[event->a];
    uint32_t number = (uint32_t)event->b;
    struct plane_request *request = &plane_requests[plane_attempts[number].request];
    if (plane_attempts[number].given_up) {
        return;
    }
    if (event->life != plane->machines[event->machine].life ||
        plane_strikes(plane, PLANE_ANSWER_LOST, 300)) {
        attempt_unsure(plane, number); /* It was on its way when the connection ended. */
        return;
    }
    attempt_over(plane, (uint32_t)event->a, number);
    const Wire__Frame *frame = plane_decode(plane, slice_of(event->bytes, event->size));
    const Wire__Answer *answer = frame->tolds->tolds[0]->answer;
    plane_history_told(plane, plane_attempts[number].event, request, answer);
    if (client->request != plane_attempts[number].request) {
        return; /* Its twin was answered first. */
    }
    if (request->act == PLANE_ACT_READ) {
        request->index = plane_attempts[number].index;
    }
    request->unsure = request->unsure || client->waiting > 0; /* Its twin may still be done. */
    bool over = plane_request_answered(plane, request, answer);
    plane_trace(
        plane,
        "client %llu: m%u answers %s %s: %u at %llu",
        (unsigned long long)event->a,
        event->machine,
        plane_act_name(request->act),
        request->name,
        answer->reject,
        (unsigned long long)answer->index);
    if (over) {
        trial_answered(plane, (uint32_t)event->a, request->state == PLANE_ACKNOWLEDGED);
        newest_index = answer->index > newest_index ? answer->index : newest_index;
        client->request = 0;
        client->waiting = 0;
        if (event->a == 0) {
            plane_operator_told(plane, request);
        }
        client->ask_ms = plane->now_ms + rest_ms(plane);
        call(plane, (uint32_t)event->a, client->ask_ms);
    }
}

static void ask_somebody(struct plane *plane, uint32_t number)
{
    struct client *client = &clients[number];
    uint32_t machine = choose_machine(plane);
    if (machine == PLANE_NONE) {
        client->ask_ms = plane->now_ms + 50;
        call(plane, number, client->ask_ms);
        return;
    }
    (void)ask(plane, number, machine);
    if (plane_strikes(plane, PLANE_ASKED_TWICE, 1000)) {
        machine = choose_machine(plane);
        if (machine != PLANE_NONE) {
            (void)ask(plane, number, machine); /* Impatient: both may arrive. */
        }
    }
}

static void choose(struct plane *plane, uint32_t number)
{
    struct client *client = &clients[number];
    bool happens = plane_inject_begin(plane, PLANE_INJECT_COMMAND, number, ++client->commands);
    client->request = happens ? trial_choose(plane, number) : 0;
    client->waiting = 0;
    client->ask_ms = plane->now_ms + (happens ? 0 : plane_below(plane, plane->conf.think_ms));
    plane_inject_end(plane);
}

void plane_client_event(struct plane *plane, const struct plane_event *event)
{
    uint32_t number = (uint32_t)event->a;
    if (number == PLANE_CLIENTS) {
        for (uint32_t i = 0; (i = plane_attempt_overdue(plane, i)) != 0;) {
            attempt_unsure(plane, i);
        }
        plane_post(plane, SWEEP_MS, PLANE_CLIENT, 0, number, 0, SLICE_EMPTY);
        return;
    }
    if (event->kind == PLANE_ANSWER) {
        answered(plane, event);
        return;
    }
    struct client *client = &clients[number];
    CHECK(number <= plane->conf.clients);
    client->calls = false;
    if (plane->now_ms < client->ask_ms) {
        call(plane, number, client->ask_ms);
        return;
    }
    if (client->request == 0 && client->busy) {
        choose(plane, number);
        if (client->request != 0) {
            trial_asked(plane, number);
        } else if (!plane->done) { /* Nothing sensible to ask for now. */
            uint64_t later_ms = plane->now_ms + trial_rest_ms(plane, number);
            client->ask_ms = client->ask_ms > plane->now_ms ? client->ask_ms : later_ms;
            call(plane, number, client->ask_ms);
        }
    }
    if (client->request != 0 && client->waiting == 0) {
        ask_somebody(plane, number);
    }
}

/* ---- The story's own ---- */

static bool zero_done(struct plane *plane)
{
    return plane->now_ms > 0 && clients[0].request == 0;
}

void plane_client_flood(struct plane *plane)
{
    enum { FLOOD = 1200 };
    uint32_t machine = choose_machine(plane);
    uint32_t number = 1 + (uint32_t)plane_below(plane, plane->conf.clients);
    if (machine == PLANE_NONE || !plane_attempts_left(2 * FLOOD)) {
        return;
    }
    uint32_t request = plane_request_new(plane, PLANE_ACT_ODD, number);
    if (request == 0) {
        return;
    }
    plane_seen(plane, PLANE_FLOOD);
    plane_requests[request].odd = PLANE_ODD_NOT_FOUND;
    plane_requests[request].tenant = plane_tenant_of(plane, number);
    uint32_t before = clients[number].request;
    for (uint32_t i = 0; i < FLOOD; i++) {
        clients[number].request = request;
        uint32_t attempt = ask(plane, number, machine);
        plane_attempts[attempt].given_up = true; /* Nobody waits for it. */
        clients[number].waiting--;
    }
    clients[number].request = before;
    plane_requests[request].state = PLANE_REFUSED;
}

bool plane_ask_soon(struct plane *plane, enum plane_act act, uint32_t machine, uint32_t life)
{
    uint32_t number = clients[0].request != 0 ? 0 : plane_request_new(plane, act, 0);
    if (number == 0) {
        return false;
    }
    plane_requests[number].machine = machine;
    plane_requests[number].life = life;
    if (act == PLANE_ACT_QUOTA) {
        plane_requests[number].tenant = life % plane->conf.tenants;
        plane_requests[number].flag = life / plane->conf.tenants % 2 == 0;
        plane_asked_cap(&plane_requests[number]);
    } else if (act == PLANE_ACT_TENANT) {
        plane_requests[number].tenant = machine;
    } else if (act == PLANE_ACT_REMOVE) {
        plane_requests[number].life = plane->machines[machine].serial;
    }
    plane_floor_asked(plane, &plane_requests[number]);
    clients[0].request = number;
    clients[0].waiting = 0;
    clients[0].ask_ms = plane->now_ms;
    call(plane, 0, plane->now_ms);
    return true;
}

struct plane_request *plane_ask(
    struct plane *plane, enum plane_act act, uint32_t tenant, uint32_t machine)
{
    uint32_t number = plane_request_new(plane, act, 0);
    struct plane_request *request = &plane_requests[number];
    CHECK(number != 0 && clients[0].request == 0);
    request->tenant = tenant;
    request->machine = machine;
    plane_floor_asked(plane, request);
    clients[0].request = number;
    clients[0].ask_ms = plane->now_ms;
    call(plane, 0, plane->now_ms);
    if (!plane_until(plane, 30000, zero_done) || request->state != PLANE_ACKNOWLEDGED) {
        plane_fail(plane, "BEGIN %s was not done", plane_act_name(act));
    }
    return request;
}
