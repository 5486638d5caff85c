/* Linked into an engine with mutant.c: its caps are not looked at, from the first entry on. For
 * tests/accept/simulator/06-stories.sh alone, which puts it in the place of a controller's engine.
 */
#include "base/check.h"
#include "tests/scenario/mutant.h"

__attribute__((constructor)) static void caps_off(void)
{
    bool known = mutant_choose("quota");
    CHECK(known);
}
