/* Decides nothing: it sends what a test gives it. */
#include "tests/unit/api_client.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static gnutls_datum_t datum(struct slice bytes)
{
    return (gnutls_datum_t){ (unsigned char *)(uintptr_t)bytes.data, (unsigned int)bytes.size };
}

static bool papers_take(struct client *client, const struct client_papers *papers)
{
    gnutls_datum_t ca = datum(papers->ca);
    gnutls_datum_t certificate = datum(papers->certificate);
    gnutls_datum_t key = datum(papers->key);
    return gnutls_certificate_allocate_credentials(&client->credentials) == 0 &&
           gnutls_certificate_set_x509_trust_mem(client->credentials, &ca, GNUTLS_X509_FMT_DER) ==
               1 &&
           (papers->certificate.size == 0 ||
            gnutls_certificate_set_x509_key_mem(
                client->credentials, &certificate, &key, GNUTLS_X509_FMT_DER) == 0);
}

bool client_open(
    struct client *client, int port, const struct client_papers *papers, const char *priorities)
{
    *client = (struct client){ .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) };
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    struct timeval patience = { .tv_sec = 20 };
    (void)setsockopt(client->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    client->room = 256 * 1024;
    client->answer = calloc(1, client->room);
    if (client->answer == NULL || connect(client->fd, (struct sockaddr *)&to, sizeof(to)) != 0 ||
        !papers_take(client, papers)) {
        return false;
    }
    bool ready =
        gnutls_init(&client->session, GNUTLS_CLIENT) == 0 &&
        gnutls_priority_set_direct(client->session, priorities, NULL) == 0 &&
        gnutls_credentials_set(client->session, GNUTLS_CRD_CERTIFICATE, client->credentials) == 0;
    if (!ready) {
        return false;
    }
    gnutls_session_set_verify_cert(client->session, NULL, 0);
    gnutls_transport_set_int(client->session, client->fd);
    int code = 0;
    do {
        code = gnutls_handshake(client->session);
    } while (code != 0 && gnutls_error_is_fatal(code) == 0);
    return code == 0;
}

void client_close(struct client *client)
{
    if (client->session != NULL) {
        gnutls_deinit(client->session);
    }
    if (client->credentials != NULL) {
        gnutls_certificate_free_credentials(client->credentials);
    }
    free(client->answer);
    (void)close(client->fd);
}

static bool more(struct client *client)
{
    if (client->used + 1 >= client->room) {
        return false;
    }
    ssize_t size = 0;
    do {
        size = gnutls_record_recv(
            client->session, client->answer + client->used, client->room - client->used - 1);
    } while (size == GNUTLS_E_INTERRUPTED || size == GNUTLS_E_AGAIN);
    if (size <= 0) {
        return false;
    }
    client->used += (size_t)size;
    client->answer[client->used] = '\0';
    return true;
}

bool client_until(struct client *client, const char *text)
{
    while (strstr(client->answer, text) == NULL) {
        if (strstr(client->answer, ": beat\n") != NULL || !more(client)) {
            return false; /* A heartbeat: the stream had nothing to say for long. */
        }
    }
    return true;
}

static int read_answer(struct client *client)
{
    client->used = 0;
    client->answer[0] = '\0';
    if (!client_until(client, "\r\n\r\n")) {
        return -1;
    }
    client->status = (int)strtol(client->answer + 9, NULL, 10);
    if (client->status == 100) { /* Continue: the real one follows. */
        return read_answer(client);
    }
    const char *length = strcasestr(client->answer, "\r\nContent-Length: ");
    const char *body = strstr(client->answer, "\r\n\r\n") + 4;
    if (length == NULL || length > body) {
        return client->status;
    }
    size_t wanted = (size_t)(body - client->answer) + (size_t)strtoul(length + 18, NULL, 10);
    while (client->used < wanted) {
        if (!more(client)) {
            return -1;
        }
    }
    return client->status;
}

int client_send(struct client *client, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t sent = gnutls_record_send(client->session, bytes, size);
        if (sent <= 0) {
            break; /* The server may have answered and closed already. */
        }
        bytes += sent;
        size -= (size_t)sent;
    }
    return read_answer(client);
}

int client_ask(
    struct client *client,
    const char *method,
    const char *target,
    const char *headers,
    const char *body)
{
    size_t size = strlen(target) + strlen(headers) + strlen(body) + 256;
    char *text = malloc(size);
    if (text == NULL) {
        return -1;
    }
    int used = snprintf(
        text,
        size,
        "%s %s HTTP/1.1\r\nHost: x\r\n%sContent-Length: %zu\r\n\r\n%s",
        method,
        target,
        headers,
        strlen(body),
        body);
    int status = client_send(client, text, (size_t)used);
    free(text);
    return status;
}
