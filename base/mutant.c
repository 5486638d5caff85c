/* Holds which mistake is made, in builds that can make one. Decides nothing; no daemon has it. */
#include "base/mutant.h"

#include <stddef.h>

#define MUTANT_LINE(name, group, what) { #name, group, what },
const struct mutant_line mutant_lines[] = {
    { "NONE", "", "no mistake" },
    MUTANTS(MUTANT_LINE){ NULL, NULL, NULL },
};

enum mutant mutant_chosen;
