/* Tokens that people carry from one machine to another. */
#include "base/check.h"
#include "cli/base64.h"
#include "cli/token.h"

#include <criterion/criterion.h>
#include <string.h>

Test(cli_token, base64_has_one_spelling_of_each_value)
{
    uint8_t bytes[64];
    char text[128];
    size_t used = 0;
    for (size_t size = 0; size < sizeof(bytes); size++) {
        for (size_t i = 0; i < size; i++) {
            bytes[i] = (uint8_t)(i * 37 + size);
        }
        for (int kind = BASE64_STANDARD; kind <= BASE64_URL; kind++) {
            uint8_t back[64];
            struct slice all = slice_of(bytes, size);
            cr_assert(base64_encode((enum base64_kind)kind, all, text, sizeof(text)));
            cr_assert(
                base64_decode((enum base64_kind)kind, slice_text(text), back, sizeof(back), &used));
            cr_assert(slice_equal(slice_of(back, used), all));
        }
    }
    static const char *const bad[] = { "A", "AB", "AAB", "AA=", "AA==", "A+A/", "AAA\n" };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        cr_assert_not(
            base64_decode(BASE64_URL, slice_text(bad[i]), bytes, sizeof(bytes), &used),
            "%s",
            bad[i]);
    }
    cr_assert_not(base64_decode(BASE64_STANDARD, slice_text("AB=="), bytes, 64, &used));
    cr_assert(base64_decode(BASE64_STANDARD, slice_text("AA=="), bytes, 64, &used));
}

Test(cli_token, a_token_survives_the_way_there_and_back_and_nothing_else_is_one)
{
    struct secret made;
    struct secret text;
    struct secret back;
    cr_assert_eq(secret_make(sizeof(struct token), &made).code, 0);
    cr_assert_eq(secret_make(TOKEN_TEXT, &text).code, 0);
    struct token *token = token_in(&made);
    token->kind = TOKEN_NODE;
    memset(token->ca_sha256, 1, sizeof(token->ca_sha256));
    memset(token->secret, 2, sizeof(token->secret));
    strncpy(token->endpoints, "https://c1:8443,https://c2:8443", 64);
    cr_assert(token_write(&made, &text));
    size_t size = strlen((char *)text.data);
    cr_assert_eq(strncmp((char *)text.data, "udatsu-token-1.", 15), 0);
    cr_assert_eq(token_read(slice_of(text.data, size), &back).code, 0);
    cr_assert_eq(memcmp(back.data, made.data, sizeof(struct token)), 0);
    secret_free(&back);
    text.data[size] = '\n';
    cr_assert_eq(token_read(slice_of(text.data, size + 1), &back).code, 0);
    secret_free(&back);
    cr_assert_eq(token_read(slice_of(text.data, 40), &back).code, FAILURE_BAD_INPUT);
    text.data[0] = 'U';
    cr_assert_eq(token_read(slice_of(text.data, size), &back).code, FAILURE_BAD_INPUT);
    text.data[0] = 'u';
    token->kind = (enum token_kind)9;
    cr_assert(token_write(&made, &text));
    cr_assert_eq(token_read(slice_text((char *)text.data), &back).code, FAILURE_BAD_INPUT);
    token->kind = TOKEN_NODE;
    strncpy(token->endpoints, "http://c1:8443", 64);
    cr_assert(token_write(&made, &text));
    cr_assert_eq(token_read(slice_text((char *)text.data), &back).code, FAILURE_BAD_INPUT);
    secret_free(&made);
    secret_free(&text);
}

/* The encoder writes no zero, so the text is made by hand. */
Test(cli_token, nothing_hides_behind_the_endpoints_of_a_token_or_behind_its_text)
{
    static const char prefix[] = "udatsu-token-1.";
    struct secret back;
    uint8_t bytes[1 + SHA256_SIZE + TOKEN_SECRET + 4] = { TOKEN_NODE };
    char text[256];
    memcpy(bytes + sizeof(bytes) - 4, "a:1", 4); /* With its zero. */
    memcpy(text, prefix, sizeof(prefix));
    char *rest = text + sizeof(prefix) - 1;
    size_t room = sizeof(text) - sizeof(prefix);
    cr_assert(base64_encode(BASE64_URL, slice_of(bytes, sizeof(bytes) - 1), rest, room));
    cr_assert_eq(token_read(slice_text(text), &back).code, 0);
    secret_free(&back);
    cr_assert_eq(token_read(slice_of(text, strlen(text) + 1), &back).code, FAILURE_BAD_INPUT);
    cr_assert(base64_encode(BASE64_URL, slice_of(bytes, sizeof(bytes)), rest, room));
    cr_assert_eq(token_read(slice_text(text), &back).code, FAILURE_BAD_INPUT);
}

Test(cli_token, the_digest_of_a_ca_is_of_a_text_that_holds_nothing_else)
{
    static const char begin[] = "-----BEGIN CERTIFICATE-----\n";
    static const char end[] = "-----END CERTIFICATE-----\n";
    static const uint8_t bytes[] = { 0, 1, 2 };
    const struct {
        const char *before;
        const char *inside;
        const char *after;
        bool taken;
    } cases[] = {
        { "", "AAEC\n", "", true },
        { " \r\n\t", "AAEC\r\n", "\n\n", true },
        { "", "AA\nEC", "", true },
        { "issued by us\n", "AAEC\n", "", false },
        { "", "AAEC\n", "the end\n", false },
        { "-----BEGIN CERTIFICATE---\xe1--\nAQID\n", "AAEC\n", "", false },
        { "", "AAEC\n-----END CERTIFICATE-----\n-----BEGIN CERTIFICATE-----\nAQID\n", "", false },
        { "", "AA C\n", "", false },
        { "", "", "", false },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char text[512];
        uint8_t digest[SHA256_SIZE];
        uint8_t expected[SHA256_SIZE];
        (void)snprintf(
            text,
            sizeof(text),
            "%s%s%s%s%s",
            cases[i].before,
            begin,
            cases[i].inside,
            end,
            cases[i].after);
        cr_assert_eq(token_ca_digest(slice_text(text), digest), cases[i].taken, "case %zu", i);
        if (cases[i].taken) {
            sha256_of(slice_of(bytes, sizeof(bytes)), expected);
            cr_assert_eq(memcmp(digest, expected, sizeof(digest)), 0, "case %zu", i);
        }
    }
    uint8_t digest[SHA256_SIZE];
    cr_assert_not(token_ca_digest(SLICE_EMPTY, digest));
    cr_assert_not(token_ca_digest(slice_text("-----BEGIN CERTIFICATE-----"), digest));
}
