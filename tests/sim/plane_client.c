/* Clients, and the api in front of each controller. Decides whom a client asks and when it asks
 * again; an ask is answered once, by the controller that took it, unless that one dies. */
#include "base/check.h"
#include "base/id.h"
#include "tests/sim/plane_check.h"
#include "tests/sim/plane_fault.h"
#include "tests/sim/trial.h"
#include "wire/frame.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { API_MS = 10000, FORGOTTEN_MS = 12000, SWEEP_MS = 500 };

struct attempt {
    uint32_t request;
    uint32_t machine;
    uint32_t life;
    bool answered;
    bool given_up;
    bool forwarded;
    bool heard; /* By the controller: before, it lay in the queue of a machine that was busy. */
    uint64_t since_ms;
    uint64_t heard_ms; /* By the clock of its machine, which may go slower, or stand. */
    uint64_t stood_us; /* What its machine had stood still by then. */
    uint32_t event;    /* Of the history. */
    uint64_t index;    /* The newest that was acknowledged to anybody before. */
};

struct client {
    bool busy;
    bool calls;        /* A CLIENT event is on its way. */
    uint32_t commands; /* Chosen so far. */
    uint32_t request;  /* 0: none. */
    uint32_t waiting;  /* Attempts that may still be answered. */
    uint64_t ask_ms;   /* Not before. */
};

static struct client clients[PLANE_CLIENTS];
static struct attempt *attempts; /* Owned; number 0 is none. */
static uint32_t attempts_count;
static uint32_t attempts_most;
static uint32_t attempts_open; /* No open one is older. */
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
    attempts_most = plane->conf.requests * 8;
    attempts = plane_zeroed(attempts_most + 1, sizeof(*attempts));
    attempts_open = 1;
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
    free(attempts);
    free(plane_requests);
    attempts = NULL;
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

/* How long it stood still until now: of a standstill under way, what is over. */
static uint64_t stood_us(const struct plane *plane, uint32_t machine)
{
    const struct plane_machine *self = &plane->machines[machine];
    uint64_t ahead_us = self->busy_us > plane->now_us ? self->busy_us - plane->now_us : 0;
    return self->stood_us > ahead_us ? self->stood_us - ahead_us : 0;
}

static void ask(struct plane *plane, uint32_t number, uint32_t machine)
{
    struct plane_request *request = &plane_requests[clients[number].request];
    if (attempts_count == attempts_most) {
        plane_fail(plane, "BOUND too many attempts");
    }
    uint32_t attempt = ++attempts_count;
    attempts[attempt] = (struct attempt){ .request = clients[number].request,
                                          .machine = machine,
                                          .life = plane->machines[machine].life,
                                          .since_ms = plane->now_ms,
                                          .index = newest_index };
    attempts[attempt].event = plane_history_asked(plane, request, attempt);
    clients[number].waiting++;
    request->attempts++;
    plane_trace(
        plane,
        "client %u asks m%u: %s %s",
        number,
        machine,
        request->act == PLANE_ACT_ODD ? plane_odd_name(request->odd) : plane_act_name(request->act),
        request->name);
    Wire__Ask wire = WIRE__ASK__INIT;
    Wire__Frame frame = WIRE__FRAME__INIT;
    wire.handle = attempt;
    Wire__Request bytes = *plane_request_wire(plane, request, attempt);
    wire.request = &bytes;
    frame.format = FRAME_FORMAT;
    Wire__Ask *list[] = { &wire };
    Wire__Asks asks = WIRE__ASKS__INIT;
    asks.n_asks = 1;
    asks.asks = list;
    frame.body_case = WIRE__FRAME__BODY_ASKS;
    frame.asks = &asks;
    plane_post_us(
        plane,
        100 + plane_below(plane, 400),
        PLANE_ASK,
        machine,
        number,
        attempt,
        plane_encode(plane, &frame));
}

void plane_client_heard(struct plane *plane, uint32_t machine, uint64_t handle)
{
    CHECK(handle > 0 && handle <= attempts_count && attempts[handle].machine == machine);
    attempts[handle].heard = true;
    attempts[handle].heard_ms = plane_now(plane, machine);
    attempts[handle].stood_us = stood_us(plane, machine);
}

void plane_client_forwarded(const Wire__Request *request)
{
    unsigned long number = 0;
    if (request == NULL || sscanf(request->request_id, "attempt-%lu", &number) != 1 ||
        number > attempts_count) {
        return; /* Of a machine that renews. */
    }
    plane_requests[attempts[number].request].rerouted += attempts[number].forwarded ? 1 : 0;
    attempts[number].forwarded = true;
}

/* ---- Waiting ---- */

static void attempt_over(struct plane *plane, uint32_t number, uint32_t attempt)
{
    struct client *client = &clients[number];
    CHECK(!attempts[attempt].given_up);
    attempts[attempt].given_up = true;
    if (attempts[attempt].request == client->request && client->waiting > 0) {
        client->waiting--;
        client->ask_ms = plane->now_ms + 20 + plane_below(plane, 400);
        call(plane, number, client->ask_ms);
    }
}

/* Whoever does not hear does not know. */
static void attempt_unsure(struct plane *plane, uint32_t attempt)
{
    struct plane_request *request = &plane_requests[attempts[attempt].request];
    request->unsure = true;
    attempt_over(plane, request->client, attempt);
}

static bool attempt_open(const struct plane *plane, const struct attempt *attempt)
{
    bool lives = attempt->life == plane->machines[attempt->machine].life;
    return !attempt->given_up || (lives && !attempt->answered);
}

/* The first that anybody may still hear of, or the controller still owes an answer. */
static uint32_t first_open(const struct plane *plane)
{
    while (attempts_open <= attempts_count && !attempt_open(plane, &attempts[attempts_open])) {
        attempts_open++;
    }
    return attempts_open;
}

void plane_client_lost(struct plane *plane, uint32_t machine)
{
    for (uint32_t i = first_open(plane); i <= attempts_count; i++) {
        const struct attempt *attempt = &attempts[i];
        if (attempt->machine == machine && attempt->life == plane->machines[machine].life &&
            !attempt->answered && !attempt->given_up) {
            attempt_unsure(plane, i);
        }
    }
}

static void attempts_overdue(struct plane *plane)
{
    for (uint32_t i = first_open(plane); i <= attempts_count; i++) {
        const struct attempt *attempt = &attempts[i];
        const struct plane_machine *machine = &plane->machines[attempt->machine];
        uint64_t stood_ms = (machine->stood_us - attempt->stood_us) / 1000;
        uint64_t waited_ms = plane->now_ms - attempt->since_ms;
        if (attempt->answered || attempt->life != machine->life) {
            continue;
        }
        uint64_t its_ms = plane_now(plane, attempt->machine) - attempt->heard_ms;
        if (attempt->heard && its_ms > FORGOTTEN_MS + stood_ms &&
            machine->busy_us <= plane->now_us) {
            plane_fail(
                plane,
                "FORGOTTEN m%u never answers %s %s",
                attempt->machine,
                plane_act_name(plane_requests[attempt->request].act),
                plane_requests[attempt->request].name);
        }
        if (!attempt->given_up && waited_ms > API_MS) {
            attempt_unsure(plane, i);
        }
    }
}

/* ---- Answers ---- */

void plane_client_answer(
    struct plane *plane, uint32_t machine, uint64_t handle, const Wire__Answer *answer)
{
    Wire__Frame frame = WIRE__FRAME__INIT;
    Wire__Told told = WIRE__TOLD__INIT;
    Wire__Answer copy = *answer;
    if (handle == 0 || handle > attempts_count || attempts[handle].machine != machine) {
        plane_fail(plane, "ANSWER m%u answers what nobody asked", machine);
    }
    plane_checked(plane, PLANE_CHECK_ONCE);
    CHECK(answer->reject < REJECTS_END);
    plane->tally->rejects[answer->reject]++;
    if (attempts[handle].answered) {
        plane_fail(plane, "ANSWER m%u answers the same ask twice", machine);
    }
    char asked[32];
    (void)snprintf(asked, sizeof(asked), "attempt-%llu", (unsigned long long)handle);
    if (strcmp(answer->request_id, asked) != 0) { /* INV-SEC-35 */
        plane_fail(plane, "ANSWER m%u answers %s with %s", machine, asked, answer->request_id);
    }
    attempts[handle].answered = true;
    plane_requests[attempts[handle].request].answers[answer->reject]++;
    told.handle = handle;
    told.answer = &copy;
    frame.format = FRAME_FORMAT;
    Wire__Told *list[] = { &told };
    Wire__Tolds tolds = WIRE__TOLDS__INIT;
    tolds.n_tolds = 1;
    tolds.tolds = list;
    frame.body_case = WIRE__FRAME__BODY_TOLDS;
    frame.tolds = &tolds;
    plane_post(
        plane,
        plane_below(plane, 3),
        PLANE_ANSWER,
        machine,
        plane_requests[attempts[handle].request].client,
        handle,
        plane_encode(plane, &frame));
}

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
    struct plane_request *request = &plane_requests[attempts[number].request];
    if (attempts[number].given_up) {
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
    plane_history_told(plane, attempts[number].event, request, answer);
    if (client->request != attempts[number].request) {
        return; /* Its twin was answered first. */
    }
    if (request->act == PLANE_ACT_READ) {
        request->index = attempts[number].index;
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
    ask(plane, number, machine);
    if (plane_strikes(plane, PLANE_ASKED_TWICE, 1000)) {
        machine = choose_machine(plane);
        if (machine != PLANE_NONE) {
            ask(plane, number, machine); /* Impatient: both may arrive. */
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
        attempts_overdue(plane);
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
    if (machine == PLANE_NONE || attempts_count + 2 * FLOOD > attempts_most) {
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
        ask(plane, number, machine);
        attempts[attempts_count].given_up = true; /* Nobody waits for it. */
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
