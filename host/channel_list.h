/* Words of one turn that travel together: many small items of one kind, one message.
 *
 * The happy path: channel_list_add for each → channel_list_send before the loop waits again.
 * What can go wrong: the list is full → send it and add again; an item fits no list at all → false
 * from an empty list; the channel is slow or gone → the failure of channel_send, and the items are
 * gone. */
#ifndef HOST_CHANNEL_LIST_H
#define HOST_CHANNEL_LIST_H

#include "base/limits.h"
#include "host/channel.h"

enum { CHANNEL_LIST_ITEMS = 256 }; /* What a receiver decodes at once stays far below its arena. */

struct channel_list {
    Wire__Frame__BodyCase body; /* A message whose only field is `repeated … = 1`. */
    uint32_t count;
    size_t size;
    uint8_t room[LIMIT_FRAME];
};

/* False: it does not fit, and nothing changed. */
bool channel_list_add(struct channel_list *list, const void *item);
/* Sends what is there and empties the list; OK when there was nothing. CHECKs as channel_send. */
RESULT channel_list_send(struct channel_list *list, struct channel *channel);

#endif
