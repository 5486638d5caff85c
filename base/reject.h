/* Rejects: answers of the business. They live in the log and in answers, so numbers are never
 * reused and never change meaning. */
#ifndef BASE_REJECT_H
#define BASE_REJECT_H

#include <stdint.h>

enum reject {
    REJECT_NONE = 0,
    REJECT_DENIED = 1,    /* The principal's role does not allow it. */
    REJECT_NOT_FOUND = 2, /* Not there, or another tenant's: the two look alike. */
    REJECT_NAME_TAKEN = 3,
    REJECT_BAD_NAME = 4,
    REJECT_BAD_FIELD = 5,   /* A field's value is outside its contract; the pointer names it. */
    REJECT_QUOTA = 6,       /* A cap would be passed: dimension, limit, usage, holder. */
    REJECT_FLOOR = 7,       /* Σ floors would pass capacity − reserve, or eat another's floor. */
    REJECT_NO_CAPACITY = 8, /* No node passes every constraint; the answer names them. */
    REJECT_IN_USE = 9,      /* Something still depends on it. */
    REJECT_STATE = 10,      /* Not possible in the object's present state. */
    REJECT_CONFLICT = 11,   /* The world moved between plan and apply; re-plan. */
    REJECT_IDEMPOTENCY_BODY = 12, /* Same key, another request. */
    REJECT_IDEMPOTENCY_FULL = 13, /* The tenant's key table is full; retry later (429). */
    REJECT_TABLE_FULL = 14,       /* A bounded table of the cell is full. */
    REJECT_UNSUPPORTED = 15,     /* Known, and deliberately not offered yet; the reason says why. */
    REJECT_REVOKED = 16,         /* The certificate or principal was revoked. */
    REJECT_TOKEN = 17,           /* The join token is unknown, used or expired. */
    REJECT_STALE = 18,           /* An older epoch, generation, term or revision. */
    REJECT_UNFIT = 19,           /* This cell takes no new work now (disk full, read-only). */
    REJECT_OUTCOME_UNKNOWN = 20, /* Leadership was lost in flight: retry with the same key. */
    REJECT_NO_LEADER = 21,       /* No leader known; retry. */
    REJECT_OVERLOADED = 22,      /* A bounded queue is full; retry after. */
    REJECT_MALFORMED = 23,       /* The bytes were not a request. */
    REJECT_FEATURE_LEVEL = 24,   /* Not all voters understand it yet. */
    REJECT_PRECONDITION = 25,    /* If-Match did not match. */
    REJECT_RATE = 26,            /* A principal or a tenant asks too often; retry after. */
    REJECT_NO_CERTIFICATE = 27,  /* A door: none was shown, or what was shown proves nothing. */
    REJECT_FOREIGN = 28,         /* A door: a certificate of another cell, or of another machine. */
    REJECT_EXPIRED = 29,         /* A door: the certificate's time is over. */
    REJECTS_END
};

/* The code of the API's problem document ("quota-exceeded"), stable for ever. */
const char *reject_name(enum reject reject);
/* The HTTP status that carries it. */
uint16_t reject_status(enum reject reject);

#endif
