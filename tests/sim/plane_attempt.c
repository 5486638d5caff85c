/* Attempts: one ask of one request at one controller, until it is answered or given up.
 *
 * Decides how an ask reaches its controller and comes back; whether to ask at all and what an
 * answer means is the client's. An ask is answered once, by the controller that took it, unless
 * that one dies (INV-SEC-35 names it). */
#include "tests/sim/plane_attempt.h"

#include "base/check.h"
#include "tests/sim/plane_check.h"
#include "tests/sim/plane_time.h"
#include "wire/frame.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { API_MS = 10000, FORGOTTEN_MS = 12000 };

struct plane_attempt *plane_attempts;

static uint32_t attempts_count;
static uint32_t attempts_most;
static uint32_t attempts_open; /* No open one is older. */

void plane_attempts_begin(struct plane *plane)
{
    attempts_most = plane->conf.requests * 8;
    plane_attempts = plane_zeroed(attempts_most + 1, sizeof(*plane_attempts));
    attempts_open = 1;
}

void plane_attempts_end(void)
{
    free(plane_attempts);
    plane_attempts = NULL;
}

bool plane_attempts_left(uint32_t count)
{
    return attempts_count + count <= attempts_most;
}

uint32_t plane_attempt_ask(
    struct plane *plane, uint32_t number, uint32_t machine, uint64_t newest_index)
{
    struct plane_request *request = &plane_requests[number];
    if (attempts_count == attempts_most) {
        plane_fail(plane, "BOUND too many attempts");
    }
    uint32_t attempt = ++attempts_count;
    plane_attempts[attempt] = (struct plane_attempt){ .request = number,
                                                      .machine = machine,
                                                      .life = plane->machines[machine].life,
                                                      .since_ms = plane->now_ms,
                                                      .index = newest_index };
    plane_attempts[attempt].event = plane_history_asked(plane, request, attempt);
    request->attempts++;
    plane_trace(
        plane,
        "client %u asks m%u: %s %s",
        request->client,
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
        request->client,
        attempt,
        plane_encode(plane, &frame));
    return attempt;
}

/* How long it stood still until now: of a standstill under way, what is over. */
static uint64_t stood_us(const struct plane *plane, uint32_t machine)
{
    const struct plane_machine *self = &plane->machines[machine];
    uint64_t ahead_us = self->busy_us > plane->now_us ? self->busy_us - plane->now_us : 0;
    return self->stood_us > ahead_us ? self->stood_us - ahead_us : 0;
}

void plane_attempt_heard(struct plane *plane, uint32_t machine, uint64_t handle)
{
    CHECK(handle > 0 && handle <= attempts_count && plane_attempts[handle].machine == machine);
    plane_attempts[handle].heard = true;
    plane_attempts[handle].heard_ms = plane_now(plane, machine);
    plane_attempts[handle].stood_us = stood_us(plane, machine);
}

void plane_attempt_forwarded(const Wire__Request *request)
{
    unsigned long number = 0;
    if (request == NULL || sscanf(request->request_id, "attempt-%lu", &number) != 1 ||
        number > attempts_count) {
        return; /* Of a machine that renews. */
    }
    plane_requests[plane_attempts[number].request].rerouted +=
        plane_attempts[number].forwarded ? 1 : 0;
    plane_attempts[number].forwarded = true;
}

static bool attempt_open(const struct plane *plane, const struct plane_attempt *attempt)
{
    bool lives = attempt->life == plane->machines[attempt->machine].life;
    return !attempt->given_up || (lives && !attempt->answered);
}

/* The first that anybody may still hear of, or the controller still owes an answer. */
static uint32_t first_open(const struct plane *plane)
{
    while (attempts_open <= attempts_count &&
           !attempt_open(plane, &plane_attempts[attempts_open])) {
        attempts_open++;
    }
    return attempts_open;
}

uint32_t plane_attempt_lost(struct plane *plane, uint32_t machine, uint32_t after)
{
    uint32_t first = first_open(plane);
    for (uint32_t i = after < first ? first : after + 1; i <= attempts_count; i++) {
        const struct plane_attempt *attempt = &plane_attempts[i];
        if (attempt->machine == machine && attempt->life == plane->machines[machine].life &&
            !attempt->answered && !attempt->given_up) {
            return i;
        }
    }
    return 0;
}

uint32_t plane_attempt_overdue(struct plane *plane, uint32_t after)
{
    uint32_t first = first_open(plane);
    for (uint32_t i = after < first ? first : after + 1; i <= attempts_count; i++) {
        const struct plane_attempt *attempt = &plane_attempts[i];
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
            return i;
        }
    }
    return 0;
}

void plane_attempt_answer(
    struct plane *plane, uint32_t machine, uint64_t handle, const Wire__Answer *answer)
{
    Wire__Frame frame = WIRE__FRAME__INIT;
    Wire__Told told = WIRE__TOLD__INIT;
    Wire__Answer copy = *answer;
    if (handle == 0 || handle > attempts_count || plane_attempts[handle].machine != machine) {
        plane_fail(plane, "ANSWER m%u answers what nobody asked", machine);
    }
    plane_checked(plane, PLANE_CHECK_ONCE);
    CHECK(answer->reject < REJECTS_END);
    plane->tally->rejects[answer->reject]++;
    if (plane_attempts[handle].answered) {
        plane_fail(plane, "ANSWER m%u answers the same ask twice", machine);
    }
    char asked[32];
    (void)snprintf(asked, sizeof(asked), "attempt-%llu", (unsigned long long)handle);
    if (strcmp(answer->request_id, asked) != 0) { /* INV-SEC-35 */
        plane_fail(plane, "ANSWER m%u answers %s with %s", machine, asked, answer->request_id);
    }
    plane_attempts[handle].answered = true;
    plane_requests[plane_attempts[handle].request].answers[answer->reject]++;
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
        plane_requests[plane_attempts[handle].request].client,
        handle,
        plane_encode(plane, &frame));
}
