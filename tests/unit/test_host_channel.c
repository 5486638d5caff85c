/* What a channel lets through, and how everything else ends it. */
#include "base/check.h"
#include "base/limits.h"
#include "host/channel.h"
#include "host/channel_list.h"
#include "wire/wire.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct seen {
    uint32_t frames;
    uint32_t raw;
    uint32_t closed;
    uint32_t breaches;
    uint32_t drains;
    uint64_t last_handle;
    size_t last_size;
    int fd;
};

static void on_frame(void *context, struct channel *channel, const Wire__Frame *frame)
{
    struct seen *seen = context;
    seen->frames++;
    if (frame->body_case == WIRE__FRAME__BODY_TOLDS) {
        seen->last_handle = frame->tolds->tolds[frame->tolds->n_tolds - 1]->handle;
    }
    if (frame->body_case == WIRE__FRAME__BODY_REJOIN) {
        seen->fd = channel_take_descriptor(channel);
    }
}

static void on_bytes(
    void *context, struct channel *channel, const struct envelope *envelope, struct slice bytes)
{
    (void)channel;
    struct seen *seen = context;
    seen->raw++;
    seen->last_handle = envelope->peer_id;
    seen->last_size = bytes.size;
}

static void on_close(void *context, struct channel *channel)
{
    (void)channel;
    ((struct seen *)context)->closed++;
}

static void on_breach(void *context, struct channel *channel)
{
    (void)channel;
    ((struct seen *)context)->breaches++;
}

static void on_drain(void *context, struct channel *channel)
{
    (void)channel;
    ((struct seen *)context)->drains++;
}

struct stage {
    uv_loop_t loop;
    int ends[2];
    struct seen seen;
    struct channel *channel;
};

static void stage_open(struct stage *stage, enum program self, enum program other, bool raw)
{
    *stage = (struct stage){ .seen = { .fd = -1 } };
    cr_assert_eq(uv_loop_init(&stage->loop), 0);
    cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, stage->ends), 0);
    struct channel_hooks hooks = {
        .context = &stage->seen,
        .on_frame = on_frame,
        .on_close = on_close,
        .on_breach = on_breach,
        .on_drain = on_drain,
        .on_bytes = raw ? on_bytes : NULL,
    };
    struct result opened =
        channel_open(&stage->loop, stage->ends[0], self, other, &hooks, &stage->channel);
    cr_assert_eq(opened.code, 0);
}

static void turn(struct stage *stage)
{
    (void)uv_run(&stage->loop, UV_RUN_NOWAIT);
    (void)uv_run(&stage->loop, UV_RUN_NOWAIT);
}

static void stage_close(struct stage *stage)
{
    if (stage->seen.closed == 0) {
        channel_close(stage->channel);
    }
    while (uv_run(&stage->loop, UV_RUN_NOWAIT) != 0) {
    }
    cr_assert_eq(stage->seen.closed, 1);
    cr_assert_eq(uv_loop_close(&stage->loop), 0);
    (void)close(stage->ends[1]);
}

static size_t encode(Wire__Frame *frame, uint8_t *room, size_t size)
{
    frame->format = FRAME_FORMAT;
    size_t used = 0;
    cr_assert(wire_encode_into(frame, room, size, &used));
    return used;
}

static size_t told(uint64_t handle, uint8_t *room, size_t size)
{
    Wire__Told body = WIRE__TOLD__INIT;
    body.handle = handle;
    Wire__Frame frame = WIRE__FRAME__INIT;
    Wire__Told *list[] = { &body };
    Wire__Tolds tolds = WIRE__TOLDS__INIT;
    tolds.n_tolds = 1;
    tolds.tolds = list;
    frame.body_case = WIRE__FRAME__BODY_TOLDS;
    frame.tolds = &tolds;
    return encode(&frame, room, size);
}

Test(channel, frames_arrive_in_order_and_whole)
{
    struct stage stage;
    stage_open(&stage, PROGRAM_API, PROGRAM_ENGINE, false);
    for (uint64_t handle = 1; handle <= 20; handle++) {
        uint8_t room[256];
        size_t size = told(handle, room, sizeof(room));
        cr_assert_eq(send(stage.ends[1], room, size, 0), (ssize_t)size);
    }
    turn(&stage);
    cr_assert_eq(stage.seen.frames, 20);
    cr_assert_eq(stage.seen.last_handle, 20);
    cr_assert_eq(stage.seen.closed, 0);
    stage_close(&stage);
}

Test(channel, a_body_that_the_sender_may_not_say_closes_the_channel) /* INV-SEC-21 */
{
    struct stage stage; /* TOLD is engine's word; here keys says it. */
    stage_open(&stage, PROGRAM_API, PROGRAM_KEYS, false);
    uint8_t room[256];
    size_t size = told(1, room, sizeof(room));
    cr_assert_eq(send(stage.ends[1], room, size, 0), (ssize_t)size);
    turn(&stage);
    cr_assert_eq(stage.seen.frames, 0);
    cr_assert_eq(stage.seen.breaches, 1);
    cr_assert_eq(stage.seen.closed, 1);
    stage_close(&stage);
}

Test(channel, what_is_not_a_canonical_frame_closes_the_channel)
{
    uint8_t good[256];
    size_t size = told(7, good, sizeof(good));
    for (size_t at = 0; at <= size; at++) { /* Every byte broken in turn; then one too many. */
        uint8_t bad[257];
        memcpy(bad, good, size);
        bad[size] = 0;
        size_t sent = at == size ? size + 1 : size;
        if (at < size) {
            bad[at] ^= 0x80U;
        }
        struct stage stage;
        stage_open(&stage, PROGRAM_API, PROGRAM_ENGINE, false);
        cr_assert_eq(send(stage.ends[1], bad, sent, 0), (ssize_t)sent);
        turn(&stage);
        cr_assert_eq(stage.seen.frames, 0, "byte %zu", at);
        cr_assert_eq(stage.seen.breaches, 1, "byte %zu", at);
        stage_close(&stage);
    }
}

/* A frame of a node whose body is no message, as link would hand it up. */
static size_t carried(uint32_t field, uint8_t room[static ENVELOPE_HEAD_MAX + 8])
{
    size_t size = envelope_head(WIRE__KIND__KIND_NODE, UINT64_C(0x0001000000000005), 0, room);
    uint32_t tag = field << 3 | 2;
    const uint8_t body[] = { (uint8_t)(tag | 0x80), (uint8_t)(tag >> 7), 2, 0xff, 0xff };
    memcpy(room + size, body, sizeof(body));
    return size + sizeof(body);
}

Test(channel, a_body_that_link_only_carries_ends_nobody) /* INV-SEC-21 */
{
    struct stage stage;
    uint8_t room[ENVELOPE_HEAD_MAX + 8];
    stage_open(&stage, PROGRAM_ENGINE, PROGRAM_LINK, false);
    size_t size = carried(WIRE__FRAME__BODY_NODE_HELLO, room);
    cr_assert_eq(send(stage.ends[1], room, size, 0), (ssize_t)size);
    turn(&stage);
    cr_assert_eq(stage.seen.frames, 0);
    cr_assert_eq(stage.seen.breaches, 0);
    cr_assert_eq(stage.seen.closed, 0);
    /* What link says itself is link's. */
    size = carried(WIRE__FRAME__BODY_LINK_STATE, room);
    cr_assert_eq(send(stage.ends[1], room, size, 0), (ssize_t)size);
    turn(&stage);
    cr_assert_eq(stage.seen.breaches, 1);
    stage_close(&stage);
}

Test(channel, an_oversized_message_closes_the_channel)
{
    struct stage stage;
    stage_open(&stage, PROGRAM_API, PROGRAM_ENGINE, false);
    static uint8_t room[LIMIT_FRAME + 1];
    (void)told(7, room, sizeof(room));
    int size = 1024 * 1024;
    (void)setsockopt(stage.ends[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    cr_assert_eq(send(stage.ends[1], room, sizeof(room), 0), (ssize_t)sizeof(room));
    turn(&stage);
    cr_assert_eq(stage.seen.frames, 0);
    cr_assert_eq(stage.seen.breaches, 1);
    stage_close(&stage);
}

Test(channel, a_peer_that_goes_away_is_told_once)
{
    struct stage stage;
    stage_open(&stage, PROGRAM_API, PROGRAM_ENGINE, false);
    uint8_t room[256];
    size_t size = told(1, room, sizeof(room));
    cr_assert_eq(send(stage.ends[1], room, size, 0), (ssize_t)size);
    (void)close(stage.ends[1]);
    turn(&stage);
    cr_assert_eq(stage.seen.frames, 1); /* What it said before still counts. */
    cr_assert_eq(stage.seen.breaches, 0);
    cr_assert_eq(stage.seen.closed, 1);
    stage.ends[1] = -1;
    stage_close(&stage);
}

static struct result ask(struct stage *stage, uint64_t handle, const char *key)
{
    Wire__Request request = WIRE__REQUEST__INIT;
    request.format = 1;
    request.idempotency_key = key;
    Wire__Ask body = WIRE__ASK__INIT;
    body.handle = handle;
    body.request = &request;
    Wire__Frame frame = WIRE__FRAME__INIT;
    Wire__Ask *list[] = { &body };
    Wire__Asks asks = WIRE__ASKS__INIT;
    asks.n_asks = 1;
    asks.asks = list;
    frame.body_case = WIRE__FRAME__BODY_ASKS;
    frame.asks = &asks;
    return channel_send(stage->channel, &frame);
}

Test(channel, a_slow_peer_fills_the_queue_then_the_newest_is_refused)
{
    struct stage stage;
    stage_open(&stage, PROGRAM_API, PROGRAM_ENGINE, false);
    static char key[100 * 1024];
    memset(key, 'k', sizeof(key) - 1);
    uint32_t taken = 0;
    struct result sent = OK;
    while (sent.code == 0) {
        sent = ask(&stage, taken + 1, key);
        taken += sent.code == 0 ? 1 : 0;
        cr_assert_lt(taken, 1000);
    }
    cr_assert_eq(sent.code, FAILURE_FULL);
    cr_assert_leq(channel_queued(stage.channel), CHANNEL_QUEUE_BYTES);
    cr_assert_gt(taken, 300);
    static uint8_t room[LIMIT_FRAME];
    uint32_t read = 0;
    while (read < taken) { /* Nothing that was taken is lost. */
        ssize_t size = recv(stage.ends[1], room, sizeof(room), MSG_DONTWAIT);
        read += size > 0 ? 1 : 0;
        turn(&stage);
    }
    cr_assert_eq(channel_queued(stage.channel), 0);
    cr_assert_eq(stage.seen.drains, 1);
    cr_assert_eq(ask(&stage, 1, "again").code, 0);
    stage_close(&stage);
}

Test(channel, sending_to_a_closed_peer_fails_and_closes_later)
{
    struct stage stage;
    stage_open(&stage, PROGRAM_API, PROGRAM_ENGINE, false);
    (void)close(stage.ends[1]);
    stage.ends[1] = -1;
    cr_assert_eq(ask(&stage, 1, "k").code, FAILURE_CLOSED);
    cr_assert_eq(stage.seen.closed, 0); /* Never inside the call. */
    turn(&stage);
    cr_assert_eq(stage.seen.closed, 1);
    stage_close(&stage);
}

Test(channel, raw_bytes_are_handed_on_with_their_envelope)
{
    struct stage stage;
    stage_open(&stage, PROGRAM_LINK, PROGRAM_ENGINE, true);
    Wire__Identity peer = WIRE__IDENTITY__INIT;
    peer.kind = WIRE__KIND__KIND_CONTROLLER;
    peer.id = UINT64_C(0x0001000000000005);
    Wire__Confirm body = WIRE__CONFIRM__INIT;
    body.term = 3;
    Wire__Frame frame = WIRE__FRAME__INIT;
    frame.peer = &peer;
    frame.body_case = WIRE__FRAME__BODY_CONFIRM;
    frame.confirm = &body;
    uint8_t room[256];
    size_t size = encode(&frame, room, sizeof(room));
    cr_assert_eq(send(stage.ends[1], room, size, 0), (ssize_t)size);
    turn(&stage);
    cr_assert_eq(stage.seen.raw, 1);
    cr_assert_eq(stage.seen.frames, 0);
    cr_assert_eq(stage.seen.last_handle, peer.id);
    cr_assert_eq(stage.seen.last_size, size);
    stage_close(&stage);
}

Test(channel, a_question_gets_its_answer_or_a_deadline)
{
    struct stage stage;
    stage_open(&stage, PROGRAM_API, PROGRAM_ENGINE, false);
    const Wire__Frame *answer = NULL;
    cr_assert_eq(channel_ask(stage.channel, NULL, 0, &answer).code, FAILURE_TIMEOUT);
    uint8_t room[256];
    size_t size = told(9, room, sizeof(room));
    cr_assert_eq(send(stage.ends[1], room, size, 0), (ssize_t)size);
    cr_assert_eq(channel_ask(stage.channel, NULL, 1000, &answer).code, 0);
    cr_assert_eq(answer->tolds->tolds[0]->handle, 9);
    cr_assert_eq(stage.seen.frames, 0); /* The hook did not see it. */
    stage_close(&stage);
}

Test(channel, only_parent_passes_descriptors)
{
    struct stage stage;
    stage_open(&stage, PROGRAM_API, PROGRAM_PARENT, false);
    struct stage sender = { 0 }; /* parent's own channel on the other end. */
    cr_assert_eq(uv_loop_init(&sender.loop), 0);
    struct channel_hooks hooks = { .context = &sender.seen, .on_frame = on_frame };
    struct result opened = channel_open(
        &sender.loop, dup(stage.ends[1]), PROGRAM_PARENT, PROGRAM_API, &hooks, &sender.channel);
    cr_assert_eq(opened.code, 0);
    Wire__Rejoin body = WIRE__REJOIN__INIT;
    body.program = "engine";
    Wire__Frame frame = WIRE__FRAME__INIT;
    frame.body_case = WIRE__FRAME__BODY_REJOIN;
    frame.rejoin = &body;
    cr_assert_eq(channel_send_descriptor(sender.channel, &frame, STDERR_FILENO).code, 0);
    turn(&stage);
    cr_assert_eq(stage.seen.frames, 1);
    cr_assert_geq(stage.seen.fd, 3);
    cr_assert_neq(fcntl(stage.seen.fd, F_GETFD) & FD_CLOEXEC, 0);
    (void)close(stage.seen.fd);
    channel_close(sender.channel);
    while (uv_run(&sender.loop, UV_RUN_NOWAIT) != 0) {
    }
    cr_assert_eq(uv_loop_close(&sender.loop), 0);
    stage_close(&stage);
}

Test(envelope, heads_are_what_the_encoder_would_have_made)
{
    static const uint32_t epochs[] = { 0, 1, 127, 128, 300, UINT32_MAX };
    for (size_t i = 0; i < COUNT_OF(epochs); i++) {
        Wire__Identity peer = WIRE__IDENTITY__INIT;
        peer.kind = WIRE__KIND__KIND_NODE;
        peer.id = UINT64_C(0x00ab000000000123);
        peer.epoch = epochs[i];
        Wire__NodeRenew body = WIRE__NODE_RENEW__INIT;
        body.seq = 77;
        Wire__Frame frame = WIRE__FRAME__INIT;
        frame.peer = &peer;
        frame.body_case = WIRE__FRAME__BODY_NODE_RENEW;
        frame.node_renew = &body;
        uint8_t whole[256];
        size_t size = encode(&frame, whole, sizeof(whole));
        struct envelope envelope;
        cr_assert(envelope_read(slice_of(whole, size), &envelope));
        cr_assert_eq(envelope.peer_epoch, epochs[i]);
        cr_assert_eq(envelope.body, WIRE__FRAME__BODY_NODE_RENEW);
        uint8_t head[ENVELOPE_HEAD_MAX];
        size_t used = envelope_head(peer.kind, peer.id, peer.epoch, head);
        cr_assert_eq(used + envelope.rest.size, size);
        cr_assert_arr_eq(head, whole, used);
    }
}

Test(envelope, no_broken_outside_is_read)
{
    static const uint8_t empty[] = { 0x08, 0x01 };                       /* No body. */
    static const uint8_t format[] = { 0x08, 0x02, 0x5a, 0x00 };          /* Another format. */
    static const uint8_t two[] = { 0x08, 0x01, 0x5a, 0x00, 0x5a, 0x00 }; /* Two bodies. */
    static const uint8_t unknown[] = { 0x08, 0x01, 0xba, 0x3e, 0x00 };   /* Field 999. */
    static const uint8_t short_body[] = { 0x08, 0x01, 0x5a, 0x05, 0x00 };
    static const uint8_t zero_peer[] = { 0x08, 0x01, 0x12, 0x02, 0x08, 0x00, 0x5a, 0x00 };
    const struct slice bad[] = {
        { NULL, 0 },
        { empty, sizeof(empty) },
        { format, sizeof(format) },
        { two, sizeof(two) },
        { unknown, sizeof(unknown) },
        { short_body, sizeof(short_body) },
        { zero_peer, sizeof(zero_peer) },
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct envelope envelope;
        cr_assert_not(envelope_read(bad[i], &envelope), "case %zu", i);
    }
    static const uint8_t good[] = { 0x08, 0x01, 0x5a, 0x00 };
    struct envelope envelope;
    cr_assert(envelope_read(slice_of(good, sizeof(good)), &envelope));
}

/* The list is put together by hand: the decoder, which is canonical, is the judge of its bytes. */
Test(channel, words_of_a_turn_travel_in_one_message_in_order)
{
    struct stage stage;
    static struct channel_list list = { .body = WIRE__FRAME__BODY_TOLDS };
    stage_open(&stage, PROGRAM_ENGINE, PROGRAM_API, false);
    cr_assert_eq(channel_list_send(&list, stage.channel).code, 0); /* Nothing to say. */
    for (uint64_t handle = 1; handle <= CHANNEL_LIST_ITEMS; handle++) {
        Wire__Told told = WIRE__TOLD__INIT;
        told.handle = handle << 20;
        cr_assert(channel_list_add(&list, &told));
    }
    Wire__Told more = WIRE__TOLD__INIT;
    cr_assert_not(channel_list_add(&list, &more)); /* Its bound. */
    cr_assert_eq(channel_list_send(&list, stage.channel).code, 0);
    uint8_t room[16 * 1024];
    ssize_t size = recv(stage.ends[1], room, sizeof(room), 0);
    cr_assert_gt(size, 0);
    cr_assert_eq(recv(stage.ends[1], room, sizeof(room), MSG_DONTWAIT), -1); /* Only one. */
    static uint8_t memory[256 * 1024];
    struct arena arena;
    arena_init(&arena, memory, sizeof(memory));
    Wire__Frame *frame = NULL;
    cr_assert_eq(
        wire_decode(&wire__frame__descriptor, slice_of(room, (size_t)size), &arena, &frame).code,
        0);
    cr_assert_eq(frame->body_case, WIRE__FRAME__BODY_TOLDS);
    cr_assert_eq(frame->tolds->n_tolds, CHANNEL_LIST_ITEMS);
    for (uint64_t i = 0; i < CHANNEL_LIST_ITEMS; i++) {
        cr_assert_eq(frame->tolds->tolds[i]->handle, (i + 1) << 20);
    }
    stage_close(&stage);
}

Test(channel, a_word_that_fits_no_message_is_refused_and_changes_nothing)
{
    static struct channel_list list = { .body = WIRE__FRAME__BODY_TOLDS };
    static char reason[LIMIT_FRAME];
    memset(reason, 'r', sizeof(reason) - 1);
    Wire__Answer answer = WIRE__ANSWER__INIT;
    answer.request_id = reason;
    Wire__Told told = WIRE__TOLD__INIT;
    told.answer = &answer;
    cr_assert_not(channel_list_add(&list, &told));
    cr_assert_eq(list.count, 0);
    cr_assert_eq(list.size, 0);
}
