/* A client of the API as a stranger would write it: TLS 1.3 through GnuTLS, HTTP/1.1, keep-alive,
 * one request under way on each connection, everything non-blocking under one epoll. Links nothing
 * of the product but base.
 *
 * The happy path: https_dial → https_poll until it is ready → https_send → https_poll → on_answer.
 * What can go wrong: the connection ends before its answer → on_gone; an answer that is not HTTP,
 * or larger than HTTPS_ANSWER_MAX → on_gone too. */
#ifndef BENCH_HTTPS_H
#define BENCH_HTTPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HTTPS_ANSWER_MAX = 4 * 1024 * 1024, HTTPS_CONNECTIONS_MAX = 1024 };

struct https;
struct https_connection;

struct https_answer {
    unsigned int status;
    unsigned int retry_after_seconds;
    char *body; /* Ends with a zero byte; gone when on_answer returns. */
    size_t size;
    uint64_t took_ns; /* From https_send to the answer's last byte. */
    uint64_t index;   /* Udatsu-Index; 0: none was given. */
};

struct https_hooks {
    void *context;
    void (*on_ready)(void *context, struct https_connection *connection);
    void (*on_answer)(
        void *context, struct https_connection *connection, const struct https_answer *answer);
    /* The connection is freed when this returns. */
    void (*on_gone)(void *context, struct https_connection *connection);
};

struct https_papers {
    const char *ca; /* Files, PEM. */
    const char *cert;
    const char *key;
};

/* Exits when the papers cannot be read. */
struct https *https_open(const struct https_papers *papers, const struct https_hooks *hooks);
void https_close(struct https *https);
/* address: HOST:PORT, numbers only. `tag` is the caller's. NULL: nobody listens there. */
struct https_connection *https_dial(struct https *https, const char *address, uint64_t tag);
uint64_t https_tag(const struct https_connection *connection);
void https_drop(struct https_connection *connection);
/* Only on a connection that is ready and has nothing under way. body: JSON or NULL; key: NULL or
 * the Idempotency-Key; brief: Prefer: return=minimal. All is copied. */
void https_send(
    struct https_connection *connection,
    const char *method,
    const char *path,
    const char *body,
    size_t body_size,
    const char *key,
    bool brief);
/* The same with what few need. match: NULL or If-Match, with its quotes. */
struct https_request {
    const char *method;
    const char *path;
    const char *body;
    size_t body_size;
    const char *key;
    const char *match;
    bool brief;
};
void https_ask(struct https_connection *connection, const struct https_request *request);
/* One round of events; hooks are called from here. */
void https_poll(struct https *https, int timeout_ms);

#endif
