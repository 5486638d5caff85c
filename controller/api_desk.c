/* Decides which answer belongs to which question, and how long a question waits. Never reads
 * either.
 *
 * The happy path and what can go wrong: api_desk.h. */
#include "controller/api_desk.h"

#include "base/check.h"
#include "host/channel_list.h"
#include "host/clock.h"

#include <stdlib.h>
#include <string.h>

enum { SLOT_BITS = 12 };
_Static_assert(DESK_ASKS == 1 << SLOT_BITS, "a handle's low bits are its slot");

struct ask {
    uint64_t handle; /* generation << SLOT_BITS | slot; 0: free. */
    uint64_t deadline_ms;
    desk_told *told; /* NULL: forgotten, the slot waits for its end. */
    void *owner;
    uint32_t tag;
    uint32_t next_free; /* slot + 1. */
};

struct desk {
    struct child *child; /* Not owned. */
    uint64_t generation;
    uint64_t lost;
    uint32_t first_free; /* slot + 1; 0: full. */
    uint32_t waiting;
    struct ask asks[DESK_ASKS];
    struct channel_list list;            /* What desk_send will say. */
    uint64_t listed[CHANNEL_LIST_ITEMS]; /* The handles in it. */
};

struct desk *desk_open(struct child *child)
{
    struct desk *desk = calloc(1, sizeof(*desk));
    CHECK(desk != NULL); /* At start; without it there is no api. */
    desk->child = child;
    desk->list.body = WIRE__FRAME__BODY_ASKS;
    desk->generation = clock_boot_us() << 4; /* Above every earlier api's: INV-SEC-35 */
    for (uint32_t i = DESK_ASKS; i > 0; i--) {
        desk->asks[i - 1].next_free = desk->first_free;
        desk->first_free = i;
    }
    return desk;
}

void desk_close(struct desk *desk)
{
    free(desk);
}

static struct ask *ask_take(struct desk *desk)
{
    if (desk->first_free == 0) {
        return NULL;
    }
    uint32_t slot = desk->first_free - 1;
    struct ask *ask = &desk->asks[slot];
    CHECK(ask->handle == 0);
    desk->first_free = ask->next_free;
    desk->waiting++;
    ask->handle = ++desk->generation << SLOT_BITS | slot;
    return ask;
}

static void ask_give(struct desk *desk, struct ask *ask)
{
    CHECK(ask->handle != 0);
    CHECK(desk->waiting > 0);
    uint32_t slot = (uint32_t)(ask - desk->asks);
    *ask = (struct ask){ .next_free = desk->first_free };
    desk->first_free = slot + 1;
    desk->waiting--;
}

enum desk_outcome desk_ask(
    struct desk *desk,
    Wire__Request *request,
    uint64_t wait_ms,
    desk_told *told,
    void *owner,
    uint32_t tag,
    uint64_t *ask_out)
{
    CHECK(told != NULL);
    CHECK(request->body_case != WIRE__REQUEST__BODY__NOT_SET);
    if (desk->child->to[PROGRAM_ENGINE] == NULL) {
        return DESK_DOWN;
    }
    struct ask *ask = ask_take(desk);
    if (ask == NULL) {
        return DESK_FULL;
    }
    Wire__Ask body = WIRE__ASK__INIT;
    body.handle = ask->handle;
    body.request = request;
    if (!channel_list_add(&desk->list, &body)) {
        desk_send(desk);
        if (!channel_list_add(&desk->list, &body)) {
            ask_give(desk, ask);
            return DESK_TOO_LARGE;
        }
    }
    desk->listed[desk->list.count - 1] = ask->handle;
    ask->deadline_ms = clock_boot_ms() + wait_ms;
    ask->told = told;
    ask->owner = owner;
    ask->tag = tag;
    *ask_out = ask->handle;
    return DESK_SENT;
}

static struct ask *ask_find(struct desk *desk, uint64_t handle)
{
    struct ask *ask = &desk->asks[handle & (DESK_ASKS - 1)];
    return handle != 0 && ask->handle == handle ? ask : NULL;
}

void desk_forget(struct desk *desk, uint64_t handle)
{
    struct ask *ask = ask_find(desk, handle);
    if (ask != NULL) {
        ask->told = NULL;
    }
}

static void ask_end(struct desk *desk, struct ask *ask, const Wire__Answer *answer)
{
    struct ask ended = *ask;
    ask_give(desk, ask); /* First: the owner may ask again. */
    if (answer == NULL) {
        desk->lost++;
    }
    if (ended.told != NULL) {
        ended.told(ended.owner, ended.tag, answer);
    }
}

void desk_send(struct desk *desk)
{
    struct channel *engine = desk->child->to[PROGRAM_ENGINE];
    uint32_t count = desk->list.count;
    struct result sent =
        engine == NULL ? FAIL(FAILURE_CLOSED) : channel_list_send(&desk->list, engine);
    if (sent.code == 0) {
        return;
    }
    /* They wait no longer; whoever asks again finds the list empty. */
    uint64_t unsent[CHANNEL_LIST_ITEMS];
    memcpy(unsent, desk->listed, sizeof(unsent));
    desk->list.count = 0;
    desk->list.size = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct ask *ask = ask_find(desk, unsent[i]);
        if (ask != NULL) {
            ask_end(desk, ask, NULL);
        }
    }
}

void desk_answer(struct desk *desk, const Wire__Tolds *tolds)
{
    for (size_t i = 0; i < tolds->n_tolds; i++) {
        const Wire__Told *told = tolds->tolds[i];
        struct ask *ask = ask_find(desk, told->handle);
        if (ask != NULL && told->answer != NULL) { /* Else too late, or nothing said. */
            ask_end(desk, ask, told->answer);
        }
    }
}

void desk_engine_gone(struct desk *desk)
{
    uint64_t last = desk->generation; /* Those asked by the told ones now are not meant. */
    desk->list.count = 0;
    desk->list.size = 0;
    for (uint32_t i = 0; i < DESK_ASKS; i++) {
        struct ask *ask = &desk->asks[i];
        if (ask->handle != 0 && ask->handle >> SLOT_BITS <= last) {
            ask_end(desk, ask, NULL);
        }
    }
}

void desk_tick(struct desk *desk)
{
    if (desk->waiting == 0) {
        return;
    }
    uint64_t now = clock_boot_ms();
    for (uint32_t i = 0; i < DESK_ASKS; i++) {
        struct ask *ask = &desk->asks[i];
        if (ask->handle != 0 && ask->deadline_ms <= now) {
            ask_end(desk, ask, NULL);
        }
    }
}

uint32_t desk_waiting(const struct desk *desk)
{
    return desk->waiting;
}

uint64_t desk_lost(const struct desk *desk)
{
    return desk->lost;
}
