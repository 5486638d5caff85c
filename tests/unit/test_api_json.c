/* JSON from strangers: one table of what is refused and where, and both ways of reflection. */
#include "controller/api_json.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Alignas(16) uint8_t memory[256 * 1024];
static struct arena arena;
static struct problem problem;
static const struct json_given nothing_given = { .secret = false };

static void begin(void)
{
    arena_init(&arena, memory, sizeof(memory));
    json_start();
}

static void *fill(
    const ProtobufCMessageDescriptor *type, const char *text, const struct json_given *given)
{
    arena.used = 0;
    memset(&problem, 0, sizeof(problem));
    ProtobufCMessage *message = message_make(type, &arena);
    struct json *document = json_read(slice_text(text), &problem);
    if (document == NULL || !json_fill(document, given, message, &arena, &problem)) {
        cr_assert_eq(problem.status, 400);
        return NULL;
    }
    return message;
}

Test(api_json, a_body_fills_every_kind_of_field, .init = begin)
{
    Wire__InstanceCreate *create = fill(
        &wire__instance_create__descriptor,
        "{\"name\":\"web-1\",\"image\":\"deb\",\"vcpus\":2,\"memory_bytes\":1073741824,"
        "\"networks\":[\"a\",\"b\"],\"labels\":[{\"key\":\"k\",\"value\":\"v\\u00e9\"}],"
        "\"stopped\":true,\"on_failure\":\"restart\",\"where\":\"here\"}",
        &nothing_given);
    cr_assert_not_null(create);
    cr_assert_str_eq(create->name, "web-1");
    cr_assert_eq(create->vcpus, 2);
    cr_assert_eq(create->memory_bytes, 1073741824);
    cr_assert_eq(create->n_networks, 2);
    cr_assert_str_eq(create->networks[1], "b");
    cr_assert_eq(create->n_labels, 1);
    cr_assert_str_eq(create->labels[0]->value, "v\xc3\xa9");
    cr_assert(create->stopped);
    cr_assert_eq(create->on_failure, WIRE__ON_FAILURE__ON_FAILURE_RESTART);
    cr_assert_eq(create->where, WIRE__WHERE__WHERE_HERE);
    cr_assert_str_eq(create->spread, "", "a field left out is empty, never NULL");
}

Test(api_json, nested_messages_and_bytes_are_filled, .init = begin)
{
    Wire__QuotaSet *quota = fill(
        &wire__quota_set__descriptor,
        "{\"floor\":{},\"cap\":{\"vcpus\":4,\"memory_bytes\":9223372036854775807}}",
        &nothing_given);
    cr_assert_not_null(quota);
    cr_assert_not_null(quota->floor);
    cr_assert_eq(quota->floor->vcpus, 0);
    cr_assert_eq(quota->cap->memory_bytes, UINT64_C(9223372036854775807));
    Wire__ImageCreate *image =
        fill(&wire__image_create__descriptor, "{\"kernel_sha256\":\"00ff10\"}", &nothing_given);
    cr_assert_not_null(image);
    cr_assert_eq(image->kernel_sha256.len, 3);
    cr_assert_eq(image->kernel_sha256.data[1], 0xff);
}

struct refusal {
    const char *text;
    const char *pointer;
};

Test(api_json, each_unclean_body_is_refused_where_it_is_wrong, .init = begin)
{
    static const struct refusal refusals[] = {
        { "{\"nmae\":\"x\"}", "/nmae" },
        { "{\"a/b~c\":1}", "/a~1b~0c" },
        { "{\"name\":1}", "/name" },
        { "{\"name\":true}", "/name" },
        { "{\"name\":null}", "/name" },
        { "{\"name\":[\"x\"]}", "/name" },
        { "{\"name\":{}}", "/name" },
        { "{\"name\":\"a\\u0007\"}", "/name" },
        { "{\"name\":\"a\\u009b\"}", "/name" },
        { "{\"name\":\"a\\n\"}", "/name" },
        { "{\"vcpus\":\"2\"}", "/vcpus" },
        { "{\"vcpus\":-1}", "/vcpus" },
        { "{\"vcpus\":4294967296}", "/vcpus" },
        { "{\"vcpus\":2.0}", "/vcpus" },
        { "{\"vcpus\":2e0}", "/vcpus" },
        { "{\"memory_bytes\":-5}", "/memory_bytes" },
        { "{\"stopped\":1}", "/stopped" },
        { "{\"stopped\":\"true\"}", "/stopped" },
        { "{\"on_failure\":\"RESTART\"}", "/on_failure" },
        { "{\"on_failure\":\"unset\"}", "/on_failure" },
        { "{\"on_failure\":1}", "/on_failure" },
        { "{\"networks\":\"a\"}", "/networks" },
        { "{\"networks\":[\"a\",7]}", "/networks/1" },
        { "{\"labels\":[{\"key\":\"k\"},{\"kee\":\"k\"}]}", "/labels/1/kee" },
        { "{\"labels\":[\"k=v\"]}", "/labels/0" },
        { "{\"name\":\"x\",\"name\":\"y\"}", "" },
        { "{\"labels\":[{\"key\":\"a\",\"key\":\"b\"}]}", "" },
        { "{\"memory_bytes\":18446744073709551616}", "" },
        { "{\"name\":\"\xff\"}", "" },
        { "{\"name\":\"\xc0\xaf\"}", "" },
        { "{\"name\":\"\xed\xa0\x80\"}", "" },
        { "{\"name\":\"a\\u0000b\"}", "" },
        { "{\"name\":\"a\tb\"}", "" },
        { "{\"name\":\"x\"} x", "" },
        { "{\"name\":\"x\",}", "" },
        { "{\"name\":\"x\"", "" },
        { "{name:\"x\"}", "" },
        { "{\"vcpus\":02}", "" },
        { "{\"vcpus\":NaN}", "" },
        { "[]", "" },
        { "null", "" },
        { "\"x\"", "" },
        { "", "" },
        { "{\"a\":[[[[[[[[[[[[1]]]]]]]]]]]]}", "" },
    };
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        void *message = fill(&wire__instance_create__descriptor, refusals[i].text, &nothing_given);
        cr_assert_null(message, "accepted: %s", refusals[i].text);
        cr_assert_str_eq(
            problem.pointer, refusals[i].pointer, "%s: %s", refusals[i].text, problem.pointer);
        cr_assert_neq(problem.detail[0], '\0');
    }
}

Test(api_json, hex_is_lower_case_and_even, .init = begin)
{
    static const char *const texts[] = {
        "{\"kernel_sha256\":\"0\"}",
        "{\"kernel_sha256\":\"0G\"}",
        "{\"kernel_sha256\":\"AB\"}",
        "{\"kernel_sha256\":7}",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        cr_assert_null(fill(&wire__image_create__descriptor, texts[i], &nothing_given));
        cr_assert_str_eq(problem.pointer, "/kernel_sha256");
    }
}

Test(api_json, what_the_address_says_the_body_may_not_say_again, .init = begin)
{
    struct json_given given = { .names = { "tenant" } };
    cr_assert_null(
        fill(&wire__instance_create__descriptor, "{\"tenant\":\"acme\",\"name\":\"x\"}", &given));
    cr_assert_str_eq(problem.pointer, "/tenant");
    cr_assert_not_null(
        fill(&wire__instance_create__descriptor, "{\"tenant\":\"acme\"}", &nothing_given));
}

Test(api_json, a_secret_becomes_its_digest_and_no_digest_is_taken_for_it, .init = begin)
{
    struct json_given given = { .secret = true };
    /* SHA-256 of sixteen zero bytes. */
    static const uint8_t digest[4] = { 0x37, 0x47, 0x08, 0xff };
    Wire__Join *join = fill(
        &wire__join__descriptor,
        "{\"kind\":\"node\",\"secret\":\"00000000000000000000000000000000\"}",
        &given);
    cr_assert_not_null(join);
    cr_assert_eq(join->secret_sha256.len, 32);
    cr_assert_eq(memcmp(join->secret_sha256.data, digest, sizeof(digest)), 0);
    cr_assert_null(fill(&wire__join__descriptor, "{\"secret_sha256\":\"00\"}", &given));
    cr_assert_str_eq(problem.pointer, "/secret_sha256");
    cr_assert_null(fill(&wire__join__descriptor, "{\"secret\":\"00\"}", &given), "too short");
    cr_assert_null(
        fill(
            &wire__join__descriptor,
            "{\"secret\":\"00000000000000000000000000000000\"}",
            &nothing_given),
        "only join takes a secret");
}

Test(api_json, ids_of_the_machine_cannot_be_set_by_a_body, .init = begin)
{
    cr_assert_null(fill(&wire__list__descriptor, "{\"after\":7}", &nothing_given));
    cr_assert_str_eq(problem.pointer, "/after");
}

Test(api_json, a_body_has_its_bounds, .init = begin)
{
    enum { SIZE = 200 * 1024 };
    char *text = malloc(SIZE);
    cr_assert_not_null(text);
    size_t used = (size_t)snprintf(text, SIZE, "{\"networks\":[\"a\"");
    for (int i = 1; i < 65; i++) {
        used += (size_t)snprintf(text + used, SIZE - used, ",\"a\"");
    }
    (void)snprintf(text + used, SIZE - used, "]}");
    cr_assert_null(fill(&wire__instance_create__descriptor, text, &nothing_given));
    cr_assert_str_eq(problem.pointer, "/networks");
    free(text);
}

Test(api_json, a_batch_is_read_item_by_item, .init = begin)
{
    static struct json_batch_item items[LIMIT_BATCH];
    uint32_t count = 0;
    struct json *document = json_read(
        slice_text("{\"requests\":[{\"method\":\"POST\",\"path\":\"/v1/tenants\","
                   "\"idempotency_key\":\"k1\",\"body\":{\"name\":\"a\"}},"
                   "{\"method\":\"GET\",\"path\":\"/v1/nodes\"}]}"),
        &problem);
    cr_assert_not_null(document);
    cr_assert(json_batch(document, items, &count, &problem));
    cr_assert_eq(count, 2);
    cr_assert_str_eq(items[0].idempotency_key, "k1");
    cr_assert_not_null(items[0].body);
    cr_assert_null(items[1].body);
    cr_assert_str_eq(items[1].idempotency_key, "");
}

Test(api_json, a_batch_that_is_none_is_refused, .init = begin)
{
    static struct json_batch_item items[LIMIT_BATCH];
    static const struct refusal refusals[] = {
        { "{}", "" },
        { "{\"requests\":[]}", "/requests" },
        { "{\"requests\":{}}", "" },
        { "{\"requests\":[{}],\"more\":1}", "" },
        { "{\"requests\":[1]}", "/requests/0" },
        { "{\"requests\":[{\"method\":\"GET\"}]}", "/requests/0" },
        { "{\"requests\":[{\"method\":\"GETGETGET\",\"path\":\"/\"}]}", "/requests/0/method" },
        { "{\"requests\":[{\"method\":\"GET\",\"path\":\"/\",\"body\":[]}]}", "/requests/0/body" },
        { "{\"requests\":[{\"method\":\"GET\",\"path\":\"/\",\"key\":\"x\"}]}", "/requests/0/key" },
    };
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        uint32_t count = 0;
        struct json *document = json_read(slice_text(refusals[i].text), &problem);
        cr_assert_not_null(document);
        cr_assert_not(json_batch(document, items, &count, &problem), "%s", refusals[i].text);
        cr_assert_str_eq(problem.pointer, refusals[i].pointer, "%s", refusals[i].text);
    }
}

/* ---- Answers ---- */

static const char *written(const ProtobufCMessage *message)
{
    static char room[8192];
    struct out out;
    struct slice text = SLICE_EMPTY;
    out_init(&out, room, sizeof(room) - 1);
    message_write(&out, message);
    cr_assert(out_done(&out, &text));
    room[text.size] = '\0';
    return room;
}

Test(api_write, a_view_shows_every_field_and_leaves_out_messages_that_are_not_there)
{
    Wire__TenantView view = WIRE__TENANT_VIEW__INIT;
    view.id = "x";
    view.created_at = UINT64_C(1793970732123);
    cr_assert_str_eq(
        written(&view.base),
        "{\"id\":\"x\",\"name\":\"\",\"created_at\":\"2026-11-06T13:12:12.123Z\",\"revision\":0}");
    Wire__NodeView node = WIRE__NODE_VIEW__INIT;
    cr_assert_null(strstr(written(&node.base), "\"place\""));
    cr_assert_not_null(strstr(written(&node.base), "\"liveness\":\"unset\""));
    cr_assert_not_null(strstr(written(&node.base), "\"fallbacks\":[]"));
    cr_assert_not_null(strstr(written(&node.base), "\"created_at\":null"));
}

Test(api_write, nesting_repeats_enums_and_bytes_are_written)
{
    Wire__Label label = WIRE__LABEL__INIT;
    label.key = "a\"b\\";
    label.value = "\xe5\x8d\xaf";
    Wire__Label *labels[] = { &label, &label };
    Wire__InstanceView view = WIRE__INSTANCE_VIEW__INIT;
    view.state = WIRE__INSTANCE_STATE__INSTANCE_STATE_RUNNING;
    view.memory_bytes = UINT64_MAX;
    view.n_labels = 2;
    view.labels = labels;
    const char *text = written(&view.base);
    cr_assert_not_null(strstr(text, "\"state\":\"running\""));
    cr_assert_not_null(strstr(text, "\"memory_bytes\":18446744073709551615"));
    cr_assert_not_null(
        strstr(text, "\"labels\":[{\"key\":\"a\\\"b\\\\\",\"value\":\"\xe5\x8d\xaf\"},{"));
    uint8_t bytes[] = { 0x00, 0xab };
    Wire__ImageView image = WIRE__IMAGE_VIEW__INIT;
    image.kernel_sha256.data = bytes;
    image.kernel_sha256.len = sizeof(bytes);
    cr_assert_not_null(strstr(written(&image.base), "\"kernel_sha256\":\"00ab\""));
}

Test(api_write, what_does_not_fit_is_said_and_never_cut)
{
    char room[16];
    struct out out;
    struct slice text = SLICE_EMPTY;
    Wire__TenantView view = WIRE__TENANT_VIEW__INIT;
    out_init(&out, room, sizeof(room));
    message_write(&out, &view.base);
    cr_assert_not(out_done(&out, &text));
}

Test(api_write, times_go_both_ways)
{
    static const uint64_t times[] = { 1, 999, 951782400000, 1709164800000, 253402300799999 };
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        char text[TIME_TEXT_SIZE];
        uint64_t back = 0;
        time_format(times[i], text);
        cr_assert(time_parse(text, &back), "%s", text);
        cr_assert_eq(back, times[i], "%s", text);
    }
    static const char *const wrong[] = {
        "2026-02-29T00:00:00Z",      "2026-13-01T00:00:00Z",   "2026-01-01T24:00:00Z",
        "2026-01-01T00:00:00",       "2026-01-01 00:00:00Z",   "1969-12-31T23:59:59Z",
        "2026-01-01T00:00:00+09:00", "2026-01-01T00:00:00.1Z", "",
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        uint64_t back = 0;
        cr_assert_not(time_parse(wrong[i], &back), "%s", wrong[i]);
    }
}

Test(api_json, a_zero_byte_behind_a_number_is_refused_in_its_own_words, .init = begin)
{
    static const char text[] = "{\"vcpus\":2\0}"; /* jansson takes it, and says 2. */
    cr_assert_null(json_read(slice_of(text, sizeof(text) - 1), &problem));
    cr_assert_eq(problem.status, 400);
    cr_assert_str_eq(problem.detail, "A zero byte is in no JSON.");
}
