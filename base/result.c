/* Decides the words for failures. Never decides what to do about one. */
#include "base/result.h"

#include "base/check.h"

static const char *const names[] = {
    [FAILURE_NONE] = "ok",
    [FAILURE_NO_SPACE] = "no-space",
    [FAILURE_IO] = "io",
    [FAILURE_CORRUPT] = "corrupt",
    [FAILURE_NOT_FOUND] = "not-found",
    [FAILURE_BUSY] = "busy",
    [FAILURE_FULL] = "full",
    [FAILURE_NOT_LEADER] = "not-leader",
    [FAILURE_CLOSED] = "closed",
    [FAILURE_BAD_INPUT] = "bad-input",
    [FAILURE_DENIED] = "denied",
    [FAILURE_TIMEOUT] = "timeout",
    [FAILURE_UNSUPPORTED] = "unsupported",
    [FAILURE_EXISTS] = "exists",
    [FAILURE_SET_BACK] = "set-back",
};
_Static_assert(COUNT_OF(names) == FAILURE_END, "every failure has its word");

const char *result_name(struct result result)
{
    return result.code < COUNT_OF(names) ? names[result.code] : "unknown";
}
