/* Decides how a tenant's place in the map that the newest checkpoint signs is found again: from the
 * chains of now, taken back over the leaves that came after the checkpoint. Nothing is kept for it
 * while commands are applied, and every replica finds the same. Never decides who may ask
 * (engine_told.c did), never signs. */
#include "audit/leaf.h"
#include "audit/map.h"
#include "base/check.h"
#include "controller/server_inner.h"
#include "wire/wire.h"

#include <string.h>

/* Leaves after a checkpoint that one proof may go back over. There are more only while keys do not
 * sign, or for a moment under a storm. */
enum { PROOF_LEAVES = 65536 };

struct rewind {
    struct server *server;
    struct audit_map_entry *entries;
    uint64_t count;
    uint64_t next; /* The leaf that must come now. */
    uint64_t end;
};

static bool take_back(void *context, uint64_t seq, struct slice value)
{
    struct rewind *back = context;
    struct arena *scratch = &back->server->scratch;
    Wire__Leaf *leaf = NULL;
    arena_reset(scratch);
    if (back->next == back->end || seq != back->next ||
        wire_decode(&wire__leaf__descriptor, value, scratch, &leaf).code != 0 ||
        leaf->seq != back->next || !audit_leaf_valid(leaf) ||
        !audit_map_rewind(back->entries, back->count, leaf)) {
        return false;
    }
    back->next++;
    return true;
}

/* The map as it is now: the provider first, then tenants as they were made, which is by id. NULL:
 * the step has no room. */
static struct audit_map_entry *map_of_now(struct server *server, uint64_t *count_out)
{
    const struct state *state = engine_state(server->engine);
    size_t room = (size_t)state_count(state, TABLE_TENANT) + 1;
    struct audit_map_entry *entries = arena_take(&server->arena, sizeof(*entries) * room);
    if (entries == NULL) {
        return NULL;
    }
    uint64_t count = 0;
    entries[count++] = (struct audit_map_entry){ 0, state_cell(state)->chain };
    for (const struct tenant_row *row = state_first(state, TABLE_TENANT); row != NULL;
         row = state_next(state, TABLE_TENANT, row)) {
        CHECK(count < room);
        entries[count++] = (struct audit_map_entry){ row->head.id, row->chain };
    }
    *count_out = count;
    return entries;
}

/* False: it cannot be found now; a newer checkpoint is a second away. */
static bool map_of_checkpoint(
    struct server *server, uint64_t size, struct audit_map_entry **entries_out, uint64_t *count_out)
{
    struct rewind back = { .server = server, .next = size };
    back.end = state_cell(engine_state(server->engine))->frontier.size;
    back.entries = map_of_now(server, &back.count);
    CHECK(size <= back.end);
    if (back.entries == NULL || back.end - size > PROOF_LEAVES ||
        mirror_drain(server, true).code != 0) {
        return false;
    }
    struct result scanned = leaves_scan(server->store, size, take_back, &back);
    if (scanned.code != 0 || back.next != back.end) {
        return false;
    }
    *count_out = audit_map_settle(back.entries, back.count);
    *entries_out = back.entries;
    return true;
}

static void refuse_for_now(struct server *server, Wire__Answer *answer)
{
    Wire__Problem *problem = arena_take(&server->arena, sizeof(*problem));
    answer->reject = REJECT_OVERLOADED;
    answer->retry_after_seconds = 1;
    answer->checkpoint = NULL;
    if (problem != NULL) {
        wire__problem__init(problem);
        problem->code = reject_name(REJECT_OVERLOADED);
        problem->detail = "Too much happened since the newest checkpoint to prove it now.";
        problem->hint = "Ask again after the next checkpoint.";
        answer->problem = problem;
    }
}

void mirror_prove(struct server *server, const struct effect *effect)
{
    Wire__CheckpointView *view = effect->answer->checkpoint;
    struct audit_map_entry *entries = NULL;
    uint64_t count = 0;
    size_t used = 0;
    uint8_t *proof = arena_take(&server->arena, AUDIT_PROOF_MAX);
    size_t kept = server->arena.used;
    CHECK(view != NULL);
    if (proof == NULL || !map_of_checkpoint(server, view->size, &entries, &count)) {
        refuse_for_now(server, effect->answer);
    } else if (audit_map_prove(entries, count, effect->node, proof, &used)) { /* INV-AUD-4 */
        view->tenant_map = (ProtobufCBinaryData){ used, proof };
    } /* Else nothing of this tenant is signed yet, and the answer says so by its silence. */
    server_answer(server, effect->handle, effect->origin, effect->answer);
    server->arena.used = kept; /* Other answers of this step may need the room. */
}
