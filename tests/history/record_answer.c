/* Decides what an answer tells: of the operation itself, of objects that were seen, of lists that
 * grew. Never decides whether that is right. An answer that does not say whether the request was
 * done leaves it unknown. */
#include "base/check.h"
#include "base/id.h"
#include "tests/bench/figures.h"
#include "tests/history/record.h"
#include "tests/history/words.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- Fields ---- */

const char *record_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text == NULL ? "" : text;
}

uint64_t record_id(const json_t *object, const char *key)
{
    static const enum id_kind kinds[] = { ID_OPERATION, ID_INSTANCE, ID_NETWORK, ID_TENANT };
    uint64_t id = 0;
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        if (id_parse(kinds[i], record_text(object, key), &id)) {
            return id;
        }
    }
    return 0;
}

static uint64_t number_of(const json_t *object, const char *key)
{
    json_int_t value = json_integer_value(json_object_get(object, key));
    return value < 0 ? 0 : (uint64_t)value;
}

/* ---- Lists that an event appends to or sees ---- */

static void placed_name(uint64_t id, char room[static HISTORY_NAME])
{
    (void)snprintf(room, HISTORY_NAME, "placed/%" PRIu64, id);
}

static void lives_name(const char *object, char room[static HISTORY_NAME])
{
    (void)snprintf(room, HISTORY_NAME, "lives/%.56s", object);
}

static void logged(
    struct record *record, const struct record_spec *spec, uint32_t event, uint64_t operation)
{
    char list[HISTORY_NAME];
    (void)snprintf(list, sizeof(list), "holds/%.50s", record->tenants[spec->tenant]);
    history_add_append(&record->history, event, list, operation);
    (void)snprintf(list, sizeof(list), "leaves/%.50s", record->tenants[spec->tenant]);
    history_add_append(&record->history, event, list, operation);
}

static void wrote(
    struct record *record,
    const struct record_spec *spec,
    uint32_t event,
    const struct history_told *told)
{
    char object[HISTORY_NAME];
    char list[HISTORY_NAME];
    logged(record, spec, event, told->operation);
    record_object(record, spec->kind, spec->tenant, spec->number, object);
    if (spec->f == HISTORY_CREATE && told->id != 0) {
        lives_name(object, list);
        history_add_append(&record->history, event, list, told->id);
    }
    bool places = spec->f == HISTORY_START || (spec->f == HISTORY_CREATE && spec->running);
    if (places && told->id != 0) { /* Which placement it is, the list of operations will tell. */
        placed_name(told->id, list);
        history_add_append(&record->history, event, list, 0);
    }
}

static void saw(
    struct record *record, uint32_t event, const char *object, const struct history_sight *sight)
{
    char list[HISTORY_NAME];
    history_add_sight(&record->history, event, object, sight);
    if (sight->id == 0) {
        return;
    }
    lives_name(object, list);
    history_add_newest(&record->history, event, list, sight->id);
    if (sight->epoch != HISTORY_UNTOLD) {
        placed_name(sight->id, list);
        history_add_newest(&record->history, event, list, sight->epoch);
    }
}

/* The words of the cell, and no others: the judge has more. */
static enum history_stage stage_of(const char *word)
{
    static const struct {
        const char *word;
        enum history_stage stage;
    } known[] = {
        { "stopped", HISTORY_STAGE_STOPPED },   { "starting", HISTORY_STAGE_STARTING },
        { "running", HISTORY_STAGE_RUNNING },   { "stopping", HISTORY_STAGE_STOPPING },
        { "deleting", HISTORY_STAGE_DELETING }, { "failed", HISTORY_STAGE_FAILED },
    };
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        if (strcmp(word, known[i].word) == 0) {
            return known[i].stage;
        }
    }
    return HISTORY_STAGE_END;
}

/* What is left out is untold. False: it is there, and is no number. */
static bool told_of(const json_t *view, const char *key, uint64_t *number_out)
{
    const json_t *value = json_object_get(view, key);
    bool sound = value == NULL || (json_is_integer(value) && json_integer_value(value) >= 0);
    *number_out = value != NULL && sound ? (uint64_t)json_integer_value(value) : HISTORY_UNTOLD;
    return sound;
}

static bool sight_of(const json_t *view, enum history_kind kind, struct history_sight *sight_out)
{
    *sight_out = (struct history_sight){ .kind = kind, .epoch = HISTORY_UNTOLD };
    if (!told_of(view, "revision", &sight_out->revision)) {
        return false;
    }
    if (kind == HISTORY_VALUE) {
        sight_out->value = number_of(json_object_get(view, "cap"), "instances");
        return sight_out->revision != HISTORY_UNTOLD;
    }
    sight_out->id = record_id(view, "id");
    sight_out->stage = HISTORY_STAGE_STOPPED;
    if (kind == HISTORY_INSTANCE) {
        sight_out->stage = stage_of(record_text(view, "state"));
        if (!told_of(view, "epoch", &sight_out->epoch)) {
            return false;
        }
    }
    return sight_out->id != 0 && sight_out->stage != HISTORY_STAGE_END;
}

/* ---- Answers that say yes ---- */

static bool views_sound(enum history_kind kind, const json_t *items)
{
    struct history_sight sight;
    for (size_t i = 0; i < json_array_size(items); i++) {
        if (!sight_of(json_array_get(items, i), kind, &sight)) {
            return false;
        }
    }
    return true;
}

static void views_see(
    struct record *record, const struct record_spec *spec, uint32_t event, const json_t *items)
{
    for (size_t i = 0; i < json_array_size(items); i++) {
        const json_t *view = json_array_get(items, i);
        char object[HISTORY_NAME];
        char name[RECORD_NAME];
        struct history_sight sight;
        bool sound = sight_of(view, spec->kind, &sight);
        CHECK(sound);                                               /* views_sound said so. */
        words_clean(record_text(view, "name"), name, sizeof(name)); /* Whatever it is. */
        (void)snprintf(object, sizeof(object), "%s/%s", record->tenants[spec->tenant], name);
        saw(record, event, object, &sight);
    }
}

/* A sum that does not fit is the greatest number: no sum of what there is. */
static void amount_add(uint64_t *sum, uint64_t amount)
{
    if (__builtin_add_overflow(*sum, amount, sum)) {
        *sum = UINT64_MAX;
    }
}

static void amounts_add(uint64_t *amounts, const json_t *quantities)
{
    amount_add(&amounts[0], number_of(quantities, "vcpus"));
    amount_add(&amounts[1], number_of(quantities, "memory_bytes"));
    amount_add(&amounts[2], number_of(quantities, "instances"));
    amount_add(&amounts[3], number_of(quantities, "networks"));
}

/* The account and what it is charged for; one index for all of it is one state. */
static bool sum_take(
    const json_t *document, const struct https_answer *answer, struct history_told *told)
{
    const json_t *views[3];
    for (size_t i = 0; i < COUNT_OF(views); i++) {
        const json_t *item = json_array_get(document, i);
        if (number_of(item, "status") != 200) {
            return false;
        }
        views[i] = json_object_get(item, "body");
    }
    const json_t *instances = json_object_get(views[1], "items");
    amounts_add(told->charged, json_object_get(views[0], "used"));
    amounts_add(told->charged, json_object_get(views[0], "held"));
    for (size_t i = 0; i < json_array_size(instances); i++) {
        const json_t *view = json_array_get(instances, i);
        amount_add(&told->inventory[0], number_of(view, "vcpus"));
        amount_add(&told->inventory[1], number_of(view, "memory_bytes"));
        told->inventory[2]++;
    }
    told->inventory[3] = json_array_size(json_object_get(views[2], "items"));
    told->summed = answer->index != 0 && json_object_get(views[1], "next_page") == NULL &&
                   json_object_get(views[2], "next_page") == NULL;
    return true;
}

static bool accepted(
    struct record *record,
    struct record_client *client,
    const json_t *document,
    struct history_told *told)
{
    const struct record_spec *spec = &client->spec;
    told->operation = record_id(document, "id");
    told->id = spec->kind == HISTORY_VALUE ? 0 : record_id(document, "resource");
    told->done = strcmp(record_text(document, "state"), "done") == 0;
    if (told->operation == 0) {
        return false;
    }
    history_return(&record->history, client->event, told);
    wrote(record, spec, client->event, told);
    if (!client->has_unsure && prng_below(&record->prng, 20) == 0) {
        client->unsure = *spec; /* What was answered is asked again, too. */
        client->has_unsure = true;
    }
    return true;
}

static bool seen_one(
    struct record *record,
    struct record_client *client,
    const json_t *document,
    const struct history_told *told)
{
    const struct record_spec *spec = &client->spec;
    struct history_sight sight;
    char object[HISTORY_NAME];
    if (!sight_of(document, spec->kind, &sight)) {
        return false;
    }
    record_object(record, spec->kind, spec->tenant, spec->number, object);
    history_return(&record->history, client->event, told);
    saw(record, client->event, object, &sight);
    if (spec->kind == HISTORY_VALUE && client->principal == RECORD_OPERATOR) {
        record->revisions[spec->tenant] = sight.revision;
    }
    return true;
}

static bool said_yes(
    struct record *record,
    struct record_client *client,
    json_t *document,
    const struct https_answer *answer,
    struct history_told *told)
{
    const struct record_spec *spec = &client->spec;
    json_t *items = json_object_get(document, "items");
    bool listed = spec->look != RECORD_ONE && spec->look != RECORD_SUM;
    told->outcome = HISTORY_OK;
    if (listed && !json_is_array(items)) {
        return false;
    }
    switch (spec->look) {
    case RECORD_ONE:
        return record_writes(spec) ? accepted(record, client, document, told)
                                   : seen_one(record, client, document, told);
    case RECORD_ALL:
        if (!views_sound(spec->kind, items)) {
            return false;
        }
        history_return(&record->history, client->event, told);
        views_see(record, spec, client->event, items);
        if (json_object_get(document, "next_page") == NULL) {
            history_whole(&record->history, client->event);
        }
        return true;
    case RECORD_OPERATIONS:
    case RECORD_LEAVES: record_page(record, client, document, told); return true;
    case RECORD_SUM:
        if (!sum_take(document, answer, told)) {
            told->outcome = HISTORY_FAIL; /* A part of it was refused: it tells nothing. */
            told->refusal = HISTORY_UNTRIED;
        }
        history_return(&record->history, client->event, told);
        return true;
    }
    UNREACHABLE();
}

/* ---- Answers that say no ---- */

/* 0: it may have been done. */
static enum history_refusal refusal_of(const struct record_spec *spec, const char *code)
{
    static const struct {
        const char *code;
        enum history_refusal refusal;
    } known[] = {
        { "no-leader", HISTORY_UNTRIED },
        { "unfit", HISTORY_UNTRIED },
        { "overloaded", HISTORY_UNTRIED },
        { "rate-limited", HISTORY_UNTRIED },
        { "idempotency-table-full", HISTORY_UNTRIED },
        { "table-full", HISTORY_UNTRIED },
        { "name-taken", HISTORY_TAKEN },
        { "wrong-state", HISTORY_STATE },
        { "in-use", HISTORY_USED },
        { "precondition-failed", HISTORY_CHANGED },
        { "quota-exceeded", HISTORY_REFUSED },
        { "no-capacity", HISTORY_REFUSED },
        { "floor-not-guaranteed", HISTORY_REFUSED },
        { "conflict", HISTORY_REFUSED },
        { "idempotency-key-reused", HISTORY_REUSED },
    };
    if (strcmp(code, "not-found") == 0) { /* A create misses its network, not itself. */
        return spec->f == HISTORY_CREATE ? HISTORY_REFUSED : HISTORY_ABSENT;
    }
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        if (strcmp(code, known[i].code) == 0) {
            return known[i].refusal;
        }
    }
    return 0;
}

static bool said_no(
    struct record *record,
    struct record_client *client,
    const json_t *document,
    struct history_told *told)
{
    const struct record_spec *spec = &client->spec;
    enum history_refusal refusal = refusal_of(spec, record_text(document, "code"));
    if (refusal == 0) {
        return false;
    }
    told->outcome = HISTORY_FAIL;
    told->refusal = refusal;
    if (spec->f == HISTORY_READ && refusal == HISTORY_ABSENT) { /* A read like any other. */
        char object[HISTORY_NAME];
        struct history_sight sight = { .kind = spec->kind,
                                       .stage = HISTORY_STAGE_ABSENT,
                                       .epoch = HISTORY_UNTOLD,
                                       .revision = HISTORY_UNTOLD };
        told->outcome = HISTORY_OK;
        told->refusal = 0;
        history_return(&record->history, client->event, told);
        record_object(record, spec->kind, spec->tenant, spec->number, object);
        history_add_sight(&record->history, client->event, object, &sight);
        return true;
    }
    history_return(&record->history, client->event, told);
    return true;
}

void record_lost(struct record *record, struct record_client *client)
{
    struct history_told told = { .outcome = HISTORY_INFO };
    history_return(&record->history, client->event, &told);
    if (record_writes(&client->spec)) {
        logged(record, &client->spec, client->event, 0);
        client->unsure = client->spec;
        client->has_unsure = true;
    }
    client->process = ++record->processes;
}

bool record_answer(
    struct record *record, struct record_client *client, const struct https_answer *answer)
{
    json_error_t error;
    struct history_told told = { .at_ns = figures_now_ns() - record->start_ns,
                                 .index = answer->index };
    json_t *document = json_loadb(answer->body, answer->size, JSON_REJECT_DUPLICATES, &error);
    bool said = document != NULL &&
                (answer->status < 300 ? said_yes(record, client, document, answer, &told)
                                      : said_no(record, client, document, &told));
    if (!said && answer->status != 503) {
        char body[320];
        words_clean(answer->body, body, sizeof(body));
        (void)fprintf(stderr, "record: %u nobody can read: %s\n", answer->status, body);
    }
    bool final = said && client->spec.final && told.outcome == HISTORY_OK;
    bool pages = client->spec.look == RECORD_OPERATIONS || client->spec.look == RECORD_LEAVES;
    record->final_at[client->spec.tenant] += final && !pages ? 1 : 0; /* Pages count themselves. */
    json_decref(document);
    return said;
}
