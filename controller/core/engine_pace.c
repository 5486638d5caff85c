/* Decides whether one more ask is taken now: how fast a person, and a tenant's people together, may
 * ask, and how many of the asks under way may be one tenant's. Decides nothing that a replica must
 * agree on, and never takes back what has a place. */
#include "base/check.h"
#include "controller/core/engine_inner.h"

enum {
    PACE_BURST_SECONDS = 2, /* What may be saved up: a script that ends soon is never slowed. */
    PACE_PER_SECOND_MAX = 500000,
    PACE_STRANGERS = 0, /* Buckets of those who have no row: who joins, */
    PACE_UNKNOWN = 1,   /* and machines and people who are not known (any more). */
};

/* Tables round their capacity up. */
static size_t rows_max(const struct engine_conf *conf, enum state_table table)
{
    return (size_t)conf->capacity.rows[table] * 2 + 4096;
}

size_t pace_memory(const struct engine_conf *conf)
{
    return rows_max(conf, TABLE_USER) * sizeof(struct rate) +
           rows_max(conf, TABLE_TENANT) * sizeof(struct pace_tenant);
}

static bool limit_make(uint32_t per_second, struct rate_limit *limit_out)
{
    if (per_second == 0) {
        return false;
    }
    per_second = per_second < PACE_PER_SECOND_MAX ? per_second : PACE_PER_SECOND_MAX;
    *limit_out = rate_limit_make(per_second, per_second * PACE_BURST_SECONDS);
    return true;
}

void pace_init(struct pace *pace, const struct engine_conf *conf, void *memory)
{
    CHECK(memory != NULL);
    pace->people = memory;
    pace->tenants = (struct pace_tenant *)(void *)(pace->people + rows_max(conf, TABLE_USER));
    pace->by_person = limit_make(conf->requests_per_second, &pace->person_limit);
    pace->by_tenant = limit_make(conf->tenant_requests_per_second, &pace->tenant_limit);
}

static size_t slot_of(const struct engine *engine, enum state_table kind, const void *row)
{
    const struct table *table = &engine->state.tables[kind];
    size_t slot = (size_t)((const uint8_t *)row - table->rows) / table->row_size;
    CHECK(slot < table->capacity);
    CHECK(slot < rows_max(&engine->conf, kind));
    return slot;
}

static void refuse_rate(
    struct outcome *outcome, const char *detail, const char *holder, uint32_t per_second)
{
    outcome->reject = REJECT_RATE;
    outcome->problem.detail = detail;
    outcome->problem.dimension = "requests-per-second";
    outcome->problem.limit = per_second;
    outcome->problem.holder = holder;
    outcome->problem.hint = "Wait as long as Retry-After says, then ask again with the same key.";
}

/* Both buckets give, or neither does. */
static bool take(
    struct engine *engine,
    struct rate *person,
    const struct tenant_row *tenant,
    struct outcome *outcome,
    uint64_t *wait_ms_out)
{
    struct pace *pace = &engine->pace;
    struct rate before = *person;
    if (pace->by_person &&
        !rate_take(person, &pace->person_limit, engine->now_ms, 1, wait_ms_out)) {
        refuse_rate(
            outcome, "This principal asks too often.", "", engine->conf.requests_per_second);
        return false;
    }
    if (!pace->by_tenant || tenant == NULL) {
        return true;
    }
    struct rate *all = &pace->tenants[slot_of(engine, TABLE_TENANT, tenant)].rate;
    if (!rate_take(all, &pace->tenant_limit, engine->now_ms, 1, wait_ms_out)) {
        *person = before;
        refuse_rate(
            outcome,
            "This tenant's principals together ask too often.",
            tenant->name.text,
            engine->conf.tenant_requests_per_second);
        return false;
    }
    return true;
}

bool pace_take(
    struct engine *engine,
    const Wire__Request *request,
    struct outcome *outcome,
    uint32_t *tenant_out,
    uint32_t *retry_s_out)
{
    const Wire__Identity *who = request->principal;
    const struct state *state = &engine->state;
    bool person = who != NULL && who->kind == WIRE__KIND__KIND_USER;
    const struct user_row *user = person ? state_find(state, TABLE_USER, who->id) : NULL;
    const struct tenant_row *tenant =
        user == NULL ? NULL : state_find(state, TABLE_TENANT, user->tenant.value);
    uint64_t wait_ms = 0;
    *tenant_out = 0;
    if (tenant != NULL) {
        uint32_t slot = (uint32_t)slot_of(engine, TABLE_TENANT, tenant);
        uint32_t asks = engine->pace.tenants[slot].asks;
        uint32_t left = ENGINE_ASKS - engine_asks_under_way(engine);
        if (!state_may_take(asks, left)) { /* INV-PACE-1, INV-SHARE-1 */
            outcome->reject = REJECT_OVERLOADED;
            outcome->problem.detail = "Too many requests of this tenant are under way.";
            outcome->problem.limit = left;
            outcome->problem.usage = asks;
            outcome->problem.holder = tenant->name.text;
            *retry_s_out = 1;
            return false;
        }
        *tenant_out = slot + 1;
    }
    struct rate *bucket = who == NULL || who->kind == WIRE__KIND__KIND_UNSET
                              ? &engine->pace.others[PACE_STRANGERS]
                              : &engine->pace.others[PACE_UNKNOWN];
    bucket = user == NULL ? bucket : &engine->pace.people[slot_of(engine, TABLE_USER, user)];
    if (!take(engine, bucket, tenant, outcome, &wait_ms)) {
        *retry_s_out = (uint32_t)((wait_ms + 999) / 1000); /* At most the burst's seconds. */
        return false;
    }
    return true;
}

void pace_begin(struct engine *engine, uint32_t tenant)
{
    if (tenant != 0) {
        engine->pace.tenants[tenant - 1].asks++;
        CHECK(engine->pace.tenants[tenant - 1].asks <= ENGINE_ASKS / 2);
    }
}

void pace_end(struct engine *engine, uint32_t tenant)
{
    if (tenant != 0) {
        CHECK(engine->pace.tenants[tenant - 1].asks > 0);
        engine->pace.tenants[tenant - 1].asks--;
    }
}
