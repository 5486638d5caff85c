/* The concrete machine behind toy.h: one stage at a time, moves of its own at random moments. It
 * shares nothing with the checkers' model but the words. */
#include "tests/history/toy.h"

#include "base/check.h"
#include "base/prng.h"

#include <stdio.h>
#include <string.h>

enum { OBJECTS = 64, CLIENTS = 16, LIMBO = 4096, DONE = 65536, VCPUS = 2 };

struct thing {
    enum history_stage stage;
    uint64_t id;
    uint64_t epoch;
    uint64_t revision;
    uint32_t limbo; /* Requests about it that nobody was answered about. */
};

struct ask {
    bool busy;
    bool applied;
    uint32_t event;
    uint32_t thing;
    enum history_f f;
    bool running; /* CREATE. */
    struct history_told told;
    struct history_sight sight;
    uint64_t list_count; /* LIST: how much of it was seen. */
};

struct toy {
    struct history *history;
    struct prng prng;
    struct toy_size size;
    uint64_t now;
    uint64_t ids;
    struct thing things[OBJECTS];
    struct ask clients[CLIENTS];
    struct ask limbo[LIMBO];
    uint32_t limbo_count;
    uint32_t client_numbers[CLIENTS];
    uint32_t client_next;
    uint64_t done[DONE]; /* Operations, in order. */
    uint32_t done_count;
    uint32_t keys;
};

static struct toy toy;

const char *toy_lie_name(enum toy_lie lie)
{
    static const char *const names[TOY_LIES] = {
        "truth",         "stale read", "lost write", "double apply", "resurrected",
        "wrong refusal", "stale list", "forgotten",  "invented",     "mischarged",
    };
    CHECK(lie < TOY_LIES);
    return names[lie];
}

static uint64_t below(uint64_t bound)
{
    return prng_below(&toy.prng, bound);
}

static void thing_name(uint32_t thing, char room[static 16])
{
    (void)snprintf(room, 16, "vm-%u", thing);
}

/* ---- What the cell does ---- */

static void moves(struct thing *thing)
{
    bool fails = below(20) == 0;
    switch (thing->stage) {
    case HISTORY_STAGE_STARTING:
        thing->stage = fails ? HISTORY_STAGE_FAILED : HISTORY_STAGE_RUNNING;
        break;
    case HISTORY_STAGE_RUNNING: thing->stage = fails ? HISTORY_STAGE_STARTING : thing->stage; break;
    case HISTORY_STAGE_STOPPING: thing->stage = HISTORY_STAGE_STOPPED; break;
    case HISTORY_STAGE_DELETING: thing->stage = HISTORY_STAGE_ABSENT; break;
    case HISTORY_STAGE_UNTOLD:
    case HISTORY_STAGE_ABSENT:
    case HISTORY_STAGE_STOPPED:
    case HISTORY_STAGE_FAILED:
    case HISTORY_STAGE_END: return;
    }
    thing->revision++;
}

static enum history_refusal refusal_of(const struct thing *thing, enum history_f f)
{
    enum history_stage stage = thing->stage;
    bool rests = stage == HISTORY_STAGE_STOPPED || stage == HISTORY_STAGE_FAILED;
    bool runs = stage == HISTORY_STAGE_STARTING || stage == HISTORY_STAGE_RUNNING;
    if (f == HISTORY_CREATE) {
        return stage == HISTORY_STAGE_ABSENT ? 0 : HISTORY_TAKEN;
    }
    if (stage == HISTORY_STAGE_ABSENT) {
        return HISTORY_ABSENT;
    }
    bool fits = (f == HISTORY_START && rests) ||
                (f == HISTORY_STOP && (runs || stage == HISTORY_STAGE_STOPPING)) ||
                (f == HISTORY_REBOOT && stage == HISTORY_STAGE_RUNNING) ||
                (f == HISTORY_DELETE && stage != HISTORY_STAGE_DELETING);
    return fits ? 0 : HISTORY_STATE;
}

static void change(struct thing *thing, const struct ask *ask)
{
    bool rests = thing->stage == HISTORY_STAGE_STOPPED || thing->stage == HISTORY_STAGE_FAILED;
    thing->revision++;
    if (ask->f == HISTORY_CREATE) {
        thing->stage = ask->running ? HISTORY_STAGE_STARTING : HISTORY_STAGE_STOPPED;
        thing->id = ++toy.ids;
        thing->epoch = ask->running ? 1 : 0;
        thing->revision = 1;
    } else if (ask->f == HISTORY_START) {
        thing->stage = HISTORY_STAGE_STARTING;
        thing->epoch++;
    } else if (ask->f == HISTORY_STOP) {
        thing->stage = HISTORY_STAGE_STOPPING;
    } else if (ask->f == HISTORY_REBOOT) {
        thing->stage = HISTORY_STAGE_STARTING;
    } else {
        thing->stage = rests ? HISTORY_STAGE_ABSENT : HISTORY_STAGE_DELETING;
    }
}

static void write_apply(struct ask *ask)
{
    struct thing *thing = &toy.things[ask->thing];
    ask->told.refusal = refusal_of(thing, ask->f);
    ask->told.outcome = ask->told.refusal == 0 ? HISTORY_OK : HISTORY_FAIL;
    if (ask->told.outcome == HISTORY_OK) {
        change(thing, ask);
        CHECK(toy.done_count < DONE);
        ask->told.id = thing->id;
        ask->told.operation = ++toy.ids;
        ask->told.done = thing->stage == HISTORY_STAGE_ABSENT;
        toy.done[toy.done_count++] = ask->told.operation;
    }
}

static void thing_see(uint32_t number, struct history_sight *sight_out)
{
    const struct thing *thing = &toy.things[number];
    bool there = thing->stage != HISTORY_STAGE_ABSENT;
    *sight_out = (struct history_sight){ .kind = HISTORY_INSTANCE,
                                         .stage = thing->stage,
                                         .id = there ? thing->id : 0,
                                         .epoch = there ? thing->epoch : HISTORY_UNTOLD,
                                         .revision = there ? thing->revision : HISTORY_UNTOLD };
}

static void account_see(struct history_told *told)
{
    for (uint32_t i = 0; i < toy.size.objects; i++) {
        bool there = toy.things[i].stage != HISTORY_STAGE_ABSENT;
        told->charged[0] += there ? VCPUS : 0;
        told->charged[2] += there ? 1 : 0;
    }
    memcpy(told->inventory, told->charged, sizeof(told->inventory));
    told->summed = below(2) == 0;
}

static void apply(struct ask *ask)
{
    ask->applied = true;
    ask->told.outcome = HISTORY_OK;
    if (ask->f == HISTORY_READ) {
        thing_see(ask->thing, &ask->sight);
    } else if (ask->f == HISTORY_LIST) {
        ask->list_count = toy.done_count;
    } else if (ask->f == HISTORY_ACCOUNT) {
        account_see(&ask->told);
    } else {
        write_apply(ask);
    }
}

/* ---- What clients do ---- */

static void invoke(struct ask *ask, uint32_t client, enum history_f f, uint32_t thing)
{
    char name[16];
    char key[16] = "";
    thing_name(thing, name);
    bool writes = f != HISTORY_READ && f != HISTORY_LIST && f != HISTORY_ACCOUNT;
    if (writes) {
        (void)snprintf(key, sizeof(key), "key-%u", ++toy.keys);
    }
    memset(ask, 0, sizeof(*ask));
    ask->busy = true;
    ask->f = f;
    ask->thing = thing;
    ask->running = f == HISTORY_CREATE && below(2) == 0;
    struct history_asked asked = { .client = client,
                                   .f = f,
                                   .kind = HISTORY_INSTANCE,
                                   .object = writes || f == HISTORY_READ ? name : "",
                                   .account = "red",
                                   .key = key,
                                   .at_ns = toy.now,
                                   .value = ask->running ? 1 : 0 };
    if (f == HISTORY_CREATE) {
        asked.amounts[0] = VCPUS;
        asked.amounts[2] = 1;
    }
    ask->event = history_invoke(toy.history, &asked);
}

static void tell(struct ask *ask)
{
    char name[16];
    bool write = ask->f != HISTORY_READ && ask->f != HISTORY_LIST && ask->f != HISTORY_ACCOUNT;
    thing_name(ask->thing, name);
    ask->told.at_ns = toy.now;
    history_return(toy.history, ask->event, &ask->told);
    if (write && ask->told.outcome != HISTORY_FAIL) {
        history_add_append(toy.history, ask->event, "done", ask->told.operation);
        if (ask->f == HISTORY_CREATE && ask->told.id != 0) {
            history_add_append(toy.history, ask->event, "lives", ask->told.id);
        }
    }
    if (ask->f == HISTORY_READ) {
        history_add_sight(toy.history, ask->event, name, &ask->sight);
    }
    if (ask->f == HISTORY_LIST) {
        uint64_t from = ask->list_count > 40 ? ask->list_count - 40 : 0;
        struct history_read read = { .after = from == 0 ? 0 : toy.done[from - 1],
                                     .elements = toy.done + from,
                                     .count = (uint32_t)(ask->list_count - from) };
        history_add_read(toy.history, ask->event, "done", &read);
    }
    ask->busy = false;
}

/* Its answer is never heard; whether it will be done, chance knows. */
static void lose(uint32_t client)
{
    struct ask *ask = &toy.clients[client];
    struct history_told told = { .outcome = HISTORY_INFO };
    bool write = ask->f != HISTORY_READ && ask->f != HISTORY_LIST && ask->f != HISTORY_ACCOUNT;
    history_return(toy.history, ask->event, &told);
    if (write) {
        history_add_append(toy.history, ask->event, "done", 0);
        CHECK(toy.limbo_count < LIMBO);
        toy.things[ask->thing].limbo++;
        toy.limbo[toy.limbo_count++] = *ask;
    }
    ask->busy = false;
    toy.client_numbers[client] = ++toy.client_next;
}

static enum history_f choose(void)
{
    static const enum history_f fs[] = { HISTORY_CREATE, HISTORY_CREATE, HISTORY_DELETE,
                                         HISTORY_START,  HISTORY_STOP,   HISTORY_REBOOT,
                                         HISTORY_READ,   HISTORY_READ,   HISTORY_READ,
                                         HISTORY_LIST,   HISTORY_ACCOUNT };
    return fs[below(COUNT_OF(fs))];
}

static void step(bool may_ask)
{
    uint32_t client = (uint32_t)below(toy.size.clients);
    struct ask *ask = &toy.clients[client];
    toy.now++;
    if (below(3) == 0) {
        moves(&toy.things[below(toy.size.objects)]);
    }
    if (toy.limbo_count > 0 && below(10) == 0) {
        struct ask *late = &toy.limbo[below(toy.limbo_count)];
        if (!late->applied) {
            apply(late);
        }
    }
    if (!ask->busy) {
        if (may_ask) {
            invoke(ask, toy.client_numbers[client], choose(), (uint32_t)below(toy.size.objects));
        }
    } else if (below(100) < toy.size.lost) {
        lose(client);
    } else if (!ask->applied) {
        apply(ask);
    } else {
        tell(ask);
    }
}

static bool idle(void)
{
    bool busy = false;
    for (uint32_t i = 0; i < toy.size.clients; i++) {
        busy = busy || toy.clients[i].busy;
    }
    return !busy;
}

/* One request alone, from its first moment to its last. */
static struct ask *alone(enum history_f f, uint32_t thing)
{
    static struct ask ask;
    toy.now++;
    invoke(&ask, ++toy.client_next, f, thing);
    toy.now++;
    apply(&ask);
    toy.now++;
    return &ask;
}

/* ---- Lies: told while nobody else asks, about a thing that nothing in limbo is about ---- */

static uint32_t thing_for_lies(void)
{
    for (uint32_t i = 0; i < toy.size.objects; i++) {
        if (toy.things[i].limbo == 0) {
            return i;
        }
    }
    return OBJECTS;
}

/* Whatever it was: now it is not there, or it rests. */
static void bring(uint32_t number, enum history_stage stage)
{
    struct thing *thing = &toy.things[number];
    if (thing->stage != HISTORY_STAGE_ABSENT) {
        tell(alone(HISTORY_DELETE, number));
        thing->stage = HISTORY_STAGE_ABSENT;
        tell(alone(HISTORY_READ, number));
    }
    if (stage == HISTORY_STAGE_STOPPED) {
        struct ask *ask = alone(HISTORY_CREATE, number);
        tell(ask);
        if (thing->stage != HISTORY_STAGE_STOPPED) {
            tell(alone(HISTORY_STOP, number));
            moves(thing);
        }
        tell(alone(HISTORY_READ, number));
    }
}

static void lie_about_thing(enum toy_lie lie, uint32_t number)
{
    struct thing *thing = &toy.things[number];
    struct thing before;
    bring(
        number,
        lie == TOY_LOST_WRITE || lie == TOY_WRONG_REFUSAL ? HISTORY_STAGE_ABSENT
                                                          : HISTORY_STAGE_STOPPED);
    before = *thing;
    if (lie == TOY_STALE_READ) {
        tell(alone(HISTORY_START, number));
        struct thing now = *thing;
        *thing = before;
        tell(alone(HISTORY_READ, number));
        *thing = now;
    } else if (lie == TOY_LOST_WRITE) {
        tell(alone(HISTORY_CREATE, number));
        thing->stage = HISTORY_STAGE_ABSENT;
    } else if (lie == TOY_DOUBLE_APPLY) {
        tell(alone(HISTORY_START, number));
        thing->epoch++;
    } else if (lie == TOY_RESURRECTED) {
        tell(alone(HISTORY_DELETE, number));
        *thing = before;
    } else {
        CHECK(lie == TOY_WRONG_REFUSAL);
        struct ask *ask = alone(HISTORY_READ, number);
        tell(ask);
        toy.now++;
        invoke(ask, ++toy.client_next, HISTORY_CREATE, number);
        ask->told = (struct history_told){ .outcome = HISTORY_FAIL, .refusal = HISTORY_TAKEN };
        toy.now++;
        tell(ask);
    }
    tell(alone(HISTORY_READ, number));
}

static void lie_tell(enum toy_lie lie)
{
    uint32_t number = lie == TOY_TRUTH ? 0 : thing_for_lies();
    CHECK(number < OBJECTS); /* The tests leave one. */
    if (lie == TOY_STALE_LIST) {
        bring(number, HISTORY_STAGE_STOPPED);
        struct ask *ask = alone(HISTORY_LIST, 0);
        ask->list_count--;
        tell(ask);
    } else if (lie == TOY_FORGOTTEN) {
        bring(number, HISTORY_STAGE_STOPPED);
        toy.done_count--;
    } else if (lie == TOY_INVENTED) { /* More than all that nobody was answered about. */
        for (uint32_t i = 0; i <= toy.limbo_count; i++) {
            toy.done[toy.done_count++] = ++toy.ids;
        }
    } else if (lie == TOY_MISCHARGED) {
        bring(number, HISTORY_STAGE_ABSENT);
        struct ask *ask = alone(HISTORY_ACCOUNT, 0);
        ask->told.charged[0] += VCPUS * (toy.size.objects + 1);
        tell(ask);
    } else if (lie != TOY_TRUTH) {
        lie_about_thing(lie, number);
    }
}

static void final_reads(void)
{
    for (uint32_t i = 0; i < toy.size.objects; i++) {
        tell(alone(HISTORY_READ, i));
    }
    tell(alone(HISTORY_ACCOUNT, 0));
    static uint64_t lives[DONE];
    uint32_t event = 0;
    struct ask *ask = alone(HISTORY_LIST, 0);
    event = ask->event;
    ask->told.at_ns = toy.now;
    history_return(toy.history, event, &ask->told);
    struct history_read read = { .elements = toy.done, .count = toy.done_count, .final = true };
    history_add_read(toy.history, event, "done", &read);
    uint32_t count = 0; /* Lives: all numbers that were ever given to one. */
    for (uint32_t i = 0; i < toy.history->events_count; i++) {
        const struct history_event *seen = &toy.history->events[i];
        if (seen->f == HISTORY_CREATE && seen->told.outcome == HISTORY_OK) {
            lives[count++] = seen->told.id;
        }
    }
    for (uint32_t i = 1; i < count; i++) { /* Answers come out of order, by a little. */
        for (uint32_t k = i; k > 0 && lives[k - 1] > lives[k]; k--) {
            uint64_t other = lives[k];
            lives[k] = lives[k - 1];
            lives[k - 1] = other;
        }
    }
    struct history_read all = { .elements = lives, .count = count, .final = true };
    history_add_read(toy.history, event, "lives", &all);
}

void toy_play(struct history *history, uint64_t seed, const struct toy_size *size, enum toy_lie lie)
{
    CHECK(size->objects <= OBJECTS && size->clients <= CLIENTS);
    memset(&toy, 0, sizeof(toy));
    toy.history = history;
    toy.size = *size;
    toy.client_next = size->clients;
    prng_seed(&toy.prng, seed);
    for (uint32_t i = 0; i < size->objects; i++) {
        toy.things[i].stage = HISTORY_STAGE_ABSENT;
    }
    for (uint32_t i = 0; i < size->clients; i++) {
        toy.client_numbers[i] = i + 1;
    }
    while (history->events_count < size->operations) {
        step(true);
    }
    while (!idle()) {
        step(false);
    }
    for (uint32_t i = 0; i < toy.limbo_count; i++) { /* What was not done by now never is. */
        toy.limbo[i].applied = true;
    }
    lie_tell(lie);
    final_reads();
}
