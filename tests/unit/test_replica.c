/* Consensus behind its door: what is asked, what is refused, what comes of it. The rules of the
 * adapter have a file of their own. */
#include "tests/unit/replica_bench.h"

#include <criterion/criterion.h>
#include <string.h>

static const uint64_t two_of_2[] = { 2, 2, 0 };

Test(replica, a_log_must_be_made_before_it_is_opened_and_only_once)
{
    struct bench *bench = bench_begin(1, 64);
    struct replica_conf conf = bench_conf(bench, 1, 0);
    struct replica_member self = { .id = 1, .address = "n1:1" };
    struct disk disk = sim_disk_disk(&bench->nodes[1].disk);
    cr_assert_eq(replica_bootstrap(disk, &conf, &self, 1).code, FAILURE_EXISTS);
    cr_assert_eq(replica_create(disk, &conf).code, FAILURE_EXISTS);
    struct prng prng;
    struct sim_disk empty;
    struct replica_host host = bench->nodes[1].replica->host;
    struct replica *replica = NULL;
    prng_seed(&prng, 1);
    sim_disk_init(&empty, &prng);
    struct result opened = replica_open(sim_disk_disk(&empty), &conf, &host, 0, &replica);
    cr_assert_eq(opened.code, FAILURE_NOT_FOUND);
    bench_end(bench);
}

Test(replica, a_log_older_than_the_store_is_refused)
{
    struct bench *bench = bench_begin(1, 64);
    uint64_t ticket = 0;
    cr_assert_eq(bench_elect(bench), 1);
    cr_assert_eq(bench_submit(bench, 1, "one", &ticket).code, 0);
    uint64_t last = bench_status(bench, 1).last;
    struct replica_host host = bench->nodes[1].replica->host;
    replica_close(bench->nodes[1].replica);
    bench->nodes[1].replica = NULL;
    struct replica_conf conf = bench_conf(bench, 1, last + 1); /* INV-LOG-6 */
    struct disk disk = sim_disk_disk(&bench->nodes[1].disk);
    struct replica *replica = NULL;
    cr_assert_eq(replica_open(disk, &conf, &host, 0, &replica).code, FAILURE_CORRUPT);
    bench->nodes[1].applied_count = 0;
    bench_open_node(bench, 1, last);
    bench_pass(bench, 600);
    cr_assert_eq(bench->nodes[1].applied_count, 0); /* INV-LOG-5: never applied twice. */
    bench_end(bench);
}

Test(replica, a_lone_voter_leads_and_applies_what_is_submitted)
{
    struct bench *bench = bench_begin(1, 64);
    uint64_t ticket = 0;
    cr_assert_eq(bench_submit(bench, 2, "one", &ticket).code, FAILURE_NOT_LEADER);
    cr_assert_eq(bench_elect(bench), 1);
    cr_assert_eq(bench_submit(bench, 1, "", &ticket).code, FAILURE_BAD_INPUT);
    static char large[4096];
    memset(large, 'x', sizeof(large) - 1);
    cr_assert_eq(bench_submit(bench, 1, large, &ticket).code, FAILURE_BAD_INPUT);
    cr_assert_eq(bench_submit(bench, 1, "one", &ticket).code, 0);
    cr_assert_eq(bench->nodes[1].applied_count, 1);
    cr_assert_eq(bench->nodes[1].tickets[0], ticket);
    bench_end(bench);
}

Test(replica, three_agree_two_entries_may_wait_and_a_lost_leader_says_so)
{
    struct bench *bench = bench_begin(3, 64);
    uint64_t tickets[3] = { 0 };
    uint32_t leader = bench_elect(bench);
    uint32_t other = leader % 3 + 1;
    cr_assert_eq(bench_submit(bench, other, "one", &tickets[0]).code, FAILURE_NOT_LEADER);
    cr_assert_eq(bench_submit(bench, leader, "one", &tickets[0]).code, 0);
    cr_assert_eq(bench->nodes[leader].applied_count, 0);
    bench_deliver(bench);
    cr_assert_eq(bench->nodes[leader].applied_count, 1);
    bench_pass(bench, 60);
    cr_assert_eq(bench->nodes[other].applied_count, 1);
    cr_assert_eq(bench->nodes[other].tickets[0], 0);
    bench->nodes[leader].cut = true;
    cr_assert_eq(bench_submit(bench, leader, "two", &tickets[0]).code, 0);
    cr_assert_eq(bench_submit(bench, leader, "three", &tickets[1]).code, 0);
    cr_assert_eq(bench_submit(bench, leader, "four", &tickets[2]).code, FAILURE_BUSY);
    bench_pass(bench, 900);
    cr_assert_eq(bench->nodes[leader].lost_count, 2);
    cr_assert_eq(bench->nodes[leader].lost[0], tickets[0]);
    bench->nodes[leader].cut = false;
    bench_pass(bench, 900);
    uint32_t heir = bench_elect(bench);
    cr_assert_neq(heir, leader);
    cr_assert_eq(bench_status(bench, heir).last, bench_status(bench, leader).last);
    bench_end(bench);
}

Test(replica, what_is_not_well_formed_is_refused_and_breaks_nothing)
{
    struct bench *bench = bench_begin(3, 64);
    struct replica *replica = bench->nodes[1].replica;
    uint32_t refused = 0;
    cr_assert_eq(bench_append(bench, 2, 1, 2, 1, 1, 1, two_of_2, 1).code, 0);
    cr_assert_eq(replica_receive(replica, 1000, 1, slice_text("x")).code, FAILURE_BAD_INPUT);
    cr_assert_eq(replica_receive(replica, 1000, 2, SLICE_EMPTY).code, FAILURE_BAD_INPUT);
    struct bench_letter letter = *bench_next(bench);
    bench_drop(bench);
    for (size_t at = 0; at < letter.size; at++) {
        for (unsigned int bit = 1; bit < 256; bit <<= 1) {
            letter.bytes[at] ^= (uint8_t)bit;
            struct slice bytes = slice_of(letter.bytes, letter.size);
            if (replica_receive(bench->nodes[2].replica, 1000, 1, bytes).code != 0) {
                refused++;
            }
            letter.bytes[at] ^= (uint8_t)bit;
            bench_drop(bench);
        }
    }
    cr_assert_gt(refused, 0);
    cr_assert_not(replica_change_valid(slice_text("no configuration")));
    bench_end(bench);
}

Test(replica, a_full_log_refuses_before_it_queues_and_keeps_room_for_what_is_reserved)
{
    struct bench *bench = bench_begin(1, 100000);
    static char text[1500];
    uint64_t ticket = 0;
    struct result result = OK;
    memset(text, 'x', sizeof(text) - 1);
    cr_assert_eq(bench_elect(bench), 1);
    bench->nodes[1].take_refused = true;
    for (int i = 0; i < 200 && result.code == 0; i++) {
        result = bench_submit(bench, 1, text, &ticket);
    }
    cr_assert_eq(result.code, FAILURE_FULL);
    uint64_t last = bench_status(bench, 1).last;
    cr_assert_not(bench_status(bench, 1).room);
    cr_assert(bench_status(bench, 1).room_reserved);
    struct replica *replica = bench->nodes[1].replica;
    cr_assert_eq(replica_submit(replica, bench->now_ms, slice_text(text), true, &ticket).code, 0);
    cr_assert_eq(bench_status(bench, 1).last, last + 1);
    bench->nodes[1].take_refused = false;
    bench_pass(bench, 3 * REPLICA_RELIEF_MS);
    cr_assert(bench_status(bench, 1).room);
    cr_assert_eq(bench_submit(bench, 1, text, &ticket).code, 0);
    bench_end(bench);
}

Test(replica, a_follower_cuts_what_does_not_fit_and_is_freed_by_what_it_applied)
{
    struct bench *bench = bench_begin(3, 100000);
    static char text[1500];
    uint64_t ticket = 0;
    memset(text, 'x', sizeof(text) - 1);
    uint32_t leader = bench_elect(bench);
    for (uint32_t id = 1; id <= 3; id++) {
        bench->nodes[id].take_refused = true;
    }
    while (bench_submit(bench, leader, text, &ticket).code == 0) {
        bench_deliver(bench);
    }
    struct replica *replica = bench->nodes[leader].replica;
    while (replica_submit(replica, bench->now_ms, slice_text(text), true, &ticket).code == 0) {
        bench_deliver(bench);
    }
    bench_pass(bench, 300);
    cr_assert_eq(bench->nodes[leader].halts, 0);
    for (uint32_t id = 1; id <= 3; id++) {
        bench->nodes[id].take_refused = false;
    }
    bench_pass(bench, 4 * REPLICA_RELIEF_MS);
    cr_assert(bench_status(bench, bench_elect(bench)).room);
    bench_end(bench);
}

Test(replica, leadership_is_handed_over_and_members_come_and_go)
{
    struct bench *bench = bench_begin(3, 64);
    uint32_t leader = bench_elect(bench);
    uint32_t heir = leader % 3 + 1;
    struct replica *replica = bench->nodes[leader].replica;
    bench_pass(bench, 200);
    cr_assert_eq(replica_transfer(replica, bench->now_ms, 9).code, FAILURE_NOT_FOUND);
    cr_assert_eq(replica_transfer(replica, bench->now_ms, heir).code, 0);
    bench_deliver(bench);
    bench_pass(bench, 60);
    cr_assert_eq(bench_elect(bench), heir);
    replica = bench->nodes[heir].replica;
    cr_assert_eq(replica_remove(replica, bench->now_ms, 8).code, FAILURE_NOT_FOUND);
    cr_assert_eq(replica_remove(replica, bench->now_ms, leader).code, 0);
    bench_deliver(bench);
    bench_pass(bench, 60);
    cr_assert_eq(bench_status(bench, heir).member_count, 2);
    bench_end(bench);
}

Test(replica, a_laggard_gets_a_snapshot_once_its_files_are_there)
{
    struct bench *bench = bench_begin(3, 8);
    uint64_t ticket = 0;
    uint32_t leader = bench_elect(bench);
    uint32_t laggard = leader % 3 + 1;
    bench->nodes[laggard].cut = true;
    for (int i = 0; i < 40; i++) {
        cr_assert_eq(bench_submit(bench, leader, "entry", &ticket).code, 0);
        bench_deliver(bench);
    }
    cr_assert_gt(bench->nodes[leader].taken, 2);
    cr_assert_gt(bench_status(bench, leader).first, 10);
    bench->nodes[laggard].cut = false;
    bench_pass(bench, 3000);
    cr_assert_gt(bench->nodes[laggard].ready_asked, 0);
    cr_assert_eq(bench->nodes[laggard].restored, 0);
    bench->nodes[laggard].ready = true;
    bench_pass(bench, 6000);
    cr_assert_eq(bench->nodes[laggard].restored, 1);
    leader = bench_elect(bench);
    bench_pass(bench, 200);
    cr_assert_eq(bench_status(bench, laggard).last, bench_status(bench, leader).last);
    bench_end(bench);
}
