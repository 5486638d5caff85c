/* Exit statuses: part of the interface, never renumbered. */
#ifndef CLI_EXITS_H
#define CLI_EXITS_H

enum exit_status {
    EXIT_DONE = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_DENIED = 3,
    EXIT_NOT_FOUND = 4,
    EXIT_CONFLICT = 5,
    EXIT_TIMED_OUT = 6,    /* The work goes on; the wait ended. */
    EXIT_NEGATIVE = 7,     /* A proof said no. */
    EXIT_INCONCLUSIVE = 8, /* A proof could not be made. */
    EXIT_INTEGRITY = 9,    /* A record does not verify. */
    EXIT_UNREACHABLE = 69, /* EX_UNAVAILABLE: no endpoint answered. */
};

#endif
