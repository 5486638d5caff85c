/* What the recorder makes of an answer: of yes, of each kind of no, and of what says neither; and
 * that the same spec makes the same request. */
#include "base/check.h"
#include "base/slice.h"
#include "tests/history/lines.h"
#include "tests/history/record.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static struct record record;
static struct record_client client;

static void begin(void)
{
    static const struct history_limits limits = { 64, 64, 256, 256, 256 };
    memset(&record, 0, sizeof(record));
    memset(&client, 0, sizeof(client));
    void *memory = calloc(1, history_memory(&limits));
    CHECK(memory != NULL);
    history_init(&record.history, &limits, memory);
    prng_seed(&record.prng, 1);
    record.tenants[0] = "red";
    record.tenants[1] = "blue";
    record.image = "plain";
    for (uint32_t i = 0; i < RECORD_TENANTS; i++) {
        record.operations[i] = calloc(RECORD_OPERATIONS_MAX, sizeof(**record.operations));
        CHECK(record.operations[i] != NULL);
    }
}

static void end(void)
{
    free(record.history.events); /* The block begins with them. */
    for (uint32_t i = 0; i < RECORD_TENANTS; i++) {
        free(record.operations[i]);
    }
}

static const struct history_event *told(
    enum record_look look,
    enum history_f f,
    enum history_kind kind,
    unsigned int status,
    const char *body,
    uint64_t index)
{
    char text[4096];
    (void)snprintf(text, sizeof(text), "%s", body);
    struct https_answer answer = {
        .status = status, .body = text, .size = strlen(text), .index = index
    };
    client.spec = (struct record_spec){ .look = look, .f = f, .kind = kind, .network = -1 };
    if (record_writes(&client.spec)) {
        (void)snprintf(client.spec.key, sizeof(client.spec.key), "k-%u", ++record.keys);
    }
    client.event = record_invoke(&record, &client.spec, 7);
    if (!record_answer(&record, &client, &answer)) {
        record_lost(&record, &client);
    }
    return &record.history.events[client.event];
}

#define OPERATION                                                                       \
    "{\"id\":\"0001000a-0000-8000-8000-000000000020\",\"state\":\"done\",\"resource\":" \
    "\"00010009-0000-8000-8000-000000000010\"}"
#define INSTANCE                                                                    \
    "{\"id\":\"00010009-0000-8000-8000-000000000010\",\"name\":\"vm-0\",\"state\":" \
    "\"running\",\"epoch\":2,\"revision\":5,\"vcpus\":1,\"memory_bytes\":100663296}"

Test(record, a_no_is_a_fail_only_if_nothing_was_done, .init = begin, .fini = end)
{
    static const struct {
        enum history_f f;
        unsigned int status;
        const char *body;
        enum history_outcome outcome;
        enum history_refusal refusal;
    } cases[] = {
        { HISTORY_CREATE, 202, OPERATION, HISTORY_OK, 0 },
        { HISTORY_CREATE, 202, "{}", HISTORY_INFO, 0 },
        { HISTORY_CREATE, 202, "<html>", HISTORY_INFO, 0 },
        { HISTORY_CREATE, 409, "{\"code\":\"name-taken\"}", HISTORY_FAIL, HISTORY_TAKEN },
        { HISTORY_CREATE, 404, "{\"code\":\"not-found\"}", HISTORY_FAIL, HISTORY_REFUSED },
        { HISTORY_CREATE, 409, "{\"code\":\"quota-exceeded\"}", HISTORY_FAIL, HISTORY_REFUSED },
        { HISTORY_START, 404, "{\"code\":\"not-found\"}", HISTORY_FAIL, HISTORY_ABSENT },
        { HISTORY_START, 409, "{\"code\":\"wrong-state\"}", HISTORY_FAIL, HISTORY_STATE },
        { HISTORY_DELETE, 503, "{\"code\":\"no-leader\"}", HISTORY_FAIL, HISTORY_UNTRIED },
        { HISTORY_DELETE, 503, "{\"code\":\"unfit\"}", HISTORY_FAIL, HISTORY_UNTRIED },
        { HISTORY_DELETE, 429, "{\"code\":\"rate-limited\"}", HISTORY_FAIL, HISTORY_UNTRIED },
        { HISTORY_DELETE, 503, "{\"code\":\"outcome-unknown\"}", HISTORY_INFO, 0 },
        { HISTORY_DELETE, 503, "{\"code\":\"something-new\"}", HISTORY_INFO, 0 },
        { HISTORY_DELETE, 500, "", HISTORY_INFO, 0 },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct history_event *event =
            told(RECORD_ONE, cases[i].f, HISTORY_INSTANCE, cases[i].status, cases[i].body, 0);
        cr_expect_eq(event->told.outcome, cases[i].outcome, "%s", cases[i].body);
        cr_expect_eq(event->told.refusal, cases[i].refusal, "%s", cases[i].body);
    }
}

Test(record, a_write_that_was_taken_is_in_its_lists, .init = begin, .fini = end)
{
    const struct history_event *event =
        told(RECORD_ONE, HISTORY_CREATE, HISTORY_INSTANCE, 202, OPERATION, 0);
    cr_assert_eq(event->told.operation, UINT64_C(1) << 48 | 0x20);
    cr_assert_eq(event->told.id, UINT64_C(1) << 48 | 0x10);
    cr_assert(event->told.done);
    cr_assert_eq(event->touches_count, 3); /* Holds, leaves, lives. */
    event = told(RECORD_ONE, HISTORY_CREATE, HISTORY_INSTANCE, 503, "", 0);
    cr_assert_eq(event->touches_count, 2); /* Which number, nobody was told. */
    cr_assert_eq(record.history.touches[event->touches].element, 0);
    cr_assert_str_eq(client.unsure.key, client.spec.key);
    cr_assert_neq(client.process, 7);
}

Test(record, a_read_tells_what_was_seen_or_that_it_was_not_there, .init = begin, .fini = end)
{
    const struct history_event *event =
        told(RECORD_ONE, HISTORY_READ, HISTORY_INSTANCE, 200, INSTANCE, 0);
    const struct history_sight *sight = &record.history.sights[event->sights];
    cr_assert_eq(event->sights_count, 1);
    cr_assert_eq(sight->stage, HISTORY_STAGE_RUNNING);
    cr_assert_eq(sight->epoch, 2);
    cr_assert_eq(sight->revision, 5);
    event = told(RECORD_ONE, HISTORY_READ, HISTORY_INSTANCE, 404, "{\"code\":\"not-found\"}", 0);
    cr_assert_eq(event->told.outcome, HISTORY_OK);
    cr_assert_eq(record.history.sights[event->sights].stage, HISTORY_STAGE_ABSENT);
    event = told(RECORD_ONE, HISTORY_READ, HISTORY_INSTANCE, 200, "{\"id\":\"nobody's\"}", 0);
    cr_assert_eq(event->told.outcome, HISTORY_INFO);
    event = told(RECORD_ALL, HISTORY_LIST, HISTORY_INSTANCE, 200, "{\"items\":[" INSTANCE "]}", 0);
    cr_assert_eq(event->sights_count, 1);
    cr_assert(event->whole);
    event = told(
        RECORD_ALL,
        HISTORY_LIST,
        HISTORY_INSTANCE,
        200,
        "{\"items\":[" INSTANCE "],\"next_page\":\"p1\"}",
        0);
    cr_assert_not(event->whole);
}

Test(record, a_sight_is_of_the_words_of_the_cell_alone, .init = begin, .fini = end)
{
    static const struct {
        const char *state;
        enum history_outcome outcome;
    } cases[] = {
        { "stopped", HISTORY_OK },  { "starting", HISTORY_OK }, { "running", HISTORY_OK },
        { "stopping", HISTORY_OK }, { "deleting", HISTORY_OK }, { "failed", HISTORY_OK },
        { "there", HISTORY_INFO },  { "absent", HISTORY_INFO }, { "", HISTORY_INFO },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char body[160];
        (void)snprintf(
            body,
            sizeof(body),
            "{\"id\":\"00010009-0000-8000-8000-000000000010\",\"state\":\"%s\"}",
            cases[i].state);
        const struct history_event *event =
            told(RECORD_ONE, HISTORY_READ, HISTORY_INSTANCE, 200, body, 0);
        cr_expect_eq(event->told.outcome, cases[i].outcome, "%s", cases[i].state);
    }
    const struct history_sight *sight = &record.history.sights[0];
    cr_assert_eq(sight->revision, HISTORY_UNTOLD); /* Nobody said that it is 0. */
    cr_assert_eq(sight->epoch, HISTORY_UNTOLD);
    const struct history_event *event = told(
        RECORD_ONE,
        HISTORY_READ,
        HISTORY_NETWORK,
        200,
        "{\"id\":\"00010009-0000-8000-8000-000000000010\",\"revision\":0}",
        0);
    cr_assert_eq(record.history.sights[event->sights].revision, 0); /* It was told, and is so. */
    event = told(
        RECORD_ONE,
        HISTORY_READ,
        HISTORY_NETWORK,
        200,
        "{\"id\":\"00010009-0000-8000-8000-000000000010\",\"revision\":\"none\"}",
        0);
    cr_assert_eq(event->told.outcome, HISTORY_INFO);
}

/* What was written can be read: the same events, sights and numbers. */
static void written_and_read(void)
{
    static const struct history_limits limits = { 64, 64, 256, 256, 256 };
    struct history again;
    uint64_t seed = 0;
    size_t size = 0;
    char *text = NULL;
    char why[LINES_WHY] = "";
    void *memory = calloc(1, history_memory(&limits));
    CHECK(memory != NULL);
    FILE *file = open_memstream(&text, &size);
    struct result written = lines_write(&record.history, UINT64_MAX, file);
    (void)fclose(file);
    cr_assert_eq(written.code, 0);
    file = fmemopen(text, size, "r");
    history_init(&again, &limits, memory);
    struct result read = lines_read(file, &again, &seed, why);
    (void)fclose(file);
    cr_assert_eq(read.code, 0, "%s", why);
    cr_assert_eq(seed, UINT64_MAX);
    cr_assert_eq(again.events_count, record.history.events_count);
    cr_assert_eq(again.sights_count, record.history.sights_count);
    for (uint32_t i = 0; i < again.sights_count; i++) {
        cr_assert_eq(again.sights[i].id, record.history.sights[i].id);
    }
    free(text);
    free(memory);
}

Test(record, whatever_was_answered_can_be_written_and_read, .init = begin, .fini = end)
{
    const struct history_event *event = told(
        RECORD_ONE,
        HISTORY_CREATE,
        HISTORY_INSTANCE,
        202,
        "{\"id\":\"ffff000a-0000-8000-8000-000000000020\",\"state\":\"done\",\"resource\":"
        "\"ffff0009-0000-8000-8000-000000000010\"}",
        0);
    cr_assert_eq(event->told.id >> 48, 0xffff);
    event =
        told(/* The twentieth byte of this name is half a letter. */
             RECORD_ALL,
             HISTORY_LIST,
             HISTORY_INSTANCE,
             200,
             "{\"items\":[{\"id\":\"ffff0009-0000-8000-8000-000000000010\",\"state\":\"running\","
             "\"name\":\"aaaaaaaaaaaaaaaaaaa\u00e9aaaaaaaaaa\\u001b[2J\"}]}",
             0);
    cr_assert_eq(event->sights_count, 1);
    const char *name = history_text(&record.history, record.history.sights[event->sights].object);
    cr_assert(text_is_clean(slice_text(name)), "%s", name);
    event = told(
        RECORD_SUM,
        HISTORY_ACCOUNT,
        HISTORY_INSTANCE,
        200,
        "[{\"status\":200,\"body\":{\"used\":{\"vcpus\":9223372036854775807},\"held\":"
        "{\"vcpus\":9223372036854775807}}},{\"status\":200,\"body\":{\"items\":["
        "{\"vcpus\":9223372036854775807},{\"vcpus\":9223372036854775807},{\"vcpus\":2}]}},"
        "{\"status\":200,\"body\":{\"items\":[]}}]",
        9);
    cr_assert_eq(event->told.charged[0], UINT64_MAX - 1);
    cr_assert_eq(event->told.inventory[0], UINT64_MAX); /* No sum at all, and not 0. */
    written_and_read();
}

Test(record, an_account_is_summed_only_in_one_state, .init = begin, .fini = end)
{
    static const char body[] = "[{\"status\":200,\"body\":{\"used\":{\"vcpus\":1,\"instances\":1},"
                               "\"held\":{\"vcpus\":2}}},"
                               "{\"status\":200,\"body\":{\"items\":[" INSTANCE "]}},"
                               "{\"status\":200,\"body\":{\"items\":[]}}]";
    const struct history_event *event =
        told(RECORD_SUM, HISTORY_ACCOUNT, HISTORY_INSTANCE, 200, body, 9);
    cr_assert(event->told.summed);
    cr_assert_eq(event->told.charged[0], 3);
    cr_assert_eq(event->told.inventory[0], 1);
    event = told(RECORD_SUM, HISTORY_ACCOUNT, HISTORY_INSTANCE, 200, body, 0);
    cr_assert_not(event->told.summed);
    event = told(
        RECORD_SUM, HISTORY_ACCOUNT, HISTORY_INSTANCE, 200, "[{\"status\":503,\"body\":{}}]", 9);
    cr_assert_eq(event->told.refusal, HISTORY_UNTRIED);
}

#define LISTED(kind, number)                                                    \
    "{\"id\":\"0001000a-0000-8000-8000-0000000000" number "\",\"kind\":\"" kind \
    "\",\"resource\":\"00010009-0000-8000-8000-000000000010\"}"
#define LEAF(operation, actor, resource)                                    \
    "{\"content\":{\"operation\":\"" operation "\",\"actor_kind\":\"" actor \
    "\",\"resource\":" resource ",\"reject\":0}}"
#define RESOURCE "281474976710672"

static void list_end(enum record_look look, const char *body)
{
    char text[4096];
    (void)snprintf(text, sizeof(text), "%s", body);
    struct https_answer answer = { .status = 200, .body = text, .size = strlen(text) };
    client.spec = (struct record_spec){
        .look = look, .f = HISTORY_LIST, .kind = HISTORY_INSTANCE, .network = -1, .final = true
    };
    client.event = record_invoke(&record, &client.spec, 7);
    bool said = record_answer(&record, &client, &answer);
    cr_assert(said);
}

Test(record, every_operation_has_one_leaf_in_its_place, .init = begin, .fini = end)
{
    list_end(
        RECORD_OPERATIONS,
        "{\"items\":[" LISTED("tenant-create", "20") "," LISTED("instance-create", "21") "," LISTED(
            "instance-start", "22") "]}");
    list_end(
        RECORD_LEAVES,
        "{\"items\":[" LEAF("instance-create", "user", RESOURCE) "," LEAF(
            "instance-running",
            "node",
            RESOURCE) "," LEAF("instance-start", "user", RESOURCE) "," LEAF("instance-start", "user", RESOURCE) "]}");
    const struct history_event *event = &record.history.events[record.history.events_count - 1];
    const struct history_touch *touch = &record.history.touches[event->touches];
    const uint64_t *elements = &record.history.elements[touch->elements];
    cr_assert_eq(touch->count, 3); /* A tenant's making and a node's word are not ours. */
    cr_assert_eq(elements[0], UINT64_C(1) << 48 | 0x21);
    cr_assert_eq(elements[1], UINT64_C(1) << 48 | 0x22);
    cr_assert_eq(elements[2], 1); /* A leaf too many is in no order. */
    cr_assert_eq(history_check_lists(&record.history).word, HISTORY_ANOMALY);
}

Test(record, the_same_spec_makes_the_same_request, .init = begin, .fini = end)
{
    client.principal = 0;
    for (uint32_t i = 0; i < 2000; i++) {
        struct record_spec spec;
        struct record_text one;
        struct record_text other;
        client.principal = i % RECORD_PRINCIPALS;
        record_choose(&record, &client, &spec);
        record_request(&record, &spec, &one);
        record_request(&record, &spec, &other);
        cr_assert_eq(memcmp(&one, &other, sizeof(one)), 0);
        cr_assert_eq(record_writes(&spec), spec.key[0] != '\0');
        cr_assert(client.principal == RECORD_OPERATOR || spec.tenant == client.principal);
    }
}
