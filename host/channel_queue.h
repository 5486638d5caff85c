/* What a slow peer has not taken yet: whole messages, in order, bounded. For channel.c. */
#ifndef HOST_CHANNEL_QUEUE_H
#define HOST_CHANNEL_QUEUE_H

#include "base/result.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>

struct channel_message;

struct channel_queue {
    struct channel_message *first; /* Owned. */
    struct channel_message *last;
    size_t bytes; /* Of waiting messages; 0: none waits. */
};

/* Sends at once when nothing waits, else queues. FAILURE_FULL: refused, the newest; FAILURE_CLOSED:
 * the peer is gone. */
RESULT channel_queue_send(
    struct channel_queue *queue, int fd, struct slice head, struct slice rest);
/* Sends what the kernel takes. False: the peer is gone. */
bool channel_queue_flush(struct channel_queue *queue, int fd);
void channel_queue_clear(struct channel_queue *queue);

#endif
