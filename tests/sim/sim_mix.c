/* Decides how often each kind of fault strikes in a mix. Never decides what a fault does. */
#include "tests/sim/sim_mix.h"

#include "base/check.h"

#include <string.h>

const struct sim_mix sim_mix_all = {
    .name = "all",
    .what = "a little of everything",
    .snapshot_every = 64,
    .snapshot_keep = 16,
    .restart_ms = 600,
    .crash_leader = 3300,
    .operate_ms = 450,
    .transfers = 3,
    .additions = 4,
    .weather_ms = 750,
    .straggle = 300,
};

static const struct sim_mix mixes[] = {
    {
        .name = "short-reigns",
        .what = "leaders of five die with an entry that few have, and soon come back",
        .voters = 5,
        .snapshot_every = 64,
        .snapshot_keep = 16,
        .load_ms = 150,
        .churn_ms = 120,
        .restart_ms = 250,
        .crash_leader = 8000,
        .crash_after_entry = 6000,
        .weather_ms = 750,
        .straggle = 300,
    },
    {
        .name = "hand-overs",
        .what = "leadership is handed over again and again, over links that lose and delay",
        .snapshot_every = 64,
        .snapshot_keep = 16,
        .load_ms = 60,
        .churn_ms = 2000,
        .restart_ms = 300,
        .crash_leader = 3300,
        .operate_ms = 60,
        .transfers = 10,
        .weather_ms = 250,
        .straggle = 1500,
    },
    {
        .name = "members",
        .what = "members come and go all the time, with snapshots between, and leaders die",
        .voters = 3,
        .snapshot_every = 4,
        .snapshot_keep = 2,
        .load_ms = 15,
        .churn_ms = 300,
        .restart_ms = 300,
        .crash_leader = 6000,
        .crash_after_entry = 300,
        .operate_ms = 25,
        .transfers = 1,
        .additions = 5,
        .weather_ms = 400,
        .straggle = 300,
    },
    {
        .name = "newcomers",
        .what = "members come while the log is whole; its first entries come again, late",
        .voters = 3,
        .snapshot_every = 24,
        .snapshot_keep = 1,
        .load_ms = 15,
        .churn_ms = 4000,
        .restart_ms = 300,
        .crash_leader = 3300,
        .operate_ms = 60,
        .additions = 10,
        .weather_ms = 1500,
        .straggle = 5000,
    },
};

const struct sim_mix *sim_mix_named(const char *name)
{
    CHECK(name != NULL);
    if (strcmp(name, sim_mix_all.name) == 0) {
        return &sim_mix_all;
    }
    for (unsigned int i = 0; i < COUNT_OF(mixes); i++) {
        if (strcmp(name, mixes[i].name) == 0) {
            return &mixes[i];
        }
    }
    return NULL;
}
