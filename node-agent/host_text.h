/* Bounded text into a caller's room, with one sticky error: XML and rules are made with it. */
#ifndef NODE_AGENT_HOST_TEXT_H
#define NODE_AGENT_HOST_TEXT_H

#include <stdbool.h>
#include <stddef.h>

struct host_text {
    char *room;
    size_t size;
    size_t used; /* Without the terminator. */
    bool full;   /* Something did not fit: the text is void. */
};

void host_text_start(struct host_text *text, char *room, size_t size);
__attribute__((format(printf, 2, 3))) void host_text_add(
    struct host_text *text, const char *format, ...);

#endif
