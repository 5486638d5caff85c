/* What people paste and type: one-time tokens, base64, hex, the CA's PEM, numbers, sizes, spans and
 * times of the command line. Held against the other base64 of the house, GnuTLS, regular
 * expressions and 128-bit sums; a token is written again letter for letter. */
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/judge.h"

#include "audit/text.h"
#include "base/check.h"
#include "cli/args.h"
#include "cli/base64.h"
#include "cli/token.h"

#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { KIND_TOKEN, KIND_STANDARD, KIND_URL, KIND_HEX, KIND_PEM, KIND_VALUE, KIND_TIME, KINDS };

const ProtobufCMessageDescriptor *fuzz_type(uint8_t kind)
{
    (void)kind;
    return NULL;
}

static void hold_token(struct slice text)
{
    struct secret token = { 0 };
    struct secret again = { 0 };
    if (token_read(text, &token).code != 0) {
        return;
    }
    const struct token *read = token_in(&token);
    MUST(read->kind == TOKEN_CONTROLLER || read->kind == TOKEN_NODE || read->kind == TOKEN_USER);
    MUST(text_is_clean(slice_text(read->endpoints)) && read->endpoints[0] != '\0');
    MUST(secret_make(TOKEN_TEXT, &again).code == 0);
    MUST(token_write(&token, &again));
    while (text.size > 0 && text.data[0] == ' ') { /* What is forgiven around it. */
        text = slice_of(text.data + 1, text.size - 1);
    }
    size_t size = strlen((const char *)again.data);
    MUST(text.size >= size && memcmp(text.data, again.data, size) == 0);
    for (size_t i = size; i < text.size; i++) {
        MUST(strchr(" \r\n\t", text.data[i]) != NULL && text.data[i] != '\0');
    }
    secret_free(&again);
    secret_free(&token);
}

static void hold_base64(struct slice text, enum base64_kind kind)
{
    uint8_t bytes[96];
    uint8_t theirs[96];
    char again[160];
    size_t used = 0;
    size_t their_used = 0;
    char *plain = fuzz_text(text); /* URL's letters as the others'. */
    for (size_t i = 0; i < text.size; i++) {
        bool other = kind == BASE64_URL && (plain[i] == '+' || plain[i] == '/' || plain[i] == '=');
        plain[i] = plain[i] == '-' && kind == BASE64_URL ? '+' : plain[i];
        plain[i] = plain[i] == '_' && kind == BASE64_URL ? '/' : plain[i];
        plain[i] = other ? '*' : plain[i];
    }
    struct slice padded = slice_of(plain, text.size);
    char *longer = calloc(1, text.size + 4);
    CHECK(longer != NULL);
    if (kind == BASE64_URL && text.size % 4 > 1) {
        memcpy(longer, plain, text.size);
        memcpy(longer + text.size, "==", 4 - text.size % 4);
        padded = slice_of(longer, text.size + 4 - text.size % 4);
    }
    bool taken = base64_decode(kind, text, bytes, sizeof(bytes), &used);
    MUST(taken == text_base64(padded, theirs, sizeof(theirs), &their_used));
    if (taken) {
        MUST(used == their_used && memcmp(bytes, theirs, used) == 0);
        MUST(base64_encode(kind, slice_of(bytes, used), again, sizeof(again)));
        MUST(slice_equal(slice_text(again), text));
        MUST(!base64_encode(kind, slice_of(bytes, used), again, text.size));
    }
    free(longer);
    free(plain);
}

static void hold_hex(struct slice bytes)
{
    static const char form[] = "([0-9a-f]{2})*";
    uint8_t decoded[48];
    char again[2 * sizeof(decoded) + 1];
    size_t used = 0;
    char *text = fuzz_text(bytes);
    bool taken = hex_decode(text, decoded, sizeof(decoded), &used);
    MUST(taken == (judge_form(text, form) && strlen(text) <= 2 * sizeof(decoded)));
    if (taken) {
        hex_encode(slice_of(decoded, used), again);
        MUST(strcmp(again, text) == 0);
    }
    free(text);
}

/* What we take for a certificate's bytes, GnuTLS takes for the same. */
static void hold_pem(struct slice text)
{
    uint8_t digest[SHA256_SIZE];
    uint8_t theirs[SHA256_SIZE];
    gnutls_datum_t input = { NULL, (unsigned int)text.size };
    gnutls_datum_t der = { NULL, 0 };
    if (!token_ca_digest(text, digest)) {
        return;
    }
    uint8_t *copy = fuzz_copy(text);
    input.data = copy;
    if (gnutls_pem_base64_decode2("CERTIFICATE", &input, &der) == 0) {
        sha256_of(slice_of(der.data, der.size), theirs);
        MUST(memcmp(digest, theirs, sizeof(digest)) == 0);
        gnutls_free(der.data);
    }
    free(copy);
}

/* number × unit in 64 bits, or not at all. */
static bool times(const char *text, size_t digits, uint64_t unit, uint64_t *product_out)
{
    char *front = fuzz_text(slice_of(text, digits));
    uint64_t number = 0;
    bool taken = judge_number(front, &number) && !__builtin_mul_overflow(number, unit, product_out);
    free(front);
    return taken;
}

static void hold_value(const char *text)
{
    static const char bytes_form[] = "[0-9]+([KMGT](iB)?)?";
    static const char span_form[] = "[0-9]+[smhd]?";
    static const char units[] = "KMGT";
    uint64_t ours = 0;
    uint64_t theirs = 0;
    size_t digits = strspn(text, "0123456789");
    MUST(args_number(text, &ours) == (digits > 0 && judge_number(text, &theirs)));
    MUST(digits == 0 || text[digits] != '\0' || ours == theirs || theirs == UINT64_MAX);
    const char *unit = text[digits] == '\0' ? NULL : strchr(units, text[digits]);
    uint64_t size = unit == NULL ? 1 : UINT64_C(1) << (10 * (unit - units + 1));
    bool taken = judge_form(text, bytes_form) && times(text, digits, size, &theirs);
    MUST(args_bytes(text, &ours) == taken && (!taken || ours == theirs));
    uint64_t seconds = text[digits] == 'm'   ? 60
                       : text[digits] == 'h' ? 3600
                       : text[digits] == 'd' ? 86400
                                             : 1;
    taken = judge_form(text, span_form) && times(text, digits, seconds, &theirs);
    MUST(args_seconds(text, &ours) == taken && (!taken || ours == theirs));
    MUST(
        args_choice("a|bc|def", text) ==
        (strcmp(text, "a") == 0 || strcmp(text, "bc") == 0 || strcmp(text, "def") == 0));
}

static void hold_time(const char *text)
{
    static const char form[] = "[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
                               "T([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60|61)Z";
    MUST(args_time(text) == judge_form(text, form));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = slice_of(data, size);
    struct fuzz_part part;
    while (fuzz_part_next(&rest, &part)) {
        uint8_t *copy = fuzz_copy(part.bytes);
        char *text = fuzz_text(part.bytes);
        struct slice bytes = slice_of(copy, part.bytes.size);
        switch ((enum kind)(part.kind % KINDS)) {
        case KIND_TOKEN: hold_token(bytes); break;
        case KIND_STANDARD: hold_base64(bytes, BASE64_STANDARD); break;
        case KIND_URL: hold_base64(bytes, BASE64_URL); break;
        case KIND_HEX: hold_hex(bytes); break;
        case KIND_PEM: hold_pem(bytes); break;
        case KIND_VALUE: hold_value(text); break;
        case KIND_TIME: hold_time(text); break;
        case KINDS: break;
        }
        free(text);
        free(copy);
    }
    return 0;
}

static size_t seed_token(uint32_t number, uint8_t *room)
{
    static const char *const endpoints[] = {
        "10.0.0.1:7443", "https://a:1,https://b:2", "http://a", "", "\xe5\x8d\xaf"
    };
    struct secret token = { 0 };
    struct secret text = { 0 };
    size_t used = 0;
    bool made = secret_make(sizeof(struct token), &token).code == 0 &&
                secret_make(TOKEN_TEXT, &text).code == 0;
    CHECK(made);
    struct token *in = token_in(&token);
    in->kind = (enum token_kind)(number % 7);
    (void)snprintf(in->endpoints, sizeof(in->endpoints), "%s", endpoints[number % 5]);
    if (token_write(&token, &text)) {
        (void)fuzz_part_put(
            room, FUZZ_INPUT_MAX, &used, KIND_TOKEN, slice_text((const char *)text.data));
    }
    secret_free(&token);
    secret_free(&text);
    return used;
}

size_t fuzz_seed(uint32_t number, uint8_t room[static FUZZ_INPUT_MAX])
{
    enum { TOKENS = 20, LONG = 3 };
    static const struct {
        enum kind kind;
        const char *text;
    } seeds[] = {
        { KIND_TOKEN, "udatsu-token-1.AAAA" },
        { KIND_TOKEN, "udatsu-token-1." },
        { KIND_TOKEN, "  udatsu-token-1.* \n" },
        { KIND_STANDARD, "aGVsbG8=" },
        { KIND_STANDARD, "+/8=" },
        { KIND_STANDARD, "aA==" },
        { KIND_URL, "-_8" },
        { KIND_URL, "aGVsbG8" },
        { KIND_URL, "a" },
        { KIND_URL, "aGVsb" },
        { KIND_PEM, "-----BEGIN CERTIFICATE-----\r\nAAEC\r\n-----END CERTIFICATE-----\r\n" },
        { KIND_TIME, "2026-02-31T12:00:00Z" },
        { KIND_TIME, "2026-13-01T12:00:00Z" },
        { KIND_HEX, "00ff7A" },
        { KIND_HEX, "00f" },
        { KIND_HEX, "deadbeef" },
        { KIND_PEM, "-----BEGIN CERTIFICATE-----\nAAEC\nAwQF\n-----END CERTIFICATE-----\n" },
        { KIND_PEM, "-----BEGIN CERTIFICATE-----\nAAE" },
        { KIND_PEM, "-----BEGIN CERTIFICATE----------END CERTIFICATE-----" },
        { KIND_PEM, "-----BEGIN CERTIFICATE-----*-----END CERTIFICATE-----" },
        { KIND_VALUE, "18446744073709551615" },
        { KIND_VALUE, "18446744073709551616" },
        { KIND_VALUE, "16777216T" },
        { KIND_VALUE, "8GiB" },
        { KIND_VALUE, "8GB" },
        { KIND_VALUE, "7x" },
        { KIND_VALUE, "90m" },
        { KIND_VALUE, "213503982334602d" },
        { KIND_VALUE, "bc" },
        { KIND_VALUE, "h" },
        { KIND_TIME, "2026-01-31T12:00:00Z" },
        { KIND_TIME, " 2026-1- 1T1:1:1Z" },
        { KIND_TIME, "2026-01-31T12:00:00" },
    };
    size_t used = 0;
    if (number < COUNT_OF(seeds)) {
        return fuzz_one_text((uint8_t)seeds[number].kind, seeds[number].text, room);
    }
    number -= (uint32_t)COUNT_OF(seeds);
    if (number < LONG) { /* Too long for a token, a certificate, a number of bytes. */
        static const char *const fronts[] = { "udatsu-token-1.",
                                              "-----BEGIN CERTIFICATE-----",
                                              "" };
        static const char *const backs[] = { "", "-----END CERTIFICATE-----", "" };
        static const uint32_t sizes[] = { 3000, 9000, 98 };
        static const enum kind kinds[] = { KIND_TOKEN, KIND_PEM, KIND_HEX };
        static char text[10000];
        size_t at = (size_t)snprintf(text, sizeof(text), "%s", fronts[number]);
        memset(text + at, number == 2 ? 'a' : 'A', sizes[number]);
        at += sizes[number];
        (void)snprintf(text + at, sizeof(text) - at, "%s", backs[number]);
        (void)fuzz_part_put(room, FUZZ_INPUT_MAX, &used, (uint8_t)kinds[number], slice_text(text));
        return used;
    }
    number -= LONG;
    return number < TOKENS ? seed_token(number, room) : 0;
}
