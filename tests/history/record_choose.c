/* Decides what a client asks next, and in which words. Every choice comes from the seed. */
#include "base/check.h"
#include "tests/bench/figures.h"
#include "tests/history/merge.h"
#include "tests/history/record.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MEMORY_BYTES UINT64_C(100663296) /* 96 MiB: what the lab's guest boots in. */

struct chance {
    uint32_t weight;
    enum record_look look;
    enum history_f f;
    enum history_kind kind;
};

static const struct chance of_tenant[] = {
    { 13, RECORD_ONE, HISTORY_CREATE, HISTORY_INSTANCE },
    { 9, RECORD_ONE, HISTORY_DELETE, HISTORY_INSTANCE },
    { 2, RECORD_ONE, HISTORY_START, HISTORY_INSTANCE },
    { 2, RECORD_ONE, HISTORY_STOP, HISTORY_INSTANCE },
    { 1, RECORD_ONE, HISTORY_REBOOT, HISTORY_INSTANCE },
    { 22, RECORD_ONE, HISTORY_READ, HISTORY_INSTANCE },
    { 5, RECORD_ONE, HISTORY_CREATE, HISTORY_NETWORK },
    { 4, RECORD_ONE, HISTORY_DELETE, HISTORY_NETWORK },
    { 8, RECORD_ONE, HISTORY_READ, HISTORY_NETWORK },
    { 6, RECORD_ONE, HISTORY_READ, HISTORY_VALUE },
    { 6, RECORD_ALL, HISTORY_LIST, HISTORY_INSTANCE },
    { 3, RECORD_ALL, HISTORY_LIST, HISTORY_NETWORK },
    { 12, RECORD_OPERATIONS, HISTORY_LIST, HISTORY_INSTANCE },
    { 7, RECORD_SUM, HISTORY_ACCOUNT, HISTORY_INSTANCE },
};
static const struct chance of_operator[] = {
    { 6, RECORD_ONE, HISTORY_SET, HISTORY_VALUE },
    { 4, RECORD_ONE, HISTORY_READ, HISTORY_VALUE },
    { 2, RECORD_SUM, HISTORY_ACCOUNT, HISTORY_INSTANCE },
};

static const struct chance *choose(struct prng *prng, const struct chance *chances, size_t count)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += chances[i].weight;
    }
    uint64_t left = prng_below(prng, sum);
    size_t at = 0;
    while (left >= chances[at].weight) {
        left -= chances[at].weight;
        at++;
    }
    CHECK(at < count);
    return &chances[at];
}

bool record_writes(const struct record_spec *spec)
{
    return spec->look == RECORD_ONE && merge_is_write(spec->f);
}

/* Cold ones are created stopped and never started: a boot costs seconds. */
static void number_choose(struct record *record, struct record_spec *spec)
{
    bool power = spec->f == HISTORY_START || spec->f == HISTORY_STOP || spec->f == HISTORY_REBOOT;
    uint64_t count = spec->kind == HISTORY_NETWORK ? RECORD_NETWORKS : RECORD_INSTANCES;
    spec->number = (uint32_t)prng_below(&record->prng, power ? RECORD_HOT : count);
    if (spec->f == HISTORY_CREATE && spec->kind == HISTORY_INSTANCE) {
        spec->running = spec->number < RECORD_HOT && prng_below(&record->prng, 3) == 0;
        spec->network = prng_below(&record->prng, 3) == 0
                            ? (int32_t)prng_below(&record->prng, RECORD_NETWORKS)
                            : -1;
    }
}

void record_choose(
    struct record *record, struct record_client *client, struct record_spec *spec_out)
{
    struct prng *prng = &record->prng;
    bool operates = client->principal == RECORD_OPERATOR;
    if (client->has_unsure && prng_below(prng, 3) == 0) {
        *spec_out = client->unsure;
        client->has_unsure = false;
        return;
    }
    const struct chance *chance = operates ? choose(prng, of_operator, COUNT_OF(of_operator))
                                           : choose(prng, of_tenant, COUNT_OF(of_tenant));
    *spec_out =
        (struct record_spec){ .look = chance->look,
                              .f = chance->f,
                              .kind = chance->kind,
                              .network = -1,
                              .tenant = operates ? (uint32_t)prng_below(prng, RECORD_TENANTS)
                                                 : client->principal };
    number_choose(record, spec_out);
    if (spec_out->kind == HISTORY_VALUE) {
        spec_out->number = 0;
    }
    if (spec_out->f == HISTORY_SET) {
        spec_out->value = 4 + prng_below(prng, RECORD_INSTANCES);
        spec_out->match = prng_below(prng, 3) == 0 ? 0 : record->revisions[spec_out->tenant];
    }
    if (spec_out->look == RECORD_OPERATIONS) {
        memcpy(spec_out->page, client->page, sizeof(spec_out->page));
        spec_out->after = client->after;
    }
    if (record_writes(spec_out)) {
        int size = snprintf(
            spec_out->key, sizeof(spec_out->key), "h-%" PRIx64 "-%u", record->seed, ++record->keys);
        CHECK(size > 0 && (size_t)size < sizeof(spec_out->key));
    }
}

/* Every name, both lists, the account, its value; then the operations and the leaves, by pages. */
bool record_choose_final(
    struct record *record, const struct record_client *client, struct record_spec *spec_out)
{
    static const struct chance whole[] = {
        { 0, RECORD_ALL, HISTORY_LIST, HISTORY_INSTANCE },
        { 0, RECORD_ALL, HISTORY_LIST, HISTORY_NETWORK },
        { 0, RECORD_ONE, HISTORY_READ, HISTORY_VALUE },
        { 0, RECORD_SUM, HISTORY_ACCOUNT, HISTORY_INSTANCE },
        { 0, RECORD_OPERATIONS, HISTORY_LIST, HISTORY_INSTANCE },
        { 0, RECORD_LEAVES, HISTORY_LIST, HISTORY_INSTANCE },
    };
    uint32_t tenant = client->principal;
    CHECK(tenant < RECORD_TENANTS);
    uint32_t at = record->final_at[tenant];
    struct record_spec spec = { .look = RECORD_ONE,
                                .f = HISTORY_READ,
                                .kind = at < RECORD_INSTANCES ? HISTORY_INSTANCE : HISTORY_NETWORK,
                                .tenant = tenant,
                                .number = at < RECORD_INSTANCES ? at : at - RECORD_INSTANCES,
                                .network = -1,
                                .final = true };
    if (at >= RECORD_INSTANCES + RECORD_NETWORKS + COUNT_OF(whole)) {
        return false;
    }
    if (at >= RECORD_INSTANCES + RECORD_NETWORKS) {
        const struct chance *chance = &whole[at - RECORD_INSTANCES - RECORD_NETWORKS];
        spec.look = chance->look;
        spec.f = chance->f;
        spec.kind = chance->kind;
        spec.number = 0;
    }
    if (spec.look == RECORD_OPERATIONS || spec.look == RECORD_LEAVES) {
        memcpy(spec.page, client->page, sizeof(spec.page));
        spec.after = client->after;
    }
    *spec_out = spec;
    return true;
}

/* ---- Words ---- */

static void last_name(enum history_kind kind, uint32_t number, char room[static 16])
{
    (void)snprintf(room, 16, "%s-%u", kind == HISTORY_NETWORK ? "net" : "vm", number);
}

void record_object(
    const struct record *record,
    enum history_kind kind,
    uint32_t tenant,
    uint32_t number,
    char room[static HISTORY_NAME])
{
    char name[16] = "quota";
    if (kind != HISTORY_VALUE) {
        last_name(kind, number, name);
    }
    int size = snprintf(room, HISTORY_NAME, "%s/%s", record->tenants[tenant], name);
    CHECK(size > 0 && size < HISTORY_NAME);
}

static const char *action_of(enum history_f f)
{
    switch (f) {
    case HISTORY_START: return ":start";
    case HISTORY_STOP: return ":stop?force=true";
    case HISTORY_REBOOT: return ":reboot";
    case HISTORY_CREATE:
    case HISTORY_DELETE:
    case HISTORY_SET:
    case HISTORY_READ:
    case HISTORY_LIST:
    case HISTORY_ACCOUNT:
    case HISTORY_F_END: break;
    }
    return "";
}

static void create_body(
    const struct record *record, const struct record_spec *spec, char body[static RECORD_BODY])
{
    char name[16];
    char networks[48] = "";
    last_name(spec->kind, spec->number, name);
    if (spec->kind == HISTORY_NETWORK) {
        (void)snprintf(
            body, RECORD_BODY, "{\"name\":\"%s\",\"cidr\":\"10.%u.0.0/24\"}", name, spec->number);
        return;
    }
    if (spec->network >= 0) {
        (void)snprintf(networks, sizeof(networks), ",\"networks\":[\"net-%d\"]", spec->network);
    }
    (void)snprintf(
        body,
        RECORD_BODY,
        "{\"name\":\"%s\",\"image\":\"%s\",\"vcpus\":1,\"memory_bytes\":%" PRIu64
        ",\"stopped\":%s%s}",
        name,
        record->image,
        MEMORY_BYTES,
        spec->running ? "false" : "true",
        networks);
}

static void one_request(
    const struct record *record, const struct record_spec *spec, struct record_text *text)
{
    const char *tenant = record->tenants[spec->tenant];
    const char *noun = spec->kind == HISTORY_NETWORK ? "networks" : "instances";
    char name[16] = "";
    if (spec->kind == HISTORY_VALUE) {
        (void)snprintf(text->path, RECORD_PATH, "/v1/tenants/%s/quota", tenant);
    } else if (spec->f == HISTORY_CREATE) {
        (void)snprintf(text->path, RECORD_PATH, "/v1/tenants/%s/%s", tenant, noun);
    } else {
        last_name(spec->kind, spec->number, name);
        (void)snprintf(
            text->path,
            RECORD_PATH,
            "/v1/tenants/%s/%s/%s%s",
            tenant,
            noun,
            name,
            action_of(spec->f));
    }
    if (spec->f == HISTORY_READ) {
        text->method = "GET";
    } else if (spec->f == HISTORY_DELETE) {
        text->method = "DELETE";
        (void)snprintf(text->match, sizeof(text->match), "*");
    } else if (spec->f == HISTORY_SET) {
        text->method = "PUT";
        (void)snprintf(
            text->body,
            RECORD_BODY,
            "{\"cap\":{\"vcpus\":400,\"memory_bytes\":68719476736,\"instances\":%" PRIu64
            ",\"networks\":100}}",
            spec->value);
        if (spec->match == 0) {
            (void)snprintf(text->match, sizeof(text->match), "*");
        } else {
            (void)snprintf(text->match, sizeof(text->match), "\"r%" PRIu64 "\"", spec->match);
        }
    } else {
        text->method = "POST";
        (void)snprintf(text->body, RECORD_BODY, "{}");
        if (spec->f == HISTORY_CREATE) {
            create_body(record, spec, text->body);
        }
    }
}

void record_request(
    const struct record *record, const struct record_spec *spec, struct record_text *text_out)
{
    const char *tenant = record->tenants[spec->tenant];
    memset(text_out, 0, sizeof(*text_out));
    text_out->method = "GET";
    switch (spec->look) {
    case RECORD_ONE: one_request(record, spec, text_out); return;
    case RECORD_ALL:
        (void)snprintf(
            text_out->path,
            RECORD_PATH,
            "/v1/tenants/%s/%s?limit=500",
            tenant,
            spec->kind == HISTORY_NETWORK ? "networks" : "instances");
        return;
    case RECORD_OPERATIONS:
        (void)snprintf(
            text_out->path,
            RECORD_PATH,
            "/v1/operations?limit=%d%s%s",
            RECORD_PAGE,
            spec->page[0] == '\0' ? "" : "&page_token=",
            spec->page);
        return;
    case RECORD_LEAVES:
        (void)snprintf(
            text_out->path,
            RECORD_PATH,
            "/v1/audit/leaves?tenant=%s&limit=200&first=%s",
            tenant,
            spec->page[0] == '\0' ? "0" : spec->page);
        return;
    case RECORD_SUM:
        text_out->method = "POST";
        (void)snprintf(text_out->path, RECORD_PATH, "/v1/batch");
        (void)snprintf(
            text_out->body,
            RECORD_BODY,
            "{\"requests\":[{\"method\":\"GET\",\"path\":\"/v1/tenants/%s/quota\"},"
            "{\"method\":\"GET\",\"path\":\"/v1/tenants/%s/instances?limit=500\"},"
            "{\"method\":\"GET\",\"path\":\"/v1/tenants/%s/networks?limit=500\"}]}",
            tenant,
            tenant,
            tenant);
        return;
    }
    UNREACHABLE();
}

uint32_t record_invoke(struct record *record, const struct record_spec *spec, uint32_t process)
{
    char object[HISTORY_NAME] = "";
    if (spec->look == RECORD_ONE) {
        record_object(record, spec->kind, spec->tenant, spec->number, object);
    }
    char on[HISTORY_NAME] = "";
    bool create = spec->f == HISTORY_CREATE;
    if (create && spec->network >= 0) {
        record_object(record, HISTORY_NETWORK, spec->tenant, (uint32_t)spec->network, on);
    }
    struct history_asked asked = { .client = process,
                                   .f = spec->f,
                                   .kind = spec->kind,
                                   .object = object,
                                   .account = record->tenants[spec->tenant],
                                   .key = spec->key,
                                   .on = on,
                                   .at_ns = figures_now_ns() - record->start_ns,
                                   .value = create ? (spec->running ? 1 : 0) : spec->value,
                                   .match = spec->match };
    if (create && spec->kind == HISTORY_INSTANCE) {
        asked.amounts[0] = 1;
        asked.amounts[1] = MEMORY_BYTES;
        asked.amounts[2] = 1;
    } else if (create) {
        asked.amounts[3] = 1;
    }
    return history_invoke(&record->history, &asked);
}
