/* Decides the words and the HTTP status of every reject. Never decides when to reject. */
#include "base/reject.h"

#include "base/check.h"

struct reject_row {
    const char *name;
    uint16_t status;
};

static const struct reject_row rows[] = {
    [REJECT_NONE] = { "ok", 200 },
    [REJECT_DENIED] = { "denied", 403 },
    [REJECT_NOT_FOUND] = { "not-found", 404 },
    [REJECT_NAME_TAKEN] = { "name-taken", 409 },
    [REJECT_BAD_NAME] = { "bad-name", 400 },
    [REJECT_BAD_FIELD] = { "bad-field", 400 },
    [REJECT_QUOTA] = { "quota-exceeded", 409 },
    [REJECT_FLOOR] = { "floor-not-guaranteed", 409 },
    [REJECT_NO_CAPACITY] = { "no-capacity", 409 },
    [REJECT_IN_USE] = { "in-use", 409 },
    [REJECT_STATE] = { "wrong-state", 409 },
    [REJECT_CONFLICT] = { "conflict", 409 },
    [REJECT_IDEMPOTENCY_BODY] = { "idempotency-key-reused", 422 },
    [REJECT_IDEMPOTENCY_FULL] = { "idempotency-table-full", 429 },
    [REJECT_TABLE_FULL] = { "table-full", 507 },
    [REJECT_UNSUPPORTED] = { "unsupported", 422 },
    [REJECT_REVOKED] = { "revoked", 401 },
    [REJECT_TOKEN] = { "bad-token", 401 },
    [REJECT_STALE] = { "stale", 409 },
    [REJECT_UNFIT] = { "unfit", 503 },
    [REJECT_OUTCOME_UNKNOWN] = { "outcome-unknown", 503 },
    [REJECT_NO_LEADER] = { "no-leader", 503 },
    [REJECT_OVERLOADED] = { "overloaded", 429 },
    [REJECT_MALFORMED] = { "malformed", 400 },
    [REJECT_FEATURE_LEVEL] = { "feature-level", 409 },
    [REJECT_PRECONDITION] = { "precondition-failed", 412 },
    [REJECT_RATE] = { "rate-limited", 429 },
    [REJECT_NO_CERTIFICATE] = { "no-certificate", 401 },
    [REJECT_FOREIGN] = { "foreign-certificate", 401 },
    [REJECT_EXPIRED] = { "expired", 401 },
};
_Static_assert(COUNT_OF(rows) == REJECTS_END, "every reject has its row");

const char *reject_name(enum reject reject)
{
    CHECK((unsigned int)reject < COUNT_OF(rows));
    return rows[reject].name;
}

uint16_t reject_status(enum reject reject)
{
    CHECK((unsigned int)reject < COUNT_OF(rows));
    return rows[reject].status;
}
