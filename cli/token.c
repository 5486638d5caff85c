/* Decides the form of a token. Never decides whether it is still good: the cell does. */
#include "cli/token.h"

#include "base/check.h"
#include "cli/base64.h"

#include <string.h>

static const char prefix[] = "udatsu-token-1.";

enum {
    TOKEN_FIXED = 1 + SHA256_SIZE + TOKEN_SECRET,
    TOKEN_BYTES = TOKEN_FIXED + TOKEN_ENDPOINTS,
    TOKEN_CERTIFICATE = 8 * 1024, /* Bytes of a CA certificate. */
};

struct token *token_in(const struct secret *secret)
{
    CHECK(secret->data != NULL);
    CHECK(secret->size == sizeof(struct token));
    return (struct token *)(void *)secret->data; /* Pages of their own: aligned. */
}

bool token_write(const struct secret *secret, struct secret *text)
{
    const struct token *token = token_in(secret);
    struct secret bytes;
    size_t endpoints = strlen(token->endpoints);
    CHECK(text->size == TOKEN_TEXT);
    CHECK(endpoints < TOKEN_ENDPOINTS);
    if (secret_make(TOKEN_BYTES, &bytes).code != 0) {
        return false;
    }
    bytes.data[0] = (uint8_t)token->kind;
    memcpy(bytes.data + 1, token->ca_sha256, SHA256_SIZE);
    memcpy(bytes.data + 1 + SHA256_SIZE, token->secret, TOKEN_SECRET);
    memcpy(bytes.data + TOKEN_FIXED, token->endpoints, endpoints);
    char *room = (char *)text->data;
    size_t front = sizeof(prefix) - 1;
    memcpy(room, prefix, front);
    bool fits = base64_encode(
        BASE64_URL,
        slice_of(bytes.data, TOKEN_FIXED + endpoints),
        room + front,
        TOKEN_TEXT - front);
    secret_free(&bytes);
    return fits;
}

static bool token_valid(const struct token *token)
{
    struct settings settings;
    memset(&settings, 0, sizeof(settings));
    CHECK(token != NULL);
    bool kind =
        token->kind == TOKEN_CONTROLLER || token->kind == TOKEN_NODE || token->kind == TOKEN_USER;
    return kind && text_is_clean(slice_text(token->endpoints)) &&
           settings_endpoints_add(&settings, token->endpoints) && settings.endpoints_count > 0;
}

RESULT token_read(struct slice text, struct secret *token_out)
{
    struct secret bytes;
    size_t used = 0;
    size_t front = sizeof(prefix) - 1;
    while (text.size > 0 && text.data[text.size - 1] != '\0' &&
           strchr(" \r\n\t", text.data[text.size - 1]) != NULL) {
        text.size--;
    }
    while (text.size > 0 && text.data[0] == ' ') {
        text = slice_of(text.data + 1, text.size - 1);
    }
    if (text.size <= front || text.size >= TOKEN_TEXT || memcmp(text.data, prefix, front) != 0) {
        return FAIL(FAILURE_BAD_INPUT);
    }
    TRY(secret_make(TOKEN_BYTES, &bytes));
    struct slice coded = slice_of(text.data + front, text.size - front);
    if (!base64_decode(BASE64_URL, coded, bytes.data, TOKEN_BYTES - 1, &used) ||
        used <= TOKEN_FIXED) {
        secret_free(&bytes);
        return FAIL(FAILURE_BAD_INPUT);
    }
    CHECK(used < TOKEN_BYTES);
    struct secret made;
    struct result room = secret_make(sizeof(struct token), &made);
    if (room.code != 0) {
        secret_free(&bytes);
        return room;
    }
    struct token *token = token_in(&made);
    token->kind = (enum token_kind)bytes.data[0];
    memcpy(token->ca_sha256, bytes.data + 1, SHA256_SIZE);
    memcpy(token->secret, bytes.data + 1 + SHA256_SIZE, TOKEN_SECRET);
    memcpy(token->endpoints, bytes.data + TOKEN_FIXED, used - TOKEN_FIXED);
    secret_free(&bytes);
    bool whole = strlen(token->endpoints) == used - TOKEN_FIXED; /* Else something hides there. */
    if (!whole || !token_valid(token)) {
        secret_free(&made);
        return FAIL(FAILURE_BAD_INPUT);
    }
    *token_out = made;
    return OK;
}

static bool is_blank(uint8_t byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

static struct slice trimmed(struct slice text)
{
    while (text.size > 0 && is_blank(text.data[0])) {
        text = slice_of(text.data + 1, text.size - 1);
    }
    while (text.size > 0 && is_blank(text.data[text.size - 1])) {
        text.size--;
    }
    return text;
}

/* One block and nothing beside it: of a text with more, others may take another block. */
bool token_ca_digest(struct slice pem, uint8_t digest_out[static SHA256_SIZE])
{
    static const char begin[] = "-----BEGIN CERTIFICATE-----";
    static const char end[] = "-----END CERTIFICATE-----";
    uint8_t joined[TOKEN_CERTIFICATE];
    uint8_t der[TOKEN_CERTIFICATE];
    size_t size = 0;
    size_t used = 0;
    CHECK(pem.data != NULL || pem.size == 0);
    struct slice block = trimmed(pem);
    size_t marks = sizeof(begin) - 1 + sizeof(end) - 1;
    if (block.size < marks || memcmp(block.data, begin, sizeof(begin) - 1) != 0) {
        return false;
    }
    const uint8_t *from = block.data + sizeof(begin) - 1;
    const uint8_t *to = block.data + block.size - (sizeof(end) - 1);
    if (memcmp(to, end, sizeof(end) - 1) != 0) {
        return false;
    }
    for (; from < to; from++) {
        if (*from == '\n' || *from == '\r') {
            continue;
        }
        if (size == sizeof(joined)) {
            return false;
        }
        joined[size] = *from;
        size++;
    }
    if (!base64_decode(BASE64_STANDARD, slice_of(joined, size), der, sizeof(der), &used) ||
        used == 0) {
        return false;
    }
    CHECK(used < sizeof(der));
    sha256_of(slice_of(der, used), digest_out);
    return true;
}
