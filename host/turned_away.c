/* Decides how refusals at a door reach engine. Never decides a refusal. */
#include "host/turned_away.h"

#include "base/check.h"
#include "host/clock.h"

void turned_away_note(
    struct turned_away *away,
    const char *operation,
    enum reject reject,
    Wire__Kind kind,
    uint64_t id)
{
    struct fold_key key = { .actor_kind = (uint32_t)kind, .actor = id, .reject = (uint32_t)reject };
    static const uint8_t nothing[AUDIT_HASH];
    bool fits = text_copy(key.operation, sizeof(key.operation), slice_text(operation));
    CHECK(fits); /* A word of ours. */
    fold_add(&away->fold, &key, clock_wall_ms(), nothing);
}

void turned_away_send(struct turned_away *away, struct channel *engine)
{
    struct fold_row row;
    uint64_t now_ms = clock_wall_ms();
    while (engine != NULL && fold_take(&away->fold, now_ms, &row)) {
        Wire__Identity who = WIRE__IDENTITY__INIT;
        Wire__TurnedAway told = WIRE__TURNED_AWAY__INIT;
        Wire__Frame frame = WIRE__FRAME__INIT;
        who.kind = (Wire__Kind)row.key.actor_kind;
        who.id = row.key.actor;
        told.principal = &who;
        told.operation = row.overflow ? "many" : row.key.operation;
        told.reject = row.key.reject;
        told.count = row.count;
        told.first_ms = row.first_ms;
        told.last_ms = row.last_ms;
        told.overflow = row.overflow;
        frame.body_case = WIRE__FRAME__BODY_TURNED_AWAY;
        frame.turned_away = &told;
        if (channel_send(engine, &frame).code != 0) {
            fold_return(&away->fold, &row); /* INV-AUD-5 */
            return;
        }
    }
}
