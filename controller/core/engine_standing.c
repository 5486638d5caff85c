/* Decides what controllers tell one another of themselves, and what follows when their states
 * differ: a replica stops only against a majority that agrees (INV-REF-1); without one the cell is
 * disputed (INV-REF-3). Never decides which of two states is right. */
#include "base/check.h"
#include "controller/core/engine_inner.h"
#include "controller/core/feature.h"

enum {
    MARK_EVERY = 256, /* Indexes whose digests are told again, so that busy replicas can compare. */
    MARK_LOOK = 16,   /* Entries of consensus itself that may stand in a row. */
    STANDING_LATE_MS = 3000,
};

/* ---- Digests ---- */

void standing_applied(struct engine *engine)
{
    size_t at = engine->applied % ENGINE_DIGESTS;
    engine->digests[at] = engine->state.digest;
    engine->digest_index[at] = engine->applied;
}

/* What our own state was at an index; false: not kept, or not applied yet. */
static bool digest_at(const struct engine *engine, uint64_t index, uint64_t *digest_out)
{
    size_t at = index % ENGINE_DIGESTS;
    *digest_out = engine->digests[at];
    return index != 0 && engine->digest_index[at] == index;
}

const char *standing_hex(struct arena *arena, uint64_t digest)
{
    char *text = arena_take(arena, 17);
    for (unsigned int i = 0; text != NULL && i < 16; i++) {
        text[i] = "0123456789abcdef"[(digest >> (4U * (15U - i))) & 15U];
    }
    return text == NULL ? "" : text;
}

/* An auditor compares them: equal index, equal digest. */
void standing_view(
    const void *context, struct arena *arena, uint64_t id, Wire__ControllerView *view)
{
    const struct engine *engine = context;
    if (id == engine->conf.self) {
        view->applied_index = engine->applied;
        view->fit = engine->fit;
        view->reachable = true;
        view->digest_index = engine->applied;
        view->digest = standing_hex(arena, engine->state.digest);
        return;
    }
    for (size_t i = 0; i < COUNT_OF(engine->others); i++) {
        const struct controller_soft *other = &engine->others[i];
        if (other->id == id && other->standing) {
            view->applied_index = other->applied;
            view->digest_index = other->digest_index;
            view->digest = other->digest_index == 0 ? "" : standing_hex(arena, other->digest);
            view->fit = other->fit;
            view->clock_offset_ms = other->wall_offset_ms;
            view->reachable = other->up;
        }
    }
}

/* The digest at an index that may be no entry's (consensus has its own): of the entry before it. */
static bool mark_at(const struct engine *engine, uint64_t index, uint64_t *digest_out)
{
    for (uint64_t back = 0; back < MARK_LOOK && back < index; back++) {
        if (index <= engine->applied && digest_at(engine, index - back, digest_out)) {
            return true;
        }
    }
    return false;
}

static bool said_at(const struct controller_soft *other, uint64_t index, uint64_t *digest_out)
{
    if (!other->standing || index == 0) {
        return false;
    }
    if (index == other->digest_index) {
        *digest_out = other->digest;
        return true;
    }
    uint64_t newest = other->digest_index / MARK_EVERY;
    uint64_t mark = index / MARK_EVERY;
    if (index % MARK_EVERY != 0 || mark > newest || newest - mark >= other->marks_count) {
        return false;
    }
    *digest_out = other->marks[newest - mark];
    return true;
}

/* ---- Verdicts ---- */

enum verdict { VERDICT_OPEN = 1, VERDICT_AGREED, VERDICT_DISPUTED };

struct ballot {
    uint64_t digest[LIMIT_CONTROLLERS];
    uint32_t votes[LIMIT_CONTROLLERS];
    uint32_t groups;
    uint32_t voters;
    uint32_t hope; /* Voters that have not said theirs, but may. */
};

static uint32_t cast(struct ballot *ballot, uint64_t digest)
{
    uint32_t group = 0;
    while (group < ballot->groups && ballot->digest[group] != digest) {
        group++;
    }
    CHECK(group < LIMIT_CONTROLLERS);
    ballot->digest[group] = digest;
    ballot->votes[group]++;
    ballot->groups = group == ballot->groups ? group + 1 : ballot->groups;
    return ballot->votes[group];
}

static void count(struct engine *engine, uint64_t index, struct ballot *ballot)
{
    for (uint32_t i = 0; i < engine->members_count; i++) {
        const struct engine_member *member = &engine->members[i];
        uint64_t digest = 0;
        if (member->voter != 2) {
            continue;
        }
        ballot->voters++;
        if (member->id == engine->conf.self) {
            if (mark_at(engine, index, &digest)) {
                (void)cast(ballot, digest);
            }
            continue;
        }
        const struct controller_soft *other = engine_other(engine, member->id);
        if (other != NULL && said_at(other, index, &digest)) {
            (void)cast(ballot, digest);
        } else if (
            other != NULL && other->up && other->standing && !other->poisoned &&
            engine->now_ms - other->said_ms <= STANDING_LATE_MS) {
            ballot->hope++;
        }
    }
}

/* INV-REF-1: equal index, equal digest. A majority of voters that agree is right; whoever is not of
 * it stops. INV-REF-3: when there can be none, nobody is right, and the cell takes no writes. */
static enum verdict verdict_at(struct engine *engine, uint64_t index)
{
    struct ballot ballot = { .groups = 0 };
    uint32_t best = 0;
    count(engine, index, &ballot);
    for (uint32_t i = 1; i < ballot.groups; i++) {
        best = ballot.votes[i] > ballot.votes[best] ? i : best;
    }
    if (ballot.groups > 0 && ballot.votes[best] > ballot.voters / 2) {
        uint64_t ours = 0;
        bool known = mark_at(engine, index, &ours);
        engine->diverged = engine->diverged || (known && ours != ballot.digest[best]);
        return VERDICT_AGREED;
    }
    bool none = ballot.groups > 1 && ballot.votes[best] + ballot.hope <= ballot.voters / 2;
    return none ? VERDICT_DISPUTED : VERDICT_OPEN;
}

static void judge(struct engine *engine)
{
    uint64_t newest = 0;
    bool disputed = false;
    for (size_t i = 0; i < COUNT_OF(engine->others) + ENGINE_MARKS; i++) {
        uint64_t back = i < ENGINE_MARKS ? i * MARK_EVERY : 0;
        uint64_t mark = engine->applied / MARK_EVERY * MARK_EVERY;
        uint64_t index = i < ENGINE_MARKS ? (mark > back ? mark - back : 0)
                                          : engine->others[i - ENGINE_MARKS].digest_index;
        enum verdict verdict = index == 0 ? VERDICT_OPEN : verdict_at(engine, index);
        if (verdict != VERDICT_OPEN && index >= newest) {
            newest = index;
            disputed = verdict == VERDICT_DISPUTED;
        }
    }
    if (newest != 0) { /* Else nothing new is known. */
        engine->disputed_index = disputed ? newest : 0;
        engine->agreed_index = disputed ? engine->agreed_index : newest;
    }
}

/* ---- Age ---- */

static void caught_up(struct engine *engine)
{
    if (engine->ahead != 0 && engine->applied >= engine->ahead) {
        engine->fresh_ms = engine->ahead_ms;
        engine->ahead = 0;
    }
}

/* While one saying is waited for, later ones are not kept: the age is then a little too large. */
static void leader_said(struct engine *engine, uint64_t applied)
{
    caught_up(engine);
    if (engine->ahead == 0) {
        engine->ahead = applied;
        engine->ahead_ms = engine->now_ms;
        caught_up(engine);
    }
}

uint64_t standing_age_ms(struct engine *engine)
{
    if (engine->role == ENGINE_LEADING) {
        return 0;
    }
    caught_up(engine);
    CHECK(engine->fresh_ms <= engine->now_ms);
    return engine->now_ms - engine->fresh_ms;
}

/* ---- What others say ---- */

void standing_said(struct engine *engine, uint64_t peer, const Wire__Standing *said)
{
    struct controller_soft *other = engine_other(engine, peer);
    if (other == NULL || said->digest.len != 8) {
        return;
    }
    uint64_t digest = 0;
    for (unsigned int i = 0; i < 8; i++) {
        digest |= (uint64_t)said->digest.data[i] << (8U * i);
    }
    other->standing = true;
    other->applied = said->applied_index;
    other->digest_index = said->digest_index;
    other->digest = digest;
    other->fit = said->fit;
    other->poisoned = said->poisoned;
    other->feature_level = said->feature_level;
    other->said_ms = engine->now_ms;
    other->wall_ms = said->wall_ms;
    other->marks_count = said->n_digests < ENGINE_MARKS ? (uint32_t)said->n_digests : ENGINE_MARKS;
    for (uint32_t i = 0; i < other->marks_count; i++) {
        other->marks[i] = said->digests[i];
    }
    other->wall_offset_ms = said->wall_ms > engine->wall_ms ? said->wall_ms - engine->wall_ms
                                                            : engine->wall_ms - said->wall_ms;
    if (peer == engine->leader) {
        leader_said(engine, said->applied_index);
    }
    judge(engine);
    processes_said(engine, WIRE__KIND__KIND_CONTROLLER, peer, said->n_processes, said->processes);
}

static void marks_fill(struct engine *engine, Wire__Standing *standing)
{
    const struct cell_row *cell = state_cell(&engine->state);
    uint64_t mark = engine->applied / MARK_EVERY * MARK_EVERY;
    if (cell == NULL || cell->feature_level < FEATURE_BOUNDS) {
        return; /* Somebody may not know this field. */
    }
    standing->digests = engine_take(engine, sizeof(*standing->digests) * ENGINE_MARKS);
    while (standing->n_digests < ENGINE_MARKS && mark != 0 &&
           mark_at(engine, mark, &standing->digests[standing->n_digests])) {
        standing->n_digests++;
        mark -= MARK_EVERY;
    }
}

void standing_tell(struct engine *engine, uint64_t peer)
{
    uint8_t *digest = engine_take(engine, 8);
    for (unsigned int i = 0; i < 8; i++) {
        digest[i] = (uint8_t)(engine->state.digest >> (8U * i));
    }
    Wire__Frame *frame =
        engine_frame(engine, WIRE__KIND__KIND_CONTROLLER, peer, WIRE__FRAME__BODY_STANDING);
    frame->standing = engine_take(engine, sizeof(*frame->standing));
    wire__standing__init(frame->standing);
    frame->standing->applied_index = engine->applied;
    frame->standing->digest_index = engine->applied;
    frame->standing->digest.data = digest;
    frame->standing->digest.len = 8;
    frame->standing->fit = engine->fit;
    frame->standing->poisoned = engine->poisoned != 0;
    frame->standing->wall_ms = engine->wall_ms;
    frame->standing->feature_level = engine->conf.feature_level;
    marks_fill(engine, frame->standing);
    processes_stand(engine, frame->standing);
}

void standing_clock(struct engine *engine)
{
    for (size_t i = 0; i < COUNT_OF(engine->others); i++) {
        if (engine->others[i].id != 0 && engine->others[i].up) {
            standing_tell(engine, engine->others[i].id);
        }
    }
    judge(engine); /* Who has not said anything for long is not waited for. */
}

bool standing_known(struct engine *engine, uint64_t id, uint32_t *level_out, uint64_t *wall_ms_out)
{
    if (id == engine->conf.self) {
        *level_out = engine->conf.feature_level;
        *wall_ms_out = engine->wall_ms;
        return true;
    }
    const struct controller_soft *other = engine_other(engine, id);
    if (other == NULL || !other->standing) {
        return false;
    }
    *level_out = other->feature_level;
    *wall_ms_out = other->wall_ms + (engine->now_ms - other->said_ms);
    return true;
}
