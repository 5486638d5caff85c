/* CHECK: what only a bug can break. Always compiled in; NDEBUG does not touch it.
 *
 * Never CHECK what another machine, another process or a person can send: that is a reject or a
 * failure. A CHECK that defends a numbered invariant cites it: CHECK(owners == 1); (INV-VM-1). */
#ifndef BASE_CHECK_H
#define BASE_CHECK_H

#include <stdbool.h>
#include <stddef.h>

/* Prints one line to standard error and aborts. Async-signal-safe; allocates nothing. */
_Noreturn void check_failed(const char *condition, const char *file, int line);

#define CHECK(cond) ((cond) ? (void)0 : check_failed(#cond, __FILE__, __LINE__))

/* For a switch arm that no value of our own enum can reach. */
#define UNREACHABLE()   check_failed("unreachable", __FILE__, __LINE__)

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#endif
