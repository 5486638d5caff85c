/* GET /v1/events as a stream (text/event-stream).
 *
 * A stream owns nothing but a cursor. What is published on the bus is only a bell: whoever hears it
 * asks engine, as the stream's own principal, for what came after the cursor. So one authority
 * decides who sees what, nothing is lost when the bus loses, and a slow reader costs one buffer: it
 * is asked for again only when it has taken what it got.
 *
 * The happy path: Last-Event-ID or ?after → EVENT_READ → events into the buffer → taken → the bell
 * or STREAM_POLL_MS → EVENT_READ …
 * What can go wrong: the cursor was compacted → engine's reset event is passed on as `event: reset`
 * and the cursor begins anew there; too many streams → 429; the certificate ends or is revoked, or
 * engine refuses → the stream ends; nothing for STREAM_BEAT_MS → a comment; a reader that takes
 * nothing is closed by http's idle time. */
#ifndef CONTROLLER_API_SSE_H
#define CONTROLLER_API_SSE_H

#include "controller/api_service.h"

enum {
    STREAMS_MAX = 256,
    STREAMS_OF_ONE = 32,              /* Of one principal: nobody takes all of them. INV-PACE-2 */
    STREAM_BUFFER_BYTES = 128 * 1024, /* Holds STREAM_PAGE events. */
    STREAM_PAGE = 200,                /* What engine gives at once. */
    STREAM_POLL_MS = 1000,            /* Asks even when no bell rang. */
    STREAM_POLL_DEAF_MS = 250,        /* Where there is no bus. */
    STREAM_BEAT_MS = 15000,
    STREAM_TICK_MS = 50, /* A storm of bells is one question per stream and tick. */
};

struct streams *streams_open(struct service *service);
/* Ends every stream. */
/* Readers whose certificate the door calls revoked by now. */
void streams_end_revoked(struct streams *streams);
void streams_close(struct streams *streams);
/* Something was published. */
void streams_bell(struct streams *streams);
/* Every STREAM_TICK_MS. bells: a bus is there. */
void streams_tick(struct streams *streams, bool bells);
uint32_t streams_count(const struct streams *streams);

/* Turns the work into a stream that begins after this event; 0: from now. */
bool stream_begin(struct work *work, uint64_t after, struct problem *problem);
void stream_end(struct work *work); /* The client is gone. Accepts works that are none. */

#endif
