/* Decides which value wins: flag, environment, context, default. Never talks to anyone. */
#include "cli/settings.h"

#include "base/check.h"
#include "cli/words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool put(char *room, size_t size, const char *text)
{
    CHECK(text != NULL);
    size_t length = strlen(text);
    if (length >= size) {
        return false;
    }
    memcpy(room, text, length + 1);
    return true;
}

static bool complain(struct invocation *invocation, const char *sentence, const char *about)
{
    CHECK(sentence != NULL);
    (void)snprintf(invocation->message, ARGS_MESSAGE, "%s: %.150s", sentence, about);
    return false;
}

bool settings_output_parse(const char *text, enum output_format *output_out)
{
    static const char *const names[] = {
        [OUTPUT_TABLE] = "table", [OUTPUT_WIDE] = "wide", [OUTPUT_JSON] = "json",
        [OUTPUT_JSONL] = "jsonl", [OUTPUT_YAML] = "yaml", [OUTPUT_CSV] = "csv",
        [OUTPUT_NAME] = "name",
    };
    CHECK(text != NULL);
    for (size_t i = OUTPUT_TABLE; i < COUNT_OF(names); i++) {
        if (strcmp(text, names[i]) == 0) {
            *output_out = (enum output_format)i;
            return true;
        }
    }
    return false;
}

static bool endpoint_add(struct settings *settings, const char *text, size_t length)
{
    static const char scheme[] = "https://";
    CHECK(settings->endpoints_count <= SETTINGS_ENDPOINTS);
    bool bare = memmem(text, length, "://", 3) == NULL;
    if (length == 0 || settings->endpoints_count == SETTINGS_ENDPOINTS ||
        (!bare && (length < 9 || memcmp(text, scheme, 8) != 0))) {
        return false;
    }
    while (length > 0 && text[length - 1] == '/') {
        length--;
    }
    if (length <= (bare ? 0 : sizeof(scheme) - 1)) {
        return false; /* Slashes are nobody's address. */
    }
    char *room = settings->endpoints[settings->endpoints_count];
    int written = snprintf(room, SETTINGS_URL, "%s%.*s", bare ? scheme : "", (int)length, text);
    if (written < 0 || written >= SETTINGS_URL) {
        return false;
    }
    settings->endpoints_count++;
    return true;
}

bool settings_endpoints_add(struct settings *settings, const char *text)
{
    CHECK(text != NULL);
    while (*text != '\0') {
        size_t length = strcspn(text, ", ");
        if (!endpoint_add(settings, text, length)) {
            return false;
        }
        text += length + strspn(text + length, ", ");
    }
    return true;
}

static struct json_t *find_context(struct invocation *invocation, struct json_t *config)
{
    const char *name = args_text(invocation, "context");
    if (name == NULL) {
        name = getenv("UDATSU_CONTEXT");
    }
    bool named = name != NULL && *name != '\0';
    if (!named) {
        name = doc_text(doc_get(config, "current"));
    }
    struct json_t *context = name == NULL ? NULL : doc_get(doc_get(config, "contexts"), name);
    if (named && context == NULL) {
        (void)complain(invocation, say("no such context", "そのコンテキストはない"), name);
    }
    return context;
}

/* Flag, environment, context; NULL when none says anything. */
static const char *pick(
    const struct invocation *invocation,
    const char *flag,
    const char *variable,
    const struct json_t *context)
{
    CHECK(flag != NULL);
    const char *text = args_text(invocation, flag);
    if (text == NULL || *text == '\0') {
        text = variable == NULL ? NULL : getenv(variable);
    }
    if (text == NULL || *text == '\0') {
        text = doc_text(doc_get(context, flag));
    }
    return text;
}

static bool resolve_files(
    struct invocation *invocation, const struct json_t *context, struct settings *settings)
{
    const struct {
        const char *flag;
        const char *variable;
        char *room;
        size_t size;
    } rows[] = {
        { "ca", "UDATSU_CA", settings->ca, sizeof(settings->ca) },
        { "cert", "UDATSU_CERT", settings->cert, sizeof(settings->cert) },
        { "key", "UDATSU_KEY", settings->key, sizeof(settings->key) },
        { "tenant", "UDATSU_TENANT", settings->tenant, sizeof(settings->tenant) },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *text = pick(invocation, rows[i].flag, rows[i].variable, context);
        if (text != NULL && !put(rows[i].room, rows[i].size, text)) {
            return complain(invocation, say("value too long", "値が長すぎる"), rows[i].flag);
        }
    }
    return true;
}

static bool resolve_endpoints(
    struct invocation *invocation, const struct json_t *context, struct settings *settings)
{
    const char *text = pick(invocation, "endpoints", "UDATSU_ENDPOINTS", NULL);
    if (text != NULL && *text != '\0') {
        return settings_endpoints_add(settings, text) ||
               complain(invocation, say("bad endpoints", "宛先が不正"), text);
    }
    const struct json_t *list = doc_get(context, "endpoints");
    for (size_t i = 0; i < doc_count(list); i++) {
        const char *url = doc_text(doc_at(list, i));
        if (url == NULL || !settings_endpoints_add(settings, url)) {
            return complain(
                invocation,
                say("bad endpoints in the context", "コンテキストの宛先が不正"),
                url == NULL ? "" : url);
        }
    }
    return true;
}

static bool resolve_rest(struct invocation *invocation, struct settings *settings)
{
    const char *output = args_text(invocation, "output");
    if (output == NULL) {
        output = getenv("UDATSU_OUTPUT");
    }
    if (output != NULL && *output != '\0' && !settings_output_parse(output, &settings->output)) {
        return complain(invocation, say("unknown output format", "知らない出力形式"), output);
    }
    const char *timeout = args_text(invocation, "timeout");
    if (timeout != NULL && !args_seconds(timeout, &settings->timeout_seconds)) {
        return complain(invocation, say("bad timeout", "待ち時間が不正"), timeout);
    }
    const char *key = args_text(invocation, "idempotency-key");
    if (key != NULL &&
        (*key == '\0' || !put(settings->idempotency_key, sizeof(settings->idempotency_key), key))) {
        return complain(invocation, say("bad idempotency key", "冪等キーが不正"), key);
    }
    if (args_given(invocation, "wait") && args_given(invocation, "no-wait")) {
        return complain(invocation, say("choose one", "どちらか一方"), "--wait, --no-wait");
    }
    settings->wait = !args_given(invocation, "no-wait");
    settings->yes = args_given(invocation, "yes");
    settings->verbose = args_given(invocation, "verbose");
    return true;
}

bool settings_resolve(struct invocation *invocation, struct settings *settings_out)
{
    CHECK(invocation->verb != NULL);
    memset(settings_out, 0, sizeof(*settings_out));
    settings_out->output = OUTPUT_TABLE;
    settings_out->timeout_seconds = SETTINGS_TIMEOUT;
    invocation->message[0] = '\0';
    if (!resolve_rest(invocation, settings_out)) {
        return false;
    }
    struct json_t *config = settings_config_load();
    if (config == NULL) {
        return complain(
            invocation, say("the configuration is not readable", "設定が読めない"), "config");
    }
    struct json_t *context = find_context(invocation, config);
    /* `context add --context` names what it writes; the others need it to exist. */
    bool good = invocation->message[0] == '\0' &&
                resolve_files(invocation, context, settings_out) &&
                resolve_endpoints(invocation, context, settings_out);
    doc_free(config);
    return good;
}
