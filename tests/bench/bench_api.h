/* What the modes of bench_api share: its arguments, NAME=VALUE each. */
#ifndef BENCH_API_H
#define BENCH_API_H

#include "tests/bench/https.h"

#include <stdint.h>

enum { BENCH_ENDPOINTS = 8, BENCH_BATCH_MAX = 128, BENCH_NAME = 48 };

struct bench_arguments {
    const char *endpoints[BENCH_ENDPOINTS]; /* endpoint=HOST:PORT, any number of times. */
    uint32_t endpoints_count;
    struct https_papers papers; /* ca=, cert=, key= */
    const char *tenant;
    const char *image;
    const char *prefix; /* Of the names of instances. */
    const char *names;  /* File: acknowledged names, one a line. */
    uint32_t in_flight; /* Requests on the way at once; with batches: their worth. */
    uint32_t batch;     /* 1: no batches. */
    uint32_t seconds;
    uint32_t most;  /* Creates, whatever the clock says. */
    int32_t pid;    /* Whom failover kills. */
    uint32_t first; /* failover: which endpoint is asked first. */
};

/* Makes stopped instances in a closed loop; prints one JSON object. Returns the exit code. */
int bench_create(const struct bench_arguments *arguments);
/* Holds the list that each endpoint gives of its own applied state to the file of names. */
int bench_list(const struct bench_arguments *arguments);
/* Deletes what the file names, in batches. */
int bench_delete(const struct bench_arguments *arguments);
/* kill -9, then one write as the CLI would send it; prints the milliseconds until its 202. */
int bench_failover(const struct bench_arguments *arguments);

/* The body of one create; returns its size. */
size_t bench_create_body(
    const struct bench_arguments *arguments, uint32_t number, char *room, size_t size);

#endif
