/* Decides how a token is made: its secret here, only its digest there, its text shown once. */
#include "base/check.h"
#include "cli/base64.h"
#include "cli/output.h"
#include "cli/session.h"
#include "cli/token.h"
#include "cli/words.h"

#include <stdlib.h>
#include <string.h>

static enum exit_status no_ca(struct session *session)
{
    CHECK(session != NULL);
    problem_say(
        session->err,
        say("the token must pin the cell's CA, and it cannot be read",
            "トークンに入れるCA証明書が読めない"),
        session->settings.ca[0] == '\0' ? "--ca" : session->settings.ca,
        say("give the CA with --ca, UDATSU_CA or a context", "--ca などでCAを指定する"),
        NULL);
    return EXIT_USAGE;
}

static bool read_ca(const char *path, uint8_t digest_out[static SHA256_SIZE])
{
    char text[16 * 1024];
    CHECK(path != NULL);
    FILE *file = *path == '\0' ? NULL : fopen(path, "rbe");
    if (file == NULL) {
        return false;
    }
    size_t size = fread(text, 1, sizeof(text), file);
    (void)fclose(file); /* Only read. */
    return size < sizeof(text) && token_ca_digest(slice_of(text, size), digest_out);
}

static bool join_endpoints(const struct settings *settings, char room[static TOKEN_ENDPOINTS])
{
    size_t used = 0;
    CHECK(settings->endpoints_count <= SETTINGS_ENDPOINTS);
    for (uint32_t i = 0; i < settings->endpoints_count; i++) {
        int length = snprintf(
            room + used, TOKEN_ENDPOINTS - used, "%s%s", i == 0 ? "" : ",", settings->endpoints[i]);
        if (length < 0 || (size_t)length >= TOKEN_ENDPOINTS - used) {
            return false;
        }
        used += (size_t)length;
    }
    return used > 0;
}

/* POST /v1/tokens: everything but the secret. */
static struct json_t *token_body(struct session *session, const struct token *token)
{
    uint8_t digest[SHA256_SIZE];
    char hex[2 * SHA256_SIZE + 1];
    const struct verb *verb = session->invocation.verb;
    const char *name = args_operand(&session->invocation, "NAME");
    struct json_t *body = doc_object();
    CHECK(name != NULL);
    sha256_of(slice_of(token->secret, TOKEN_SECRET), digest);
    hex_encode(slice_of(digest, sizeof(digest)), hex);
    bool good = doc_set(body, "kind", doc_of_text(verb->noun));
    good = doc_set(body, "secret_sha256", doc_of_text(hex)) && good;
    good = doc_set(body, "name", doc_of_text(name)) && good;
    if (token->kind == TOKEN_USER) {
        good = doc_set(body, "user", doc_of_text(name)) && good;
    }
    good = good && request_body(&session->invocation, body);
    if (!good) {
        doc_free(body);
        return NULL;
    }
    return body;
}

static enum exit_status post_token(struct session *session, const struct token *token)
{
    char key[LIMIT_IDEMPOTENCY_KEY];
    struct json_t *body = token_body(session, token);
    if (body == NULL) {
        return session->invocation.message[0] != '\0' ? session_usage(session)
                                                      : session_no_memory(session);
    }
    char *text = doc_dump(body);
    doc_free(body);
    if (text == NULL || !client_key_make(key)) {
        free(text);
        return session_no_memory(session);
    }
    CHECK(session->invocation.verb->path != NULL);
    struct call call = {
        .method = "POST",
        .path = session->invocation.verb->path,
        .body = text,
        .key = key,
    };
    struct json_t *operation = NULL;
    enum exit_status status = session_call(session, &call, &operation);
    free(text);
    /* A token that is not yet in the log is worth nothing, so this is waited for in any case. */
    if (status == EXIT_DONE) {
        status = wait_operation(session, &operation);
    }
    doc_free(operation);
    return status;
}

static enum exit_status show_token(struct session *session, const struct secret *token)
{
    struct secret text;
    enum output_format format = session->settings.output;
    if (secret_make(TOKEN_TEXT, &text).code != 0) {
        return session_no_memory(session);
    }
    bool printed = token_write(token, &text);
    CHECK(text.data[TOKEN_TEXT - 1] == '\0');
    if (printed && (format == OUTPUT_JSON || format == OUTPUT_JSONL || format == OUTPUT_YAML)) {
        /* The one place where a secret is printed: this is what was asked for. */
        printed = fprintf(session->out, "{\"token\": \"%s\"}\n", (char *)text.data) > 0;
    } else if (printed) {
        printed = fprintf(session->out, "%s\n", (char *)text.data) > 0;
    }
    secret_free(&text);
    return session_printed(session, printed);
}

enum exit_status run_token(struct session *session)
{
    struct secret made;
    struct secret random;
    const char *noun = session->invocation.verb->noun;
    enum exit_status status = session_client(session);
    if (status != EXIT_DONE) {
        return status;
    }
    if (secret_make(sizeof(struct token), &made).code != 0) {
        return session_no_memory(session);
    }
    if (secret_random(TOKEN_SECRET, &random).code != 0) {
        secret_free(&made);
        return session_no_memory(session);
    }
    struct token *token = token_in(&made);
    bool machine = strcmp(noun, "user") != 0;
    token->kind = TOKEN_USER;
    if (machine) {
        token->kind = strcmp(noun, "node") == 0 ? TOKEN_NODE : TOKEN_CONTROLLER;
    }
    CHECK(random.size == TOKEN_SECRET);
    memcpy(token->secret, random.data, TOKEN_SECRET);
    secret_free(&random);
    if (!read_ca(session->settings.ca, token->ca_sha256) ||
        !join_endpoints(&session->settings, token->endpoints)) {
        status = no_ca(session);
    } else {
        status = post_token(session, token);
        status = status == EXIT_DONE ? show_token(session, &made) : status;
    }
    secret_free(&made);
    return status;
}
