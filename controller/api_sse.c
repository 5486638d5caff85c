/* Decides when a stream asks for more and when it ends. Never decides which events are whose.
 *
 * The happy path and what can go wrong: api_sse.h. */
#include "controller/api_sse.h"

#include "base/check.h"
#include "controller/api_fields.h"
#include "host/clock.h"

#include <stdlib.h>
#include <string.h>

struct stream {
    struct streams *all;
    struct work *work; /* NULL: free. */
    uint64_t cursor;
    uint64_t ask;
    uint64_t asked_ms;
    uint64_t wrote_ms;
    bool due;    /* Something may be new. */
    bool opened; /* Engine allowed it; the answer's head is out. */
    bool over;
    size_t used;
    size_t taken;
    char *buffer; /* STREAM_BUFFER_BYTES, owned; taken with the stream, given back at its end. */
};

struct streams {
    struct service *service;
    uint32_t count;
    struct stream streams[STREAMS_MAX];
};

struct streams *streams_open(struct service *service)
{
    struct streams *streams = calloc(1, sizeof(*streams));
    CHECK(streams != NULL); /* At start; without it there is no api. */
    streams->service = service;
    return streams;
}

static void wake(struct stream *stream)
{
    CHECK(stream->work != NULL);
    http_stream_wake(stream->work->call);
}

static void finish(struct stream *stream)
{
    stream->over = true;
    wake(stream);
}

void streams_close(struct streams *streams)
{
    for (size_t i = 0; i < STREAMS_MAX; i++) {
        if (streams->streams[i].work != NULL && streams->streams[i].opened) {
            finish(&streams->streams[i]);
        }
    }
}

void streams_end_revoked(struct streams *streams)
{
    uint64_t now = clock_wall_ms() / 1000;
    for (size_t i = 0; i < STREAMS_MAX; i++) {
        struct stream *stream = &streams->streams[i];
        if (stream->work != NULL && stream->opened && !stream->over &&
            door_pass(streams->service->door, stream->work->call->peer, now) == DOOR_REVOKED) {
            finish(stream); /* INV-SEC-33 */
        }
    }
}

static size_t stream_take(void *context, char *room, size_t size)
{
    struct stream *stream = context;
    CHECK(stream->taken <= stream->used);
    size_t left = stream->used - stream->taken;
    size_t now = left < size ? left : size;
    memcpy(room, stream->buffer + stream->taken, now);
    stream->taken += now;
    if (stream->taken == stream->used) {
        stream->taken = 0;
        stream->used = 0;
    }
    return now;
}

static bool stream_over(void *context)
{
    const struct stream *stream = context;
    return stream->over;
}

/* False when it does not fit: the stream ends, and its reader resumes from the last id it saw. */
static bool stream_write(struct stream *stream, const Wire__EventView *event)
{
    struct out out;
    out_init(&out, stream->buffer + stream->used, STREAM_BUFFER_BYTES - stream->used);
    out_format(&out, "id: %llu\n", (unsigned long long)event->index);
    out_plain(&out, event->reset ? "event: reset\ndata: " : "data: ");
    message_write(&out, &event->base);
    out_plain(&out, "\n\n");
    struct slice text = SLICE_EMPTY;
    if (!out_done(&out, &text)) {
        return false;
    }
    stream->used += text.size;
    stream->wrote_ms = clock_boot_ms();
    return true;
}

/* The cursor knows only whole indices, and a full page may end inside one: what belongs to its last
 * index is left for the next page, unless the page has no other. */
static size_t whole_indices(const Wire__Answer *answer)
{
    size_t count = answer->n_events;
    if (count < STREAM_PAGE) {
        return count;
    }
    uint64_t last = answer->events[count - 1]->index;
    while (count > 0 && answer->events[count - 1]->index == last) {
        count--;
    }
    return count == 0 ? answer->n_events : count;
}

/* The first answer decides whether there is a stream at all. */
static bool stream_admit(struct stream *stream, const Wire__Answer *answer)
{
    struct work *work = stream->work;
    if (answer != NULL && answer->reject == 0) {
        struct http_source source = { stream, stream_take, stream_over };
        stream->opened = true;
        http_stream(work->call, &source, work->request_id);
        return true;
    }
    stream->over = true;
    if (answer == NULL) {
        struct problem problem;
        service_no_answer(false, &problem);
        work_refuse(work, &problem);
        return false;
    }
    struct out out;
    struct reply reply;
    struct reply_to to = { .route = work->route, .request_id = work->request_id };
    out_init(&out, work->service->room, SERVICE_BODY_BYTES);
    reply_answer(&to, answer, &out, &reply);
    work_reply(work, &reply, &out);
    return false;
}

static void stream_told(void *owner, uint32_t tag, const Wire__Answer *answer)
{
    (void)tag;
    struct stream *stream = owner;
    CHECK(stream->work != NULL);
    CHECK(stream->used == 0); /* Asked only when everything was taken. */
    stream->ask = 0;
    if (!stream->opened && !stream_admit(stream, answer)) {
        return;
    }
    if (answer == NULL) {
        return; /* Engine is away; the next tick asks again. */
    }
    if (answer->reject == REJECT_DENIED || answer->reject == REJECT_REVOKED) {
        finish(stream);
        return;
    }
    if (answer->reject != 0) {
        return;
    }
    if (stream->cursor == 0) { /* From now: what this first answer knows is the past. */
        stream->cursor = answer->index;
        return;
    }
    size_t count = whole_indices(answer);
    bool fits = true;
    for (size_t i = 0; i < count && fits; i++) {
        fits = stream_write(stream, answer->events[i]);
        stream->cursor = answer->events[i]->index;
    }
    if (!fits) {
        stream->over = true;
    }
    stream->due = answer->n_events > 0;
    /* Only an empty page says that there is nothing else up to the index that answered. */
    if (!stream->due && answer->index > stream->cursor) {
        stream->cursor = answer->index;
    }
    if (stream->used > 0 || stream->over) {
        wake(stream);
    }
}

static enum desk_outcome stream_ask(struct stream *stream, uint64_t now_ms)
{
    CHECK(stream->ask == 0);
    Wire__EventRead read = WIRE__EVENT_READ__INIT;
    Wire__Request request = WIRE__REQUEST__INIT;
    read.after = stream->cursor;
    read.limit = STREAM_PAGE;
    request.format = 1;
    request.request_id = stream->work->request_id;
    request.principal = &stream->work->principal;
    request.body_case = WIRE__REQUEST__BODY_EVENT_READ;
    request.event_read = &read;
    stream->asked_ms = now_ms;
    stream->due = false;
    return desk_ask(
        stream->all->service->desk,
        &request,
        DESK_DEADLINE_MS,
        stream_told,
        stream,
        0,
        &stream->ask);
}

static void stream_beat(struct stream *stream, uint64_t now_ms)
{
    static const char beat[] = ": beat\n\n";
    if (stream->used != 0 || now_ms - stream->wrote_ms < STREAM_BEAT_MS) {
        return;
    }
    memcpy(stream->buffer, beat, sizeof(beat) - 1);
    stream->used = sizeof(beat) - 1;
    stream->wrote_ms = now_ms;
    wake(stream);
}

void streams_bell(struct streams *streams)
{
    for (size_t i = 0; i < STREAMS_MAX && streams->count > 0; i++) {
        streams->streams[i].due = true;
    }
}

void streams_tick(struct streams *streams, bool bells)
{
    if (streams->count == 0) {
        return;
    }
    uint64_t poll_ms = bells ? STREAM_POLL_MS : STREAM_POLL_DEAF_MS;
    uint64_t now_ms = clock_boot_ms();
    uint64_t wall_seconds = clock_wall_ms() / 1000;
    for (size_t i = 0; i < STREAMS_MAX; i++) {
        struct stream *stream = &streams->streams[i];
        if (stream->work == NULL || stream->over || !stream->opened) {
            continue;
        }
        const struct door *door = streams->service->door;
        if (door_pass(door, stream->work->call->peer, wall_seconds) != DOOR_OPEN) {
            finish(stream); /* INV-SEC-3: a revoked reader sees nothing more. */
            continue;
        }
        bool due = stream->due || now_ms - stream->asked_ms >= poll_ms;
        if (due && stream->ask == 0 && stream->used == 0) {
            (void)stream_ask(stream, now_ms); /* Full or down: asked again in a second. */
        }
        if (stream->ask == 0) {
            stream_beat(stream, now_ms);
        }
    }
}

uint32_t streams_count(const struct streams *streams)
{
    return streams->count;
}

static uint32_t streams_of(const struct streams *streams, const Wire__Identity *who)
{
    uint32_t count = 0;
    for (size_t i = 0; i < STREAMS_MAX; i++) {
        const struct work *work = streams->streams[i].work;
        count += work != NULL && work->principal.kind == who->kind && work->principal.id == who->id;
    }
    return count;
}

bool stream_begin(struct work *work, uint64_t after, struct problem *problem)
{
    struct streams *streams = work->service->streams;
    if (streams_of(streams, &work->principal) >= STREAMS_OF_ONE) { /* INV-PACE-2 */
        problem_set(
            problem, 429, "overloaded", "You have %d streams open already.", STREAMS_OF_ONE);
        problem->retry_after_seconds = 5;
        return false;
    }
    struct stream *stream = NULL;
    for (size_t i = 0; i < STREAMS_MAX && stream == NULL; i++) {
        stream = streams->streams[i].work == NULL ? &streams->streams[i] : NULL;
    }
    char *buffer = stream == NULL ? NULL : malloc(STREAM_BUFFER_BYTES);
    if (buffer == NULL) {
        problem_set(problem, 429, "overloaded", "There are %d streams already.", STREAMS_MAX);
        problem->retry_after_seconds = 5;
        return false;
    }
    *stream = (struct stream){ .all = streams, .work = work, .cursor = after, .buffer = buffer };
    stream->wrote_ms = clock_boot_ms();
    streams->count++;
    enum desk_outcome outcome = stream_ask(stream, clock_boot_ms());
    if (outcome != DESK_SENT) {
        stream_end(work);
        return service_not_sent(outcome, problem);
    }
    return true;
}

void stream_end(struct work *work)
{
    struct streams *streams = work->service->streams;
    for (size_t i = 0; i < STREAMS_MAX; i++) {
        struct stream *stream = &streams->streams[i];
        if (stream->work == work) {
            CHECK(streams->count > 0);
            desk_forget(streams->service->desk, stream->ask);
            free(stream->buffer);
            *stream = (struct stream){ .work = NULL };
            streams->count--;
        }
    }
}
