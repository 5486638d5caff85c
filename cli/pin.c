/* Decides whether a cell is the one that a token names. Nothing is sent before that but GET /, and
 * nothing of the answer is used but bytes whose digest the token holds. */
#include "cli/pin.h"

#include "base/check.h"
#include "cli/base64.h"
#include "cli/words.h"

#include <string.h>

static bool decode(
    const struct token *token, const char *hex, uint8_t der[static PIN_CERTIFICATE], size_t *size)
{
    uint8_t digest[SHA256_SIZE];
    CHECK(token != NULL);
    if (hex == NULL || !hex_decode(hex, der, PIN_CERTIFICATE, size) || *size == 0) {
        return false;
    }
    CHECK(*size <= PIN_CERTIFICATE);
    sha256_of(slice_of(der, *size), digest);
    return memcmp(digest, token->ca_sha256, SHA256_SIZE) == 0; /* Both are public. */
}

bool pin_holds(const struct token *token, const char *hex)
{
    uint8_t der[PIN_CERTIFICATE];
    size_t size = 0;
    return decode(token, hex, der, &size);
}

static bool write_pem(const char *path, struct slice der)
{
    char text[PIN_CERTIFICATE * 2];
    CHECK(path != NULL);
    CHECK(der.size > 0);
    if (!base64_encode(BASE64_STANDARD, der, text, sizeof(text))) {
        return false;
    }
    FILE *file = fopen(path, "we");
    if (file == NULL) {
        return false;
    }
    bool good = fputs("-----BEGIN CERTIFICATE-----\n", file) != EOF;
    size_t size = strlen(text);
    for (size_t at = 0; at < size && good; at += 64) {
        int piece = size - at < 64 ? (int)(size - at) : 64;
        good = fprintf(file, "%.*s\n", piece, text + at) > 0;
    }
    good = good && fputs("-----END CERTIFICATE-----\n", file) != EOF;
    return fclose(file) == 0 && good;
}

/* Asks one endpoint for its CA. */
static bool ask(
    struct http *http,
    const char *endpoint,
    const struct token *token,
    const char *path,
    bool *answered)
{
    char url[SETTINGS_URL + 2];
    uint8_t der[PIN_CERTIFICATE];
    size_t size = 0;
    struct http_answer answer;
    CHECK(strlen(endpoint) < SETTINGS_URL);
    (void)snprintf(url, sizeof(url), "%s/", endpoint);
    /* Unverified on purpose: this answer proves nothing but what its digest proves. */
    struct http_request request = {
        .method = "GET",
        .url = url,
        .unverified = true,
        .timeout_ms = CLIENT_ANSWER_MS,
    };
    struct result result = http_exchange(http, &request, &answer);
    bool good = false;
    if (result.code == 0) {
        *answered = true;
        struct json_t *doc = doc_parse(answer.body == NULL ? "" : answer.body, answer.size);
        good = decode(token, doc_text(doc_get(doc, "ca")), der, &size);
        doc_free(doc);
    }
    http_answer_free(&answer);
    return good && write_pem(path, slice_of(der, size));
}

static enum exit_status refuse(struct session *session, bool answered)
{
    CHECK(session->err != NULL);
    if (!answered) {
        return problem_of_failure(session->err, FAIL(FAILURE_CLOSED), "GET /");
    }
    problem_say(
        session->err,
        say("nobody there can show the CA that the token pins",
            "トークンが指すCAを示せる相手がいない"),
        say("another cell answers at the token's endpoints, or the cell was made anew",
            "別のセルが応答しているか、セルが作り直された"),
        say("ask an operator for a new token", "運用者に新しいトークンを頼む"),
        NULL);
    return EXIT_DENIED;
}

enum exit_status pin_cell(struct session *session, const struct token *token, const char *path)
{
    struct settings *settings = &session->settings;
    struct http *http = NULL;
    bool answered = false;
    bool found = false;
    CHECK(session->client == NULL); /* Nobody was spoken to with other settings. */
    CHECK(strlen(path) < sizeof(settings->ca));
    settings->endpoints_count = 0;
    settings->cert[0] = '\0';
    settings->key[0] = '\0';
    if (!settings_endpoints_add(settings, token->endpoints)) {
        return refuse(session, false);
    }
    if (http_open(&http).code != 0) {
        return session_no_memory(session);
    }
    for (uint32_t i = 0; i < settings->endpoints_count && !found; i++) {
        found = ask(http, settings->endpoints[i], token, path, &answered);
    }
    http_close(http);
    if (!found) {
        return refuse(session, answered);
    }
    memcpy(settings->ca, path, strlen(path) + 1);
    return EXIT_DONE;
}
