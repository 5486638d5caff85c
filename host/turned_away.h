/* Who was not let in at this program's door: folded, and told to engine, which makes leaves of it.
 *
 * The happy path: turned_away_note at each refusal → turned_away_send about once a second.
 * What can go wrong: engine is away → it stays folded until one is there; more kinds than the fold
 * has rows → counted together. What dies with the process, dies: about a second's worth. */
#ifndef HOST_TURNED_AWAY_H
#define HOST_TURNED_AWAY_H

#include "audit/fold.h"
#include "base/reject.h"
#include "host/channel.h"

struct turned_away {
    struct fold fold;
};

/* `who`: kind 0 is a stranger. */
void turned_away_note(
    struct turned_away *away,
    const char *operation,
    enum reject reject,
    Wire__Kind kind,
    uint64_t id);
/* engine NULL: it is away. */
void turned_away_send(struct turned_away *away, struct channel *engine);

#endif
