/* The care that the log takes of what a disk does, each kind with a name: a build for tests
 * (tests/sim/meson.build) leaves one out, and the simulator of consensus has to find the harm.
 * Decides nothing else; in every other build JOURNAL_CARE() is the constant true. */
#ifndef CONTROLLER_JOURNAL_CARE_H
#define CONTROLLER_JOURNAL_CARE_H

enum journal_care {
    JOURNAL_CARE_ROLL = 1, /* A file is durable before the next one begins. */
    JOURNAL_CARE_CHECKSUM, /* A record is one only with its checksum. */
    JOURNAL_CARE_CUT,      /* What is cut off is cut off on the disk. */
};

#ifdef JOURNAL_MUTANT
#define JOURNAL_CARE(name) ((int)JOURNAL_CARE_##name != JOURNAL_MUTANT)
#else
#define JOURNAL_CARE(name) ((int)JOURNAL_CARE_##name > 0)
#endif

#endif
