/* Decides what is sent for an invocation: the table's path, filled; its query; its body.
 * Never sends it. */
#include "cli/request.h"

#include "audit/sha256.h"
#include "base/check.h"
#include "cli/words.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { QUANTITIES = 4 }; /* vcpus, memory, instances, networks. */

static bool complain(struct invocation *invocation, const char *sentence, const char *about)
{
    CHECK(sentence != NULL);
    (void)snprintf(invocation->message, ARGS_MESSAGE, "%s: %.150s", sentence, about);
    return false;
}

/* What stands in {slot}: an operand, a flag with PLACE_PATH, or the tenant of the settings. */
static const char *slot_value(
    const struct invocation *invocation, const struct settings *settings, const char *slot)
{
    char upper[32];
    size_t size = strlen(slot);
    CHECK(size < sizeof(upper));
    for (size_t i = 0; i <= size; i++) {
        upper[i] = (char)toupper((unsigned char)slot[i]);
    }
    const char *text = args_operand(invocation, upper);
    if (text != NULL) {
        return text;
    }
    for (const struct flag *flag = invocation->verb->flags; flag->name != NULL; flag++) {
        if (flag->place == PLACE_PATH && strcmp(flag->field, slot) == 0) {
            return args_text(invocation, flag->name);
        }
    }
    bool tenant = strcmp(slot, "tenant") == 0 && settings->tenant[0] != '\0';
    return tenant ? settings->tenant : NULL;
}

/* Copies `size` bytes of a template, filling slots. False: a slot has no value, or no room. */
static bool fill(
    const struct invocation *invocation,
    const struct settings *settings,
    const char *template,
    size_t size,
    char path[HTTP_URL_MAX],
    char missing[32])
{
    size_t used = strlen(path);
    missing[0] = '\0';
    for (size_t at = 0; at < size; at++) {
        CHECK(used < HTTP_URL_MAX);
        if (template[at] != '{') {
            if (used + 1 >= HTTP_URL_MAX) {
                return false;
            }
            path[used] = template[at];
            used++;
            path[used] = '\0';
            continue;
        }
        size_t length = strcspn(template + at + 1, "}");
        CHECK(length < 32);
        memcpy(missing, template + at + 1, length);
        missing[length] = '\0';
        const char *value = slot_value(invocation, settings, missing);
        if (value == NULL || !http_escape(value, path + used, HTTP_URL_MAX - used)) {
            return false;
        }
        missing[0] = '\0';
        used += strlen(path + used);
        at += length + 1;
    }
    return true;
}

bool request_path(
    struct invocation *invocation, const struct settings *settings, char path[HTTP_URL_MAX])
{
    const char *template = invocation->verb->path;
    char missing[32];
    CHECK(template != NULL);
    path[0] = '\0';
    while (*template != '\0') {
        bool optional = *template == '[';
        size_t size = optional ? strcspn(template, "]") - 1 : strcspn(template, "[");
        size_t before = strlen(path);
        if (!fill(invocation, settings, template + (optional ? 1 : 0), size, path, missing)) {
            if (!optional) {
                return complain(
                    invocation,
                    say("not known: give it as a flag, in the environment or in the context",
                        "不明。フラグ、環境変数、コンテキストのいずれかで指定する"),
                    missing);
            }
            path[before] = '\0';
        }
        template += size + (optional ? 2 : 0);
    }
    CHECK(path[0] == '/');
    return true;
}

bool request_query(char path[static HTTP_URL_MAX], const char *name, const char *value)
{
    size_t used = strlen(path);
    CHECK(name != NULL);
    CHECK(value != NULL);
    char separator = strchr(path, '?') == NULL ? '?' : '&';
    int length = snprintf(path + used, HTTP_URL_MAX - used, "%c%s=", separator, name);
    if (length < 0 || (size_t)length >= HTTP_URL_MAX - used) {
        return false;
    }
    used += (size_t)length;
    return http_escape(value, path + used, HTTP_URL_MAX - used);
}

/* 64 hex digits as they are, or the digest of the file of that name. */
static struct json_t *digest_doc(const char *text)
{
    char hex[2 * SHA256_SIZE + 1] = { 0 };
    CHECK(text != NULL);
    if (strlen(text) == 2 * SHA256_SIZE && strspn(text, "0123456789abcdef") == 2 * SHA256_SIZE) {
        return doc_of_text(text);
    }
    FILE *file = fopen(text, "rbe");
    if (file == NULL) {
        return NULL;
    }
    struct sha256 sha;
    uint8_t digest[SHA256_SIZE];
    uint8_t block[16 * 1024];
    sha256_start(&sha);
    for (size_t got = fread(block, 1, sizeof(block), file); got > 0;
         got = fread(block, 1, sizeof(block), file)) {
        sha256_add(&sha, slice_of(block, got));
    }
    bool whole = !ferror(file);
    (void)fclose(file); /* Only read. */
    sha256_end(&sha, digest);
    for (size_t i = 0; i < SHA256_SIZE; i++) {
        (void)snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    }
    return whole ? doc_of_text(hex) : NULL;
}

/* vcpus=4,memory=8G,… → the Quantities object. */
static struct json_t *quantities_doc(const char *text)
{
    static const char *const names[] = { "vcpus", "memory", "instances", "networks" };
    struct json_t *object = doc_object();
    bool good = object != NULL && *text != '\0';
    while (good && *text != '\0') {
        size_t size = strcspn(text, ",");
        char pair[64];
        good = size < sizeof(pair);
        if (!good) {
            break;
        }
        memcpy(pair, text, size);
        pair[size] = '\0';
        text += size + (text[size] == ',' ? 1U : 0U);
        char *equals = strchr(pair, '=');
        good = false;
        for (size_t i = 0; equals != NULL && i < COUNT_OF(names); i++) {
            size_t length = (size_t)(equals - pair);
            uint64_t number = 0;
            if (strlen(names[i]) != length || memcmp(pair, names[i], length) != 0) {
                continue;
            }
            bool memory = strcmp(names[i], "memory") == 0;
            const char *key = memory ? "memory_bytes" : names[i];
            good = doc_get(object, key) == NULL &&
                   (memory ? args_bytes(equals + 1, &number) : args_number(equals + 1, &number)) &&
                   doc_set(object, key, doc_of_number(number));
        }
    }
    if (!good) {
        doc_free(object);
        return NULL;
    }
    CHECK(doc_count(object) > 0);
    return object;
}

static struct json_t *label_doc(const char *text)
{
    const char *equals = strchr(text, '=');
    char key[LIMIT_LABEL_KEY];
    CHECK(text != NULL);
    if (equals == NULL || equals == text || (size_t)(equals - text) >= sizeof(key)) {
        return NULL;
    }
    memcpy(key, text, (size_t)(equals - text));
    key[equals - text] = '\0';
    struct json_t *label = doc_object();
    bool good = doc_set(label, "key", doc_of_text(key));
    good = doc_set(label, "value", doc_of_text(equals + 1)) && good;
    CHECK(label != NULL || !good);
    if (!good) {
        doc_free(label);
        return NULL;
    }
    return label;
}

/* NULL when the text is not of the flag's form. */
static struct json_t *value_doc(const struct flag *flag, const char *text)
{
    uint64_t number = 0;
    CHECK(text != NULL);
    switch (flag->type) {
    case FLAG_SWITCH: return doc_of_bool(true);
    case FLAG_TEXT:
    case FLAG_CHOICE: return doc_of_text(text);
    case FLAG_NUMBER: return args_number(text, &number) ? doc_of_number(number) : NULL;
    case FLAG_BYTES: return args_bytes(text, &number) ? doc_of_number(number) : NULL;
    case FLAG_SECONDS: return args_seconds(text, &number) ? doc_of_number(number) : NULL;
    case FLAG_TIME: return args_time(text) ? doc_of_text(text) : NULL;
    case FLAG_DIGEST: return digest_doc(text);
    case FLAG_QUANTITIES: return quantities_doc(text);
    case FLAG_LABEL: return label_doc(text);
    }
    UNREACHABLE();
}

static bool set_member(struct json_t *body, const struct flag *flag, struct json_t *value)
{
    CHECK(flag->place == PLACE_BODY);
    CHECK(value != NULL);
    if (!flag->many) {
        return doc_set(body, flag->field, value);
    }
    struct json_t *list = doc_get(body, flag->field);
    if (list != NULL) {
        return doc_append(list, value);
    }
    list = doc_list();
    return doc_append(list, value) ? doc_set(body, flag->field, list) : (doc_free(list), false);
}

/* What the flag wants, for who gave something else. */
static const char *form_of(const struct flag *flag)
{
    CHECK(flag->name != NULL);
    switch (flag->type) {
    case FLAG_NUMBER: return say("a whole number", "整数");
    case FLAG_BYTES: return say("a size such as 512M or 2G", "512M や 2G などの大きさ");
    case FLAG_SECONDS: return say("a time such as 90s, 5m or 2h", "90s や 5m、2h などの時間");
    case FLAG_TIME: return "2026-01-31T12:00:00Z";
    case FLAG_DIGEST:
        return say("a readable file or 64 digits 0-9 a-f", "読めるファイルか16進64桁");
    case FLAG_SWITCH:
    case FLAG_TEXT:
    case FLAG_CHOICE:
    case FLAG_QUANTITIES:
    case FLAG_LABEL: return flag->value;
    }
    UNREACHABLE();
}

static bool bad_value(struct invocation *invocation, const struct flag *flag, const char *text)
{
    CHECK(text != NULL);
    (void)snprintf(
        invocation->message,
        ARGS_MESSAGE,
        "%s: --%s %.80s (%s %s)",
        say("bad value", "値が不正"),
        flag->name,
        text,
        say("wanted:", "形式:"),
        form_of(flag));
    return false;
}

/* `quota set` replaces a whole limit: what is left out would silently become 0. */
static bool is_whole(
    struct invocation *invocation, const struct flag *flag, const struct json_t *value)
{
    const struct verb *verb = invocation->verb;
    CHECK(value != NULL);
    if (flag->type != FLAG_QUANTITIES || strcmp(verb->noun, "quota") != 0 ||
        doc_count(value) == QUANTITIES) {
        return true;
    }
    return complain(
        invocation,
        say("all four must be named (quota show has what stands), what is left out would be 0",
            "4つとも要る(現在値は quota show)。省いたものは0になる"),
        flag->name);
}

bool request_body(struct invocation *invocation, struct json_t *body)
{
    CHECK(body != NULL);
    for (uint32_t i = 0; i < invocation->values_count; i++) {
        const struct flag *flag = invocation->values[i].flag;
        if (flag->place != PLACE_BODY) {
            continue;
        }
        struct json_t *value = value_doc(flag, invocation->values[i].text);
        if (value == NULL) {
            return bad_value(invocation, flag, invocation->values[i].text);
        }
        if (!is_whole(invocation, flag, value)) {
            doc_free(value);
            return false;
        }
        if (!set_member(body, flag, value)) {
            return complain(invocation, say("bad value", "値が不正"), flag->name);
        }
    }
    return true;
}

static bool build_query(struct invocation *invocation, char path[static HTTP_URL_MAX])
{
    CHECK(path[0] == '/');
    for (uint32_t i = 0; i < invocation->values_count; i++) {
        const struct flag *flag = invocation->values[i].flag;
        char word[256];
        if (flag->place != PLACE_QUERY) {
            continue;
        }
        const char *text = invocation->values[i].text;
        bool as_it_is = flag->type == FLAG_LABEL; /* key=value in one parameter. */
        struct json_t *value = value_doc(flag, text);
        if (value == NULL || strlen(text) >= sizeof(word)) {
            doc_free(value);
            return bad_value(invocation, flag, text);
        }
        doc_words(value, word, sizeof(word));
        doc_free(value);
        if (!request_query(path, flag->field, as_it_is ? text : word)) {
            return complain(invocation, say("too long", "長すぎる"), flag->name);
        }
    }
    return true;
}

/* Operands that the path has no slot for are members of the body. */
static bool build_operands(struct invocation *invocation, struct json_t *body)
{
    char name[32];
    bool optional = false;
    for (uint32_t i = 0; verbs_operand(invocation->verb, i, name, sizeof(name), &optional); i++) {
        char lower[36] = "{";
        size_t size = strlen(name);
        CHECK(size + 2 < sizeof(lower));
        for (size_t c = 0; c < size; c++) {
            lower[c + 1] = (char)tolower((unsigned char)name[c]);
        }
        lower[size + 1] = '}';
        if (i >= invocation->operands_count || strstr(invocation->verb->path, lower) != NULL) {
            continue;
        }
        lower[size + 1] = '\0';
        if (!doc_set(body, lower + 1, doc_of_text(invocation->operands[i]))) {
            return complain(invocation, say("not UTF-8", "UTF-8でない"), name);
        }
    }
    return true;
}

bool request_build(
    struct invocation *invocation, const struct settings *settings, struct request *request_out)
{
    CHECK(invocation->verb != NULL);
    memset(request_out, 0, sizeof(*request_out));
    if (!request_path(invocation, settings, request_out->path) ||
        !build_query(invocation, request_out->path)) {
        return false;
    }
    struct json_t *body = doc_object();
    if (body == NULL) {
        return complain(invocation, say("memory is out", "メモリ不足"), "");
    }
    bool good = build_operands(invocation, body) && request_body(invocation, body);
    const char *role = doc_text(doc_get(body, "role"));
    if (good && role != NULL && strcmp(role, "tenant") == 0) {
        good =
            settings->tenant[0] != '\0' && doc_set(body, "tenant", doc_of_text(settings->tenant));
        if (!good) {
            (void)complain(invocation, say("this role needs", "この役割に必要"), "--tenant");
        }
    }
    if (!good) {
        doc_free(body);
        return false;
    }
    request_out->body = body;
    return true;
}

void request_free(struct request *request)
{
    CHECK(request != NULL);
    doc_free(request->body);
    request->body = NULL;
}
