/* Renewal of certificates as the engine sees it: who gets one, who does not, and what is recorded.
 */
#include "tests/unit/core_lab.h"
#include "wire/frame.h"

static uint8_t csr[] = { 'c', 's', 'r' };

/* What the node is told; NULL: nothing. */
static const Wire__NodeCertified *certify(
    struct lab *lab, const struct desk_node *node, uint32_t epoch)
{
    struct desk *desk = lab->desk;
    uint32_t before = desk->frames_count;
    Wire__NodeCertify ask = WIRE__NODE_CERTIFY__INIT;
    Wire__Frame frame = WIRE__FRAME__INIT;
    ask.handle = 5;
    ask.csr = (ProtobufCBinaryData){ sizeof(csr), csr };
    frame.body_case = WIRE__FRAME__BODY_NODE_CERTIFY;
    frame.node_certify = &ask;
    desk_frame(desk, WIRE__KIND__KIND_NODE, node->id, epoch, &frame);
    desk_turn(desk);
    const Wire__Frame *told = desk_sent(desk, node->id, WIRE__FRAME__BODY_NODE_CERTIFIED, before);
    return told == NULL ? NULL : told->node_certified;
}

/* The last question to keys for a certificate. */
static const Wire__IssueAsk *issued(const struct desk *desk)
{
    static const Wire__IssueAsk none = WIRE__ISSUE_ASK__INIT;
    const Wire__IssueAsk *last = &none;
    for (uint32_t i = 0; i < desk->asked_keys_count; i++) {
        if (desk->asked_keys[i]->body_case == WIRE__FRAME__BODY_ISSUE_ASK) {
            last = desk->asked_keys[i]->issue_ask;
        }
    }
    cr_assert_not_null(last->identity);
    return last;
}

static const Wire__Answer *renew(struct lab *lab, Wire__Identity who)
{
    Wire__Request request = WIRE__REQUEST__INIT;
    Wire__Renew body = WIRE__RENEW__INIT;
    body.csr = (ProtobufCBinaryData){ sizeof(csr), csr };
    request.body_case = WIRE__REQUEST__BODY_RENEW;
    request.renew = &body;
    return desk_do(lab->desk, who, &request);
}

Test(core_papers, a_node_renews_in_its_own_name_with_the_epoch_of_its_row_and_it_is_a_leaf)
{
    struct lab lab = lab_open(); /* INV-SEC-30 */
    const Wire__NodeCertified *told = certify(&lab, lab.n1, lab.n1->epoch);
    cr_assert_not_null(told);
    cr_assert_eq(told->handle, 5);
    cr_assert_eq(told->certificate.len, 4);
    const Wire__IssueAsk *asked = issued(lab.desk);
    cr_assert_eq(asked->identity->kind, WIRE__KIND__KIND_NODE);
    cr_assert_eq(asked->identity->id, lab.n1->id);
    cr_assert_eq(asked->identity->epoch, lab.n1->epoch);
    cr_assert_eq(asked->sealing_key.len, 0);
    cr_assert_eq(asked->csr.len, sizeof(csr));
    cr_assert_str_eq(asked->name, "n1");
    cr_assert_eq(asked->n_addresses, 1);
    cr_assert_eq(desk_leaves(lab.desk, "renew", REJECT_NONE), 1);
    cr_assert_eq(state_count(desk_state(lab.desk), TABLE_NODE), 2);
    lab_close(&lab);
}

Test(core_papers, a_node_that_was_revoked_renews_nothing)
{
    struct lab lab = lab_open(); /* INV-SEC-30 */
    uint32_t keys = lab.desk->asked_keys_count;
    cr_assert_null(certify(&lab, lab.n1, lab.n1->epoch + 1)); /* Another epoch is not heard. */
    Wire__Identity who = WIRE__IDENTITY__INIT;
    who.kind = WIRE__KIND__KIND_NODE;
    who.id = lab.n1->id;
    who.epoch = lab.n1->epoch + 1;
    cr_assert_eq(renew(&lab, who)->reject, REJECT_REVOKED); /* Nor by the other door. */
    who.epoch = lab.n1->epoch;
    who.id += 5000;
    cr_assert_eq(renew(&lab, who)->reject, REJECT_REVOKED);
    who.kind = WIRE__KIND__KIND_CONTROLLER;
    who.id = lab.n1->id;
    cr_assert_eq(renew(&lab, who)->reject, REJECT_REVOKED); /* A node is no controller. */
    for (uint32_t i = keys; i < lab.desk->asked_keys_count; i++) {
        cr_assert_neq(lab.desk->asked_keys[i]->body_case, WIRE__FRAME__BODY_ISSUE_ASK);
    }
    who.kind = WIRE__KIND__KIND_NODE;
    cr_assert_eq(renew(&lab, who)->reject, 0);
    lab_close(&lab);
}

Test(core_papers, one_node_cannot_fill_the_log_with_renewals)
{
    struct lab lab = lab_open();
    for (uint32_t i = 0; i < 50; i++) {
        (void)certify(&lab, lab.n1, lab.n1->epoch);
    }
    cr_assert_eq(desk_leaves(lab.desk, "renew", REJECT_NONE), 1);
    cr_assert_not_null(certify(&lab, lab.n2, lab.n2->epoch)); /* Another one's turn is its own. */
    desk_pass(lab.desk, 11 * 1000);
    cr_assert_not_null(certify(&lab, lab.n1, lab.n1->epoch));
    lab_close(&lab);
}

Test(core_papers, people_renew_until_they_are_revoked_and_strangers_never)
{
    struct lab lab = lab_open(); /* INV-SEC-30 */
    Wire__Identity stranger = WIRE__IDENTITY__INIT;
    const Wire__Answer *answer = renew(&lab, lab.ann);
    cr_assert_eq(answer->reject, 0);
    cr_assert_eq(answer->join->certificate.len, 4);
    const Wire__IssueAsk *asked = issued(lab.desk);
    cr_assert_eq(asked->identity->kind, WIRE__KIND__KIND_USER);
    cr_assert_eq(asked->identity->id, lab.ann.id);
    cr_assert_eq(asked->identity->epoch, lab.ann.epoch);
    cr_assert_eq(renew(&lab, stranger)->reject, REJECT_DENIED);
    cr_assert_eq(say_revoke(lab.desk, lab.root, "ann")->reject, 0);
    cr_assert_eq(renew(&lab, lab.ann)->reject, REJECT_REVOKED);
    cr_assert_eq(renew(&lab, desk_who(lab.desk, "ann"))->reject, REJECT_REVOKED);
    cr_assert_eq(desk_leaves(lab.desk, "renew", REJECT_NONE), 1);
    lab_close(&lab);
}

Test(core_papers, a_revocation_in_the_same_entry_comes_first)
{
    struct lab lab = lab_open(); /* INV-SEC-30 */
    struct desk *desk = lab.desk;
    desk->later = true; /* Both pass the door before either is in the log. */
    cr_assert_null(say_revoke(desk, lab.root, "ann"));
    cr_assert_null(renew(&lab, lab.ann));
    desk->later = false;
    desk_turn(desk);
    cr_assert_eq(desk_answer(desk, desk->handles)->reject, REJECT_REVOKED);
    cr_assert_eq(desk_leaves(desk, "renew", REJECT_REVOKED), 1);
    lab_close(&lab);
}

static void own(struct lab *lab, uint32_t epoch, bool late)
{
    struct engine_event event = {
        .kind = ENGINE_RENEW, .csr = slice_of(csr, sizeof(csr)), .epoch = epoch, .late = late
    };
    desk_step(lab->desk, &event);
    desk_turn(lab->desk);
}

Test(core_papers, a_controller_renews_through_the_log_and_late_without_it)
{
    struct lab lab = lab_open();
    own(&lab, 0, false);
    cr_assert_eq(lab.desk->renewed, 1);
    cr_assert_eq(desk_leaves(lab.desk, "renew", REJECT_NONE), 1);
    lab.desk->hold_log = true; /* No majority: nothing is committed. */
    own(&lab, 0, false);
    cr_assert_eq(lab.desk->renewed, 1);
    own(&lab, 0, true);
    cr_assert_eq(lab.desk->renewed, 2);
    cr_assert_eq(issued(lab.desk)->identity->id, lab.desk->controller);
    cr_assert_eq(issued(lab.desk)->identity->epoch, 0);
    cr_assert_eq(issued(lab.desk)->sealing_key.len, 0);
    own(&lab, 1, true); /* INV-SEC-30: not the epoch of the row. */
    own(&lab, 1, false);
    cr_assert_eq(lab.desk->renewed, 2);
    lab.desk->hold_log = false;
    desk_commit(lab.desk);
    desk_turn(lab.desk);
    lab_close(&lab);
}
