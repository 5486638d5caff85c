/* The cell's CA as a token pins it: fetched from a stranger, believed only by its digest. */
#ifndef CLI_PIN_H
#define CLI_PIN_H

#include "cli/session.h"
#include "cli/token.h"

enum { PIN_CERTIFICATE = 8 * 1024 }; /* Bytes of one certificate, DER. */

/* Makes `settings` speak to the token's endpoints and to nobody else, without a certificate of our
 * own, trusting only the pinned CA, which is written to `path` (PEM). Otherwise the reason was
 * said: nobody answered, or nobody could show the CA that the token pins. */
enum exit_status pin_cell(struct session *session, const struct token *token, const char *path);
/* Whether DER bytes in hex are the pinned CA. */
bool pin_holds(const struct token *token, const char *hex);

#endif
