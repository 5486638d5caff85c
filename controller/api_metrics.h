/* Counters of api and what engine reported, as Prometheus text. Names are udatsu_api_* for this
 * process and udatsu_* for the cell. */
#ifndef CONTROLLER_API_METRICS_H
#define CONTROLLER_API_METRICS_H

#include "controller/api_out.h"

#include <api.pb-c.h>

enum { METRICS_ROUTES_MAX = 80, METRICS_STATUSES = 20, METRICS_BUCKETS = 12 };

struct metrics_route {
    uint64_t by_status[METRICS_STATUSES];
    uint64_t buckets[METRICS_BUCKETS]; /* Not cumulative; the last one is +Inf. */
    uint64_t sum_us;
};

struct metrics {
    struct metrics_route routes[METRICS_ROUTES_MAX]; /* As in the route table. */
    uint64_t refused_at_door;                        /* Certificates that were not let in. */
    uint64_t no_route;
};

struct metrics_now {
    uint32_t connections;
    uint32_t waiting;
    uint32_t streams;
    uint64_t lost;
};

void metrics_count(struct metrics *metrics, size_t route, uint16_t status, uint64_t took_us);
/* status: NULL when engine did not answer. */
void metrics_write(
    struct out *out,
    const struct metrics *metrics,
    const struct metrics_now *now,
    const Wire__ClusterStatus *status);

#endif
