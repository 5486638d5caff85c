/* From the words of HTTP to a Request. Decides only what is well formed. */
#ifndef CONTROLLER_API_REQUEST_H
#define CONTROLLER_API_REQUEST_H

#include "controller/api_json.h"
#include "controller/api_problem.h"
#include "controller/api_routes.h"

enum { API_QUERY_MAX = 16, API_TOKEN_SIZE = 40 };

struct api_pair {
    const char *name; /* Decoded. */
    const char *value;
};

struct api_query {
    struct api_pair pairs[API_QUERY_MAX];
    uint32_t count;
};

struct api_input {
    const struct api_route *route;
    const struct api_slots *slots;
    const struct api_query *query;
    struct json *body;           /* NULL: none was sent. */
    const char *idempotency_key; /* "" when absent. */
    const char *if_match;        /* As in the header; "" when absent. */
    const char *request_id;
    Wire__Identity *principal;
};

/* Everything that the request points to lives in the arena, in the body's document or in the
 * input's own texts. */
bool api_request_make(
    const struct api_input *input,
    struct arena *arena,
    Wire__Request **request_out,
    struct problem *problem);

/* Splits and decodes "path?query" in place. False: bad escapes, or too many. */
bool api_target_split(char *target, struct api_query *query_out, struct problem *problem);
/* Decodes %XX in place; what may not be in a text becomes a control character, which every reader
 * refuses. Returns the new size. */
size_t api_unescape(char *text);

/* A page token is the last id of the page before and a digest of the question it belongs to, so
 * that it cannot be used with another one. It is not secret and gives no right: engine decides for
 * each item again. */
void api_page_token(
    const struct api_route *route,
    const struct api_slots *slots,
    const struct api_query *query,
    uint64_t after,
    char out[static API_TOKEN_SIZE]);

/* 00-<32 hex>-<16 hex>-<2 hex>, the form that we give back. */
bool api_traceparent_valid(const char *header);

#endif
