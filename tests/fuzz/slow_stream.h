/* An event stream, read slowly: what the command should have printed of it. */
#ifndef TESTS_FUZZ_SLOW_STREAM_H
#define TESTS_FUZZ_SLOW_STREAM_H

#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct slow_stream {
    FILE *out;   /* Of the caller: each event, printed. */
    char id[32]; /* Of the last one that was printed. */
    char next_id[32];
    uint64_t left; /* So many events, and no more. */
    bool refused;
};

/* Reads it so many times over, without an end between. */
void slow_stream(struct slow_stream *slow, struct slice stream, size_t times);

#endif
