/* Decides who gets a newer certificate in place of the one that he shows. Never makes one: keys
 * does, for the identity that is decided here. */
#include "base/check.h"
#include "controller/core/apply.h"

bool apply_certifies(const Wire__Request *request)
{
    return request->body_case == WIRE__REQUEST__BODY_JOIN ||
           request->body_case == WIRE__REQUEST__BODY_RENEW;
}

/* The epoch that a certificate of this machine must have now; false: it has no place here. */
static bool machine_epoch(const struct state *state, const Wire__Identity *who, uint32_t *epoch_out)
{
    const struct node_row *node = state_find(state, TABLE_NODE, who->id);
    const struct controller_row *controller = state_find(state, TABLE_CONTROLLER, who->id);
    if (who->kind == WIRE__KIND__KIND_NODE && node != NULL) {
        *epoch_out = node->epoch;
        return true;
    }
    if (who->kind == WIRE__KIND__KIND_CONTROLLER && controller != NULL && !controller->leaving) {
        *epoch_out = controller->epoch;
        return true;
    }
    return false;
}

/* INV-SEC-30: the epoch of the new certificate is that of the old one and of the row. People were
 * compared with their row before (who_asks); an end that has passed is link's and api's to judge.
 */
void apply_renew(struct apply *apply, struct outcome *outcome)
{
    const Wire__Identity *who = apply->asked->request->principal;
    CHECK(who != NULL); /* A stranger's role may not ask for it. */
    bool person = who->kind == WIRE__KIND__KIND_USER;
    uint32_t epoch = who->epoch;
    if (!person && (!machine_epoch(apply->state, who, &epoch) || epoch != who->epoch)) {
        refuse(
            apply,
            outcome,
            REJECT_REVOKED,
            "The machine's certificate was revoked, or it is no member.",
            "",
            "Join anew with a token of an operator.");
        return;
    }
    wire__identity__init(&outcome->subject);
    outcome->subject.kind = who->kind;
    outcome->subject.id = who->id;
    outcome->subject.epoch = epoch;
    outcome->resource = who->id;
    outcome->resource_kind = who->kind;
    if (!apply->dry) {
        apply_leaf(apply, apply->who.tenant, "renew", who->kind, who->id, REJECT_NONE, "");
    }
}
