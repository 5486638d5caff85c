/* The event bus inside a machine: nanomsg PUB/SUB over ipc://, for fan-out that may lose (a
 * subscriber that must not miss anything asks engine for what it missed). Never commands, never
 * between machines.
 *
 * Both ends are opened before child_confine: afterwards neither may make a socket. The publisher
 * binds, so a subscriber may come and go; a subscriber does not outlive its publisher (parent's
 * table says who dies together), because it could not connect again.
 *
 * The happy path: bus_publish → nanomsg's own thread → the subscriber's descriptor turns readable →
 * at most BUS_BURST messages per turn → on_message.
 * What can go wrong: a message above BUS_MESSAGE_BYTES is refused at the sender and ends the
 * connection at the receiver; a slow subscriber loses messages silently: events carry their log
 * index, so the subscriber sees the gap. */
#ifndef HOST_BUS_H
#define HOST_BUS_H

#include "base/result.h"
#include "base/slice.h"

#include <stdbool.h>
#include <uv.h>

enum {
    BUS_MESSAGE_BYTES = 64 * 1024,      /* One event, encoded. */
    BUS_BUFFER_BYTES = 4 * 1024 * 1024, /* Kept for one slow subscriber. */
};

struct bus;

struct bus_hooks {
    void *context;
    /* The bytes are gone when it returns. */
    void (*on_message)(void *context, struct slice message);
};

/* `path`: absolute, below the run directory's "bus"; at most 100 bytes. */
RESULT bus_publish_open(const char *path, struct bus **bus_out);
/* FAILURE_FULL: dropped for want of room; FAILURE_BAD_INPUT: too large. */
RESULT bus_publish(struct bus *bus, struct slice message);

/* Takes everything published on `path`. Delivery begins when the loop runs. */
RESULT bus_subscribe_open(
    uv_loop_t *loop, const char *path, const struct bus_hooks *hooks, struct bus **bus_out);

/* True once this process bound an end: it will have to accept subscribers inside its sandbox, which
 * child_confine therefore promises for it. */
bool bus_is_bound(void);
/* True once this process subscribed: nanomsg will try to connect again when the publisher dies,
 * which child_confine has refused instead of killed (PROMISE_REFUSE_UNIX). */
bool bus_is_subscribed(void);

/* Accepts NULL. A subscriber's handle is closed by the loop's next turn. */
void bus_close(struct bus *bus);

#endif
