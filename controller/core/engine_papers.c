/* Decides what becomes of asks for a certificate: of joiners, of people and machines that renew
 * theirs. Who may have one was decided by apply; keys makes it. */
#include "base/check.h"
#include "controller/core/engine_inner.h"

#include <string.h>

enum {
    CERTIFY_EVERY_MS = 10000, /* One node's renewals are this far apart; each is an entry. */
};
#define OWN_HANDLE UINT64_MAX /* No slot of an ask: our own, made without the log. */

/* "10.0.0.1:7443" → "10.0.0.1": what a certificate names. */
static const char *host_part(struct engine *engine, const char *address)
{
    size_t size = strlen(address);
    const char *colon = strrchr(address, ':');
    size_t host = colon == NULL ? size : (size_t)(colon - address);
    char *copy = engine_take(engine, size + 1);
    memcpy(copy, address, host);
    return copy;
}

/* A question to keys; the caller adds what it alone knows. */
static Wire__IssueAsk *issue(
    struct engine *engine, uint64_t handle, Wire__Identity *identity, ProtobufCBinaryData csr)
{
    const struct node_row *node = state_find(&engine->state, TABLE_NODE, identity->id);
    const struct controller_row *controller =
        state_find(&engine->state, TABLE_CONTROLLER, identity->id);
    const struct user_row *user = state_find(&engine->state, TABLE_USER, identity->id);
    Wire__Frame *frame =
        engine_frame(engine, WIRE__KIND__KIND_UNSET, 0, WIRE__FRAME__BODY_ISSUE_ASK);
    frame->issue_ask = engine_take(engine, sizeof(*frame->issue_ask));
    wire__issue_ask__init(frame->issue_ask);
    frame->issue_ask->handle = handle;
    frame->issue_ask->csr = csr;
    frame->issue_ask->identity = identity;
    frame->issue_ask->name = node != NULL         ? node->name
                             : controller != NULL ? controller->name
                             : user != NULL       ? user->name.text
                                                  : "";
    const char **addresses = engine_take(engine, sizeof(*addresses) * 2);
    const char *link = node != NULL         ? node->link_address
                       : controller != NULL ? controller->link_address
                                            : "";
    if (link[0] != '\0') {
        addresses[frame->issue_ask->n_addresses++] = host_part(engine, link);
    }
    if (controller != NULL && controller->api_address[0] != '\0') {
        addresses[frame->issue_ask->n_addresses++] = host_part(engine, controller->api_address);
    }
    frame->issue_ask->addresses = addresses;
    return frame->issue_ask;
}

void asks_certify(struct engine *engine, uint32_t slot, const struct outcome *outcome)
{
    struct ask *ask = &engine->asks[slot];
    const Wire__Request *request = asks_request(engine, slot);
    bool joins = request->body_case == WIRE__REQUEST__BODY_JOIN;
    ask->phase = ASK_KEYS;
    ask->subject = outcome->subject;
    ProtobufCBinaryData csr = joins ? request->join->csr : request->renew->csr;
    Wire__IssueAsk *asked = issue(engine, asks_handle(engine, slot), &ask->subject, csr);
    if (joins && outcome->subject.kind == WIRE__KIND__KIND_CONTROLLER) { /* INV-SEC-26 */
        asked->sealing_key = request->join->sealing_key;
    }
}

/* ---- Renewals of machines ---- */

static void machine_asks(
    struct engine *engine,
    const Wire__Identity *who,
    struct slice csr,
    uint64_t handle,
    uint64_t origin)
{
    /* All of the step's: a follower's frame to the leader is made of it later. */
    Wire__Identity *principal = engine_take(engine, sizeof(*principal));
    Wire__Renew *renew = engine_take(engine, sizeof(*renew));
    Wire__Request *request = engine_take(engine, sizeof(*request));
    *principal = *who;
    wire__renew__init(renew);
    wire__request__init(request);
    memcpy(&renew->csr.data, &csr.data, sizeof(renew->csr.data)); /* Only read. */
    renew->csr.len = csr.size;
    request->format = 1;
    request->request_id = "renewal";
    request->principal = principal;
    request->body_case = WIRE__REQUEST__BODY_RENEW;
    request->renew = renew;
    asks_arrive(engine, request, handle, origin);
}

void papers_node(
    struct engine *engine, uint64_t node, uint32_t epoch, const Wire__NodeCertify *certify)
{
    struct node_soft *soft = nodes_soft(engine, node);
    CHECK(soft != NULL);
    if (soft->certify_ms != 0 && engine->now_ms - soft->certify_ms < CERTIFY_EVERY_MS) {
        return; /* It asks again. */
    }
    soft->certify_ms = engine->now_ms;
    Wire__Identity who = WIRE__IDENTITY__INIT;
    who.kind = WIRE__KIND__KIND_NODE;
    who.id = node;
    who.epoch = epoch;
    struct slice csr = slice_of(certify->csr.data, certify->csr.len);
    machine_asks(engine, &who, csr, certify->handle, node);
}

bool engine_may_renew(struct engine *engine, bool late)
{
    if (late || engine->role == ENGINE_LEADING) {
        return state_find(&engine->state, TABLE_CONTROLLER, engine->conf.self) != NULL;
    }
    const struct controller_soft *leader =
        engine->leader == 0 ? NULL : engine_other(engine, engine->leader);
    return leader != NULL && leader->up;
}

/* Our own. As long as there is time it goes through the log, like everybody's, and is a leaf. Late,
 * it is made here: a cell that was down for a day has no certificate with which to find a leader.
 * The epoch stays what it was, so that a revocation we did not hear of still holds. INV-SEC-30 */
void papers_own(struct engine *engine, const struct engine_event *event)
{
    uint64_t self = engine->conf.self;
    const struct controller_row *row = state_find(&engine->state, TABLE_CONTROLLER, self);
    Wire__Identity *who = engine_take(engine, sizeof(*who));
    wire__identity__init(who);
    who->kind = WIRE__KIND__KIND_CONTROLLER;
    who->id = self;
    who->epoch = event->epoch;
    if (row == NULL || row->leaving || row->epoch != event->epoch) {
        return; /* It has no place here (yet). */
    }
    if (!event->late) {
        machine_asks(engine, who, event->csr, 0, self);
        return;
    }
    ProtobufCBinaryData csr = { .len = event->csr.size };
    memcpy(&csr.data, &event->csr.data, sizeof(csr.data)); /* Only read. */
    (void)issue(engine, OWN_HANDLE, who, csr);
}

bool papers_answer(
    struct engine *engine, uint64_t handle, uint64_t origin, const Wire__Answer *answer)
{
    ProtobufCBinaryData made = { .len = 0 };
    if (answer->join != NULL) {
        made = answer->join->certificate;
    }
    if (origin == engine->conf.self) {
        effects_add(engine->effects, EFFECT_RENEWED)->bytes = slice_of(made.data, made.len);
        return true;
    }
    if (state_find(&engine->state, TABLE_NODE, origin) == NULL) {
        return false;
    }
    Wire__Frame *frame =
        engine_frame(engine, WIRE__KIND__KIND_NODE, origin, WIRE__FRAME__BODY_NODE_CERTIFIED);
    frame->node_certified = engine_take(engine, sizeof(*frame->node_certified));
    wire__node_certified__init(frame->node_certified);
    frame->node_certified->handle = handle;
    frame->node_certified->certificate = made;
    return true;
}

/* ---- Told by keys ---- */

void asks_told_by_keys(struct engine *engine, const Wire__IssueTold *told)
{
    uint32_t slot = 0;
    if (told->handle == OWN_HANDLE) {
        struct effect *effect = effects_add(engine->effects, EFFECT_RENEWED);
        effect->bytes = slice_of(told->certificate.data, told->certificate.len);
        return;
    }
    if (!asks_slot(engine, told->handle, ASK_KEYS, &slot)) {
        return;
    }
    if (told->certificate.len == 0) {
        asks_refuse(engine, slot, REJECT_BAD_FIELD, "The certificate request was refused.", 0);
        return;
    }
    struct ask *ask = &engine->asks[slot];
    Wire__Answer *answer = asks_answer_to(engine, slot);
    Wire__JoinAnswer *join = engine_take(engine, sizeof(*join));
    uint32_t most = state_count(&engine->state, TABLE_CONTROLLER);
    wire__join_answer__init(join);
    char *id = engine_take(engine, ID_TEXT_SIZE);
    id_format((enum id_kind)ask->subject.kind, ask->subject.id, id);
    join->id = id;
    join->certificate = told->certificate;
    join->sealed = told->sealed;
    join->ca.data = engine_take(engine, engine->conf.ca.size + 1);
    memcpy(join->ca.data, engine->conf.ca.data, engine->conf.ca.size);
    join->ca.len = engine->conf.ca.size;
    join->cell = engine->conf.cell;
    join->controllers = engine_take(engine, sizeof(*join->controllers) * (most + 1));
    for (const struct controller_row *row = state_first(&engine->state, TABLE_CONTROLLER);
         row != NULL;
         row = state_next(&engine->state, TABLE_CONTROLLER, row)) {
        Wire__Peer *peer = engine_take(engine, sizeof(*peer));
        wire__peer__init(peer);
        peer->id = row->head.id;
        peer->name = row->name;
        peer->link_address = row->link_address;
        peer->api_address = row->api_address;
        join->controllers[join->n_controllers++] = peer;
    }
    answer->join = join;
    asks_answer(engine, slot, answer);
}
