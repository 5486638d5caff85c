/* A segment whose beginning reads, but does not follow from what lies before it, is damage: it was
 * once taken for a torn tail, and the next write went over it. */
#include "controller/journal.h"
#include "controller/journal_record.h"
#include "tests/sim/sim_disk.h"
#include "wire/wire.h"

#include <criterion/criterion.h>
#include <string.h>

enum { SEGMENT = JOURNAL_SEGMENT_MIN, COUNT = 4, TERM = 5 };

struct bench {
    struct prng prng;
    struct sim_disk sim;
    struct journal_conf conf;
    struct journal_fault fault;
    struct journal *journal;
};

/* Entries until the second segment has begun. */
static void bench_init(struct bench *bench)
{
    static const uint8_t bytes[1000] = { 1 };
    memset(bench, 0, sizeof(*bench));
    bench->conf = (struct journal_conf){ .owner = 7,
                                         .segment_bytes = SEGMENT,
                                         .segment_count = COUNT,
                                         .entry_max = 4096,
                                         .fault = &bench->fault };
    prng_seed(&bench->prng, 1);
    sim_disk_init(&bench->sim, &bench->prng);
    cr_assert_eq(journal_create(sim_disk_disk(&bench->sim), &bench->conf, 99).code, 0);
    cr_assert_eq(journal_open(sim_disk_disk(&bench->sim), &bench->conf, &bench->journal).code, 0);
    cr_assert_eq(journal_set_term(bench->journal, TERM).code, 0);
    while (sim_disk_find(&bench->sim, "journal-1")->seen[0] == 0) {
        struct journal_entry entry = { .index = journal_state(bench->journal)->last + 1,
                                       .term = TERM,
                                       .type = JOURNAL_COMMAND,
                                       .bytes = slice_of(bytes, sizeof(bytes)) };
        cr_assert_eq(journal_append(bench->journal, JOURNAL_NORMAL, &entry).code, 0);
        cr_assert_eq(journal_sync(bench->journal).code, 0);
    }
}

static void bench_free(struct bench *bench)
{
    journal_close(bench->journal);
    sim_disk_free(&bench->sim);
}

/* Leaves nothing of the second segment but its beginning, with another term or another past, sealed
 * as if it had been written so. */
static void begin_otherwise(struct bench *bench, uint64_t term, uint64_t chain)
{
    static _Alignas(16) uint8_t memory[64 * 1024];
    struct arena arena;
    uint8_t *file = sim_disk_find(&bench->sim, "journal-1")->seen;
    struct record_header header;
    struct slice payload;
    Wire__JournalRecord *record = NULL;
    size_t used = 0;
    arena_init(&arena, memory, sizeof(memory));
    cr_assert(record_parse(slice_of(file, SEGMENT), &header, &payload));
    cr_assert_eq(wire_decode(&wire__journal_record__descriptor, payload, &arena, &record).code, 0);
    cr_assert_eq(record->segment->ballot->term, TERM);
    record->segment->ballot->term = term;
    header.chain ^= chain;
    memset(file, 0, SEGMENT);
    cr_assert(record_seal(record, &header, file, SEGMENT, &used));
}

static uint16_t opened_again(struct bench *bench)
{
    journal_close(bench->journal);
    bench->journal = NULL;
    return journal_open(sim_disk_disk(&bench->sim), &bench->conf, &bench->journal).code;
}

static void must_be_refused(struct bench *bench)
{
    cr_assert_eq(opened_again(bench), FAILURE_CORRUPT);
    cr_assert_str_eq(bench->fault.file, "journal-1");
    cr_assert_eq(bench->fault.offset, 0);
    cr_assert_str_eq(bench->fault.what, "it does not follow from what is before");
}

Test(journal_past, a_segment_that_begins_as_the_one_before_ended_is_read)
{
    struct bench bench;
    bench_init(&bench);
    begin_otherwise(&bench, TERM, 0);
    cr_assert_eq(opened_again(&bench), 0);
    cr_assert_eq(journal_state(bench.journal)->term, TERM);
    bench_free(&bench);
}

Test(journal_past, a_segment_of_an_older_term_than_the_one_before_is_refused)
{
    struct bench bench;
    bench_init(&bench);
    begin_otherwise(&bench, TERM - 1, 0); /* INV-LOG-3 */
    must_be_refused(&bench);
    bench_free(&bench);
}

Test(journal_past, a_segment_of_another_past_is_no_torn_tail)
{
    struct bench bench;
    bench_init(&bench);
    begin_otherwise(&bench, TERM, 1);
    must_be_refused(&bench);
    bench_free(&bench);
}

Test(journal_past, a_file_that_is_cut_while_it_is_open_is_named)
{
    struct bench bench;
    struct journal_entry entry;
    bench_init(&bench);
    cr_assert_eq(journal_read(bench.journal, 2, &entry).code, 0);
    sim_disk_find(&bench.sim, "journal-0")->size = 64;
    cr_assert_eq(journal_read(bench.journal, 2, &entry).code, FAILURE_CORRUPT);
    cr_assert_str_eq(bench.fault.file, "journal-0");
    cr_assert_eq(bench.fault.index, 1);
    bench_free(&bench);
}
