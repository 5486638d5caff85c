/* The rules of the adapter one by one, but for votes, which have a file of their own. Each test
 * named rule_… fails in the mutant build that leaves this rule out. */
#include "tests/unit/replica_bench.h"

#include "base/check.h"
#include "wire/wire.h"

#include <criterion/criterion.h>
#include <string.h>

static const uint64_t two_of_2[] = { 2, 2, 0 };
static const uint64_t three_of_2[] = { 2, 2, 2, 0 };
static const uint64_t one_of_3[] = { 3, 0 };

static enum journal_type type_at(struct bench *bench, uint32_t id, uint64_t index)
{
    enum journal_type type = JOURNAL_COMMAND;
    uint64_t term = 0;
    cr_assert(journal_entry_at(bench->nodes[id].replica->journal, index, &term, &type));
    return type;
}

Test(replica, rule_1_a_new_leader_writes_a_barrier_first)
{
    struct bench *bench = bench_begin(1, 64);
    cr_assert_eq(bench_elect(bench), 1);
    cr_assert_eq(bench_status(bench, 1).last, 2);
    cr_assert_eq(type_at(bench, 1, 2), JOURNAL_BARRIER);
    bench_end(bench);
}

Test(replica, rule_2a_a_success_reports_no_more_than_was_compared)
{
    struct bench *bench = bench_begin(3, 64);
    cr_assert_eq(bench_append(bench, 2, 1, 2, 1, 1, 1, three_of_2, 0).code, 0);
    bench_drop(bench);
    cr_assert_eq(bench_append(bench, 3, 1, 3, 2, 2, 1, NULL, 0).code, 0);
    Wire__RaftMessage *reply = bench_told(bench, 1, WIRE__RAFT_MESSAGE__BODY_APPEND_TOLD);
    cr_assert_not_null(reply);
    cr_assert_eq(reply->append_told->rejected, 0);
    cr_assert_eq(reply->append_told->last_index, 2);
    bench_end(bench);
}

Test(replica, rule_2b_nothing_is_answered_before_it_is_synced)
{
    struct bench *bench = bench_begin(3, 64);
    cr_assert_eq(bench_append(bench, 2, 1, 2, 1, 1, 1, two_of_2, 0).code, 0);
    struct bench_letter *letter = bench_next(bench);
    cr_assert_not_null(letter);
    cr_assert_eq(bench_read(letter)->append_told->last_index, 3);
    cr_assert_not(letter->unsynced);
    bench_end(bench);
}

static uint64_t shown_index;

static void shown(struct raft_io_snapshot_get *request, struct raft_snapshot *snapshot, int status)
{
    cr_assert_not_null(request);
    shown_index = status == 0 ? snapshot->index : UINT64_MAX;
}

static void stored(struct raft_io_snapshot_put *request, int status)
{
    cr_assert_not_null(request);
    cr_assert_eq(status, 0);
}

Test(replica, rule_2c_a_snapshot_is_not_shown_before_its_callback)
{
    struct bench *bench = bench_begin(3, 64);
    struct replica *replica = bench->nodes[1].replica;
    struct raft_io *io = &replica->object.io;
    struct raft_io_snapshot_get get;
    struct raft_io_snapshot_put put;
    replica_turn_begin(replica, bench->now_ms);
    struct raft_buffer *buffer = raft_calloc(1, sizeof(*buffer));
    struct raft_snapshot snapshot = { .index = 1, .term = 1, .configuration_index = 1 };
    raft_configuration_init(&snapshot.configuration);
    cr_assert_eq(raft_configuration_add(&snapshot.configuration, 1, "n1:1", RAFT_VOTER), 0);
    buffer->base = raft_malloc(1);
    snapshot.bufs = buffer;
    snapshot.n_bufs = 1;
    cr_assert_eq(io->snapshot_get(io, &get, shown), 0);
    cr_assert_eq(io->snapshot_put(io, 1, &put, &snapshot, stored), 0);
    replica_turn_end(replica);
    cr_assert_eq(shown_index, UINT64_MAX); /* It was asked for while there was none. */
    bench_end(bench);
}

Test(replica, rule_2d_a_follower_commits_no_more_than_was_compared)
{
    struct bench *bench = bench_begin(3, 64);
    cr_assert_eq(bench_append(bench, 2, 1, 2, 1, 1, 1, three_of_2, 0).code, 0);
    cr_assert_eq(bench_append(bench, 3, 1, 3, 1, 1, 4, NULL, 0).code, 0); /* Cut to nothing. */
    cr_assert_eq(bench_status(bench, 1).commit, 1);
    cr_assert_eq(bench->nodes[1].applied_count, 0);
    cr_assert_eq(bench_append(bench, 3, 1, 3, 1, 1, 4, one_of_3, 0).code, 0);
    cr_assert_eq(bench_status(bench, 1).commit, 2);
    cr_assert_eq(bench->nodes[1].applied_count, 1);
    bench_end(bench);
}

Test(replica, rule_3_a_second_vote_in_a_term_is_refused_and_the_object_starts_anew)
{
    struct bench *bench = bench_begin(3, 64);
    struct replica *replica = bench->nodes[1].replica;
    struct raft_io *io = &replica->object.io;
    replica_turn_begin(replica, bench->now_ms);
    cr_assert_eq(io->set_term(io, 7), 0);
    cr_assert_eq(io->set_vote(io, 2), 0);
    cr_assert_eq(io->set_vote(io, 2), 0);
    cr_assert_neq(io->set_vote(io, 3), 0); /* INV-LOG-4 */
    cr_assert_eq(journal_state(replica->journal)->vote, 2);
    replica->object.reopen_wanted = true; /* As the library would ask by going unavailable. */
    replica_turn_end(replica);
    cr_assert_eq(bench_status(bench, 1).reopened, 1);
    cr_assert_eq(journal_state(replica->journal)->vote, 2);
    bench_end(bench);
}

Test(replica, rule_4_members_do_not_change_before_the_own_barrier_is_applied)
{
    struct bench *bench = bench_begin(3, 64);
    bench_stand(bench, 1);
    bench->nodes[3].cut = true;
    /* Node 2 votes; then nothing reaches it any more: 1 leads, its barrier waits. */
    struct bench_letter letter = { .size = 0 };
    while (bench->letter_count > 0) {
        letter = *bench_next(bench);
        if (letter.to == 2) {
            break;
        }
    }
    bench_drop(bench);
    struct slice ask = slice_of(letter.bytes, letter.size);
    cr_assert_eq(replica_receive(bench->nodes[2].replica, bench->now_ms, 1, ask).code, 0);
    letter = *bench_next(bench);
    struct slice vote = slice_of(letter.bytes, letter.size);
    cr_assert_eq(replica_receive(bench->nodes[1].replica, bench->now_ms, 2, vote).code, 0);
    bench_drop(bench);
    cr_assert_eq(bench_status(bench, 1).role, REPLICA_ELECTING);
    for (uint32_t id = 2; id <= 3; id++) { /* Nobody is missing: only the barrier is in the way. */
        struct replica_peer *peer = replica_peer_of(bench->nodes[1].replica, id);
        peer->heard_ms = bench->now_ms;
    }
    uint64_t ticket = 0;
    cr_assert_eq(bench_submit(bench, 1, "one", &ticket).code, FAILURE_NOT_LEADER);
    struct replica *replica = bench->nodes[1].replica;
    cr_assert_eq(replica_transfer(replica, bench->now_ms, 2).code, FAILURE_NOT_LEADER);
    bench_end(bench);
}

Test(replica, rule_5_a_configuration_is_cut_by_us_and_the_object_starts_anew)
{
    struct bench *bench = bench_begin(3, 64);
    cr_assert_eq(bench_append(bench, 2, 1, 2, 1, 1, 1, two_of_2, 1).code, 0);
    cr_assert_eq(bench_status(bench, 1).last, 3);
    cr_assert_eq(bench_append(bench, 3, 1, 3, 1, 1, 1, one_of_3, 0).code, 0);
    cr_assert_eq(bench_status(bench, 1).reopened, 1);
    cr_assert_eq(bench_status(bench, 1).last, 1);
    cr_assert_eq(bench_append(bench, 3, 1, 3, 1, 1, 1, one_of_3, 0).code, 0);
    cr_assert_eq(bench_status(bench, 1).last, 2);
    cr_assert_eq(bench_status(bench, 1).reopened, 1);
    bench_end(bench);
}

Test(replica, rule_6_no_snapshot_is_taken_over_an_uncommitted_configuration)
{
    struct bench *bench = bench_begin(3, 1);
    cr_assert_eq(bench_append(bench, 2, 1, 2, 1, 1, 2, three_of_2, 2).code, 0);
    cr_assert_eq(bench->nodes[1].applied_count, 1);
    cr_assert_eq(bench->nodes[1].taken, 0);
    cr_assert_eq(bench_append(bench, 2, 1, 2, 4, 2, 4, NULL, 0).code, 0);
    cr_assert_eq(bench->nodes[1].applied_count, 2);
    cr_assert_eq(bench->nodes[1].taken, 1);
    bench_end(bench);
}

Test(replica, rule_7b_entries_under_our_snapshot_are_never_shown_to_the_library)
{
    struct bench *bench = bench_begin(3, 4);
    static const uint64_t many[] = { 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 0 };
    cr_assert_eq(bench_append(bench, 2, 1, 2, 1, 1, 11, many, 0).code, 0);
    cr_assert_gt(bench_status(bench, 1).first, 3);
    cr_assert_eq(bench_status(bench, 1).last, 11);
    bench_drop(bench);
    cr_assert_eq(bench_append(bench, 2, 1, 2, 1, 1, 11, two_of_2, 0).code, 0); /* A late one. */
    Wire__RaftMessage *reply = bench_told(bench, 1, WIRE__RAFT_MESSAGE__BODY_APPEND_TOLD);
    cr_assert_not_null(reply);
    cr_assert_eq(reply->append_told->rejected, 0);
    cr_assert_eq(reply->append_told->last_index, bench_status(bench, 1).snapshot);
    cr_assert_eq(bench_status(bench, 1).last, 11);
    bench_end(bench);
}

Test(replica, rule_8_each_loaded_entry_has_its_own_memory)
{
    struct bench *bench = bench_begin(3, 64);
    cr_assert_eq(bench_append(bench, 2, 1, 2, 1, 1, 1, two_of_2, 0).code, 0);
    replica_close(bench->nodes[1].replica);
    bench_open_node(bench, 1, 0);
    const struct raft_log *log = &bench->nodes[1].replica->object.raft.log;
    cr_assert_eq(log->back - log->front, 3);
    cr_assert_neq(log->entries[log->front].batch, log->entries[log->front + 1].batch);
    cr_assert_neq(log->entries[log->front + 1].batch, log->entries[log->front + 2].batch);
    bench_end(bench);
}

Test(replica, rule_9_a_candidate_stands_at_once_in_a_new_term)
{
    struct bench *bench = bench_begin(3, 64);
    bench_stand(bench, 1);
    struct bench_letter *letter = bench_next(bench);
    cr_assert_not_null(letter);
    Wire__RaftMessage *message = bench_read(letter);
    cr_assert_eq(message->body_case, WIRE__RAFT_MESSAGE__BODY_VOTE_ASK);
    cr_assert_eq(message->term, 2);
    bench_end(bench);
}

Test(replica, rule_10_a_member_climbs_step_by_step_and_the_leader_never_removes_itself)
{
    struct bench *bench = bench_begin(1, 64);
    enum replica_member_role seen = REPLICA_SPARE;
    bool standby = false;
    cr_assert_eq(bench_elect(bench), 1);
    struct replica *replica = bench->nodes[1].replica;
    cr_assert_eq(replica_remove(replica, bench->now_ms, 1).code, FAILURE_DENIED);
    cr_assert_eq(replica_add(replica, bench->now_ms, 2, "n2:1").code, 0);
    cr_assert_eq(replica_add(replica, bench->now_ms, 2, "n2:1").code, FAILURE_EXISTS);
    for (int i = 0; i < 60 && seen != REPLICA_VOTER; i++) {
        bench_pass(bench, LIMIT_TICK_MS);
        struct replica_status status = bench_status(bench, 1);
        cr_assert_eq(status.member_count, 2);
        seen = status.members[1].role;
        standby = standby || seen == REPLICA_STANDBY;
    }
    cr_assert_eq(seen, REPLICA_VOTER);
    cr_assert(standby);
    bench_pass(bench, 300);
    bench->nodes[2].cut = true; /* A voter is missing: only it may be removed now. */
    bench->now_ms += REPLICA_HEARD_MS;
    replica->now_ms = bench->now_ms + 1;
    cr_assert_eq(replica_add(replica, bench->now_ms, 3, "n3:1").code, FAILURE_BUSY);
    bench_end(bench);
}

Test(replica, rule_10_of_two_that_are_missing_one_goes_after_the_other_and_nobody_sound)
{
    struct bench *bench = bench_begin(5, 64);
    uint32_t leader = bench_elect(bench);
    uint32_t gone[2] = { leader % 5 + 1, (leader + 1) % 5 + 1 };
    uint32_t sound = (leader + 2) % 5 + 1;
    struct replica *replica = bench->nodes[leader].replica;
    bench_pass(bench, 300);
    bench->nodes[gone[0]].cut = true;
    bench->nodes[gone[1]].cut = true;
    bench_pass(bench, REPLICA_HEARD_MS + 2 * LIMIT_TICK_MS);
    cr_assert_eq(bench_status(bench, leader).role, REPLICA_LEADING);
    cr_assert_eq(replica_remove(replica, bench->now_ms, sound).code, FAILURE_BUSY);
    cr_assert_eq(replica_remove(replica, bench->now_ms, gone[0]).code, 0);
    bench_pass(bench, 300);
    cr_assert_eq(bench_status(bench, leader).member_count, 4);
    cr_assert_eq(replica_remove(replica, bench->now_ms, gone[1]).code, 0);
    bench_pass(bench, 300);
    cr_assert_eq(bench_status(bench, leader).member_count, 3);
    cr_assert_eq(
        replica_remove(replica, bench->now_ms, sound).code, 0); /* Nobody is missing now. */
    bench_end(bench);
}

Test(replica, rule_10_a_follower_that_only_refuses_makes_the_leader_start_anew)
{
    struct bench *bench = bench_begin(3, 64);
    uint32_t leader = bench_elect(bench);
    struct replica *replica = bench->nodes[leader].replica;
    struct replica_peer *peer = replica_peer_of(replica, leader % 3 + 1);
    peer->refusing_since_ms = bench->now_ms;
    bench->now_ms += REPLICA_STUCK_MS;
    replica->now_ms = bench->now_ms;
    peer->heard_ms = bench->now_ms;
    replica_turn_begin(replica, bench->now_ms);
    replica_members_tick(replica);
    replica_turn_end(replica);
    cr_assert_eq(bench_status(bench, leader).reopened, 0);
    replica_turn_begin(replica, bench->now_ms + 1);
    replica_members_tick(replica);
    replica_turn_end(replica);
    cr_assert_eq(bench_status(bench, leader).reopened, 1);
    bench_end(bench);
}

Test(replica, rule_11_a_failed_append_stops_the_process_and_nothing_leaves)
{
    struct bench *bench = bench_begin(3, 64);
    bench->nodes[1].disk.fail_odds = 1000000;
    cr_assert_eq(bench_append(bench, 2, 1, 1, 1, 1, 1, (const uint64_t[]){ 1, 0 }, 0).code, 0);
    cr_assert_eq(bench->nodes[1].halts, 1);
    cr_assert_eq(bench_status(bench, 1).role, REPLICA_HALTED);
    cr_assert_null(bench_next(bench));
    cr_assert_eq(bench_status(bench, 1).reopened, 0);
    bench->nodes[1].disk.fail_odds = 0;
    bench_end(bench);
}

/* Node 2, leader of term 2, offers node 1 a snapshot of nodes 1 to 3 at this index. */
static void offer_snapshot(struct bench *bench, uint64_t index)
{
    Wire__RaftMember members[3];
    Wire__RaftMember *list[3];
    Wire__RaftInstall install = WIRE__RAFT_INSTALL__INIT;
    Wire__RaftMessage message = WIRE__RAFT_MESSAGE__INIT;
    char addresses[3][8];
    uint8_t room[1024];
    size_t size = 0;
    for (uint32_t i = 0; i < 3; i++) {
        wire__raft_member__init(&members[i]);
        const struct replica_conf conf = bench_conf(bench, i + 1, 0);
        memcpy(addresses[i], conf.address, strlen(conf.address) + 1);
        members[i].id = i + 1;
        members[i].address = addresses[i];
        members[i].role = RAFT_VOTER;
        list[i] = &members[i];
    }
    install.index = index;
    install.index_term = 2;
    install.members_index = 1;
    install.members = list;
    install.n_members = 3;
    static uint8_t manifest[] = "manifest";
    install.manifest.data = manifest;
    install.manifest.len = sizeof(manifest) - 1;
    message.format = 1;
    message.term = 2;
    message.body_case = WIRE__RAFT_MESSAGE__BODY_INSTALL;
    message.install = &install;
    CHECK(wire_encode_into(&message, room, sizeof(room), &size));
    struct replica *replica = bench->nodes[1].replica;
    bench->nodes[1].ready = true;
    cr_assert_eq(replica_receive(replica, bench->now_ms, 2, slice_of(room, size)).code, 0);
}

Test(replica, rule_13_a_change_that_a_snapshot_overtook_is_no_longer_under_way)
{
    struct bench *bench = bench_begin(3, 1);
    cr_assert_eq(bench_append(bench, 2, 1, 2, 1, 1, 1, two_of_2, 2).code, 0);
    cr_assert(bench_status(bench, 1).changing);
    bench_drop(bench);
    offer_snapshot(bench, 10);
    Wire__RaftMessage *reply = bench_told(bench, 1, WIRE__RAFT_MESSAGE__BODY_APPEND_TOLD);
    cr_assert_not_null(reply); /* What the old object said has left. */
    cr_assert_eq(reply->append_told->rejected, 0);
    cr_assert_eq(reply->append_told->last_index, 10);
    cr_assert_eq(bench_status(bench, 1).snapshot, 10);
    cr_assert_not(bench_status(bench, 1).changing);
    cr_assert_eq(bench_append(bench, 2, 1, 2, 10, 2, 12, two_of_2, 0).code, 0);
    cr_assert_eq(bench->nodes[1].applied_count, 2);
    cr_assert_eq(bench_status(bench, 1).snapshot, 12); /* Its log shrinks as ever. */
    bench_end(bench);
}
