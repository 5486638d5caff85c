/* The build that tells stories to the core as it is: there are no mutants in it. */
#include "tests/scenario/mutant.h"

bool mutant_choose(const char *name)
{
    (void)name;
    return false;
}
