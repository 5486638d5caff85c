/* Decides when a peer program is believed: its message has an envelope, the rule of wire/frame.h
 * lets it say that to us, and the body decodes. Never decides what a frame means, never waits but
 * in channel_ask.
 *
 * The happy path: see channel.h. Messages are read several at a time (recvmmsg) and sent at once;
 * only what the kernel does not take is copied into the queue.
 * What can go wrong: see channel.h. Every wrong word from a peer ends in `breach`. */
#include "host/channel.h"

#include "base/check.h"
#include "base/limits.h"
#include "host/channel_queue.h"
#include "host/clock.h"
#include "host/log.h"
#include "wire/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    READ_BATCH = 8,
    ARENA_BYTES = 4 * 1024 * 1024, /* A decoded frame; pages that no frame needed stay unmapped. */
};

struct channel {
    uv_poll_t poll;
    int fd; /* Owned. */
    enum program self;
    enum program other;
    struct channel_hooks hooks;
    struct arena arena;
    uint8_t *in;  /* READ_BATCH rooms of LIMIT_FRAME. Owned, as are the two below. */
    uint8_t *out; /* One room of LIMIT_FRAME. */
    struct channel_queue queue;
    int received_fd;
    bool dispatching;
    bool closing;
};

static void on_poll(uv_poll_t *poll, int status, int events);

static void watch(struct channel *channel)
{
    int events = UV_READABLE | (channel->queue.bytes > 0 ? UV_WRITABLE : 0);
    int failed = uv_poll_start(&channel->poll, events, on_poll);
    CHECK(failed == 0);
}

static void channel_free(struct channel *channel)
{
    channel_queue_clear(&channel->queue);
    free(channel->arena.memory);
    free(channel->in);
    free(channel->out);
    free(channel);
}

RESULT channel_open(
    uv_loop_t *loop,
    int fd,
    enum program self,
    enum program other,
    const struct channel_hooks *hooks,
    struct channel **channel_out)
{
    CHECK(self != other);
    CHECK(hooks->on_frame != NULL || hooks->on_bytes != NULL);
    struct channel *channel = calloc(1, sizeof(*channel));
    if (channel == NULL) {
        return FAIL(FAILURE_NO_SPACE);
    }
    channel->fd = fd;
    channel->self = self;
    channel->other = other;
    channel->hooks = *hooks;
    channel->received_fd = -1;
    void *memory = calloc(1, ARENA_BYTES);
    arena_init(&channel->arena, memory, memory == NULL ? 0 : ARENA_BYTES);
    channel->in = malloc((size_t)READ_BATCH * LIMIT_FRAME);
    channel->out = malloc(LIMIT_FRAME);
    if (memory == NULL || channel->in == NULL || channel->out == NULL) {
        channel_free(channel);
        return FAIL(FAILURE_NO_SPACE);
    }
    if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0 || uv_poll_init(loop, &channel->poll, fd) != 0) {
        channel_free(channel);
        return FAIL(FAILURE_IO);
    }
    channel->poll.data = channel;
    watch(channel);
    *channel_out = channel;
    return OK;
}

static void on_closed(uv_handle_t *handle)
{
    struct channel *channel = handle->data;
    CHECK(channel->closing);
    (void)close(channel->fd); /* Nothing can be done about a failure, and the number is free. */
    if (channel->hooks.on_close != NULL) {
        channel->hooks.on_close(channel->hooks.context, channel);
    }
    channel_free(channel);
}

void channel_close(struct channel *channel)
{
    if (channel == NULL || channel->closing) {
        return;
    }
    channel->closing = true;
    (void)uv_poll_stop(&channel->poll); /* Cannot fail on a started handle. */
    uv_close((uv_handle_t *)&channel->poll, on_closed);
}

enum program channel_other(const struct channel *channel)
{
    return channel->other;
}

size_t channel_queued(const struct channel *channel)
{
    return channel->queue.bytes;
}

int channel_take_descriptor(struct channel *channel)
{
    int fd = channel->received_fd;
    channel->received_fd = -1;
    return fd;
}

static void breach(struct channel *channel, const char *what, Wire__Frame__BodyCase body)
{
    log_line(
        LOG_LEVEL_ERROR,
        "channel-breach",
        "peer=%s what=%s body=%s",
        program_name(channel->other),
        what,
        frame_name(body));
    if (channel->hooks.on_breach != NULL) {
        channel->hooks.on_breach(channel->hooks.context, channel);
    }
    channel_close(channel);
}

/* link carries the bodies of other machines untouched: a bad one is theirs, and no machine may end
 * our link by sending it. It is dropped; what link says itself it answers for. INV-SEC-21 */
static void refuse_body(struct channel *channel, const struct envelope *envelope)
{
    bool carried = channel->other == PROGRAM_LINK && envelope->has_peer &&
                   frame_may_arrive(envelope->peer_kind, channel->self, envelope->body);
    if (!carried) {
        breach(channel, "undecodable", envelope->body);
        return;
    }
    log_line(
        LOG_LEVEL_WARN,
        "frame-dropped",
        "kind=%u id=%llx body=%s why=undecodable",
        (unsigned int)envelope->peer_kind,
        (unsigned long long)envelope->peer_id,
        frame_name(envelope->body));
}

/* NULL: the frame is refused; the channel is closing unless only a far machine was wrong.
 * INV-SEC-21: who may speak is decided before a byte of the body is decoded. */
static const Wire__Frame *accept_frame(
    struct channel *channel, struct slice bytes, struct envelope *envelope)
{
    *envelope = (struct envelope){ 0 };
    if (!envelope_read(bytes, envelope)) {
        breach(channel, "not-a-frame", envelope->body);
        return NULL;
    }
    if (!frame_may_pass(channel->other, channel->self, envelope->body)) {
        breach(channel, "may-not-say", envelope->body);
        return NULL;
    }
    static const Wire__Frame undecoded;
    if (channel->hooks.on_bytes != NULL) {
        return &undecoded;
    }
    arena_reset(&channel->arena);
    Wire__Frame *frame = NULL;
    if (wire_decode(&wire__frame__descriptor, bytes, &channel->arena, &frame).code != 0) {
        refuse_body(channel, envelope);
        return NULL;
    }
    CHECK(frame->body_case == envelope->body);
    return frame;
}

static void dispatch(struct channel *channel, struct slice bytes)
{
    struct envelope envelope;
    const Wire__Frame *frame = accept_frame(channel, bytes, &envelope);
    if (frame == NULL) {
        return;
    }
    channel->dispatching = true;
    if (channel->hooks.on_bytes != NULL) {
        channel->hooks.on_bytes(channel->hooks.context, channel, &envelope, bytes);
    } else {
        channel->hooks.on_frame(channel->hooks.context, channel, frame);
    }
    channel->dispatching = false;
    int untaken = channel_take_descriptor(channel);
    if (untaken >= 0) {
        (void)close(untaken); /* Nobody wanted it. */
    }
}

struct control {
    _Alignas(struct cmsghdr) uint8_t room[CMSG_SPACE(sizeof(int))];
};

static void take_control(struct channel *channel, struct msghdr *message)
{
    struct cmsghdr *head = CMSG_FIRSTHDR(message);
    if (head != NULL && head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS &&
        head->cmsg_len == CMSG_LEN(sizeof(int))) {
        CHECK(channel->received_fd == -1);
        memcpy(&channel->received_fd, CMSG_DATA(head), sizeof(int));
    }
}

/* Reads up to READ_BATCH messages; returns how many there were, 0 when the turn is over. */
static unsigned int read_batch(struct channel *channel)
{
    struct mmsghdr messages[READ_BATCH];
    struct iovec rooms[READ_BATCH];
    struct control controls[READ_BATCH];
    memset(messages, 0, sizeof(messages));
    for (size_t i = 0; i < READ_BATCH; i++) {
        rooms[i] = (struct iovec){ channel->in + i * LIMIT_FRAME, LIMIT_FRAME };
        messages[i].msg_hdr.msg_iov = &rooms[i];
        messages[i].msg_hdr.msg_iovlen = 1;
        if (channel->other == PROGRAM_PARENT) { /* Else the kernel drops what a peer attaches. */
            messages[i].msg_hdr.msg_control = &controls[i];
            messages[i].msg_hdr.msg_controllen = sizeof(controls[i]);
        }
    }
    int count = recvmmsg(channel->fd, messages, READ_BATCH, MSG_DONTWAIT | MSG_CMSG_CLOEXEC, NULL);
    if (count < 0) {
        if (errno != EAGAIN && errno != EINTR) {
            channel_close(channel);
        }
        return 0;
    }
    for (int i = 0; i < count; i++) {
        if (messages[i].msg_len == 0) { /* The peer is gone. */
            channel_close(channel);
        }
        take_control(channel, &messages[i].msg_hdr);
        if (channel->closing) { /* Descriptors of the messages that nobody reads. */
            int unread = channel_take_descriptor(channel);
            if (unread >= 0) {
                (void)close(unread);
            }
            continue;
        }
        if ((messages[i].msg_hdr.msg_flags & MSG_TRUNC) != 0) {
            breach(channel, "oversized", (Wire__Frame__BodyCase)0);
            continue;
        }
        dispatch(channel, slice_of(rooms[i].iov_base, messages[i].msg_len));
    }
    return (unsigned int)count;
}

static void flush(struct channel *channel)
{
    if (!channel_queue_flush(&channel->queue, channel->fd)) {
        channel_close(channel);
        return;
    }
    if (channel->queue.bytes == 0) {
        watch(channel);
        if (channel->hooks.on_drain != NULL) {
            channel->hooks.on_drain(channel->hooks.context, channel);
        }
    }
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct channel *channel = poll->data;
    if (status < 0) {
        channel_close(channel);
        return;
    }
    if ((events & UV_WRITABLE) != 0) {
        flush(channel);
    }
    if ((events & UV_READABLE) != 0) {
        unsigned int total = 0;
        while (!channel->closing && total < CHANNEL_BURST) {
            unsigned int count = read_batch(channel);
            total += count;
            if (count < READ_BATCH) {
                break;
            }
        }
    }
}

RESULT channel_send_parts(struct channel *channel, struct slice head, struct slice rest)
{
    CHECK(head.size > 0);
    CHECK(head.size + rest.size <= LIMIT_FRAME);
    if (channel->closing) {
        return FAIL(FAILURE_CLOSED);
    }
    bool was_empty = channel->queue.bytes == 0;
    struct result sent = channel_queue_send(&channel->queue, channel->fd, head, rest);
    if (sent.code == FAILURE_CLOSED) {
        channel_close(channel);
    } else if (was_empty && channel->queue.bytes > 0) {
        watch(channel);
    }
    return sent;
}

bool channel_may_send(const struct channel *channel, Wire__Frame__BodyCase body)
{
    return frame_may_pass(channel->self, channel->other, body);
}

static RESULT encode(struct channel *channel, Wire__Frame *frame, struct slice *bytes_out)
{
    CHECK(channel_may_send(channel, frame->body_case)); /* INV-SEC-21 */
    frame->format = FRAME_FORMAT;
    size_t used = 0;
    if (!wire_encode_into(frame, channel->out, LIMIT_FRAME, &used)) {
        return FAIL(FAILURE_BAD_INPUT);
    }
    *bytes_out = slice_of(channel->out, used);
    return OK;
}

RESULT channel_send(struct channel *channel, Wire__Frame *frame)
{
    struct slice bytes = SLICE_EMPTY;
    TRY(encode(channel, frame, &bytes));
    return channel_send_parts(channel, bytes, SLICE_EMPTY);
}

RESULT channel_send_descriptor(struct channel *channel, Wire__Frame *frame, int fd)
{
    CHECK(channel->self == PROGRAM_PARENT);
    CHECK(fd >= 0);
    struct slice bytes = SLICE_EMPTY;
    TRY(encode(channel, frame, &bytes));
    if (channel->closing || channel->queue.bytes > 0) { /* It may not overtake. */
        return FAIL(FAILURE_BUSY);
    }
    struct control control;
    memset(&control, 0, sizeof(control));
    struct iovec room = { channel->out, bytes.size };
    struct msghdr message = { .msg_iov = &room,
                              .msg_iovlen = 1,
                              .msg_control = &control,
                              .msg_controllen = sizeof(control) };
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    CHECK(head != NULL);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(head), &fd, sizeof(int));
    ssize_t sent = sendmsg(channel->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    return sent == (ssize_t)bytes.size ? OK : FAIL(FAILURE_BUSY);
}

RESULT channel_ask(
    struct channel *channel, Wire__Frame *frame, int deadline_ms, const Wire__Frame **answer_out)
{
    CHECK(!channel->dispatching);
    CHECK(deadline_ms >= 0);
    if (frame != NULL) {
        TRY(channel_send(channel, frame));
    }
    uint64_t until = clock_boot_ms() + (uint64_t)deadline_ms;
    struct pollfd wait = { .fd = channel->fd, .events = POLLIN };
    for (uint64_t now = clock_boot_ms(); now < until; now = clock_boot_ms()) {
        if (channel->closing) {
            return FAIL(FAILURE_CLOSED);
        }
        int ready = poll(&wait, 1, (int)(until - now));
        if (ready < 0 && errno != EINTR) {
            return FAIL(FAILURE_IO);
        }
        ssize_t size = recv(channel->fd, channel->in, LIMIT_FRAME, MSG_DONTWAIT | MSG_TRUNC);
        if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
            continue;
        }
        if (size <= 0 || size > LIMIT_FRAME) {
            channel_close(channel);
            return FAIL(FAILURE_CLOSED);
        }
        struct envelope envelope;
        const Wire__Frame *answer =
            accept_frame(channel, slice_of(channel->in, (size_t)size), &envelope);
        if (answer == NULL || channel->hooks.on_bytes != NULL) {
            return FAIL(FAILURE_BAD_INPUT);
        }
        *answer_out = answer;
        return OK;
    }
    return FAIL(FAILURE_TIMEOUT);
}
