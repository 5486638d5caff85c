/* The tests of the tests: a core with one guard off, by name. */
#ifndef TESTS_SCENARIO_MUTANT_H
#define TESTS_SCENARIO_MUTANT_H

#include <stdbool.h>

/* False: there is no such mutant (in this build). */
bool mutant_choose(const char *name);

#endif
