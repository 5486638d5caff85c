/* Decides how the table's plain requests run: confirm, send, page, wait, print. */
#include "base/check.h"
#include "cli/output.h"
#include "cli/session.h"
#include "cli/words.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    RUN_BODY_MAX = 4 * 1024 * 1024, /* Bytes of an api body: a batch of 128 fits. */
    RUN_CONSOLE_TURNS = 65536,
};

/* The key of this write: the one given, else a fresh one. */
static bool key_of(struct session *session, char room[static LIMIT_IDEMPOTENCY_KEY])
{
    CHECK(sizeof(session->settings.idempotency_key) == LIMIT_IDEMPOTENCY_KEY);
    if (session->settings.idempotency_key[0] != '\0') {
        memcpy(room, session->settings.idempotency_key, LIMIT_IDEMPOTENCY_KEY);
        return true;
    }
    return client_key_make(room);
}

/* One object as the only row of a table. */
static enum exit_status print_row(struct session *session, const struct json_t *object)
{
    struct json_t *list = doc_list();
    CHECK(session->columns != NULL);
    bool printed = doc_append(list, doc_share((struct json_t *)(uintptr_t)object)) &&
                   output_list(session->out, session->settings.output, session->columns, list);
    doc_free(list);
    return session_printed(session, printed);
}

/* An operation is a row for people; what is shown is shown in full unless columns were chosen. */
static enum exit_status print_object(
    struct session *session, const struct json_t *object, bool as_row)
{
    enum output_format format = session->settings.output;
    CHECK(object != NULL);
    bool table = format == OUTPUT_TABLE || format == OUTPUT_WIDE;
    as_row = as_row || args_given(&session->invocation, "columns");
    if (table && as_row && session->columns != NULL) {
        return print_row(session, object);
    }
    return session_printed(session, output_one(session->out, format, session->columns, object));
}

static enum exit_status print_operation(struct session *session, const struct json_t *operation)
{
    return print_object(session, operation, doc_get(operation, "state") != NULL);
}

/* If-Match: the revision that was named; else, where the cell wants to be told, "whatever there is
 * now". NULL: nothing. False: the revision is no number. */
static bool match_of(struct session *session, char room[static 32], const char **match_out)
{
    const char *text = args_text(&session->invocation, "revision");
    const char *method = session->invocation.verb->method;
    uint64_t revision = 0;
    bool wanted = strcmp(method, "PUT") == 0 || strcmp(method, "DELETE") == 0;
    *match_out = wanted ? "*" : NULL;
    if (text == NULL) {
        return true;
    }
    if (!args_number(text, &revision)) {
        (void)snprintf(session->invocation.message, ARGS_MESSAGE, "--revision: %.60s", text);
        return false;
    }
    (void)snprintf(room, 32, "\"r%" PRIu64 "\"", revision);
    *match_out = room;
    return true;
}

static enum exit_status run_write(struct session *session, const struct request *request)
{
    char room[32];
    const char *match = NULL;
    if (!match_of(session, room, &match)) {
        return session_usage(session);
    }
    char key[LIMIT_IDEMPOTENCY_KEY];
    enum exit_status status = session_confirm(session);
    if (status != EXIT_DONE) {
        return status;
    }
    char *body = doc_count(request->body) == 0 ? NULL : doc_dump(request->body);
    CHECK(request->path[0] == '/');
    if (!key_of(session, key) || (body == NULL && doc_count(request->body) > 0)) {
        return session_no_memory(session);
    }
    struct call call = {
        .method = session->invocation.verb->method,
        .path = request->path,
        .body = body,
        .key = key,
        .if_match = match,
    };
    struct json_t *operation = NULL;
    status = session_call(session, &call, &operation);
    free(body);
    if (status == EXIT_DONE && session->settings.wait) {
        status = wait_operation(session, &operation);
    }
    if (operation != NULL) {
        enum exit_status printed = print_operation(session, operation);
        status = status == EXIT_DONE ? printed : status;
    }
    doc_free(operation);
    return status;
}

static enum exit_status run_list(struct session *session, const struct request *request)
{
    struct json_t *all = doc_list();
    CHECK(session->columns != NULL);
    if (all == NULL) {
        return session_no_memory(session);
    }
    enum exit_status status = pages_read(session, request->path, all);
    if (status == EXIT_DONE) {
        bool printed = output_list(session->out, session->settings.output, session->columns, all);
        status = session_printed(session, printed);
    }
    doc_free(all);
    return status;
}

static enum exit_status run_read(struct session *session, const struct request *request)
{
    struct call call = { .method = "GET", .path = request->path };
    struct json_t *doc = NULL;
    const struct verb *verb = session->invocation.verb;
    enum exit_status status = session_call(session, &call, &doc);
    if (status != EXIT_DONE) {
        return status;
    }
    CHECK(doc != NULL);
    bool cluster = strcmp(verb->noun, "cluster") == 0;
    enum output_format format = session->settings.output;
    status = cluster ? session_printed(session, output_cluster(session->out, format, doc))
                     : print_object(session, doc, false);
    doc_free(doc);
    return status;
}

/* explain capacity --lose rack=R, the way people say it. */
static bool add_lose(struct session *session, struct request *request)
{
    const char *lose = args_text(&session->invocation, "lose");
    CHECK(request->path[0] == '/');
    if (lose == NULL) {
        return true;
    }
    if (strncmp(lose, "rack=", 5) != 0 || lose[5] == '\0' ||
        args_given(&session->invocation, "lose-rack") ||
        !request_query(request->path, "lose_rack", lose + 5)) {
        (void)snprintf(session->invocation.message, ARGS_MESSAGE, "--lose rack=RACK: %.60s", lose);
        return false;
    }
    return true;
}

/* --dry-run: the same words, asked as "where would this go?". Changes nothing, so no key. */
static enum exit_status run_trial(struct session *session, struct request *request)
{
    struct json_t *outer = doc_object();
    struct json_t *trial = request->body;
    const char *project = args_text(&session->invocation, "project");
    CHECK(trial != NULL);
    bool good = doc_set(trial, "tenant", doc_of_text(session->settings.tenant));
    good = good && (project == NULL || doc_set(trial, "project", doc_of_text(project)));
    good = good && doc_set(outer, "trial", doc_share(trial));
    char *text = good ? doc_dump(outer) : NULL;
    doc_free(outer);
    if (text == NULL) {
        return session_no_memory(session);
    }
    struct call call = { .method = "POST", .path = "/v1/explain/capacity", .body = text };
    struct json_t *doc = NULL;
    enum exit_status status = session_call(session, &call, &doc);
    free(text);
    if (status == EXIT_DONE) {
        CHECK(doc != NULL);
        bool printed = output_one(session->out, session->settings.output, NULL, doc);
        status = session_printed(session, printed);
    }
    doc_free(doc);
    return status;
}

enum exit_status run_rest(struct session *session)
{
    struct request request;
    const struct verb *verb = session->invocation.verb;
    CHECK(verb->method != NULL);
    if (!request_build(&session->invocation, &session->settings, &request)) {
        return session_usage(session);
    }
    enum exit_status status = EXIT_USAGE;
    if (!add_lose(session, &request)) {
        status = session_usage(session);
    } else if (args_given(&session->invocation, "dry-run")) {
        status = run_trial(session, &request);
    } else if ((verb->traits & TRAIT_WRITE) != 0) {
        status = run_write(session, &request);
    } else if ((verb->traits & TRAIT_LIST) != 0) {
        status = run_list(session, &request);
    } else {
        status = run_read(session, &request);
    }
    request_free(&request);
    return status;
}

enum exit_status run_op_wait(struct session *session)
{
    struct request request;
    if (!request_build(&session->invocation, &session->settings, &request)) {
        return session_usage(session);
    }
    struct call call = { .method = "GET", .path = request.path };
    struct json_t *operation = NULL;
    enum exit_status status = session_call(session, &call, &operation);
    request_free(&request);
    if (status != EXIT_DONE) {
        return status;
    }
    CHECK(operation != NULL);
    status = wait_operation(session, &operation);
    enum exit_status printed = print_operation(session, operation);
    doc_free(operation);
    return status == EXIT_DONE ? printed : status;
}

/* The body of `api`: text, @FILE or - for standard input. */
static bool api_body(const char *text, struct json_t **doc_out)
{
    CHECK(doc_out != NULL);
    *doc_out = NULL;
    if (text == NULL) {
        return true;
    }
    if (text[0] == '@') {
        *doc_out = doc_load(text + 1, RUN_BODY_MAX);
    } else if (strcmp(text, "-") == 0) {
        *doc_out = doc_load("/dev/stdin", RUN_BODY_MAX);
    } else {
        *doc_out = doc_parse(text, strlen(text));
    }
    return *doc_out != NULL;
}

enum exit_status run_api(struct session *session)
{
    struct invocation *invocation = &session->invocation;
    const char *method = args_operand(invocation, "METHOD");
    const char *path = args_operand(invocation, "PATH");
    CHECK(method != NULL);
    CHECK(path != NULL);
    struct json_t *body = NULL;
    char key[LIMIT_IDEMPOTENCY_KEY];
    if (!args_choice("GET|POST|PUT|DELETE", method) || path[0] != '/') {
        (void)snprintf(
            invocation->message, ARGS_MESSAGE, "GET|POST|PUT|DELETE /v1/…: %.60s", method);
        return session_usage(session);
    }
    if (!api_body(args_text(invocation, "body"), &body)) {
        (void)snprintf(
            invocation->message,
            ARGS_MESSAGE,
            "%s",
            say("the body is not JSON", "本文がJSONでない"));
        return session_usage(session);
    }
    char *text = body == NULL ? NULL : doc_dump(body);
    bool write = strcmp(method, "GET") != 0;
    doc_free(body);
    if (!key_of(session, key)) {
        free(text);
        return session_no_memory(session);
    }
    struct call call = {
        .method = method,
        .path = path,
        .body = text,
        .key = write ? key : NULL,
        .if_match = args_text(invocation, "if-match"),
    };
    struct json_t *doc = NULL;
    enum exit_status status = session_call(session, &call, &doc);
    free(text);
    if (status == EXIT_DONE) {
        enum output_format format = session->settings.output;
        bool pretty = format != OUTPUT_JSONL && format != OUTPUT_TABLE;
        status = session_printed(session, doc_print(session->out, doc, pretty));
    }
    doc_free(doc);
    return status;
}

/* Hex of the guest's own bytes to standard output; on a terminal only what cannot drive it. */
static bool put_console(FILE *out, const char *hex, bool terminal)
{
    CHECK(hex != NULL);
    for (; hex[0] != '\0' && hex[1] != '\0'; hex += 2) {
        char pair[3] = { hex[0], hex[1], '\0' };
        if (!isxdigit((unsigned char)pair[0]) || !isxdigit((unsigned char)pair[1])) {
            return false;
        }
        int byte = (int)strtoul(pair, NULL, 16);
        CHECK(byte >= 0 && byte < 256);
        bool harmless = byte == '\n' || byte == '\t' || (byte >= 0x20 && byte < 0x7f);
        if (terminal && byte == '\r') {
            continue;
        }
        if (fputc(terminal && !harmless ? '?' : byte, out) == EOF) {
            return false;
        }
    }
    return true;
}

enum exit_status run_console(struct session *session)
{
    struct request request;
    uint64_t offset = 0;
    const char *from = args_text(&session->invocation, "offset");
    if (from != NULL && !args_number(from, &offset)) {
        (void)snprintf(session->invocation.message, ARGS_MESSAGE, "--offset: %.60s", from);
        return session_usage(session);
    }
    if (!request_build(&session->invocation, &session->settings, &request)) {
        return session_usage(session);
    }
    bool terminal = session->out == stdout && isatty(STDOUT_FILENO);
    enum exit_status status = EXIT_DONE;
    bool more = true;
    for (uint32_t turn = 0; status == EXIT_DONE && more && turn < RUN_CONSOLE_TURNS; turn++) {
        char path[HTTP_URL_MAX];
        char number[24];
        struct json_t *doc = NULL;
        memcpy(path, request.path, sizeof(path));
        (void)snprintf(number, sizeof(number), "%" PRIu64, offset);
        CHECK(request_query(path, "offset", number));
        struct call call = { .method = "GET", .path = path };
        status = session_call(session, &call, &doc);
        const char *hex = doc_text(doc_get(doc, "data"));
        uint64_t size = 0;
        (void)doc_number(doc_get(doc, "size"), &size);
        if (status == EXIT_DONE) {
            bool printed = hex == NULL || put_console(session->out, hex, terminal);
            status = session_printed(session, printed);
        }
        uint64_t got = hex == NULL ? 0 : strlen(hex) / 2;
        offset += got;
        more = got > 0 && offset < size;
        doc_free(doc);
    }
    request_free(&request);
    return status;
}
