/* What the target of the engine and its first inputs share: the kinds of parts, and what plays one
 * part in the world as it stands. */
#ifndef TESTS_FUZZ_FUZZ_ENGINE_H
#define TESTS_FUZZ_FUZZ_ENGINE_H

#include "tests/fuzz/fuzz.h"

/* What a part is, by the lower half of its kind. */
enum kind {
    KIND_ASK, /* The upper half: HOW_CROWD, or one client. */
    KIND_FRAME,
    KIND_TOLD,  /* The upper half says by whom: 0 keys or parent, 1 api, 2 link. */
    KIND_ENTRY, /* The upper half says how many indexes before it were consensus' own. */
    KIND_CLOCK,
    KIND_ROLE,
    KIND_MEMBERS,
    KIND_LINK,
    KIND_TURN,
    KIND_COMMIT,
    KIND_REFUSE,
    KIND_LOSE,   /* With bytes: what an earlier engine of this machine had proposed. */
    KIND_SETTLE, /* Turns and commits until nothing is left to do. */
    KIND_RENEW,
    KIND_LEAVE,
    KIND_CONF, /* Only as the first one. */
};

enum {
    KIND_UPPER = 16, /* The upper half of a kind, times this. */
    HOW_CROWD = 15,
    SKIP_STEP = 17, /* Fifteen of them and the entry itself are 256 indexes. */
};

/* Plays one part. */
void engine_part(const struct fuzz_part *part);

#endif
