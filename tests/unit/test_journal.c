/* The consensus log: what was synced is never lost and never wrong; what was not is cut. */
#include "controller/journal.h"
#include "tests/sim/sim_disk.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SEGMENT = JOURNAL_SEGMENT_MIN, COUNT = 4 };

static const struct journal_conf conf = {
    .owner = 7, .segment_bytes = SEGMENT, .segment_count = COUNT, .entry_max = 4096
};

struct bench {
    struct prng prng;
    struct sim_disk sim;
    struct disk disk;
    struct journal *journal;
};

static void bench_open(struct bench *bench)
{
    cr_assert_eq(journal_open(bench->disk, &conf, &bench->journal).code, 0);
}

static void bench_init(struct bench *bench)
{
    prng_seed(&bench->prng, 1);
    sim_disk_init(&bench->sim, &bench->prng);
    bench->disk = sim_disk_disk(&bench->sim);
    bench->journal = NULL;
    cr_assert_eq(journal_create(bench->disk, &conf, 99).code, 0);
    bench_open(bench);
}

static void bench_free(struct bench *bench)
{
    journal_close(bench->journal);
    sim_disk_free(&bench->sim);
}

/* Closes, loses power or not, opens again. */
static void again(struct bench *bench, bool power)
{
    journal_close(bench->journal);
    bench->journal = NULL;
    if (power) {
        sim_disk_power_loss(&bench->sim);
    }
    sim_disk_restart(&bench->sim);
    bench_open(bench);
}

/* Each entry's bytes are a function of index and term, so that a wrong one shows. */
static struct slice content(uint64_t index, uint64_t term, size_t size, uint8_t *room)
{
    for (size_t i = 0; i < size; i++) {
        room[i] = (uint8_t)(index * 31 + term * 7 + i);
    }
    return slice_of(room, size);
}

static RESULT append(struct bench *bench, enum journal_class class, uint64_t term, size_t size)
{
    static uint8_t room[8192];
    struct journal_entry entry = {
        .index = journal_state(bench->journal)->last + 1,
        .term = term,
        .type = JOURNAL_COMMAND,
    };
    entry.bytes = content(entry.index, term, size, room);
    return journal_append(bench->journal, class, &entry);
}

static void must_append(struct bench *bench, uint64_t term, size_t size)
{
    cr_assert_eq(append(bench, JOURNAL_NORMAL, term, size).code, 0);
}

/* INV-LOG-1: every entry that the journal shows reads back as it was written. */
static void entries_right(struct journal *journal)
{
    static uint8_t room[8192];
    const struct journal_state *state = journal_state(journal);
    for (uint64_t index = state->first; index <= state->last; index++) {
        struct journal_entry entry = { 0 };
        uint64_t term = 0;
        cr_assert(journal_entry_at(journal, index, &term, NULL));
        cr_assert_eq(journal_read(journal, index, &entry).code, 0);
        cr_assert_eq(entry.term, term);
        cr_assert(slice_equal(entry.bytes, content(index, term, entry.bytes.size, room)));
    }
}

static struct journal_snapshot snapshot_at(struct journal *journal, uint64_t index)
{
    struct journal_snapshot snapshot = { .index = index, .members_index = 1, .member_count = 1 };
    cr_assert(journal_entry_at(journal, index, &snapshot.term, NULL));
    snapshot.members[0].id = 7;
    snapshot.members[0].role = 1;
    memcpy(snapshot.members[0].address, "a:1", 4);
    snapshot.manifest = slice_text("files of a checkpoint");
    return snapshot;
}

Test(journal, an_open_without_a_creation_finds_nothing)
{
    struct bench bench = { 0 };
    prng_seed(&bench.prng, 1);
    sim_disk_init(&bench.sim, &bench.prng);
    bench.disk = sim_disk_disk(&bench.sim);
    cr_assert_eq(journal_open(bench.disk, &conf, &bench.journal).code, FAILURE_NOT_FOUND);
    bench.sim.full = true;
    cr_assert_eq(journal_create(bench.disk, &conf, 5).code, FAILURE_NO_SPACE);
    cr_assert_eq(journal_open(bench.disk, &conf, &bench.journal).code, FAILURE_NOT_FOUND);
    bench.sim.full = false;
    cr_assert_eq(journal_create(bench.disk, &conf, 5).code, 0);
    cr_assert_eq(journal_create(bench.disk, &conf, 5).code, FAILURE_EXISTS);
    sim_disk_free(&bench.sim);
}

Test(journal, an_interrupted_creation_counts_as_none)
{
    for (uint64_t seed = 1; seed < 200; seed++) {
        struct bench bench = { 0 };
        prng_seed(&bench.prng, seed);
        sim_disk_init(&bench.sim, &bench.prng);
        bench.disk = sim_disk_disk(&bench.sim);
        bench.sim.die_odds = 300000;
        struct result made = journal_create(bench.disk, &conf, 5);
        bench.sim.die_odds = 0;
        sim_disk_power_loss(&bench.sim);
        sim_disk_restart(&bench.sim);
        struct result opened = journal_open(bench.disk, &conf, &bench.journal);
        cr_assert(made.code != 0 || opened.code == 0);
        cr_assert(opened.code == 0 || opened.code == FAILURE_NOT_FOUND);
        bench_free(&bench);
    }
}

Test(journal, another_replicas_journal_is_refused)
{
    struct bench bench;
    bench_init(&bench);
    journal_close(bench.journal);
    struct journal_conf other = conf;
    other.owner = 8;
    cr_assert_eq(journal_open(bench.disk, &other, &bench.journal).code, FAILURE_CORRUPT);
    bench.journal = NULL;
    bench_free(&bench);
}

Test(journal, term_and_vote_are_durable_on_return_and_a_new_term_has_no_vote)
{
    struct bench bench;
    bench_init(&bench);
    cr_assert_eq(journal_set_term(bench.journal, 3).code, 0);
    cr_assert_eq(journal_set_vote(bench.journal, 9).code, 0); /* INV-LOG-3 */
    again(&bench, true);
    cr_assert_eq(journal_state(bench.journal)->term, 3);
    cr_assert_eq(journal_state(bench.journal)->vote, 9);
    cr_assert_eq(journal_set_term(bench.journal, 4).code, 0);
    again(&bench, true);
    cr_assert_eq(journal_state(bench.journal)->term, 4);
    cr_assert_eq(journal_state(bench.journal)->vote, 0);
    bench_free(&bench);
}

Test(journal, synced_entries_survive_power_loss_and_a_cut_stays_cut)
{
    struct bench bench;
    bench_init(&bench);
    cr_assert_eq(journal_set_term(bench.journal, 1).code, 0);
    for (int i = 0; i < 8; i++) {
        must_append(&bench, 1, 200);
    }
    cr_assert_eq(journal_truncate(bench.journal, 6).code, 0);
    cr_assert_eq(journal_set_term(bench.journal, 2).code, 0);
    must_append(&bench, 2, 300);
    cr_assert_eq(journal_sync(bench.journal).code, 0);
    again(&bench, true);
    const struct journal_state *state = journal_state(bench.journal);
    cr_assert_eq(state->first, 1);
    cr_assert_eq(state->last, 6);
    cr_assert_eq(state->size, 5 * 200 + 300);
    uint64_t term = 0;
    cr_assert(journal_entry_at(bench.journal, 6, &term, NULL));
    cr_assert_eq(term, 2);
    cr_assert_not(journal_entry_at(bench.journal, 7, &term, NULL));
    entries_right(bench.journal);
    bench_free(&bench);
}

Test(journal, the_last_segments_are_kept_for_their_classes)
{
    struct bench bench;
    bench_init(&bench);
    cr_assert_eq(journal_set_term(bench.journal, 1).code, 0);
    uint32_t size = 3000;
    while (journal_fits(bench.journal, JOURNAL_NORMAL, &size, 1)) {
        must_append(&bench, 1, size);
    }
    uint64_t last = journal_state(bench.journal)->last;
    cr_assert_gt(last, 3);
    cr_assert_eq(append(&bench, JOURNAL_NORMAL, 1, size).code, FAILURE_FULL);
    cr_assert_eq(journal_state(bench.journal)->last, last);
    cr_assert(journal_fits(bench.journal, JOURNAL_RESERVED, &size, 1));
    while (journal_fits(bench.journal, JOURNAL_RESERVED, &size, 1)) {
        cr_assert_eq(append(&bench, JOURNAL_RESERVED, 1, size).code, 0);
    }
    cr_assert_eq(append(&bench, JOURNAL_RESERVED, 1, size).code, FAILURE_FULL);
    cr_assert_eq(journal_set_term(bench.journal, 2).code, 0);
    cr_assert_eq(journal_set_vote(bench.journal, 3).code, 0);
    last = journal_state(bench.journal)->last;
    struct journal_snapshot snapshot = snapshot_at(bench.journal, last);
    cr_assert_eq(journal_put_snapshot(bench.journal, &snapshot, last + 1, false).code, 0);
    cr_assert(journal_fits(bench.journal, JOURNAL_NORMAL, &size, 1));
    again(&bench, true);
    cr_assert_eq(journal_state(bench.journal)->last, last);
    cr_assert_eq(journal_state(bench.journal)->vote, 3);
    bench_free(&bench);
}

Test(journal, segments_are_recycled_for_ever_behind_snapshots)
{
    struct bench bench;
    bench_init(&bench);
    cr_assert_eq(journal_set_term(bench.journal, 1).code, 0);
    for (uint64_t round = 0; round < 400; round++) {
        must_append(&bench, 1, 100 + round * 7 % 900);
        cr_assert_eq(journal_sync(bench.journal).code, 0);
        uint64_t last = journal_state(bench.journal)->last;
        if (round % 9 == 8) {
            struct journal_snapshot snapshot = snapshot_at(bench.journal, last - 2);
            cr_assert_eq(journal_put_snapshot(bench.journal, &snapshot, last - 4, false).code, 0);
        }
        if (round % 23 == 22) {
            again(&bench, round % 2 == 0);
            cr_assert_eq(journal_state(bench.journal)->last, last);
            cr_assert(journal_state(bench.journal)->snapshot_present);
            entries_right(bench.journal); /* INV-LOG-2: nothing that is kept was recycled. */
        }
    }
    cr_assert(slice_equal(
        journal_state(bench.journal)->snapshot.manifest, slice_text("files of a checkpoint")));
    cr_assert_str_eq(journal_state(bench.journal)->snapshot.members[0].address, "a:1");
    bench_free(&bench);
}

Test(journal, an_installed_snapshot_replaces_the_whole_log)
{
    struct bench bench;
    bench_init(&bench);
    cr_assert_eq(journal_set_term(bench.journal, 1).code, 0);
    for (int i = 0; i < 30; i++) {
        must_append(&bench, 1, 900);
    }
    struct journal_snapshot snapshot = snapshot_at(bench.journal, 5);
    snapshot.index = 17;
    cr_assert_eq(journal_put_snapshot(bench.journal, &snapshot, 18, true).code, 0);
    cr_assert_eq(journal_state(bench.journal)->last, 17);
    must_append(&bench, 1, 50);
    cr_assert_eq(journal_sync(bench.journal).code, 0);
    again(&bench, true);
    cr_assert_eq(journal_state(bench.journal)->first, 18);
    cr_assert_eq(journal_state(bench.journal)->last, 18);
    entries_right(bench.journal);
    bench_free(&bench);
}

/* What was durable must be there; what is there must be right. */
static void random_life(uint64_t seed)
{
    struct bench bench;
    bench_init(&bench);
    prng_seed(&bench.prng, seed);
    uint64_t durable_last = 0;
    uint64_t durable_term = 0;
    for (int step = 0; step < 120; step++) {
        const struct journal_state *state = journal_state(bench.journal);
        uint64_t what = prng_below(&bench.prng, 10);
        uint32_t size = (uint32_t)prng_below(&bench.prng, 1500);
        if (what == 0 || state->term == 0) {
            cr_assert_eq(journal_set_term(bench.journal, state->term + 1).code, 0);
            durable_last = state->last;
        } else if (what == 1 && state->last > state->first + 6) {
            struct journal_snapshot snapshot = snapshot_at(bench.journal, state->last - 3);
            cr_assert_eq(
                journal_put_snapshot(bench.journal, &snapshot, state->last - 4, false).code, 0);
            durable_last = state->last;
        } else if (what == 2 && state->last > state->snapshot.index + 1) {
            cr_assert_eq(journal_truncate(bench.journal, state->last).code, 0);
            cr_assert_eq(journal_sync(bench.journal).code, 0);
            durable_last = state->last;
        } else if (what == 3) {
            durable_term = state->term;
            uint64_t last = state->last;
            again(&bench, true);
            state = journal_state(bench.journal);
            cr_assert_geq(state->last, durable_last);
            cr_assert_leq(state->last, last);
            cr_assert_eq(state->term, durable_term);
            entries_right(bench.journal);
            durable_last = state->last;
        } else if (what == 4) {
            cr_assert_eq(journal_sync(bench.journal).code, 0);
            durable_last = state->last;
        } else if (journal_fits(bench.journal, JOURNAL_NORMAL, &size, 1)) {
            must_append(&bench, state->term, size);
        }
    }
    bench_free(&bench);
}

Test(journal, random_lives_with_power_losses_lose_nothing_that_was_synced)
{
    for (uint64_t seed = 1; seed <= 150; seed++) {
        random_life(seed);
    }
}

/* A log with three synced batches: 2 entries, 2 entries, 2 entries. */
static void small_log(struct bench *bench, uint64_t ends[4])
{
    bench_init(bench);
    cr_assert_eq(journal_set_term(bench->journal, 1).code, 0);
    for (int batch = 0; batch < 3; batch++) {
        must_append(bench, 1, 40);
        must_append(bench, 1, 24);
        cr_assert_eq(journal_sync(bench->journal).code, 0);
    }
    const uint8_t *bytes = sim_disk_find(&bench->sim, "journal-0")->seen;
    uint64_t end = SEGMENT;
    while (bytes[end - 1] == 0) {
        end--;
    }
    ends[0] = end;
}

Test(journal, a_log_cut_at_any_byte_gives_a_prefix)
{
    struct bench bench;
    uint64_t end[4] = { 0 };
    small_log(&bench, end);
    struct sim_disk_file *file = sim_disk_find(&bench.sim, "journal-0");
    static uint8_t whole[SEGMENT];
    memcpy(whole, file->seen, SEGMENT);
    journal_close(bench.journal);
    bench.journal = NULL;
    uint64_t last_before = 0;
    bool torn = false;
    for (uint64_t at = 0; at <= end[0]; at++) {
        memset(file->seen, 0, SEGMENT);
        memcpy(file->seen, whole, (size_t)at);
        struct result result = journal_open(bench.disk, &conf, &bench.journal);
        cr_assert(result.code == 0 || (result.code == FAILURE_CORRUPT && last_before == 0));
        if (result.code == 0) {
            entries_right(bench.journal);
            cr_assert_geq(journal_state(bench.journal)->last, last_before);
            last_before = journal_state(bench.journal)->last;
            torn = torn || journal_state(bench.journal)->torn;
            journal_close(bench.journal);
            bench.journal = NULL;
        }
    }
    cr_assert_eq(last_before, 6);
    cr_assert(torn);
    bench_free(&bench);
}

Test(journal, a_flipped_byte_is_damage_in_the_middle_and_a_torn_tail_in_the_last_batch)
{
    struct bench bench;
    uint64_t end[4] = { 0 };
    small_log(&bench, end);
    struct sim_disk_file *file = sim_disk_find(&bench.sim, "journal-0");
    journal_close(bench.journal);
    bench.journal = NULL;
    uint64_t corrupt = 0;
    uint64_t cut = 0;
    uint64_t torn = 0; /* Not counted when the record can no longer be told from old bytes. */
    for (uint64_t at = 0; at < end[0]; at++) {
        for (unsigned int bit = 1; bit < 256; bit <<= 1) {
            struct journal_fault fault = { .what = NULL };
            struct journal_conf asking = conf;
            asking.fault = &fault;
            file->seen[at] ^= (uint8_t)bit;
            struct result result = journal_open(bench.disk, &asking, &bench.journal);
            cr_assert_eq(result.code == FAILURE_CORRUPT, fault.what != NULL);
            cr_assert(fault.offset <= at && (fault.what == NULL || fault.file[0] == 'j'));
            if (result.code == 0) { /* Only what stood behind the last sync may be taken away. */
                uint64_t last = journal_state(bench.journal)->last;
                cr_assert(last == 4 || last == 5);
                torn += journal_state(bench.journal)->torn ? 1 : 0;
                entries_right(bench.journal);
                cut++;
            } else {
                cr_assert_eq(result.code, FAILURE_CORRUPT);
                corrupt++;
            }
            journal_close(bench.journal);
            bench.journal = NULL;
            file->seen[at] ^= (uint8_t)bit;
        }
    }
    cr_assert_gt(corrupt, cut);
    cr_assert_gt(cut, torn);
    cr_assert_gt(torn, cut / 2);
    bench_free(&bench);
}

Test(journal, damage_in_an_older_segment_that_is_needed_is_corruption)
{
    struct bench bench;
    bench_init(&bench);
    cr_assert_eq(journal_set_term(bench.journal, 1).code, 0);
    while (journal_fill(bench.journal) < 40) {
        must_append(&bench, 1, 700);
    }
    cr_assert_eq(journal_sync(bench.journal).code, 0);
    journal_close(bench.journal);
    bench.journal = NULL;
    struct sim_disk_file *file = sim_disk_find(&bench.sim, "journal-0");
    for (uint64_t at = 1; at < SEGMENT - 1024; at += 97) {
        struct journal_fault fault = { .what = NULL };
        struct journal_conf asking = conf;
        asking.fault = &fault;
        file->seen[at] ^= 0x10;
        cr_assert_eq(journal_open(bench.disk, &asking, &bench.journal).code, FAILURE_CORRUPT);
        cr_assert(fault.what != NULL && fault.offset <= at); /* It names the place. */
        file->seen[at] ^= 0x10;
    }
    bench_open(&bench);
    bench_free(&bench);
}

Test(journal, a_failed_write_or_sync_ends_the_journal)
{
    struct bench bench;
    bench_init(&bench);
    cr_assert_eq(journal_set_term(bench.journal, 1).code, 0);
    must_append(&bench, 1, 10);
    bench.sim.fail_odds = 1000000;
    cr_assert_eq(journal_sync(bench.journal).code, FAILURE_IO);
    bench.sim.fail_odds = 0;
    cr_assert_eq(journal_sync(bench.journal).code, FAILURE_IO);
    cr_assert_eq(append(&bench, JOURNAL_NORMAL, 1, 10).code, FAILURE_IO);
    uint32_t size = 10;
    cr_assert_not(journal_fits(bench.journal, JOURNAL_INNER, &size, 1));
    bench_free(&bench);
}

Test(journal, real_files_keep_what_was_synced_and_refuse_what_is_not_there)
{
    char path[] = "/tmp/test_journal_XXXXXX";
    cr_assert_not_null(mkdtemp(path));
    int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cr_assert_geq(directory, 0);
    struct bench bench = { .disk = disk_file(&directory) };
    cr_assert_eq(journal_open(bench.disk, &conf, &bench.journal).code, FAILURE_NOT_FOUND);
    cr_assert_eq(journal_create(bench.disk, &conf, 5).code, 0);
    cr_assert_eq(journal_create(bench.disk, &conf, 5).code, FAILURE_EXISTS);
    bench_open(&bench);
    cr_assert_eq(journal_set_term(bench.journal, 1).code, 0);
    for (int i = 0; i < 12; i++) {
        must_append(&bench, 1, 2000);
    }
    cr_assert_eq(journal_sync(bench.journal).code, 0);
    journal_close(bench.journal);
    bench_open(&bench);
    cr_assert_eq(journal_state(bench.journal)->last, 12);
    entries_right(bench.journal);
    journal_close(bench.journal);
    for (int slot = 0; slot < COUNT; slot++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "journal-%d", slot);
        cr_assert_eq(unlinkat(directory, name, 0), 0);
    }
    cr_assert_eq(close(directory), 0);
    cr_assert_eq(rmdir(path), 0);
}
