/* RFC 7240: what a client would like of its answer. What is not known, or not well formed, is
 * ignored, as the RFC wants it; nothing here can refuse a request. */
#ifndef CONTROLLER_API_PREFER_H
#define CONTROLLER_API_PREFER_H

#include <stdbool.h>
#include <stdint.h>

enum { API_WAIT_SECONDS_MAX = 30 };

struct api_preferences {
    uint32_t wait_seconds; /* "wait=5", at most API_WAIT_SECONDS_MAX; 0: not asked. */
    bool minimal;          /* "return=minimal". */
    bool wait_said;        /* What comes again is not heard. */
    bool return_said;
};

/* Adds what one Prefer header says; there may be several of them. */
void api_prefer(const char *header, struct api_preferences *preferences);

#endif
