/* What one controller asks of another, the leader: served once at most, and never after it was told
 * that it is refused. */
#include "tests/unit/core_lab.h"
#include "wire/frame.h"

static const struct desk_conf three = { .members = DESK_MEMBERS };

static void forwarded(struct desk *desk, uint64_t handle, enum reject reject)
{
    Wire__Answer answer = WIRE__ANSWER__INIT;
    Wire__Told told = WIRE__TOLD__INIT;
    Wire__Frame frame = WIRE__FRAME__INIT;
    answer.format = 1;
    answer.reject = (uint32_t)reject;
    told.handle = handle;
    told.answer = &answer;
    frame.body_case = WIRE__FRAME__BODY_FORWARDED;
    frame.forwarded = &told;
    desk_frame(desk, WIRE__KIND__KIND_CONTROLLER, desk->others[0], 0, &frame);
}

/* A follower with one write forwarded; how the leader knows it. */
static uint64_t forwards(struct desk *desk)
{
    lab_others_join(desk);
    desk_follow(desk, 2, desk->others[0]);
    struct quota_amounts cap = say_amounts(1, SAY_GIB, 1, 1);
    cr_assert_null(say_tenant(desk, desk->operator_person, "t", NULL, &cap));
    const Wire__Frame *sent = desk_sent(desk, desk->others[0], WIRE__FRAME__BODY_FORWARD, 0);
    cr_assert_not_null(sent);
    return sent == NULL ? 0 : sent->forward->handle;
}

/* INV-SEC-35: a leader still owes an answer to an engine that died, and says it to the next one. */
Test(core_forward, what_an_earlier_engine_was_owed_reaches_nobody)
{
    const struct desk_conf anew = { .members = DESK_MEMBERS, .asks_from = 1000 * 1000 };
    struct desk *first = desk_open(&three);
    struct desk *second = desk_open(&anew);
    uint64_t earlier = forwards(first);
    uint64_t later = forwards(second);
    cr_assert_neq(earlier, later);
    forwarded(second, earlier, REJECT_QUOTA);
    cr_assert_null(desk_answer(second, second->handles));
    forwarded(second, later, REJECT_FLOOR);
    cr_assert_eq(desk_answer(second, second->handles)->reject, REJECT_FLOOR);
    desk_close(second);
    second = desk_open(&three); /* The guard off: both count from nothing. */
    cr_assert_eq(forwards(second), earlier);
    forwarded(second, earlier, REJECT_QUOTA);
    cr_assert_not_null(desk_answer(second, second->handles), "somebody else's answer is believed");
    desk_close(second);
    desk_close(first);
}

Test(core_forward, a_follower_forwards_once_and_passes_the_answer_on)
{
    struct desk *desk = desk_open(&three);
    lab_others_join(desk);
    desk_follow(desk, 2, desk->others[0]);
    uint32_t from = desk->frames_count;
    struct quota_amounts cap = say_amounts(1, SAY_GIB, 1, 1);
    cr_assert_null(say_tenant(desk, desk->operator_person, "t", NULL, &cap));
    uint64_t handle = desk->handles;
    const Wire__Frame *sent = desk_sent(desk, desk->others[0], WIRE__FRAME__BODY_FORWARD, from);
    cr_assert_not_null(sent);
    cr_assert_eq(sent->forward->request->principal->id, desk->operator_person.id);
    Wire__Answer answer = WIRE__ANSWER__INIT;
    answer.format = 1;
    answer.reject = REJECT_QUOTA;
    Wire__Told told = WIRE__TOLD__INIT;
    told.handle = sent->forward->handle;
    told.answer = &answer;
    Wire__Frame frame = WIRE__FRAME__INIT;
    frame.body_case = WIRE__FRAME__BODY_FORWARDED;
    frame.forwarded = &told;
    desk_frame(desk, WIRE__KIND__KIND_CONTROLLER, desk->others[0], 0, &frame);
    cr_assert_eq(desk_answer(desk, handle)->reject, REJECT_QUOTA);
    /* What another forwarded to us while we do not lead goes back, not on. */
    Wire__Ask ask = *sent->forward;
    frame.body_case = WIRE__FRAME__BODY_FORWARD;
    frame.forward = &ask;
    from = desk->frames_count;
    desk_frame(desk, WIRE__KIND__KIND_CONTROLLER, desk->others[1], 0, &frame);
    const Wire__Frame *back = desk_sent(desk, desk->others[1], WIRE__FRAME__BODY_FORWARDED, from);
    cr_assert_eq(back->forwarded->answer->reject, REJECT_NO_LEADER);
    cr_assert_null(desk_sent(desk, desk->others[0], WIRE__FRAME__BODY_FORWARD, from));
    desk_close(desk);
}

Test(core_forward, what_waits_for_a_leader_goes_to_the_one_that_comes)
{
    struct desk *desk = desk_open(&three);
    lab_others_join(desk);
    desk_follow(desk, 2, 0);
    struct quota_amounts cap = say_amounts(1, SAY_GIB, 1, 1);
    uint32_t from = desk->frames_count;
    (void)say_tenant(desk, desk->operator_person, "t", NULL, &cap);
    cr_assert_null(desk_sent(desk, desk->others[0], WIRE__FRAME__BODY_FORWARD, from));
    desk_follow(desk, 2, desk->others[0]);
    cr_assert_not_null(desk_sent(desk, desk->others[0], WIRE__FRAME__BODY_FORWARD, from));
    uint64_t handle = desk->handles;
    desk_link(desk, WIRE__KIND__KIND_CONTROLLER, desk->others[0], false);
    cr_assert_null(desk_answer(desk, handle)); /* It has its key: the next leader may be asked. */
    from = desk->frames_count;
    desk_follow(desk, 3, desk->others[1]);
    cr_assert_not_null(desk_sent(desk, desk->others[1], WIRE__FRAME__BODY_FORWARD, from));
    desk_link(desk, WIRE__KIND__KIND_CONTROLLER, desk->others[1], false);
    desk_pass(desk, 3000); /* Nobody leads any more, but the first may have done it. */
    cr_assert_eq(desk_answer(desk, handle)->reject, REJECT_OUTCOME_UNKNOWN); /* INV-IDEM-2 */
    desk_close(desk);
}

Test(core_forward, what_a_leader_swallowed_goes_to_the_next_one)
{
    struct desk *desk = desk_open(&three);
    lab_others_join(desk);
    desk_follow(desk, 2, desk->others[0]);
    struct quota_amounts cap = say_amounts(1, SAY_GIB, 1, 1);
    (void)say_tenant(desk, desk->operator_person, "t", NULL, &cap);
    uint32_t from = desk->frames_count;
    desk_follow(desk, 3, desk->others[1]); /* The first is silent, and its link stays up. */
    cr_assert_not_null(desk_sent(desk, desk->others[1], WIRE__FRAME__BODY_FORWARD, from));
    desk_close(desk);
}

Test(core_forward, what_was_in_the_log_when_leadership_went_is_unknown_and_never_failed)
{
    struct lab lab = lab_open(); /* INV-IDEM-2 */
    struct desk *desk = lab.desk;
    desk->hold_log = true;
    desk->key = "again";
    cr_assert_null(lab_create(&lab, "vm", true));
    uint64_t submitted = desk->handles;
    struct desk_pending lost = desk->pending[0];
    desk_follow(desk, 2, 0);
    struct engine_event event = { .kind = ENGINE_LOST, .ticket = lost.ticket };
    desk_step(desk, &event);
    const Wire__Answer *answer = desk_answer(desk, submitted);
    cr_assert_eq(answer->reject, REJECT_OUTCOME_UNKNOWN);
    cr_assert_neq(strlen(answer->problem->hint), 0);
    /* It was committed after all: the same key finds it. */
    desk_apply(desk, desk->first.engine, desk->index + 1, lost.bytes);
    desk_apply(desk, desk->second.engine, desk->index + 1, lost.bytes);
    desk->index++;
    desk->pending_count = 0;
    desk->hold_log = false;
    desk_lead(desk, 3);
    desk_turn(desk);
    desk->key = "again";
    const Wire__Answer *again = lab_create(&lab, "vm", true);
    cr_assert_eq(again->reject, 0);
    cr_assert_eq(state_count(desk_state(desk), TABLE_INSTANCE), 1);
    lab_close(&lab);
}

/* INV-IDEM-3: the first leader refuses in its term while the second one, in the next, may do it. */
Test(core_forward, what_a_leader_says_of_an_earlier_telling_finds_nobody)
{
    struct desk *desk = desk_open(&three);
    uint64_t first = forwards(desk);
    uint32_t from = desk->frames_count;
    desk_follow(desk, 3, desk->others[1]);
    const Wire__Frame *again = desk_sent(desk, desk->others[1], WIRE__FRAME__BODY_FORWARD, from);
    cr_assert_not_null(again);
    cr_assert_eq(again->forward->term, 3);
    cr_assert_neq(again->forward->handle, first);
    forwarded(desk, first, REJECT_QUOTA);
    cr_assert_null(desk_answer(desk, desk->handles));
    forwarded(desk, again->forward->handle, REJECT_FLOOR);
    cr_assert_eq(desk_answer(desk, desk->handles)->reject, REJECT_FLOOR);
    desk_close(desk);
}

/* INV-IDEM-3: the link ended, and the second copy is turned away at the leader's door. */
Test(core_forward, what_was_told_twice_and_turned_away_once_is_not_refused)
{
    for (int twice = 0; twice < 2; twice++) {
        struct desk *desk = desk_open(&three);
        (void)forwards(desk);
        uint32_t from = 0;
        if (twice == 1) {
            from = desk->frames_count;
            desk_link(desk, WIRE__KIND__KIND_CONTROLLER, desk->others[0], false);
            desk_link(desk, WIRE__KIND__KIND_CONTROLLER, desk->others[0], true);
        }
        const Wire__Frame *sent = desk_sent(desk, desk->others[0], WIRE__FRAME__BODY_FORWARD, from);
        cr_assert_not_null(sent);
        forwarded(desk, sent->forward->handle, REJECT_RATE);
        enum reject expected = twice == 1 ? REJECT_OUTCOME_UNKNOWN : REJECT_RATE;
        cr_assert_eq(lab_reject(desk_answer(desk, desk->handles)), (uint32_t)expected);
        desk_close(desk);
    }
}

/* INV-IDEM-3: it was late on its way, and its sender has an answer from a later leader by now. */
Test(core_forward, a_copy_for_another_term_is_served_in_none)
{
    struct lab lab = lab_with(&three);
    struct desk *desk = lab.desk;
    lab_others_join(desk);
    desk_follow(desk, desk->term + 1, desk->others[0]);
    uint32_t from = desk->frames_count;
    cr_assert_null(lab_create(&lab, "late", true));
    Wire__Ask ask = *desk_sent(desk, desk->others[0], WIRE__FRAME__BODY_FORWARD, from)->forward;
    Wire__Frame frame = WIRE__FRAME__INIT;
    frame.body_case = WIRE__FRAME__BODY_FORWARD;
    frame.forward = &ask;
    desk_lead(desk, desk->term + 1);
    desk_turn(desk);
    const uint64_t terms[] = { desk->term - 1, desk->term + 1, 0 };
    for (size_t i = 0; i < COUNT_OF(terms); i++) {
        ask.term = terms[i];
        from = desk->frames_count;
        desk_frame(desk, WIRE__KIND__KIND_CONTROLLER, desk->others[0], 0, &frame);
        const Wire__Frame *told =
            desk_sent(desk, desk->others[0], WIRE__FRAME__BODY_FORWARDED, from);
        cr_assert_not_null(told);
        cr_assert_eq(told->forwarded->handle, ask.handle);
        cr_assert_eq(told->forwarded->answer->reject, REJECT_NO_LEADER);
    }
    ask.term = desk->term;
    from = desk->frames_count;
    desk_frame(desk, WIRE__KIND__KIND_CONTROLLER, desk->others[0], 0, &frame);
    const Wire__Frame *told = desk_sent(desk, desk->others[0], WIRE__FRAME__BODY_FORWARDED, from);
    cr_assert_not_null(told);
    cr_assert_eq(told->forwarded->answer->reject, REJECT_NONE);
    desk_close(desk);
}

/* INV-IDEM-3: a link ended, and its sender told it again. The first copy takes the last room. */
Test(core_forward, a_write_is_not_refused_while_its_elder_twin_is_under_way)
{
    struct lab lab = lab_open();
    struct desk *desk = lab.desk;
    struct say_instance whole = { .tenant = "a", .name = "n2", .network = "net", .vcpus = 8 };
    cr_assert_eq(say_create(desk, lab.ann, &whole)->reject, 0);
    desk->hold_log = true;
    whole.name = "twins";
    desk->key = "twin";
    cr_assert_null(say_create(desk, lab.ann, &whole));
    uint64_t elder = desk->handles;
    desk->key = "twin";
    cr_assert_null(say_create(desk, lab.ann, &whole));
    uint64_t younger = desk->handles;
    desk->key = "stranger";
    whole.name = "stranger";
    const Wire__Answer *stranger = say_create(desk, lab.ann, &whole); /* There is no room indeed. */
    cr_assert_eq(lab_reject(stranger), REJECT_NO_CAPACITY);
    desk->hold_log = false;
    desk_commit(desk);
    desk_turn(desk);
    cr_assert_eq(lab_reject(desk_answer(desk, elder)), REJECT_NONE);
    cr_assert_eq(lab_reject(desk_answer(desk, younger)), REJECT_NONE);
    cr_assert_str_eq(
        desk_answer(desk, elder)->operation->id, desk_answer(desk, younger)->operation->id);
    lab_close(&lab);
}

/* The request that a step's forward frame is made of: in the step's arena, with all that it names,
 * and so there until the frame is sent. Once both were on a stack that was gone by then. */
static const Wire__Request *forward_of(struct desk *desk, struct engine_event *event)
{
    const Wire__Frame *made = NULL;
    desk_step(desk, event);
    for (uint32_t i = 0; i < desk->effects->count; i++) {
        const Wire__Frame *frame = desk->effects->list[i].frame;
        bool forward = frame != NULL && frame->body_case == WIRE__FRAME__BODY_FORWARD;
        made = forward ? frame : made;
    }
    cr_assert_not_null(made);
    uintptr_t at = (uintptr_t)made->forward->request;
    uintptr_t arena = (uintptr_t)desk->step.memory;
    cr_assert(at >= arena && at < arena + desk->step.size);
    return made->forward->request;
}

Test(core_forward, an_ask_without_a_request_is_forwarded_as_an_empty_one_that_lives_as_long)
{
    struct desk *desk = desk_open(&three);
    lab_others_join(desk);
    desk_follow(desk, 2, desk->others[0]);
    Wire__Ask ask = WIRE__ASK__INIT;
    ask.handle = 77;
    struct engine_event event = { .kind = ENGINE_ASK, .ask = &ask };
    cr_assert_eq(forward_of(desk, &event)->body_case, WIRE__REQUEST__BODY__NOT_SET);
    desk_close(desk);
}

Test(core_forward, a_followers_own_renewal_lives_as_long_as_the_frame_that_asks_for_it)
{
    static const uint8_t csr[] = { 1, 2, 3 };
    struct desk *desk = desk_open(&three);
    lab_others_join(desk);
    desk_follow(desk, 2, desk->others[0]);
    struct engine_event event = { .kind = ENGINE_RENEW, .csr = slice_of(csr, sizeof(csr)) };
    const Wire__Request *request = forward_of(desk, &event);
    uintptr_t arena = (uintptr_t)desk->step.memory;
    uintptr_t principal = (uintptr_t)request->principal;
    uintptr_t renew = (uintptr_t)request->renew;
    cr_assert_eq(request->body_case, WIRE__REQUEST__BODY_RENEW);
    cr_assert(principal >= arena && principal < arena + desk->step.size);
    cr_assert(renew >= arena && renew < arena + desk->step.size);
    cr_assert_eq(request->principal->id, desk->controller);
    desk_close(desk);
}
