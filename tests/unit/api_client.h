/* A small HTTPS client for tests: GnuTLS and raw bytes, so that anything can be sent. */
#ifndef TESTS_UNIT_API_CLIENT_H
#define TESTS_UNIT_API_CLIENT_H

#include "base/slice.h"

#include <gnutls/gnutls.h>

struct client_papers {
    struct slice ca;          /* DER; what the server is held against. */
    struct slice certificate; /* DER; empty: none is shown. */
    struct slice key;         /* PKCS#8 DER. */
};

struct client {
    int fd;
    gnutls_session_t session;
    gnutls_certificate_credentials_t credentials;
    char *answer; /* Head and body of the last answer, NUL-terminated. */
    size_t used;
    size_t room;
    int status;
};

/* False: the handshake failed. */
bool client_open(
    struct client *client, int port, const struct client_papers *papers, const char *priorities);
void client_close(struct client *client);
/* Sends the bytes and reads one answer; its status, or -1 when the connection ended. */
int client_send(struct client *client, const char *bytes, size_t size);
/* "METHOD target", header lines each with CRLF, body. */
int client_ask(
    struct client *client,
    const char *method,
    const char *target,
    const char *headers,
    const char *body);
/* Reads on until the text is there; false: the connection ended. For streams. */
bool client_until(struct client *client, const char *text);

#endif
