/* Decides only whether text fits. Never truncates silently: `full` voids the whole. */
#include "node-agent/host_text.h"

#include "base/check.h"

#include <stdarg.h>
#include <stdio.h>

void host_text_start(struct host_text *text, char *room, size_t size)
{
    CHECK(room != NULL);
    CHECK(size > 0);
    *text = (struct host_text){ .room = room, .size = size };
    room[0] = '\0';
}

void host_text_add(struct host_text *text, const char *format, ...)
{
    CHECK(text->used < text->size);
    if (text->full) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    size_t left = text->size - text->used;
    int added = vsnprintf(text->room + text->used, left, format, arguments);
    va_end(arguments);
    CHECK(added >= 0);
    if ((size_t)added >= left) {
        text->full = true;
        text->room[text->used] = '\0';
        return;
    }
    text->used += (size_t)added;
}
