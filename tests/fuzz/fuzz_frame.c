/* Frames as they arrive: link's stream of lengths and frames in pieces as TCP gives them, the
 * outside of each, and who may say it. The oracles: a stream read slowly by hand, wire_decode for
 * the outside, and the outside written again. */
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/message.h"

#include "base/check.h"
#include "host/envelope.h"
#include "host/link.h"
#include "wire/wire.h"

#include <stdlib.h>
#include <string.h>

enum kind { KIND_FRAME, KIND_STREAM, KIND_LARGE, KINDS };

enum { SEEDS = 120, LARGE_MAX = 1024 * 1024 };

static _Alignas(16) uint8_t memory[1024 * 1024];

const ProtobufCMessageDescriptor *fuzz_type(uint8_t kind)
{
    return kind % KINDS == KIND_FRAME ? &wire__frame__descriptor : NULL;
}

/* ---- The outside of one frame. ---- */

static void hold_rules(Wire__Frame__BodyCase body)
{
    for (enum program to = PROGRAM_PARENT; to < PROGRAMS_END; to++) {
        bool from_link = to != PROGRAM_LINK && frame_may_pass(PROGRAM_LINK, to, body);
        MUST(!frame_may_pass(to, to, body));
        for (enum program from = PROGRAM_PARENT; from < PROGRAMS_END; from++) {
            bool crosses = frame_may_arrive(WIRE__KIND__KIND_CONTROLLER, to, body) ||
                           frame_may_arrive(WIRE__KIND__KIND_NODE, to, body);
            /* What comes from another machine is brought by link and by nobody else. */
            bool passes = frame_may_pass(from, to, body);
            MUST(!crosses || from == PROGRAM_LINK || !passes);
        }
        for (int peer = WIRE__KIND__KIND_UNSET; peer <= WIRE__KIND__KIND_TOKEN; peer++) {
            bool arrives = frame_may_arrive((Wire__Kind)peer, to, body);
            bool machine = peer == WIRE__KIND__KIND_CONTROLLER || peer == WIRE__KIND__KIND_NODE;
            MUST(!arrives || (from_link && machine)); /* INV-SEC-21 */
            MUST(!arrives || to == PROGRAM_ENGINE || to == PROGRAM_AGENT);
        }
    }
    MUST(!frame_may_arrive((Wire__Kind)32, PROGRAM_ENGINE, body));
    MUST(program_named(program_name(PROGRAM_ENGINE)) == PROGRAM_ENGINE);
    MUST(program_named("nobody") == (enum program)0);
}

static void hold_again(const struct envelope *read, struct slice bytes)
{
    uint8_t head[ENVELOPE_HEAD_MAX];
    if (!read->has_peer) {
        MUST(read->rest.size + 2 == bytes.size);
        return;
    }
    if (read->peer_kind == 0 || read->peer_id == 0) {
        return; /* Nobody's: it is refused by whoever looks at the peer. */
    }
    size_t used = envelope_head(read->peer_kind, read->peer_id, read->peer_epoch, head);
    MUST(used + read->rest.size == bytes.size && memcmp(head, bytes.data, used) == 0);
}

static void hold_frame(struct slice bytes)
{
    struct arena arena;
    struct envelope read = { 0 };
    Wire__Frame *frame = NULL;
    arena_init(&arena, memory, sizeof(memory));
    bool outside = envelope_read(bytes, &read);
    bool whole = wire_decode(&wire__frame__descriptor, bytes, &arena, &frame).code == 0;
    if (whole) {
        bool said = frame->format == FRAME_FORMAT && frame->body_case != WIRE__FRAME__BODY__NOT_SET;
        MUST(outside == said);
        MUST(!outside || read.has_peer == (frame->peer != NULL));
        MUST(!outside || !read.has_peer || read.peer_kind == frame->peer->kind);
        MUST(!outside || !read.has_peer || read.peer_id == frame->peer->id);
        MUST(!outside || !read.has_peer || read.peer_epoch == frame->peer->epoch);
        MUST(!outside || read.body == frame->body_case);
    }
    if (outside) {
        MUST(read.rest.data + read.rest.size == bytes.data + bytes.size);
        MUST(strcmp(frame_name(read.body), "none") != 0);
        hold_again(&read, bytes);
    }
    hold_rules(outside ? read.body : (Wire__Frame__BodyCase)(bytes.size % 128));
}

/* ---- A stream. What tls.c, link_peer.c and link_main.c do is done here. ---- */

static struct slice stream; /* What is still to be read. */
static uint32_t piece;      /* How large the pieces are. */
static struct slice wanted; /* What should still arrive. */
static bool ended;
static bool closed; /* The other end went away. */

RESULT tls_read(struct tls_session *session, void *room, size_t size, size_t *read_out)
{
    (void)session;
    if (stream.size == 0) {
        return FAIL(piece % 3 == 0 ? FAILURE_CLOSED : FAILURE_BUSY);
    }
    size_t take = 1 + (piece * 7919U + stream.size * 31U) % (piece % 5 == 0 ? 7 : 16384);
    take = take < size ? take : size;
    take = take < stream.size ? take : stream.size;
    memcpy(room, stream.data, take);
    stream = slice_of(stream.data + take, stream.size - take);
    *read_out = take;
    return OK;
}

RESULT tls_write(struct tls_session *session, struct slice bytes, size_t *written_out)
{
    (void)session;
    *written_out = bytes.size;
    return OK;
}

bool tls_pending(const struct tls_session *session)
{
    (void)session;
    return piece % 2 == 0;
}

void link_watch(struct link_connection *connection)
{
    (void)connection;
}

void link_close(struct link_connection *connection, const char *why)
{
    closed = strcmp(why, "peer-closed") == 0;
    connection->state = LINK_CLOSING;
    ended = true;
}

/* The length that stands at the front of what is wanted; SIZE_MAX: there is none. */
static size_t length_wanted(void)
{
    size_t size = 0;
    for (size_t i = 0; i < LINK_LENGTH_BYTES && wanted.size >= LINK_LENGTH_BYTES; i++) {
        size = size * 256 + wanted.data[i];
    }
    return wanted.size < LINK_LENGTH_BYTES ? SIZE_MAX : size;
}

bool link_arrived(struct link_connection *connection, struct slice bytes)
{
    size_t size = length_wanted();
    MUST(connection->state == LINK_OPEN && size == bytes.size);
    MUST(size > 0 && size <= LIMIT_FRAME && wanted.size - LINK_LENGTH_BYTES >= size);
    MUST(memcmp(bytes.data, wanted.data + LINK_LENGTH_BYTES, size) == 0);
    wanted =
        slice_of(wanted.data + LINK_LENGTH_BYTES + size, wanted.size - LINK_LENGTH_BYTES - size);
    return bytes.data[0] != 0xff; /* As if it were of a kind that may not arrive. */
}

static void hold_stream(struct slice bytes)
{
    struct link_connection *connection = calloc(1, sizeof(*connection));
    CHECK(connection != NULL);
    connection->state = LINK_OPEN;
    stream = wanted = bytes;
    piece = (uint32_t)bytes.size;
    ended = false;
    closed = false;
    for (size_t turns = 0; connection->state == LINK_OPEN && stream.size > 0; turns++) {
        MUST(turns <= bytes.size);
        link_read(connection);
    }
    size_t size = length_wanted();
    bool bad = size != SIZE_MAX && (size == 0 || size > LIMIT_FRAME);
    bool refused = wanted.data > bytes.data + LINK_LENGTH_BYTES && ended && !bad;
    MUST(ended == (bad || refused || (ended && closed)));
    /* All that is left is less than a frame. */
    MUST(ended || size == SIZE_MAX || wanted.size - LINK_LENGTH_BYTES < size);
    MUST(connection->in.to - connection->in.from == wanted.size || ended);
    link_buffers_free(connection);
    free(connection);
}

/* What is put on the way out is what arrives. */
static void hold_there_and_back(struct slice frame)
{
    static struct link link;
    struct link_connection *connection = calloc(1, sizeof(*connection));
    CHECK(connection != NULL);
    connection->state = LINK_OPEN;
    connection->link = &link;
    link.dirty_count = 0;
    if (frame.size > 0) {
        struct result put = link_put(connection, frame);
        MUST(put.code == 0);
        uint8_t *sent =
            fuzz_copy(slice_of(connection->out.bytes, connection->out.to - connection->out.from));
        MUST(connection->out.to == frame.size + LINK_LENGTH_BYTES);
        hold_stream(slice_of(sent, frame.size + LINK_LENGTH_BYTES));
        MUST(wanted.size == 0);
        free(sent);
    }
    link_buffers_free(connection);
    free(connection);
}

/* Frames too large for an input: two bytes say how large each is, in sixteens. */
static void hold_large(struct slice sizes)
{
    static uint8_t large[LARGE_MAX];
    size_t used = 0;
    for (size_t i = 0; i + 1 < sizes.size; i += 2) {
        size_t size = (sizes.data[i] | (size_t)sizes.data[i + 1] << 8) * 16 % (LIMIT_FRAME + 64);
        if (size + LINK_LENGTH_BYTES > sizeof(large) - used) {
            break;
        }
        for (uint32_t byte = 0; byte < LINK_LENGTH_BYTES; byte++) {
            large[used++] = (uint8_t)(size >> (24U - 8U * byte));
        }
        memset(large + used, (int)i, size);
        used += size;
    }
    hold_stream(slice_of(large, used));
}

/* A peer that does not read: its queue fills up to a bound and takes no more. */
static void hold_full(struct slice frame)
{
    static struct link link;
    static uint8_t bytes[LIMIT_FRAME];
    struct link_connection *connection = calloc(1, sizeof(*connection));
    CHECK(connection != NULL);
    connection->state = LINK_OPEN;
    connection->link = &link;
    link.dirty_count = 0;
    bool node = frame.size % 2 == 0;
    connection->identity.kind = node ? WIRE__KIND__KIND_NODE : WIRE__KIND__KIND_CONTROLLER;
    size_t limit = node ? LINK_QUEUE_NODE : LINK_QUEUE_CONTROLLER;
    for (uint32_t frames = 0; link_put(connection, slice_of(bytes, sizeof(bytes))).code == 0;) {
        MUST(++frames < 4096);
        MUST(connection->out.to - connection->out.from <= 2 * limit); /* Rooms grow by doubling. */
        connection->out.from += sizeof(bytes) / 64;                   /* It reads a little. */
    }
    MUST(connection->out.to - connection->out.from + sizeof(bytes) >= limit);
    MUST(link.dirty_count == 1);
    link_buffers_free(connection);
    free(connection);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = slice_of(data, size);
    struct fuzz_part part;
    while (fuzz_part_next(&rest, &part)) {
        uint8_t *bytes = fuzz_copy(part.bytes);
        struct slice exact = slice_of(bytes, part.bytes.size);
        switch ((enum kind)(part.kind % KINDS)) {
        case KIND_FRAME:
            hold_frame(exact);
            hold_there_and_back(exact);
            break;
        case KIND_STREAM: hold_stream(exact); break;
        case KIND_LARGE:
            hold_large(exact);
            if (exact.size == 4) {
                hold_full(exact);
            }
            break;
        case KINDS: break;
        }
        free(bytes);
    }
    return 0;
}

size_t fuzz_seed(uint32_t number, uint8_t room[static FUZZ_INPUT_MAX])
{
    static uint8_t streamed[FUZZ_PART_MAX];
    struct prng prng;
    struct arena arena;
    size_t used = 0;
    size_t filled = 0;
    if (number >= SEEDS) {
        return 0;
    }
    prng_seed(&prng, number);
    arena_init(&arena, memory, sizeof(memory));
    for (uint32_t frames = 0; frames < 1 + number % 3; frames++) {
        struct slice bytes = SLICE_EMPTY;
        Wire__Frame *frame = (Wire__Frame *)message_any(&wire__frame__descriptor, &prng, &arena);
        CHECK(frame != NULL);
        frame->format = FRAME_FORMAT;
        struct result packed = wire_encode(frame, &arena, &bytes);
        CHECK(packed.code == 0);
        (void)fuzz_part_put(room, FUZZ_INPUT_MAX, &used, KIND_FRAME, bytes);
        if (filled + bytes.size + 4 <= sizeof(streamed)) {
            streamed[filled++] = 0;
            streamed[filled++] = (uint8_t)(number == 7 ? 200 : 0);
            streamed[filled++] = (uint8_t)(bytes.size >> 8);
            streamed[filled++] = (uint8_t)bytes.size;
            memcpy(streamed + filled, bytes.data, bytes.size);
            filled += bytes.size;
        }
    }
    (void)fuzz_part_put(room, FUZZ_INPUT_MAX, &used, KIND_STREAM, slice_of(streamed, filled));
    if (number % 16 == 0) {
        uint8_t sizes[16];
        for (size_t i = 0; i < sizeof(sizes); i++) {
            sizes[i] = (uint8_t)(i % 2 == 0 ? prng_next(&prng) : prng_below(&prng, 33));
        }
        (void)fuzz_part_put(
            room, FUZZ_INPUT_MAX, &used, KIND_LARGE, slice_of(sizes, number == 16 ? 4 : 16));
    }
    return used;
}
