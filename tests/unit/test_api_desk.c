/* The table of waiting questions and the door, each by itself. */
#include "controller/api_desk.h"
#include "controller/api_door.h"

#include "base/check.h"
#include "base/id.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct child child;
static struct desk *desk;
static int far_end;
static uint32_t answered;
static uint32_t unanswered;
static uint32_t last_tag;

static void on_frame(void *context, struct channel *channel, const Wire__Frame *frame)
{
    (void)context;
    (void)channel;
    (void)frame;
}

static void on_close(void *context, struct channel *channel)
{
    (void)context;
    (void)channel;
}

static void begin(void)
{
    int pair[2];
    cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
    far_end = pair[1];
    cr_assert_eq(uv_loop_init(&child.loop), 0);
    struct channel_hooks hooks = { .on_frame = on_frame, .on_close = on_close };
    cr_assert_eq(
        channel_open(
            &child.loop, pair[0], PROGRAM_API, PROGRAM_ENGINE, &hooks, &child.to[PROGRAM_ENGINE])
            .code,
        0);
    desk = desk_open(&child);
}

static void end(void)
{
    desk_close(desk);
    channel_close(child.to[PROGRAM_ENGINE]);
    (void)uv_run(&child.loop, UV_RUN_DEFAULT);
    cr_assert_eq(uv_loop_close(&child.loop), 0);
    (void)close(far_end);
}

static void told(void *owner, uint32_t tag, const Wire__Answer *answer)
{
    CHECK(owner == &answered);
    last_tag = tag;
    if (answer == NULL) {
        unanswered++;
    } else {
        answered++;
    }
}

static enum desk_outcome ask(uint64_t wait_ms, uint32_t tag, uint64_t *ask_out)
{
    Wire__ClusterStatusRead read = WIRE__CLUSTER_STATUS_READ__INIT;
    Wire__Request request = WIRE__REQUEST__INIT;
    request.body_case = WIRE__REQUEST__BODY_CLUSTER_STATUS;
    request.cluster_status = &read;
    return desk_ask(desk, &request, wait_ms, told, &answered, tag, ask_out);
}

static void answer(uint64_t handle)
{
    Wire__Answer body = WIRE__ANSWER__INIT;
    Wire__Told one = WIRE__TOLD__INIT;
    Wire__Told *list[] = { &one };
    Wire__Tolds tolds = WIRE__TOLDS__INIT;
    one.handle = handle;
    one.answer = &body;
    tolds.n_tolds = 1;
    tolds.tolds = list;
    desk_answer(desk, &tolds);
}

Test(api_desk, an_answer_finds_its_question_once, .init = begin, .fini = end)
{
    uint64_t first = 0;
    uint64_t second = 0;
    cr_assert_eq(ask(1000, 1, &first), DESK_SENT);
    cr_assert_eq(ask(1000, 2, &second), DESK_SENT);
    cr_assert_neq(first, second);
    answer(second);
    cr_assert_eq(last_tag, 2);
    answer(second); /* Twice: the handle is gone. */
    answer(first ^ (UINT64_C(1) << 40));
    answer(0);
    cr_assert_eq(answered, 1);
    cr_assert_eq(desk_waiting(desk), 1);
    answer(first);
    cr_assert_eq(answered, 2);
    cr_assert_eq(desk_waiting(desk), 0);
}

Test(
    api_desk,
    a_deadline_ends_the_wait_and_a_late_answer_is_not_believed,
    .init = begin,
    .fini = end)
{
    uint64_t late = 0;
    uint64_t patient = 0;
    cr_assert_eq(ask(0, 1, &late), DESK_SENT);
    cr_assert_eq(ask(3600 * 1000, 2, &patient), DESK_SENT);
    desk_tick(desk);
    cr_assert_eq(unanswered, 1);
    cr_assert_eq(desk_lost(desk), 1);
    uint64_t reused = 0;
    cr_assert_eq(ask(3600 * 1000, 3, &reused), DESK_SENT);
    answer(late); /* Its slot belongs to another question now. */
    cr_assert_eq(answered, 0);
    answer(reused);
    answer(patient);
    cr_assert_eq(answered, 2);
}

Test(
    api_desk,
    the_forgotten_is_not_told_and_engines_death_tells_all_others,
    .init = begin,
    .fini = end)
{
    uint64_t forgotten = 0;
    uint64_t kept = 0;
    cr_assert_eq(ask(1000, 1, &forgotten), DESK_SENT);
    cr_assert_eq(ask(1000, 2, &kept), DESK_SENT);
    desk_forget(desk, forgotten);
    desk_forget(desk, 0);
    desk_engine_gone(desk);
    cr_assert_eq(unanswered, 1);
    cr_assert_eq(last_tag, 2);
    cr_assert_eq(desk_waiting(desk), 0);
    struct channel *engine = child.to[PROGRAM_ENGINE];
    child.to[PROGRAM_ENGINE] = NULL;
    cr_assert_eq(ask(1000, 1, &kept), DESK_DOWN);
    child.to[PROGRAM_ENGINE] = engine;
    cr_assert_eq(ask(1000, 1, &kept), DESK_SENT);
}

/* Messages that wait at the far end, taken from it. */
static uint32_t messages(void)
{
    static uint8_t room[128 * 1024];
    uint32_t count = 0;
    while (recv(far_end, room, sizeof(room), MSG_DONTWAIT) > 0) {
        count++;
    }
    return count;
}

Test(api_desk, what_one_turn_asks_leaves_in_one_message, .init = begin, .fini = end)
{
    uint64_t handle = 0;
    for (uint32_t i = 0; i < 100; i++) {
        cr_assert_eq(ask(1000, i, &handle), DESK_SENT);
    }
    cr_assert_eq(messages(), 0);
    desk_send(desk);
    cr_assert_eq(messages(), 1);
    desk_send(desk);
    cr_assert_eq(messages(), 0, "nothing is said twice");
}

Test(api_desk, what_a_dead_engine_was_asked_the_next_one_never_hears, .init = begin, .fini = end)
{
    uint64_t handle = 0;
    cr_assert_eq(ask(1000, 1, &handle), DESK_SENT);
    desk_engine_gone(desk);
    cr_assert_eq(unanswered, 1);
    desk_send(desk);
    cr_assert_eq(messages(), 0);
    cr_assert_eq(ask(1000, 2, &handle), DESK_SENT);
    struct channel *engine = child.to[PROGRAM_ENGINE];
    child.to[PROGRAM_ENGINE] = NULL; /* It goes between the ask and the turn's end. */
    desk_send(desk);
    child.to[PROGRAM_ENGINE] = engine;
    cr_assert_eq(unanswered, 2);
    desk_send(desk);
    cr_assert_eq(messages(), 0);
}

/* INV-SEC-35: what engine still owes to an api that died is nothing to the next one. */
Test(api_desk, an_answer_to_an_earlier_api_finds_nobody, .init = begin, .fini = end)
{
    enum { ASKS = 64 };
    uint64_t earlier[ASKS];
    uint64_t later[ASKS];
    for (uint32_t i = 0; i < ASKS; i++) {
        cr_assert_eq(ask(1000, i, &earlier[i]), DESK_SENT);
    }
    desk_close(desk);
    desk = desk_open(&child);
    for (uint32_t i = 0; i < ASKS; i++) {
        cr_assert_eq(ask(1000, i, &later[i]), DESK_SENT);
    }
    for (uint32_t i = 0; i < ASKS; i++) {
        answer(earlier[i]);
    }
    cr_assert_eq(answered, 0);
    cr_assert_eq(desk_waiting(desk), ASKS);
    answer(later[0]);
    cr_assert_eq(answered, 1);
}

Test(api_desk, a_full_table_refuses_the_newest, .init = begin, .fini = end)
{
    uint64_t handle = 0;
    uint64_t one = 0;
    for (uint32_t i = 0; i < DESK_ASKS; i++) {
        cr_assert_eq(ask(1000, i, i == 7 ? &one : &handle), DESK_SENT);
    }
    cr_assert_eq(ask(1000, 0, &handle), DESK_FULL);
    answer(one);
    cr_assert_eq(ask(1000, 0, &handle), DESK_SENT, "room again");
    cr_assert_eq(ask(1000, 0, &handle), DESK_FULL);
}

/* ---- The door ---- */

static struct door *door_of(void)
{
    static const uint8_t ca[1] = { 0 };
    return door_open(slice_of(ca, sizeof(ca)));
}

static void raise_least(struct door *door, uint64_t sequence, uint32_t epoch)
{
    Wire__Identity identity = WIRE__IDENTITY__INIT;
    Wire__Identity *list[] = { &identity };
    Wire__Doors doors = WIRE__DOORS__INIT;
    identity.kind = WIRE__KIND__KIND_USER;
    identity.id = id_make(1, sequence);
    identity.epoch = epoch;
    doors.n_least = 1;
    doors.least = list;
    door_least(door, &doors);
}

static struct door_peer peer_of(uint64_t sequence, uint32_t epoch)
{
    struct door_peer peer = { .judged = true, .verdict = DOOR_OPEN };
    peer.facts.identity.kind = WIRE__KIND__KIND_USER;
    peer.facts.identity.id = id_make(1, sequence);
    peer.facts.identity.epoch = epoch;
    peer.facts.until_seconds = 1000;
    return peer;
}

Test(api_door, only_epochs_below_the_least_are_refused_and_epochs_only_rise)
{
    struct door *door = door_of();
    /* In no order, so that the table has to sort: multiples of 3 are revoked below 5. */
    for (uint64_t i = 1; i < 400; i++) {
        uint64_t sequence = i * 7919 % 400;
        if (sequence != 0 && sequence % 3 == 0) {
            raise_least(door, sequence, 5);
        }
    }
    raise_least(door, 3, 4);
    for (uint64_t sequence = 1; sequence < 400; sequence++) {
        struct door_peer old = peer_of(sequence, 4);
        struct door_peer new = peer_of(sequence, 5);
        enum door_verdict expected = sequence % 3 == 0 ? DOOR_REVOKED : DOOR_OPEN;
        cr_assert_eq(door_pass(door, &old, 0), expected); /* INV-SEC-3 */
        cr_assert_eq(door_pass(door, &new, 0), DOOR_OPEN);
    }
    struct door_peer node = peer_of(3, 4);
    node.facts.identity.kind = WIRE__KIND__KIND_NODE;
    cr_assert_eq(door_pass(door, &node, 0), DOOR_OPEN, "another kind is somebody else");
    door_close(door);
}

Test(api_door, a_certificate_ends_while_its_connection_lives)
{
    struct door *door = door_of();
    struct door_peer peer = peer_of(7, 1);
    cr_assert_eq(door_pass(door, &peer, 999), DOOR_OPEN);
    cr_assert_eq(door_pass(door, &peer, 1000), DOOR_EXPIRED);
    peer.verdict = DOOR_FOREIGN;
    cr_assert_eq(door_pass(door, &peer, 0), DOOR_FOREIGN);
    door_close(door);
}

Test(api_door, what_is_no_certificate_is_not_believed)
{
    struct door *door = door_of();
    struct door_peer peer;
    static const uint8_t junk[64] = { 0x30, 0x3e };
    door_judge(door, false, SLICE_EMPTY, 0, &peer);
    cr_assert_eq(peer.verdict, DOOR_NO_CERTIFICATE);
    door_judge(door, true, slice_of(junk, sizeof(junk)), 0, &peer);
    cr_assert_eq(peer.verdict, DOOR_FOREIGN);
    door_close(door);
}
