/* Decides what waits and when it is too much. Never reorders, never splits a message. */
#include "host/channel_queue.h"

#include "base/check.h"
#include "host/channel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { FLUSH_BATCH = 16 };

struct channel_message {
    struct channel_message *next;
    size_t size;
    uint8_t bytes[];
};

static RESULT push(struct channel_queue *queue, struct slice head, struct slice rest)
{
    size_t size = head.size + rest.size;
    if (queue->bytes + size > CHANNEL_QUEUE_BYTES) {
        return FAIL(FAILURE_FULL);
    }
    struct channel_message *message = malloc(sizeof(*message) + size);
    if (message == NULL) {
        return FAIL(FAILURE_FULL);
    }
    message->next = NULL;
    message->size = size;
    memcpy(message->bytes, head.data, head.size);
    if (rest.size > 0) {
        memcpy(message->bytes + head.size, rest.data, rest.size);
    }
    if (queue->last == NULL) {
        CHECK(queue->bytes == 0);
        queue->first = message;
    } else {
        queue->last->next = message;
    }
    queue->last = message;
    queue->bytes += size;
    return OK;
}

static void pop(struct channel_queue *queue)
{
    struct channel_message *message = queue->first;
    CHECK(message != NULL);
    CHECK(queue->bytes >= message->size);
    queue->first = message->next;
    queue->bytes -= message->size;
    if (queue->first == NULL) {
        queue->last = NULL;
    }
    free(message);
}

static bool kernel_is_full(int error)
{
    return error == EAGAIN || error == ENOBUFS || error == EINTR;
}

/* sendmsg's iovec is not const; the kernel only reads it. */
static struct iovec room_of(struct slice bytes)
{
    struct iovec room = { .iov_len = bytes.size };
    memcpy(&room.iov_base, &bytes.data, sizeof(room.iov_base));
    return room;
}

RESULT channel_queue_send(struct channel_queue *queue, int fd, struct slice head, struct slice rest)
{
    CHECK(head.size > 0);
    CHECK((queue->first == NULL) == (queue->bytes == 0));
    if (queue->first != NULL) {
        return push(queue, head, rest);
    }
    struct iovec rooms[2] = { room_of(head), room_of(rest) };
    struct msghdr message = { .msg_iov = rooms, .msg_iovlen = rest.size > 0 ? 2 : 1 };
    ssize_t sent = sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent >= 0) {
        CHECK((size_t)sent == head.size + rest.size);
        return OK;
    }
    return kernel_is_full(errno) ? push(queue, head, rest) : FAIL(FAILURE_CLOSED);
}

bool channel_queue_flush(struct channel_queue *queue, int fd)
{
    while (queue->first != NULL) {
        struct mmsghdr messages[FLUSH_BATCH];
        struct iovec rooms[FLUSH_BATCH];
        memset(messages, 0, sizeof(messages));
        unsigned int count = 0;
        struct channel_message *at = queue->first;
        while (at != NULL && count < FLUSH_BATCH) {
            rooms[count] = (struct iovec){ at->bytes, at->size };
            messages[count].msg_hdr.msg_iov = &rooms[count];
            messages[count].msg_hdr.msg_iovlen = 1;
            count++;
            at = at->next;
        }
        int sent = sendmmsg(fd, messages, count, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0) {
            return kernel_is_full(errno);
        }
        for (int i = 0; i < sent; i++) {
            pop(queue);
        }
    }
    CHECK(queue->bytes == 0);
    return true;
}

void channel_queue_clear(struct channel_queue *queue)
{
    while (queue->first != NULL) {
        pop(queue);
    }
    CHECK(queue->bytes == 0);
}
