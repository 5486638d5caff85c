/* The one-time token as text: `udatsu-token-1.` and base64url of
 *     kind (1 byte) | SHA-256 of the cell's CA certificate, DER (32) | secret (32) | endpoints
 * with the endpoints as URLs split by commas. It pins the CA: who presents another certificate is
 * not believed. It is shown once; the cell keeps only the digest of the secret. */
#ifndef CLI_TOKEN_H
#define CLI_TOKEN_H

#include "audit/sha256.h"
#include "cli/settings.h"
#include "host/secret.h"

enum token_kind { TOKEN_CONTROLLER = 2, TOKEN_NODE = 3, TOKEN_USER = 6 }; /* As enum id_kind. */

enum {
    TOKEN_SECRET = 32,
    TOKEN_ENDPOINTS = SETTINGS_ENDPOINTS * SETTINGS_URL,
    TOKEN_TEXT = 2048, /* Seven endpoints of usual length fit; more is refused when it is made. */
};

/* Lives in a struct secret only. */
struct token {
    enum token_kind kind;
    uint8_t ca_sha256[SHA256_SIZE];
    uint8_t secret[TOKEN_SECRET];
    char endpoints[TOKEN_ENDPOINTS];
};

/* `token` holds a struct token, `text` room for TOKEN_TEXT bytes. */
bool token_write(const struct secret *token, struct secret *text);
/* Strict; white space around the text is forgiven. FAILURE_BAD_INPUT: it is no token. */
RESULT token_read(struct slice text, struct secret *token_out);
struct token *token_in(const struct secret *secret);
/* One certificate in PEM → its digest; false when the text is anything else, or more: what TLS
 * takes from it must be the same. */
bool token_ca_digest(struct slice pem, uint8_t digest_out[static SHA256_SIZE]);

#endif
