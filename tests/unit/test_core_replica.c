/* Replicas that agree: the record that is kept of everything, and the same rows from the same
 * entries, from a mirror, and without a single allocation. */
#include "controller/core/rows.h"
#include "tests/unit/core_lab.h"
#include "wire/frame.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- Allocations of a step are counted; there must be none. ---- */

static volatile bool counting;
static volatile uint64_t allocations;

#if defined(__SANITIZE_ADDRESS__)
/* gcc brings the function and not its header, <sanitizer/allocator_interface.h>. */
int __sanitizer_install_malloc_and_free_hooks(
    void (*malloc_hook)(const volatile void *memory, size_t size),
    void (*free_hook)(const volatile void *memory));

static void seen(const volatile void *memory, size_t size)
{
    (void)memory;
    (void)size;
    allocations = allocations + (counting ? 1 : 0);
}

static void freed(const volatile void *memory)
{
    (void)memory;
}

static void watch(void)
{
    int installed = __sanitizer_install_malloc_and_free_hooks(seen, freed);
    cr_assert_gt(installed, 0);
}
#else
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);

void *malloc(size_t size)
{
    allocations = allocations + (counting ? 1 : 0);
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    allocations = allocations + (counting ? 1 : 0);
    return __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size)
{
    allocations = allocations + (counting ? 1 : 0);
    return __libc_realloc(memory, size);
}

static void watch(void)
{
}
#endif

/* A story with something of everything in it. */
static void story(struct lab *lab)
{
    (void)lab_create(lab, "m1", false);
    (void)lab_create(lab, "m2", true);
    lab_says(lab, "m1", O(RUNNING));
    (void)say_start(lab->desk, lab->ann, "a", "m2");
    lab_says(lab, "m2", O(FAILED));
    (void)say_reboot(lab->desk, lab->ann, "a", "m1");
    lab_says(lab, "m1", O(RUNNING));
    (void)lab_create(lab, "m3", false);
    (void)say_delete(lab->desk, lab->ann, "a", "m3");
    (void)lab_create(lab, "m2", true);            /* Refused: taken. */
    (void)say_status(lab->desk, lab->ann, false); /* Refused: denied. */
    lab->n2->silent = true;
    desk_pass(lab->desk, 8000);
}

Test(core_replica, a_step_allocates_nothing)
{
    struct lab lab = lab_open();
    watch();
    void *(*volatile take)(size_t) = malloc; /* Not to be moved by the compiler. */
    counting = true;
    void *probe = take(16); /* The negative: the count sees. */
    counting = false;
    free(probe);
    cr_assert_gt(allocations, 0);
    allocations = 0;
    counting = true;
    story(&lab); /* The desk itself takes nothing either: its memory was taken at the start. */
    counting = false;
    cr_assert_eq(allocations, 0);
    lab_close(&lab);
}

Test(core_replica, the_same_entries_give_the_same_digest_on_a_fresh_engine_and_again)
{
    struct lab lab = lab_open(); /* INV-REF-1 */
    struct desk *desk = lab.desk;
    story(&lab);
    for (int round = 0; round < 2; round++) {
        struct desk_engine fresh = desk_engine_new(desk);
        for (uint32_t i = 0; i < desk->log_count; i++) {
            desk_apply(desk, fresh.engine, desk->log[i].index, desk->log[i].bytes);
        }
        cr_assert_eq(engine_state(fresh.engine)->digest, desk_state(desk)->digest);
        free(fresh.memory);
    }
    struct desk_engine other = desk_engine_new(desk); /* The negative: one entry left out. */
    for (uint32_t i = 0; i + 1 < desk->log_count; i++) {
        desk_apply(desk, other.engine, desk->log[i].index, desk->log[i].bytes);
    }
    cr_assert_neq(engine_state(other.engine)->digest, desk_state(desk)->digest);
    free(other.memory);
    lab_close(&lab);
}

/* Every row of one engine into another, as the mirror keeps them. */
static void restore(struct desk *desk, struct desk_engine *to)
{
    const struct state *from = desk_state(desk);
    for (unsigned int table = TABLE_CELL; table < TABLES_END; table++) {
        for (const struct row_head *row = state_first(from, (enum state_table)table); row != NULL;
             row = state_next(from, (enum state_table)table, row)) {
            arena_reset(&desk->step);
            arena_reset(&desk->scratch);
            struct slice bytes = rows_encode((enum state_table)table, row, &desk->step);
            struct result put = rows_restore(
                engine_state(to->engine), (enum state_table)table, row->id, bytes, &desk->scratch);
            cr_assert_eq(put.code, 0);
        }
    }
    arena_reset(&desk->step);
    state_settle(engine_state(to->engine), &desk->step);
    engine_restored(to->engine, desk->index);
}

/* What somebody who keeps a copy of the rows was told of them. */
struct told_row {
    enum state_table table; /* 0: none. */
    uint64_t id;
    uint64_t hash;
};

struct told {
    struct told_row rows[1024];
    uint32_t removed;
};

static const struct hash_key no_key = { 0, 0 };

static void told_row(void *context, enum state_table table, uint64_t id, struct slice bytes)
{
    struct told *told = context;
    struct told_row *row = NULL;
    struct told_row *room = NULL;
    for (size_t i = 0; i < COUNT_OF(told->rows) && row == NULL; i++) {
        struct told_row *at = &told->rows[i];
        row = at->table == table && at->id == id ? at : NULL;
        room = room == NULL && at->table == 0 ? at : room;
    }
    row = row == NULL ? room : row;
    cr_assert_not_null(row);
    told->removed += bytes.size == 0 ? 1 : 0;
    *row = bytes.size == 0 ? (struct told_row){ .id = 0 }
                           : (struct told_row){ table, id, hash_bytes(no_key, bytes) };
}

/* Every row as it is now, told in one go. */
static void tell_all(struct desk *desk, struct told *told)
{
    const struct state *state = desk_state(desk);
    for (unsigned int table = TABLE_CELL; table < TABLES_END; table++) {
        for (const struct row_head *row = state_first(state, (enum state_table)table); row != NULL;
             row = state_next(state, (enum state_table)table, row)) {
            arena_reset(&desk->scratch);
            struct slice bytes = rows_encode((enum state_table)table, row, &desk->scratch);
            told_row(told, (enum state_table)table, row->id, bytes);
        }
    }
}

static uint64_t sum_of(const struct told *told)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < COUNT_OF(told->rows); i++) {
        sum += told->rows[i].hash * (told->rows[i].id | 1);
    }
    return sum;
}

Test(core_replica, who_keeps_a_copy_is_told_of_every_row_that_changes_or_goes)
{
    static struct told copy; /* INV-REF-1 */
    static struct told all;
    struct lab lab = lab_open();
    tell_all(lab.desk, &copy);
    uint64_t before = sum_of(&copy);
    desk_state(lab.desk)->copy = (struct state_copy){ .row = told_row, .context = &copy };
    story(&lab);
    lab.n2->silent = false;
    desk_pass(lab.desk, LIMIT_OPERATION_KEEP_MS + 60 * 1000); /* Operations are forgotten, too. */
    tell_all(lab.desk, &all);
    cr_assert_gt(copy.removed, 0);
    cr_assert_neq(sum_of(&copy), before);
    cr_assert_eq(sum_of(&copy), sum_of(&all));
    lab_close(&lab);
}

/* A row that a program of another format wrote is not read as if it were ours. */
Test(core_replica, a_row_of_another_format_is_corrupt)
{
    struct lab lab = lab_open();
    struct desk_engine to = desk_engine_new(lab.desk);
    struct cell_row *cell = state_cell(desk_state(lab.desk));
    for (uint32_t format = ROW_FORMAT - 1; format <= ROW_FORMAT; format++) {
        uint8_t room[ROW_BYTES_MAX];
        arena_reset(&lab.desk->step);
        arena_reset(&lab.desk->scratch);
        struct slice bytes = rows_encode(TABLE_CELL, cell, &lab.desk->step);
        cr_assert(bytes.data[0] == 1 << 3 && bytes.data[1] == ROW_FORMAT); /* Field 1, a varint. */
        memcpy(room, bytes.data, bytes.size);
        room[1] = (uint8_t)format;
        struct result put = rows_restore(
            engine_state(to.engine),
            TABLE_CELL,
            cell->head.id,
            slice_of(room, bytes.size),
            &lab.desk->scratch);
        cr_assert_eq(put.code, format == ROW_FORMAT ? 0 : FAILURE_CORRUPT);
    }
    free(to.memory);
    lab_close(&lab);
}

Test(core_replica, rows_from_the_mirror_are_the_same_state_and_behave_the_same)
{
    struct lab lab = lab_open(); /* INV-REF-1 */
    struct desk *desk = lab.desk;
    story(&lab);
    struct desk_engine back = desk_engine_new(desk);
    restore(desk, &back);
    cr_assert_eq(engine_state(back.engine)->digest, desk_state(desk)->digest);
    cr_assert_eq(engine_applied(back.engine), desk->index);
    cr_assert_eq(
        memcmp(
            &engine_state(back.engine)->sums, &desk_state(desk)->sums, sizeof(struct state_sums)),
        0);
    uint32_t from = desk->log_count;
    lab.n2->silent = false;
    desk_pass(desk, 100);
    (void)say_delete(desk, lab.ann, "a", "m2");
    (void)lab_create(&lab, "m9", false);
    lab_says(&lab, "m9", O(RUNNING));
    (void)say_network(desk, lab.ann, "a", "net2", "10.3.0.0/24");
    for (uint32_t i = from; i < desk->log_count; i++) {
        desk_apply(desk, back.engine, desk->log[i].index, desk->log[i].bytes);
    }
    cr_assert_eq(engine_state(back.engine)->digest, desk_state(desk)->digest);
    cr_assert_eq(read_ledger_mismatches(engine_state(back.engine)), 0);
    free(back.memory);
    lab_close(&lab);
}

/* ---- Against a majority ---- */

static void stands(struct desk *desk, uint64_t peer, uint64_t index, uint64_t digest)
{
    uint8_t bytes[8];
    for (unsigned int i = 0; i < 8; i++) {
        bytes[i] = (uint8_t)(digest >> (8U * i));
    }
    Wire__Standing said = WIRE__STANDING__INIT;
    said.applied_index = index;
    said.digest_index = index;
    said.digest = (ProtobufCBinaryData){ sizeof(bytes), bytes };
    Wire__Frame frame = WIRE__FRAME__INIT;
    frame.body_case = WIRE__FRAME__BODY_STANDING;
    frame.standing = &said;
    desk_frame(desk, WIRE__KIND__KIND_CONTROLLER, peer, 0, &frame);
}

Test(core_replica, a_stale_read_is_as_old_as_the_leaders_last_word_that_is_applied)
{
    struct desk_conf conf = { .members = DESK_MEMBERS };
    struct desk *desk = desk_open(&conf);
    for (int i = 0; i < DESK_MEMBERS - 1; i++) {
        const Wire__Answer *joined =
            say_join(desk, WIRE__KIND__KIND_CONTROLLER, i == 0 ? "c2" : "c3", "r1");
        cr_assert(id_parse(ID_CONTROLLER, joined->join->id, &desk->others[i]));
    }
    cr_assert_eq(say_status(desk, desk->operator_person, true)->age_ms, 0); /* It leads. */
    desk_follow(desk, 5, desk->others[0]);
    stands(desk, desk->others[0], desk->index, desk_state(desk)->digest);
    desk_pass(desk, 700);
    cr_assert_eq(say_status(desk, desk->operator_person, true)->age_ms, 700);
    stands(desk, desk->others[1], desk->index, desk_state(desk)->digest); /* It does not lead. */
    cr_assert_eq(say_status(desk, desk->operator_person, true)->age_ms, 700);
    stands(desk, desk->others[0], desk->index + 1, 0); /* There is more than we have. */
    desk_pass(desk, 20 * 1000);
    cr_assert_eq(say_status(desk, desk->operator_person, true)->age_ms, 20700);
    desk_close(desk);
}

Test(core_replica, it_stops_only_against_a_majority_that_agrees_with_itself)
{
    struct desk_conf conf = { .members = DESK_MEMBERS }; /* INV-REF-1 */
    struct desk *desk = desk_open(&conf);
    for (int i = 0; i < DESK_MEMBERS - 1; i++) {
        const Wire__Answer *joined =
            say_join(desk, WIRE__KIND__KIND_CONTROLLER, i == 0 ? "c2" : "c3", "r1");
        cr_assert(id_parse(ID_CONTROLLER, joined->join->id, &desk->others[i]));
    }
    desk_members(desk, true, desk->controller);
    struct quota_amounts cap = say_amounts(1, SAY_GIB, 1, 1);
    cr_assert_eq(say_tenant(desk, desk->operator_person, "t", NULL, &cap)->reject, 0);
    stands(desk, desk->others[0], desk->index, 1111);
    cr_assert_not(engine_diverged(desk->first.engine)); /* One alone may be the wrong one. */
    stands(desk, desk->others[1], desk->index, 2222);
    cr_assert_not(engine_diverged(desk->first.engine)); /* They do not agree either. */
    stands(desk, desk->others[1], desk->index, 1111);
    cr_assert(engine_diverged(desk->first.engine));
    desk_close(desk);
}

static const Wire__ControllerView *view_of(struct desk *desk, uint64_t id)
{
    const Wire__Answer *all =
        say_list(desk, desk->operator_person, WIRE__KIND__KIND_CONTROLLER, "");
    char text[ID_TEXT_SIZE];
    id_format(ID_CONTROLLER, id, text);
    for (size_t i = 0; i < all->n_items; i++) {
        if (strcmp(all->items[i]->controller->id, text) == 0) {
            return all->items[i]->controller;
        }
    }
    return NULL;
}

Test(core_replica, an_auditor_sees_each_replicas_digest_and_of_which_index)
{
    struct desk_conf conf = { .members = 1 };
    struct desk *desk = desk_open(&conf);
    const Wire__Answer *joined = say_join(desk, WIRE__KIND__KIND_CONTROLLER, "c2", "r1");
    cr_assert(id_parse(ID_CONTROLLER, joined->join->id, &desk->others[0]));
    struct quota_amounts cap = say_amounts(1, SAY_GIB, 1, 1);
    cr_assert_eq(say_tenant(desk, desk->operator_person, "t", NULL, &cap)->reject, 0);
    uint64_t digest = desk_state(desk)->digest;
    char text[17];
    (void)snprintf(text, sizeof(text), "%016llx", (unsigned long long)digest);
    cr_assert_str_eq(view_of(desk, desk->others[0])->digest, ""); /* It has said nothing yet. */
    desk_link(desk, WIRE__KIND__KIND_CONTROLLER, desk->others[0], true);
    stands(desk, desk->others[0], desk->index, digest);
    const Wire__ControllerView *ours = view_of(desk, desk->controller);
    cr_assert_eq(ours->digest_index, desk->index);
    cr_assert_str_eq(ours->digest, text);
    const Wire__ControllerView *its = view_of(desk, desk->others[0]);
    cr_assert_eq(its->digest_index, desk->index);
    cr_assert_str_eq(its->digest, text);
    stands(desk, desk->others[0], desk->index, digest + 1);
    cr_assert_str_neq(
        view_of(desk, desk->others[0])->digest, text); /* It is shown as it was said. */
    desk_link(desk, WIRE__KIND__KIND_CONTROLLER, desk->others[0], false);
    cr_assert_str_eq(
        view_of(desk, desk->others[0])->digest, ""); /* And not longer than it lasts. */
    desk_close(desk);
}

/* ---- The record ---- */

Test(core_replica, every_leaf_is_numbered_and_chained_in_the_log_and_in_its_tenant)
{
    struct lab lab = lab_open(); /* INV-AUD-1 */
    struct desk *desk = lab.desk;
    story(&lab);
    cr_assert_gt(desk->leaves_count, 15);
    struct {
        uint64_t tenant;
        uint64_t count;
        uint8_t last[AUDIT_HASH];
    } chains[2] = { { .tenant = 0 }, { .tenant = desk_tenant(desk, "a")->head.id } };
    for (uint32_t i = 0; i < desk->leaves_count; i++) {
        const struct desk_leaf *leaf = &desk->leaves[i];
        cr_assert_eq(leaf->seq, i);
        size_t which = leaf->tenant == 0 ? 0 : 1;
        cr_assert_eq(leaf->tenant, chains[which].tenant);
        cr_assert_eq(leaf->tenant_seq, chains[which].count++);
        cr_assert_eq(memcmp(leaf->previous, chains[which].last, AUDIT_HASH), 0);
        memcpy(chains[which].last, leaf->hash, AUDIT_HASH);
    }
    cr_assert_eq(state_cell(desk_state(desk))->frontier.size, desk->leaves_count);
    lab_close(&lab);
}

Test(core_replica, a_deleted_tenants_sub_log_stays_in_the_map)
{
    struct lab lab = lab_open(); /* INV-AUD-2 */
    struct desk *desk = lab.desk;
    struct quota_amounts cap = say_amounts(1, SAY_GIB, 1, 1);
    cr_assert_eq(say_tenant(desk, lab.root, "b", NULL, &cap)->reject, 0);
    uint64_t id = desk_tenant(desk, "b")->head.id;
    cr_assert_eq(say_tenant_delete(desk, lab.root, "b")->reject, 0);
    cr_assert_null(desk_tenant(desk, "b"));
    const struct tenant_row *row = state_find(desk_state(desk), TABLE_TENANT, id);
    cr_assert_not_null(row);
    cr_assert(row->gone);
    cr_assert_eq(row->chain.count, 2); /* Its creation and its end. */
    cr_assert_eq(row->name.text[0], '\0');
    cr_assert_eq(say_list(desk, lab.root, WIRE__KIND__KIND_TENANT, "")->n_items, 1);
    lab_close(&lab);
}

Test(core_replica, refusals_at_the_door_are_folded_into_one_leaf_a_second)
{
    struct lab lab = lab_open();
    struct desk *desk = lab.desk;
    for (int i = 0; i < 50; i++) {
        cr_assert_eq(lab_reject(say_status(desk, lab.ann, false)), REJECT_DENIED);
    }
    cr_assert_eq(desk_leaves(desk, "cluster-status", REJECT_DENIED), 0);
    desk_pass(desk, 3000);
    cr_assert_eq(desk_leaves(desk, "cluster-status", REJECT_DENIED), 1);
    uint64_t count = 0;
    for (uint32_t i = 0; i < desk->leaves_count; i++) {
        const struct desk_leaf *leaf = &desk->leaves[i];
        count += leaf->count;
        cr_assert(leaf->count == 0 || leaf->tenant == desk_tenant(desk, "a")->head.id);
    }
    cr_assert_eq(count, 50);
    lab_close(&lab);
}

Test(core_replica, checkpoints_are_asked_of_keys_and_kept_when_signed)
{
    struct lab lab = lab_open();
    struct desk *desk = lab.desk;
    const struct cell_row *cell = state_cell(desk_state(desk));
    desk->keys_silent = true;
    (void)lab_create(&lab, "m1", true);
    uint64_t size = cell->checkpoint_size;
    desk_pass(desk, 2000);
    cr_assert_eq(cell->checkpoint_size, size); /* Unsigned, nothing is kept. */
    desk->keys_silent = false;
    desk_pass(desk, 8000); /* Asked again when keys did not answer. */
    cr_assert_eq(cell->checkpoint_size, cell->frontier.size);
    cr_assert_not_null(strstr(cell->checkpoint_note, "udatsu/0001\n"));
    cr_assert_not_null(strstr(cell->checkpoint_note, "\n\n— udatsu/0001/c1"));
    lab_close(&lab);
}

Test(core_replica, events_resume_after_the_cursor_and_say_reset_when_it_was_compacted)
{
    struct lab lab = lab_open();
    struct desk *desk = lab.desk;
    (void)lab_create(&lab, "m1", true);
    uint64_t cursor = desk->index;
    (void)lab_create(&lab, "m2", true);
    const Wire__Answer *after = say_events(desk, lab.ann, cursor, false);
    cr_assert_eq(after->n_events, 1);
    cr_assert_str_eq(after->events[0]->name, "instance-create");
    cr_assert_gt(after->events[0]->index, cursor);
    const Wire__Answer *all = say_events(desk, lab.root, 1, false);
    cr_assert_gt(all->n_events, after->n_events);
    for (size_t i = 0; i < say_events(desk, lab.ann, 1, false)->n_events; i++) {
        char id[ID_TEXT_SIZE];
        id_format(ID_TENANT, desk_tenant(desk, "a")->head.id, id);
        cr_assert_str_eq(say_events(desk, lab.ann, 1, false)->events[i]->tenant, id);
    }
    engine_restored(desk->first.engine, desk->index); /* As after a restart from the mirror. */
    const Wire__Answer *reset = say_events(desk, lab.ann, cursor, false);
    cr_assert_eq(reset->n_events, 1);
    cr_assert(reset->events[0]->reset);
    lab_close(&lab);
}
