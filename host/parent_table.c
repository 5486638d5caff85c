/* Decides which programs a machine runs, as whom, and who speaks with whom. Never starts one. */
#include "base/check.h"
#include "host/parent.h"

#define P(program) (UINT32_C(1) << PROGRAM_##program)
#define CONTROLLER (UINT32_C(1) << CONF_KIND_CONTROLLER)
#define NODE       (UINT32_C(1) << CONF_KIND_NODE)

/* api subscribes to engine's bus before its sandbox closes and could not do so again: it dies with
 * engine. Everybody else takes a new channel if it says that it can (READY.rejoins), and is
 * restarted if not. QEMU guests are libvirtd's children and nobody's here. */
static const struct parent_row rows[] = {
    { .program = PROGRAM_KEYS,
      .kinds = CONTROLLER | NODE,
      .peers = P(LINK) | P(API) | P(ENGINE) | P(AGENT) },
    { .program = PROGRAM_LINK,
      .kinds = CONTROLLER | NODE,
      .peers = P(KEYS) | P(ENGINE) | P(AGENT),
      .listens = true },
    { .program = PROGRAM_ENGINE, .kinds = CONTROLLER, .peers = P(KEYS) | P(LINK) | P(API) },
    { .program = PROGRAM_API,
      .kinds = CONTROLLER,
      .peers = P(KEYS) | P(ENGINE),
      .dies_with = P(ENGINE),
      .listens = true },
    { .program = PROGRAM_AGENT, .kinds = NODE, .peers = P(KEYS) | P(LINK) | P(HOST) },
    { .program = PROGRAM_HOST, .kinds = NODE, .peers = P(AGENT), .keeps_root = true },
};

const struct parent_row *parent_row(enum program program)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (rows[i].program == program) {
            return &rows[i];
        }
    }
    return NULL;
}

bool parent_runs(enum conf_kind kind, enum program program)
{
    CHECK(kind == CONF_KIND_CONTROLLER || kind == CONF_KIND_NODE);
    const struct parent_row *row = parent_row(program);
    return row != NULL && (row->kinds & (UINT32_C(1) << kind)) != 0;
}

bool parent_are_peers(enum conf_kind kind, enum program a, enum program b)
{
    const struct parent_row *row = parent_row(a);
    const struct parent_row *other = parent_row(b);
    if (a == b || row == NULL || other == NULL || !parent_runs(kind, a) || !parent_runs(kind, b)) {
        return false;
    }
    bool forth = (row->peers & (UINT32_C(1) << b)) != 0;
    bool back = (other->peers & (UINT32_C(1) << a)) != 0;
    CHECK(forth == back);
    return forth;
}
