/* Latencies of one run and what is said of them. Nanoseconds in, milliseconds out. */
#ifndef BENCH_FIGURES_H
#define BENCH_FIGURES_H

#include <stddef.h>
#include <stdint.h>

struct figures {
    uint64_t *took_ns; /* Owned. */
    size_t count;
    size_t room;
};

uint64_t figures_now_ns(void);
/* Room for `most` samples; exits when there is no memory. */
void figures_open(struct figures *figures, size_t most);
void figures_close(struct figures *figures);
/* A sample beyond the room is a bug of the caller. */
void figures_add(struct figures *figures, uint64_t took_ns);
/* The sample below which `per_mille` of all lie; 0 of none. Sorts. */
double figures_ms(struct figures *figures, unsigned int per_mille);
/* "what: why" on stderr, exit 1: a bench that cannot measure says so and prints no figure. */
_Noreturn void figures_die(const char *what, const char *why);

#endif
