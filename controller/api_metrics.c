/* Decides what is counted and how it is written down. Never decides who may read it. */
#include "controller/api_metrics.h"

#include "base/check.h"
#include "controller/api_routes.h"

#include <string.h>
#ifdef UDATSU_JEMALLOC
#include <jemalloc/jemalloc.h>
#endif

static const uint16_t statuses[METRICS_STATUSES] = {
    200, 202, 400, 401, 403, 404, 405, 409, 412, 413, 415, 422, 428, 429, 500, 503, 507, 0,
};

/* Microseconds; the last is everything above. */
static const uint64_t bounds_us[METRICS_BUCKETS - 1] = {
    500, 1000, 2000, 5000, 10000, 20000, 50000, 100000, 250000, 1000000, 5000000,
};
static const char *const bounds_text[METRICS_BUCKETS] = {
    "0.0005", "0.001", "0.002", "0.005", "0.01", "0.02", "0.05", "0.1", "0.25", "1", "5", "+Inf",
};

void metrics_count(struct metrics *metrics, size_t route, uint16_t status, uint64_t took_us)
{
    CHECK(route < METRICS_ROUTES_MAX);
    CHECK(api_routes_count() <= METRICS_ROUTES_MAX);
    struct metrics_route *counted = &metrics->routes[route];
    size_t at = 0;
    while (statuses[at] != 0 && statuses[at] != status) {
        at++;
    }
    counted->by_status[at]++; /* The slot of 0 is every other status. */
    size_t bucket = 0;
    while (bucket < COUNT_OF(bounds_us) && took_us > bounds_us[bucket]) {
        bucket++;
    }
    counted->buckets[bucket]++;
    counted->sum_us += took_us;
}

static void head(struct out *out, const char *name, const char *type, const char *help)
{
    out_format(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void single(
    struct out *out, const char *name, const char *type, const char *help, uint64_t value)
{
    head(out, name, type, help);
    out_format(out, "%s %llu\n", name, (unsigned long long)value);
}

static void write_requests(struct out *out, const struct metrics *metrics)
{
    head(out, "udatsu_api_requests_total", "counter", "Requests by operation and status.");
    for (size_t i = 0; i < api_routes_count(); i++) {
        for (size_t j = 0; j < METRICS_STATUSES; j++) {
            uint64_t count = metrics->routes[i].by_status[j];
            if (count > 0) {
                out_format(
                    out,
                    "udatsu_api_requests_total{operation=\"%s\",status=\"%u\"} %llu\n",
                    api_route_at(i)->operation,
                    statuses[j],
                    (unsigned long long)count);
            }
        }
    }
}

static void write_durations(struct out *out, const struct metrics *metrics)
{
    static const char name[] = "udatsu_api_request_duration_seconds";
    head(out, name, "histogram", "From the whole request to its answer.");
    for (size_t i = 0; i < api_routes_count(); i++) {
        const struct metrics_route *route = &metrics->routes[i];
        const char *operation = api_route_at(i)->operation;
        unsigned long long sum = 0;
        for (size_t j = 0; j < METRICS_BUCKETS; j++) {
            sum += route->buckets[j];
        }
        if (sum == 0) {
            continue;
        }
        unsigned long long below = 0;
        for (size_t j = 0; j < METRICS_BUCKETS; j++) {
            below += route->buckets[j];
            out_format(
                out,
                "%s_bucket{operation=\"%s\",le=\"%s\"} %llu\n",
                name,
                operation,
                bounds_text[j],
                below);
        }
        out_format(
            out,
            "%s_sum{operation=\"%s\"} %llu.%06llu\n",
            name,
            operation,
            (unsigned long long)(route->sum_us / 1000000),
            (unsigned long long)(route->sum_us % 1000000));
        out_format(out, "%s_count{operation=\"%s\"} %llu\n", name, operation, sum);
    }
}

#ifdef UDATSU_JEMALLOC
static void write_memory(struct out *out)
{
    static const char *const names[] = { "allocated", "active", "resident", "mapped", "retained" };
    static const char name[] = "udatsu_api_memory_bytes";
    uint64_t epoch = 1;
    size_t size = sizeof(epoch);
    if (mallctl("epoch", &epoch, &size, &epoch, sizeof(epoch)) != 0) {
        return; /* Built without statistics. */
    }
    head(out, name, "gauge", "The allocator's view of this process.");
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        char key[32] = "stats.";
        size_t value = 0;
        size = sizeof(value);
        memcpy(key + 6, names[i], strlen(names[i]));
        if (mallctl(key, &value, &size, NULL, 0) == 0) {
            out_format(out, "%s{kind=\"%s\"} %zu\n", name, names[i], value);
        }
    }
}
#else
static void write_memory(struct out *out)
{
    (void)out; /* Sanitizers bring their own allocator, without these figures. */
}
#endif

/* One gauge (or counter) for each number and each yes or no of the cell's status. */
static void write_cell(struct out *out, const Wire__ClusterStatus *status)
{
    static const struct {
        const char *field;
        const char *name;
        const char *type;
        const char *help;
    } rows[] = {
        { "term", "udatsu_consensus_term", "gauge", "Term of the consensus." },
        { "applied_index", "udatsu_consensus_applied_index", "gauge", "Last applied log index." },
        { "commit_index", "udatsu_consensus_commit_index", "gauge", "Last committed log index." },
        { "quorum", "udatsu_quorum", "gauge", "1 when a majority of controllers answers." },
        { "fit", "udatsu_fit", "gauge", "1 when this controller takes new work." },
        { "feature_level", "udatsu_feature_level", "gauge", "What all voters understand." },
        { "controllers", "udatsu_controllers", "gauge", "Controllers of the cell." },
        { "nodes", "udatsu_nodes", "gauge", "Nodes of the cell." },
        { "nodes_alive", "udatsu_nodes_alive", "gauge", "Nodes heard of lately." },
        { "tenants", "udatsu_tenants", "gauge", "Tenants." },
        { "instances", "udatsu_instances", "gauge", "Instances in any state." },
        { "instances_running", "udatsu_instances_running", "gauge", "Instances seen running." },
        { "networks", "udatsu_networks", "gauge", "Networks." },
        { "elections", "udatsu_elections_total", "counter", "Leader changes since the first." },
        { "audit_leaves", "udatsu_audit_leaves_total", "counter", "Leaves of the audit log." },
        { "checkpoint_size",
          "udatsu_audit_checkpoint_size",
          "gauge",
          "Leaves under the newest checkpoint." },
        { "poisoned", "udatsu_poisoned", "gauge", "1 when an entry crashed this replica." },
        { "ledger_mismatches",
          "udatsu_ledger_mismatches",
          "gauge",
          "Accounts that differ from the inventory." },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field_by_name(
            &wire__cluster_status__descriptor, rows[i].field);
        CHECK(field != NULL);
        uint64_t value = 0;
        uint32_t narrow = 0;
        if (field->type == PROTOBUF_C_TYPE_UINT64) {
            memcpy(&value, (const uint8_t *)status + field->offset, sizeof(value));
        } else {
            CHECK(field->type == PROTOBUF_C_TYPE_UINT32 || field->type == PROTOBUF_C_TYPE_BOOL);
            memcpy(&narrow, (const uint8_t *)status + field->offset, sizeof(narrow));
            value = narrow;
        }
        single(out, rows[i].name, rows[i].type, rows[i].help, value);
    }
    single(out, "udatsu_alarms", "gauge", "Alarms that are raised.", status->n_alarms);
}

void metrics_write(
    struct out *out,
    const struct metrics *metrics,
    const struct metrics_now *now,
    const Wire__ClusterStatus *status)
{
    CHECK(metrics != NULL);
    CHECK(now != NULL);
    write_requests(out, metrics);
    write_durations(out, metrics);
    single(out, "udatsu_api_connections", "gauge", "Open client connections.", now->connections);
    single(out, "udatsu_api_waiting", "gauge", "Requests that wait for engine.", now->waiting);
    single(out, "udatsu_api_streams", "gauge", "Open event streams.", now->streams);
    single(
        out,
        "udatsu_api_unanswered_total",
        "counter",
        "Requests that engine never answered.",
        now->lost);
    single(
        out,
        "udatsu_api_refused_at_door_total",
        "counter",
        "Requests without a valid certificate.",
        metrics->refused_at_door);
    single(out, "udatsu_api_no_route_total", "counter", "Requests for nothing.", metrics->no_route);
    write_memory(out);
    single(
        out, "udatsu_engine_up", "gauge", "1 when engine answered for this page.", status != NULL);
    if (status != NULL) {
        write_cell(out, status);
    }
}
