/* Decides how frames become bytes and back: a length and a frame, many of them in one TLS record.
 * Never looks into a frame.
 *
 * The happy path: frames of one loop turn gather in `out` → uv_prepare → records of up to 16 KiB.
 * Bytes that arrive gather in `in` → each whole frame goes up from where it lies.
 * What can go wrong: a length of zero or above LIMIT_FRAME → close; a peer that does not read →
 * `out` fills up to its limit → link_put refuses and the caller decides. */
#include "base/check.h"
#include "host/link.h"
#include "host/log.h"

#include <stdlib.h>
#include <string.h>

/* Room for `size` more bytes, by moving and then by growing up to `limit`. */
static bool buffer_reserve(struct link_buffer *buffer, size_t size, size_t limit)
{
    CHECK(buffer->from <= buffer->to);
    CHECK(buffer->to <= buffer->room);
    if (buffer->from == buffer->to) {
        buffer->from = 0;
        buffer->to = 0;
    }
    if (buffer->room - buffer->to >= size) {
        return true;
    }
    size_t used = buffer->to - buffer->from;
    if (buffer->from > 0 && buffer->room - used >= size && used <= buffer->room / 2) {
        memmove(buffer->bytes, buffer->bytes + buffer->from, used);
        buffer->from = 0;
        buffer->to = used;
        return true;
    }
    if (used + size > limit) {
        return false;
    }
    size_t room = buffer->room < LINK_ROOM_MIN ? LINK_ROOM_MIN : buffer->room * 2;
    while (room < used + size) {
        room *= 2;
    }
    uint8_t *bytes = malloc(room);
    if (bytes == NULL) {
        return false;
    }
    if (used > 0) {
        memcpy(bytes, buffer->bytes + buffer->from, used);
    }
    free(buffer->bytes);
    *buffer = (struct link_buffer){ .bytes = bytes, .room = room, .to = used };
    return true;
}

void link_buffers_free(struct link_connection *connection)
{
    free(connection->in.bytes);
    free(connection->out.bytes);
    connection->in = (struct link_buffer){ 0 };
    connection->out = (struct link_buffer){ 0 };
}

RESULT link_put(struct link_connection *connection, struct slice frame)
{
    CHECK(connection->state == LINK_OPEN);
    CHECK(frame.size > 0);
    CHECK(frame.size <= LIMIT_FRAME);
    bool controller = connection->identity.kind == WIRE__KIND__KIND_CONTROLLER;
    size_t limit = controller ? LINK_QUEUE_CONTROLLER : LINK_QUEUE_NODE;
    struct link_buffer *out = &connection->out;
    if (!buffer_reserve(out, LINK_LENGTH_BYTES + frame.size, limit)) {
        return FAIL(FAILURE_FULL);
    }
    for (uint32_t i = 0; i < LINK_LENGTH_BYTES; i++) {
        out->bytes[out->to++] = (uint8_t)(frame.size >> (24U - 8U * i));
    }
    memcpy(out->bytes + out->to, frame.data, frame.size);
    out->to += frame.size;
    struct link *link = connection->link;
    if (!connection->dirty) {
        connection->dirty = true;
        link->dirty[link->dirty_count++] = connection;
    }
    return OK;
}

void link_write(struct link_connection *connection)
{
    struct link_buffer *out = &connection->out;
    while (connection->state == LINK_OPEN && out->from < out->to) {
        size_t written = 0;
        struct slice bytes = slice_of(out->bytes + out->from, out->to - out->from);
        struct result wrote = tls_write(connection->tls, bytes, &written);
        if (wrote.code == FAILURE_BUSY) {
            break;
        }
        if (wrote.code != 0) {
            link_close(connection, "write");
            return;
        }
        out->from += written;
    }
    if (connection->state == LINK_OPEN) {
        link_watch(connection);
    }
}

void link_flush(struct link *link)
{
    uint32_t count = link->dirty_count;
    link->dirty_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct link_connection *connection = link->dirty[i];
        connection->dirty = false;
        link_write(connection);
    }
}

static size_t length_at(const uint8_t *bytes)
{
    return ((size_t)bytes[0] << 24) | ((size_t)bytes[1] << 16) | ((size_t)bytes[2] << 8) | bytes[3];
}

/* Hands up every whole frame; false when the connection is over. */
static bool hand_up(struct link_connection *connection)
{
    struct link_buffer *in = &connection->in;
    while (in->to - in->from >= LINK_LENGTH_BYTES) {
        size_t size = length_at(in->bytes + in->from);
        if (size == 0 || size > LIMIT_FRAME) {
            link_close(connection, "bad-length");
            return false;
        }
        if (in->to - in->from - LINK_LENGTH_BYTES < size) {
            break;
        }
        struct slice frame = slice_of(in->bytes + in->from + LINK_LENGTH_BYTES, size);
        in->from += LINK_LENGTH_BYTES + size;
        if (!link_arrived(connection, frame)) {
            link_close(connection, "refused-frame");
            return false;
        }
    }
    return true;
}

void link_read(struct link_connection *connection)
{
    struct link_buffer *in = &connection->in;
    /* A whole frame and one record more: `in` can always take what the next read brings. */
    size_t limit = LINK_LENGTH_BYTES + LIMIT_FRAME + TLS_RECORD_BYTES;
    for (uint32_t reads = 0; connection->state == LINK_OPEN; reads++) {
        if (reads >= LINK_READS_PER_TURN && !tls_pending(connection->tls)) {
            return; /* The descriptor is readable still: the next turn goes on. */
        }
        bool room = buffer_reserve(in, TLS_RECORD_BYTES, 2 * limit);
        CHECK(room); /* hand_up leaves less than one frame. */
        size_t got = 0;
        struct result read = tls_read(connection->tls, in->bytes + in->to, TLS_RECORD_BYTES, &got);
        if (read.code == FAILURE_BUSY) {
            return;
        }
        if (read.code != 0) {
            link_close(connection, "peer-closed");
            return;
        }
        in->to += got;
        if (!hand_up(connection)) {
            return;
        }
    }
}
