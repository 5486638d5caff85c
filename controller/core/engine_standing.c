/* Decides what controllers tell one another of themselves, and what follows when their states
 * differ: a replica stops only against a majority that agrees (INV-REF-1). Never decides which of
 * two states is right. */
#include "base/check.h"
#include "controller/core/engine_inner.h"

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

/* Does this controller say another digest of an index than ours was? */
static bool differs(const struct engine *engine, const struct controller_soft *other)
{
    uint64_t ours = 0;
    return other->id != 0 && other->standing && digest_at(engine, other->digest_index, &ours) &&
           ours != other->digest;
}

static bool votes(const struct engine *engine, uint64_t id)
{
    for (uint32_t i = 0; i < engine->members_count; i++) {
        if (engine->members[i].id == id) {
            return engine->members[i].voter == 2;
        }
    }
    return false;
}

/* INV-REF-1: equal index, equal digest. A majority of voters that agree with one another, and not
 * with us, is right. */
static void compare(struct engine *engine)
{
    uint32_t voters = 0;
    for (uint32_t i = 0; i < engine->members_count; i++) {
        voters += engine->members[i].voter == 2 ? 1 : 0;
    }
    for (size_t i = 0; i < COUNT_OF(engine->others); i++) {
        const struct controller_soft *one = &engine->others[i];
        uint32_t against = 0;
        for (size_t k = 0; k < COUNT_OF(engine->others) && differs(engine, one); k++) {
            const struct controller_soft *other = &engine->others[k];
            bool says = differs(engine, other) && other->digest == one->digest &&
                        other->digest_index == one->digest_index && votes(engine, other->id);
            against += says ? 1 : 0;
        }
        if (voters > 1 && against > voters / 2) {
            engine->diverged = true;
        }
    }
}

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
    other->feature_level = said->feature_level;
    other->said_ms = engine->now_ms;
    other->wall_offset_ms = said->wall_ms > engine->wall_ms ? said->wall_ms - engine->wall_ms
                                                            : engine->wall_ms - said->wall_ms;
    compare(engine);
    processes_said(engine, WIRE__KIND__KIND_CONTROLLER, peer, said->n_processes, said->processes);
}

void standing_tell(struct engine *engine)
{
    uint8_t *digest = engine_take(engine, 8);
    for (unsigned int i = 0; i < 8; i++) {
        digest[i] = (uint8_t)(engine->state.digest >> (8U * i));
    }
    for (size_t i = 0; i < COUNT_OF(engine->others); i++) {
        if (engine->others[i].id == 0 || !engine->others[i].up) {
            continue;
        }
        Wire__Frame *frame = engine_frame(
            engine, WIRE__KIND__KIND_CONTROLLER, engine->others[i].id, WIRE__FRAME__BODY_STANDING);
        frame->standing = engine_take(engine, sizeof(*frame->standing));
        wire__standing__init(frame->standing);
        frame->standing->applied_index = engine->applied;
        frame->standing->digest_index = engine->applied;
        frame->standing->digest.data = digest;
        frame->standing->digest.len = 8;
        frame->standing->fit = engine->fit;
        frame->standing->poisoned = engine->poisoned != 0;
        frame->standing->wall_ms = engine->wall_ms;
        frame->standing->feature_level = 1;
        processes_stand(engine, frame->standing);
    }
}
