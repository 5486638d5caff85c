/* Decides how the words of one turn become one message. Never decides when, never reads one. */
#include "host/channel_list.h"

#include "base/check.h"
#include "wire/wire.h"

enum { AROUND = 16 }; /* The frame's format, and the head of its body. */
_Static_assert(AROUND >= 2 + WIRE_HEAD_MAX, "what stands around a body fits");

bool channel_list_add(struct channel_list *list, const void *item)
{
    CHECK(list->count <= CHANNEL_LIST_ITEMS);
    if (list->count == CHANNEL_LIST_ITEMS ||
        !wire_list_add(item, list->room, sizeof(list->room) - AROUND, &list->size)) {
        return false;
    }
    list->count++;
    return true;
}

RESULT channel_list_send(struct channel_list *list, struct channel *channel)
{
    Wire__Frame frame = WIRE__FRAME__INIT;
    uint8_t head[AROUND];
    size_t used = 0;
    struct slice items = slice_of(list->room, list->size);
    if (list->count == 0) {
        return OK;
    }
    list->count = 0;
    list->size = 0;
    frame.format = FRAME_FORMAT;
    bool fits = wire_encode_into(&frame, head, sizeof(head), &used);
    CHECK(fits);
    used += wire_head((unsigned int)list->body, items.size, head + used);
    CHECK(channel_may_send(channel, list->body)); /* INV-SEC-21 */
    return channel_send_parts(channel, slice_of(head, used), items);
}
