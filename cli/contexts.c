/* Decides what a context holds and which one is current. Never stores a secret: files are named. */
#include "base/check.h"
#include "base/slice.h"
#include "cli/output.h"
#include "cli/session.h"
#include "cli/words.h"

#include <stdlib.h>
#include <string.h>

static enum exit_status broken(struct session *session)
{
    char path[SETTINGS_PATH] = "~/.config/udatsu/config";
    CHECK(session != NULL);
    (void)settings_config_path(path); /* The default above says enough without a home. */
    problem_say(
        session->err,
        say("the configuration cannot be read or written", "設定を読み書きできない"),
        path,
        NULL,
        NULL);
    return EXIT_FAILED;
}

/* One row for people, made from one member of "contexts". */
static struct json_t *row_of(const char *name, const struct json_t *context, const char *current)
{
    static const char *const keys[] = { "endpoints", "tenant", "ca", "cert", "key" };
    struct json_t *row = doc_object();
    CHECK(name != NULL);
    bool good = doc_set(row, "name", doc_of_text(name));
    bool is_current = current != NULL && strcmp(current, name) == 0;
    good = doc_set(row, "current", doc_of_bool(is_current)) && good;
    for (size_t i = 0; i < COUNT_OF(keys) && good; i++) {
        struct json_t *value = doc_get(context, keys[i]);
        good = value == NULL || doc_set(row, keys[i], doc_share(value));
    }
    if (!good) {
        doc_free(row);
        return NULL;
    }
    return row;
}

enum exit_status run_context_ls(struct session *session)
{
    struct json_t *config = settings_config_load();
    struct json_t *rows = doc_list();
    struct json_t *contexts = doc_get(config, "contexts");
    const char *current = doc_text(doc_get(config, "current"));
    bool good = config != NULL && rows != NULL;
    for (void *m = contexts == NULL ? NULL : doc_first(contexts); m != NULL && good;
         m = doc_next(contexts, m)) {
        good = doc_append(rows, row_of(doc_member_key(m), doc_member_value(m), current));
    }
    enum exit_status status = EXIT_DONE;
    CHECK(session->columns != NULL);
    if (!good) {
        status = broken(session);
    } else {
        bool printed = output_list(session->out, session->settings.output, session->columns, rows);
        status = session_printed(session, printed);
    }
    doc_free(rows);
    doc_free(config);
    return status;
}

static enum exit_status save(struct session *session, const struct json_t *config)
{
    CHECK(config != NULL);
    struct result saved = settings_config_save(config);
    CHECK(saved.code < FAILURE_END);
    return saved.code == 0 ? EXIT_DONE : broken(session);
}

enum exit_status run_context_use(struct session *session)
{
    const char *name = args_operand(&session->invocation, "NAME");
    struct json_t *config = settings_config_load();
    CHECK(name != NULL);
    if (config == NULL) {
        return broken(session);
    }
    enum exit_status status = EXIT_NOT_FOUND;
    if (doc_get(doc_get(config, "contexts"), name) == NULL) {
        problem_say(
            session->err,
            say("there is no such context", "そのコンテキストはない"),
            name,
            "udatsu context ls",
            NULL);
    } else if (!doc_set(config, "current", doc_of_text(name))) {
        status = session_no_memory(session);
    } else {
        status = save(session, config);
    }
    doc_free(config);
    return status;
}

/* Relative file names would mean another file tomorrow. */
static bool set_file(struct json_t *context, const char *key, const char *path)
{
    CHECK(key != NULL);
    if (*path == '\0') {
        return true;
    }
    char *whole = realpath(path, NULL);
    bool good = doc_set(context, key, doc_of_text(whole == NULL ? path : whole));
    free(whole);
    return good;
}

static struct json_t *context_doc(const struct settings *settings)
{
    struct json_t *context = doc_object();
    struct json_t *endpoints = doc_list();
    CHECK(settings->endpoints_count <= SETTINGS_ENDPOINTS);
    bool good = true;
    for (uint32_t i = 0; i < settings->endpoints_count; i++) {
        good = doc_append(endpoints, doc_of_text(settings->endpoints[i])) && good;
    }
    good = doc_set(context, "endpoints", endpoints) && good;
    good = good && set_file(context, "ca", settings->ca);
    good = good && set_file(context, "cert", settings->cert);
    good = good && set_file(context, "key", settings->key);
    if (good && settings->tenant[0] != '\0') {
        good = doc_set(context, "tenant", doc_of_text(settings->tenant));
    }
    if (!good) {
        doc_free(context);
        return NULL;
    }
    return context;
}

enum exit_status run_context_add(struct session *session)
{
    const char *name = args_operand(&session->invocation, "NAME");
    CHECK(name != NULL);
    if (!text_is_name(name) || session->settings.endpoints_count == 0) {
        (void)snprintf(
            session->invocation.message,
            ARGS_MESSAGE,
            "%s: %.60s",
            say("a context needs a plain name and --endpoints", "名前と --endpoints が要る"),
            name);
        return session_usage(session);
    }
    struct json_t *config = settings_config_load();
    if (config == NULL) {
        return broken(session);
    }
    struct json_t *context = context_doc(&session->settings);
    struct json_t *contexts = doc_get(config, "contexts");
    bool good = true;
    if (contexts == NULL) {
        good = doc_set(config, "contexts", doc_object());
        contexts = doc_get(config, "contexts");
    }
    bool use = args_given(&session->invocation, "use") || doc_get(config, "current") == NULL;
    good = doc_set(contexts, name, context) && good; /* A name has no dot. */
    good = good && (!use || doc_set(config, "current", doc_of_text(name)));
    enum exit_status status = good ? save(session, config) : session_no_memory(session);
    CHECK(contexts != NULL || status != EXIT_DONE);
    doc_free(config);
    return status;
}
