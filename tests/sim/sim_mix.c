/* Decides how often each kind of fault strikes in a mix. Never decides what a fault does. */
#include "tests/sim/sim_mix.h"

#include "base/check.h"

#include <string.h>

/* In the order of struct sim_mix, which says what each number is. A table is read in columns, so
 * the formatter leaves its rows alone. */
/* clang-format off */
static const struct sim_mix mixes[] = {
    /*               voters, snapshots, load, churn  restart  who dies     operator       network */
    { "all",             0,  64, 16,      0,     0,   600,  3300,    0,  450,  3,  4, 3,   750,  300,
      "a little of everything" },
    { "short-reigns",    5,  64, 16,    150,   120,   250,  8000, 6000,    0,  0,  0, 0,   750,  300,
      "leaders of five die with an entry that few have, and soon come back" },
    { "hand-overs",      0,  64, 16,     60,  2000,   300,  3300,    0,   60, 10,  0, 0,   250, 1500,
      "leadership is handed over again and again, over links that lose and delay" },
    { "members",         3,   4,  2,     15,   300,   300,  6000,  300,   25,  1,  5, 3,   400,  300,
      "members come and go all the time, with snapshots between, and leaders die" },
    { "small-cells",     1,  16,  4,     15,   250,   300,  6000,  600,   60,  1,  4, 1,   400,  600,
      "a cell of one grows and shrinks, and its leaders die" },
    { "newcomers",       3,  24,  1,     15,  4000,   300,  3300,    0,   60,  0, 10, 0,  1500, 5000,
      "members come while the log is whole; its first entries come again, late" },
};
/* clang-format on */

const struct sim_mix *sim_mix_at(uint32_t at)
{
    CHECK(strcmp(mixes[0].name, "all") == 0);
    return at < COUNT_OF(mixes) ? &mixes[at] : NULL;
}

const struct sim_mix *sim_mix_named(const char *name)
{
    CHECK(name != NULL);
    for (unsigned int i = 0; i < COUNT_OF(mixes); i++) {
        if (strcmp(name, mixes[i].name) == 0) {
            return &mixes[i];
        }
    }
    return NULL;
}
