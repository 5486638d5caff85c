/* Mutants of the core, put between its rooms by the linker (--wrap): the objects under test are the
 * very ones of the daemon. Until one is chosen every call goes to the real room.
 *
 * Each mutant leaves out one guard that an invariant names; a story must then be found untrue. */
#include "tests/scenario/mutant.h"

#include "audit/leaf.h"
#include "base/check.h"
#include "controller/core/instance.h"
#include "isolation/network.h"

#include <string.h>

enum mutant {
    MUTANT_NONE = 0,
    MUTANT_QUOTA,   /* Caps are not looked at. INV-LED-2 INV-LED-4 */
    MUTANT_FLOOR,   /* Nor are floors. INV-LED-3 */
    MUTANT_FOREIGN, /* Whose object it is does not matter. INV-SEC-1 */
    MUTANT_MEMORY,  /* No key is remembered. INV-IDEM-1 */
    MUTANT_EARLY,   /* What is deleted is given back at once. INV-LED-6 */
    MUTANT_LEAF,    /* Each write leaves two leaves. INV-AUD-1 */
    MUTANT_DRIFT,   /* A number that is not made of the entry. INV-REF-1 */
    MUTANT_ADDRESS, /* Addresses are not looked up before they are given. INV-NET-3 */
    MUTANT_CHAIN,   /* Leaves do not go on from the one before. INV-AUD-4 */
    MUTANT_FOLD,    /* Of refusals of one kind one is counted. INV-AUD-5 */
    MUTANT_DEAD,    /* An unheard node's instances are taken for dead. INV-VM-1 */
    MUTANTS
};

static const char *const names[] = {
    [MUTANT_NONE] = "none",       [MUTANT_QUOTA] = "quota",   [MUTANT_FLOOR] = "floor",
    [MUTANT_FOREIGN] = "foreign", [MUTANT_MEMORY] = "memory", [MUTANT_EARLY] = "early",
    [MUTANT_LEAF] = "leaf",       [MUTANT_DRIFT] = "drift",   [MUTANT_ADDRESS] = "address",
    [MUTANT_DEAD] = "dead",       [MUTANT_CHAIN] = "chain",   [MUTANT_FOLD] = "fold",
};
_Static_assert(COUNT_OF(names) == MUTANTS, "every mutant has its name");

static enum mutant chosen;

bool mutant_choose(const char *name)
{
    for (unsigned int i = 0; i < MUTANTS; i++) {
        if (strcmp(names[i], name) == 0) {
            chosen = (enum mutant)i;
            return true;
        }
    }
    return false;
}

#define WRAP(type, name, ...)        \
    type __real_##name(__VA_ARGS__); \
    type __wrap_##name(__VA_ARGS__); \
    type __wrap_##name(__VA_ARGS__)

WRAP(
    enum reject,
    ledger_fits,
    const struct quota_account *account,
    const struct quota_amounts *amounts,
    struct quota_refusal *refusal_out)
{
    return chosen == MUTANT_QUOTA ? REJECT_NONE : __real_ledger_fits(account, amounts, refusal_out);
}

WRAP(
    enum reject,
    ledger_hold,
    struct quota_account *account,
    const struct quota_amounts *amounts,
    struct quota_refusal *refusal_out)
{
    struct quota_amounts caps[QUOTA_LEVELS];
    struct quota_amounts none = { {
        QUOTA_UNLIMITED,
        QUOTA_UNLIMITED,
        QUOTA_UNLIMITED,
        QUOTA_UNLIMITED,
    } };
    if (chosen != MUTANT_QUOTA) {
        return __real_ledger_hold(account, amounts, refusal_out);
    }
    size_t level = 0;
    for (struct quota_account *at = account; at != NULL; at = at->parent) {
        caps[level++] = at->cap;
        at->cap = none;
    }
    enum reject reject = __real_ledger_hold(account, amounts, refusal_out);
    level = 0;
    for (struct quota_account *at = account; at != NULL; at = at->parent) {
        at->cap = caps[level++];
    }
    return reject;
}

WRAP(
    enum reject,
    floor_admissible,
    const struct quota_amounts *others,
    const struct quota_amounts *floors,
    const struct quota_amounts *capacity,
    const struct quota_amounts *reserve,
    struct quota_refusal *refusal_out)
{
    return chosen == MUTANT_FLOOR
               ? REJECT_NONE
               : __real_floor_admissible(others, floors, capacity, reserve, refusal_out);
}

WRAP(
    enum reject,
    access_decide,
    const struct access_principal *who,
    enum access_operation operation,
    uint64_t owner)
{
    return chosen == MUTANT_FOREIGN ? REJECT_NONE : __real_access_decide(who, operation, owner);
}

WRAP(
    struct operation_row *,
    state_write,
    const struct state *state,
    uint64_t tenant,
    uint64_t principal,
    const char *key)
{
    return chosen == MUTANT_MEMORY ? NULL : __real_state_write(state, tenant, principal, key);
}

WRAP(
    void,
    apply_instances,
    struct apply *apply,
    const Wire__Request *request,
    struct outcome *outcome)
{
    __real_apply_instances(apply, request, outcome);
    if (chosen != MUTANT_EARLY || apply->dry || outcome->reject != REJECT_NONE ||
        request->body_case != WIRE__REQUEST__BODY_INSTANCE_DELETE) {
        return;
    }
    struct instance_row *row = state_find(apply->state, TABLE_INSTANCE, outcome->resource);
    if (row != NULL) {
        instance_unplace(apply, row);
        instance_gone(apply, row);
    }
}

WRAP(
    struct operation_row *,
    apply_operation,
    struct apply *apply,
    struct outcome *outcome,
    uint64_t tenant,
    Wire__Kind kind,
    uint64_t resource,
    const char *name,
    bool done)
{
    if (chosen == MUTANT_LEAF) {
        apply_leaf(apply, tenant, "twice", kind, resource, REJECT_NONE, "");
    }
    return __real_apply_operation(apply, outcome, tenant, kind, resource, name, done);
}

WRAP(
    void,
    audit_record,
    struct audit_frontier *frontier,
    struct audit_chain *chain,
    Wire__Leaf *leaf,
    struct audit_leaf *leaf_out)
{
    struct audit_chain begun = *chain;
    Wire__Fold once = WIRE__FOLD__INIT;
    if (chosen == MUTANT_FOLD && leaf->fold != NULL) {
        once = *leaf->fold;
        once.count = 1;
        leaf->fold = &once;
    }
    __real_audit_record(frontier, chosen == MUTANT_CHAIN ? &begun : chain, leaf, leaf_out);
}

WRAP(uint32_t, network_vni, uint64_t network, uint32_t attempt)
{
    static uint32_t calls;
    return __real_network_vni(network, attempt + (chosen == MUTANT_DRIFT ? calls++ : 0));
}

WRAP(
    struct instance_row *,
    state_address,
    const struct state *state,
    struct network_id network,
    uint32_t address)
{
    return chosen == MUTANT_ADDRESS ? NULL : __real_state_address(state, network, address);
}

WRAP(void, apply_node_judged, struct apply *apply, const Wire__NodeJudged *judged)
{
    __real_apply_node_judged(apply, judged);
    if (chosen != MUTANT_DEAD || judged->liveness != WIRE__LIVENESS__LIVENESS_UNKNOWN) {
        return;
    }
    for (struct instance_row *row = state_first(apply->state, TABLE_INSTANCE); row != NULL;
         row = state_next(apply->state, TABLE_INSTANCE, row)) {
        Wire__NodeReported word = WIRE__NODE_REPORTED__INIT;
        word.node = judged->node;
        word.instance = row->head.id;
        word.generation = row->generation;
        word.epoch = row->epoch;
        word.observed = WIRE__OBSERVED__OBSERVED_FAILED;
        struct outcome ignored = { .reject = REJECT_NONE };
        apply_node_reported(apply, &word, &ignored);
    }
}
