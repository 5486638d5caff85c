/* From engine's Answer, or from a refusal of our own, to status, headers and body. */
#ifndef CONTROLLER_API_REPLY_H
#define CONTROLLER_API_REPLY_H

#include "controller/api_request.h"

enum { REPLY_TAG_SIZE = 32, REPLY_LOCATION_SIZE = 96 };

struct reply {
    uint16_t status;
    const char *type;                   /* Content-Type. */
    char tag[REPLY_TAG_SIZE];           /* ETag with its quotes, or "". */
    char location[REPLY_LOCATION_SIZE]; /* Or "". */
    uint32_t retry_after_seconds;       /* 0: none. */
    uint64_t rate_limit;                /* Requests a second that were passed; 0: none was. */
    uint64_t index;                     /* Udatsu-Index; 0: none. */
    uint64_t disputed_index;            /* Udatsu-Disputed: replicas differ since; 0: none. */
    bool stale;                         /* Then age_ms is said. */
    uint64_t age_ms;
    bool waited;    /* Preference-Applied, like the next. */
    bool minimal;   /* The body says only what its asker needs to go on. */
    uint32_t allow; /* 405: the methods that are there. */
};

/* What the answer answers. */
struct reply_to {
    const struct api_route *route;
    const struct api_slots *slots;
    const struct api_query *query;
    const char *request_id;
    bool stale;
    bool waited;  /* The operation was waited for: 200 instead of 202. */
    bool minimal; /* Prefer: return=minimal. Refusals are whole all the same. */
};

/* Writes the body into `out`. */
void reply_answer(
    const struct reply_to *to,
    const Wire__Answer *answer,
    struct out *out,
    struct reply *reply_out);
void reply_problem(
    const struct problem *problem,
    const char *request_id,
    struct out *out,
    struct reply *reply_out);

/* {"service", "cell", "versions", "extensions", "ca"} */
void reply_root(uint32_t cell, struct slice ca, struct out *out, struct reply *reply_out);

#endif
