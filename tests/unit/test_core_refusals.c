/* What was refused anywhere becomes a leaf, once, whoever leads and however often it is said. */
#include "tests/unit/core_lab.h"
#include "wire/frame.h"
#include "wire/wire.h"

static const struct desk_conf three = { .members = DESK_MEMBERS };

/* Three controllers that have rows, and a tenant's user who may not see the cell. */
static struct desk *open_three(Wire__Identity *ann_out)
{
    struct desk *desk = desk_open(&three);
    struct quota_amounts cap = say_amounts(1, SAY_GIB, 1, 1);
    lab_others_join(desk);
    cr_assert_eq(say_tenant(desk, desk->operator_person, "a", NULL, &cap)->reject, 0);
    cr_assert_eq(
        say_user(desk, desk->operator_person, "ann", WIRE__ROLE__ROLE_TENANT, "a")->reject, 0);
    *ann_out = desk_who(desk, "ann");
    return desk;
}

static uint32_t leaves(const struct desk *desk)
{
    return desk_leaves(desk, "cluster-status", REJECT_DENIED);
}

static const Wire__Refusals *posted(const struct desk *desk, uint32_t from)
{
    const Wire__Frame *frame = desk_sent(desk, desk->others[0], WIRE__FRAME__BODY_REFUSALS, from);
    return frame == NULL ? NULL : frame->refusals;
}

static uint64_t serial_posted(const struct desk *desk, uint32_t from)
{
    const Wire__Refusals *refusals = posted(desk, from);
    return refusals == NULL ? 0 : refusals->refused[0]->serial;
}

/* The leader's entry with these refusals, applied here. */
static void applied(struct desk *desk, const Wire__Refused *from)
{
    static uint8_t room[1024];
    static _Alignas(16) uint8_t memory[1024];
    struct arena arena;
    Wire__Refused refused = *from;
    Wire__Command command = WIRE__COMMAND__INIT;
    Wire__Command *list[] = { &command };
    Wire__Entry entry = WIRE__ENTRY__INIT;
    struct slice bytes = SLICE_EMPTY;
    command.format = 1;
    command.body_case = WIRE__COMMAND__BODY_REFUSED;
    command.refused = &refused;
    entry.format = 1;
    entry.log_time_ms = 1;
    entry.n_commands = 1;
    entry.commands = list;
    arena_init(&arena, memory, sizeof(memory));
    cr_assert_eq(wire_encode(&entry, &arena, &bytes).code, 0);
    memcpy(room, bytes.data, bytes.size);
    desk_apply(desk, desk->first.engine, ++desk->index, slice_of(room, bytes.size));
}

Test(core_refusals, a_follower_says_what_it_refused_until_it_sees_it_applied)
{
    Wire__Identity ann;
    struct desk *desk = open_three(&ann); /* INV-AUD-5 */
    desk_follow(desk, 2, desk->others[0]);
    cr_assert_eq(say_status(desk, ann, true)->reject, REJECT_DENIED);
    cr_assert_eq(say_status(desk, ann, true)->reject, REJECT_DENIED);
    uint32_t from = desk->frames_count;
    desk_pass(desk, 3000);
    const Wire__Refusals *first = posted(desk, from);
    if (first == NULL) {
        cr_assert_fail("nothing was posted");
        return;
    }
    cr_assert_eq(first->n_refused, 1);
    cr_assert_eq(first->refused[0]->count, 2);
    cr_assert_eq(first->refused[0]->serial, 1);
    cr_assert_eq(first->refused[0]->controller, desk->controller);
    cr_assert_eq(first->refused[0]->principal->id, ann.id);
    from = desk->frames_count;
    desk_pass(desk, 3000);
    cr_assert_eq(serial_posted(desk, from), 1, "nobody has said that it is a leaf");
    applied(desk, first->refused[0]);
    desk_pass(desk, 1000);
    from = desk->frames_count;
    desk_pass(desk, 6000);
    cr_assert_eq(serial_posted(desk, from), 0);
    cr_assert_eq(say_status(desk, ann, true)->reject, REJECT_DENIED);
    desk_pass(desk, 3000);
    cr_assert_eq(serial_posted(desk, from), 2);
    desk_close(desk);
}

static void said(struct desk *desk, uint64_t peer, uint64_t serial)
{
    Wire__Refused refused = WIRE__REFUSED__INIT;
    Wire__Refused *list[] = { &refused };
    Wire__Refusals refusals = WIRE__REFUSALS__INIT;
    Wire__Frame frame = WIRE__FRAME__INIT;
    refused.controller = desk->controller; /* A lie: it is the peer's own that counts. */
    refused.serial = serial;
    refused.door = 1;
    refused.operation = "cluster-status";
    refused.reject = REJECT_DENIED;
    refused.first_ms = desk->wall_ms;
    refused.last_ms = desk->wall_ms;
    refused.count = 7;
    refusals.n_refused = 1;
    refusals.refused = list;
    frame.body_case = WIRE__FRAME__BODY_REFUSALS;
    frame.refusals = &refusals;
    desk_frame(desk, WIRE__KIND__KIND_CONTROLLER, peer, 0, &frame);
    desk_turn(desk);
}

Test(core_refusals, what_is_said_twice_or_out_of_order_is_one_leaf)
{
    Wire__Identity ann;
    struct desk *desk = open_three(&ann); /* INV-AUD-5 */
    said(desk, desk->others[0], 1);
    cr_assert_eq(leaves(desk), 1);
    said(desk, desk->others[0], 1);
    cr_assert_eq(leaves(desk), 1, "again");
    said(desk, desk->others[0], 3);
    cr_assert_eq(leaves(desk), 1, "one before it is missing");
    said(desk, desk->others[1], 1);
    cr_assert_eq(leaves(desk), 2, "another controller counts for itself");
    said(desk, desk->others[0], 2);
    cr_assert_eq(leaves(desk), 3);
    said(desk, id_make(DESK_CELL, 4242), 1);
    cr_assert_eq(leaves(desk), 3, "nobody of this cell");
    desk_close(desk);
}

Test(core_refusals, a_leader_that_loses_its_entry_posts_again_when_it_leads_again)
{
    Wire__Identity ann;
    struct desk *desk = open_three(&ann); /* INV-AUD-5 */
    desk->hold_log = true;
    cr_assert_eq(say_status(desk, ann, true)->reject, REJECT_DENIED);
    desk_pass(desk, 3000);
    desk_turn(desk);
    cr_assert_eq(leaves(desk), 0);
    for (uint32_t i = 0; i < desk->pending_count; i++) {
        struct engine_event lost = { .kind = ENGINE_LOST, .ticket = desk->pending[i].ticket };
        desk_step(desk, &lost);
    }
    desk->pending_count = 0;
    desk_follow(desk, 2, desk->others[0]);
    desk_pass(desk, 1000);
    desk->hold_log = false;
    desk_lead(desk, 3);
    desk_pass(desk, 3000);
    desk_turn(desk);
    cr_assert_eq(leaves(desk), 1);
    desk_pass(desk, 6000);
    desk_turn(desk);
    cr_assert_eq(leaves(desk), 1);
    desk_close(desk);
}

/* ---- Doors ---- */

static void turned_away(struct desk *desk, uint32_t door, const Wire__TurnedAway *told)
{
    Wire__TurnedAway copy = *told;
    Wire__Frame frame = WIRE__FRAME__INIT;
    frame.format = FRAME_FORMAT;
    frame.body_case = WIRE__FRAME__BODY_TURNED_AWAY;
    frame.turned_away = &copy;
    struct engine_event event = { .kind = ENGINE_TOLD, .frame = &frame, .door = door };
    desk_step(desk, &event);
}

static const struct desk_leaf *leaf_of(const struct desk *desk, const char *operation)
{
    for (uint32_t i = desk->leaves_count; i > 0; i--) {
        if (strcmp(desk->leaves[i - 1].operation, operation) == 0) {
            return &desk->leaves[i - 1];
        }
    }
    return NULL;
}

Test(core_refusals, whom_a_door_turned_away_is_a_leaf_with_the_count)
{
    struct lab lab = lab_open(); /* INV-AUD-5 */
    Wire__TurnedAway told = WIRE__TURNED_AWAY__INIT;
    told.operation = "handshake";
    told.reject = REJECT_NO_CERTIFICATE;
    told.count = 41;
    told.first_ms = lab.desk->wall_ms;
    told.last_ms = lab.desk->wall_ms;
    turned_away(lab.desk, DOOR_LINK, &told);
    told.count = 1;
    turned_away(lab.desk, DOOR_LINK, &told);
    desk_pass(lab.desk, 3000);
    const struct desk_leaf *leaf = leaf_of(lab.desk, "handshake");
    cr_assert(leaf != NULL && leaf->count == 42 && leaf->reject == REJECT_NO_CERTIFICATE);
    cr_assert(leaf != NULL && leaf->actor_kind == 0 && leaf->tenant == 0);
    lab_close(&lab);
}

Test(core_refusals, what_no_door_of_ours_would_say_is_no_leaf_and_no_poison)
{
    struct lab lab = lab_open();
    static char longest[512];
    memset(longest, 'x', sizeof(longest) - 1);
    Wire__TurnedAway told = WIRE__TURNED_AWAY__INIT;
    told.reject = REJECT_EXPIRED;
    told.operation = longest;
    told.count = 1;
    turned_away(lab.desk, DOOR_API, &told); /* Too long. */
    told.operation = "handshake";
    told.count = 0;
    turned_away(lab.desk, DOOR_API, &told); /* Nobody. */
    told.overflow = true;
    turned_away(lab.desk, DOOR_API, &told);
    told.overflow = false;
    told.count = 1;
    told.first_ms = 2;
    turned_away(lab.desk, DOOR_API, &told); /* Ends before it began. */
    told.first_ms = 0;
    told.reject = 0;
    turned_away(lab.desk, DOOR_API, &told); /* Let in. */
    desk_pass(lab.desk, 5000);
    cr_assert_null(leaf_of(lab.desk, "handshake"));
    cr_assert_null(leaf_of(lab.desk, "many"));
    told.reject = 4000; /* A number that this build does not know is carried as it is. */
    turned_away(lab.desk, DOOR_API, &told);
    desk_pass(lab.desk, 5000);
    cr_assert_not_null(leaf_of(lab.desk, "handshake"));
    lab_close(&lab);
}
