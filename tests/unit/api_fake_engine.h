/* The api program inside a test: its own loop in a thread, a listener on a free port of the
 * loopback, certificates made here, and an engine at the other end of a real channel that answers
 * by simple rules (see engine_answer). */
#ifndef TESTS_UNIT_API_FAKE_ENGINE_H
#define TESTS_UNIT_API_FAKE_ENGINE_H

#include "tests/unit/api_client.h"

#include "host/x509.h"

#include <stdbool.h>
#include <stdint.h>

struct bench; /* The whole arrangement. */

struct bench *bench_start(void);
void bench_stop(struct bench *bench);
int bench_port(const struct bench *bench);

enum bench_who {
    BENCH_STRANGER = 1, /* Shows no certificate. */
    BENCH_USER,         /* user 7, epoch 2. */
    BENCH_EXPIRED,
    BENCH_FOREIGN, /* Of another CA with the same name. */
};
struct client_papers bench_papers(struct bench *bench, enum bench_who who);

/* From now on every epoch of user 7 below this is refused. */
void bench_least(struct bench *bench, uint32_t epoch);
/* The engine's end is closed. */
void bench_engine_dies(struct bench *bench);
/* One more event exists (index 11, 12 …). */
void bench_event(struct bench *bench);
/* ASKs that the engine has seen. */
uint32_t bench_asked(struct bench *bench);
/* How many the door turned away, as engine was told: waits for so many, at most ten seconds. */
uint32_t bench_turned_away(struct bench *bench, uint32_t wanted);

#endif
