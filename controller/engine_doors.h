/* What engine tells the two doors of its controller, from the rows: link, whom to dial and which
 * machines' certificates are void; api, whose are. Told anew when a revocation was applied, when a
 * door comes back, and when the rows are another's (a snapshot). */
#ifndef CONTROLLER_ENGINE_DOORS_H
#define CONTROLLER_ENGINE_DOORS_H

#include "controller/core/state.h"
#include "controller/replica.h"

#include <frame.pb-c.h>

struct doors {
    bool link_due;
    bool api_due;
    uint64_t dialled; /* Controllers that link was told of. */
};

/* False: it could not be sent, and is tried again. */
typedef bool doors_send(void *context, enum program other, Wire__Frame *frame);

void doors_ring(struct doors *doors); /* Everybody is told anew. */
void doors_opened(struct doors *doors, enum program other);
/* At the end of a turn; sends only what is due. */
void doors_tell(
    struct doors *doors,
    const struct state *state,
    const struct replica_status *status,
    uint64_t self,
    doors_send *send,
    void *context);

#endif
