/* See replica_bench.h. Decides nothing about consensus. */
#include "tests/unit/replica_bench.h"

#include "base/check.h"
#include "wire/wire.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static struct bench the_bench;

static bool disk_dirty(const struct sim_disk *disk)
{
    for (int i = 0; i < SIM_DISK_FILES; i++) {
        const struct sim_disk_file *file = &disk->files[i];
        for (uint64_t sector = 0; sector * SIM_DISK_SECTOR < file->size; sector++) {
            if (file->dirty[sector] != 0) {
                return true;
            }
        }
    }
    return false;
}

static void host_send(void *context, uint64_t peer, struct slice message)
{
    struct bench_node *node = context;
    struct bench *bench = node->bench;
    if (node->cut || peer > BENCH_NODES || bench->nodes[peer].cut ||
        bench->nodes[peer].replica == NULL) {
        return;
    }
    CHECK(bench->letter_count < BENCH_LETTERS);
    struct bench_letter *letter =
        &bench->letters[(bench->letter_front + bench->letter_count++) % BENCH_LETTERS];
    CHECK(message.size <= sizeof(letter->bytes));
    letter->from = node->id;
    letter->to = (uint32_t)peer;
    letter->size = message.size;
    letter->unsynced = disk_dirty(&node->disk);
    memcpy(letter->bytes, message.data, message.size);
}

static void host_apply(
    void *context, uint64_t index, uint64_t term, uint64_t ticket, struct slice entry)
{
    struct bench_node *node = context;
    CHECK(node->applied_count < BENCH_APPLIED);
    CHECK(term > 0 && entry.size > 0);
    node->tickets[node->applied_count] = ticket;
    node->applied[node->applied_count++] = index;
}

static void host_role(void *context, enum replica_role role, uint64_t term)
{
    CHECK(context != NULL);
    CHECK(role >= REPLICA_FOLLOWER || term > 0);
}

static void host_lost(void *context, uint64_t ticket)
{
    struct bench_node *node = context;
    CHECK(node->lost_count < BENCH_APPLIED);
    node->lost[node->lost_count++] = ticket;
}

static RESULT host_take(void *context, uint64_t index, struct slice *manifest_out)
{
    struct bench_node *node = context;
    CHECK(index > 0);
    if (node->take_refused) {
        return FAIL(FAILURE_BUSY);
    }
    node->taken++;
    *manifest_out = slice_text("manifest");
    return OK;
}

static RESULT host_restore(void *context, uint64_t index, struct slice manifest)
{
    struct bench_node *node = context;
    CHECK(index > 0);
    CHECK(slice_equal(manifest, slice_text("manifest")));
    node->restored++;
    return OK;
}

static bool host_ready(void *context, uint64_t peer, uint64_t index, struct slice manifest)
{
    struct bench_node *node = context;
    CHECK(peer > 0 && index > 0);
    CHECK(slice_equal(manifest, slice_text("manifest")));
    node->ready_asked++;
    return node->ready;
}

static uint64_t host_flushed(void *context)
{
    CHECK(context != NULL);
    return UINT64_C(1) << 40; /* The test's store is always durable. */
}

static void host_halt(void *context, struct result why)
{
    struct bench_node *node = context;
    CHECK(why.code != 0);
    node->halts++;
}

struct replica_conf bench_conf(const struct bench *bench, uint32_t id, uint64_t restored_index)
{
    static const char *const addresses[BENCH_NODES + 1] = { "",     "n1:1", "n2:1",
                                                            "n3:1", "n4:1", "n5:1" };
    CHECK(id >= 1 && id <= BENCH_NODES);
    return (struct replica_conf){
        .self = id,
        .address = addresses[id],
        .seed = 5,
        .restored_index = restored_index,
        .segment_bytes = 16 * 1024,
        .segment_count = 4,
        .entry_max = 2048,
        .snapshot_every = bench->snapshot_every,
        .snapshot_keep = 2,
        .returns = bench->returns,
    };
}

void bench_open_node(struct bench *bench, uint32_t id, uint64_t restored_index)
{
    struct bench_node *node = &bench->nodes[id];
    struct replica_host host = {
        .context = node,
        .send = host_send,
        .apply = host_apply,
        .role = host_role,
        .lost = host_lost,
        .snapshot_take = host_take,
        .snapshot_restore = host_restore,
        .snapshot_ready = host_ready,
        .flushed_index = host_flushed,
        .halt = host_halt,
    };
    struct replica_conf conf = bench_conf(bench, id, restored_index);
    struct disk disk = sim_disk_disk(&node->disk);
    cr_assert_eq(replica_open(disk, &conf, &host, bench->now_ms, &node->replica).code, 0);
}

struct bench *bench_begin(uint32_t voters, uint32_t snapshot_every)
{
    struct bench *bench = &the_bench;
    struct replica_member members[BENCH_NODES] = { 0 };
    memset(bench, 0, sizeof(*bench));
    bench->now_ms = 1000;
    bench->snapshot_every = snapshot_every;
    for (uint32_t i = 0; i < voters; i++) {
        struct replica_conf conf = bench_conf(bench, i + 1, 0);
        members[i].id = i + 1;
        memcpy(members[i].address, conf.address, strlen(conf.address) + 1);
    }
    for (uint32_t id = 1; id <= BENCH_NODES; id++) {
        struct bench_node *node = &bench->nodes[id];
        struct replica_conf conf = bench_conf(bench, id, 0);
        node->bench = bench;
        node->id = id;
        prng_seed(&node->prng, id);
        sim_disk_init(&node->disk, &node->prng);
        struct disk disk = sim_disk_disk(&node->disk);
        struct result made = id <= voters ? replica_bootstrap(disk, &conf, members, voters)
                                          : replica_create(disk, &conf);
        cr_assert_eq(made.code, 0);
        bench_open_node(bench, id, 0);
    }
    return bench;
}

void bench_end(struct bench *bench)
{
    for (uint32_t id = 1; id <= BENCH_NODES; id++) {
        replica_close(bench->nodes[id].replica);
        sim_disk_free(&bench->nodes[id].disk);
    }
    CHECK(bench == &the_bench);
}

struct bench_letter *bench_next(struct bench *bench)
{
    if (bench->letter_count == 0) {
        return NULL;
    }
    struct bench_letter *letter = &bench->letters[bench->letter_front];
    CHECK(letter->size > 0);
    bench->letter_front = (bench->letter_front + 1) % BENCH_LETTERS;
    bench->letter_count--;
    return letter;
}

Wire__RaftMessage *bench_read(const struct bench_letter *letter)
{
    static _Alignas(16) uint8_t memory[REPLICA_ARENA];
    struct arena arena;
    Wire__RaftMessage *message = NULL;
    arena_init(&arena, memory, sizeof(memory));
    cr_assert_eq(replica_decode(slice_of(letter->bytes, letter->size), &arena, &message).code, 0);
    return message;
}

Wire__RaftMessage *bench_told(struct bench *bench, uint32_t from, Wire__RaftMessage__BodyCase body)
{
    Wire__RaftMessage *found = NULL;
    struct bench_letter *letter = NULL;
    while ((letter = bench_next(bench)) != NULL) {
        Wire__RaftMessage *message = bench_read(letter);
        if (letter->from == from && message->body_case == body) {
            found = message;
        }
    }
    return found;
}

void bench_drop(struct bench *bench)
{
    bench->letter_count = 0;
    CHECK(bench->letter_front < BENCH_LETTERS);
}

void bench_deliver(struct bench *bench)
{
    int patience = 20000;
    while (bench->letter_count > 0 && patience-- > 0) {
        struct bench_letter letter = *bench_next(bench);
        struct bench_node *to = &bench->nodes[letter.to];
        CHECK(to->replica != NULL);
        if (to->cut || bench->nodes[letter.from].cut) {
            continue;
        }
        struct slice bytes = slice_of(letter.bytes, letter.size);
        cr_assert_eq(replica_receive(to->replica, bench->now_ms, letter.from, bytes).code, 0);
    }
    cr_assert_gt(patience, 0, "messages never end");
}

void bench_pass(struct bench *bench, uint64_t ms)
{
    for (uint64_t end = bench->now_ms + ms; bench->now_ms < end;) {
        bench->now_ms += LIMIT_TICK_MS;
        for (uint32_t id = 1; id <= BENCH_NODES; id++) {
            if (bench->nodes[id].replica != NULL) {
                replica_tick(bench->nodes[id].replica, bench->now_ms);
            }
            bench_deliver(bench);
        }
    }
}

void bench_stand(struct bench *bench, uint32_t id)
{
    uint64_t term = bench_status(bench, id).term;
    for (int i = 0; i < 20 && bench_status(bench, id).term == term; i++) {
        bench->now_ms += LIMIT_TICK_MS;
        replica_tick(bench->nodes[id].replica, bench->now_ms);
    }
    cr_assert_eq(bench_status(bench, id).term, term + 1);
}

uint32_t bench_elect(struct bench *bench)
{
    for (int i = 0; i < 200; i++) {
        bench_pass(bench, LIMIT_TICK_MS);
        for (uint32_t id = 1; id <= BENCH_NODES; id++) {
            if (bench->nodes[id].replica != NULL &&
                bench_status(bench, id).role == REPLICA_LEADING) {
                return id;
            }
        }
    }
    cr_assert_fail("nobody leads");
    return 0;
}

struct replica_status bench_status(const struct bench *bench, uint32_t id)
{
    struct replica_status status;
    CHECK(bench->nodes[id].replica != NULL);
    replica_status(bench->nodes[id].replica, &status);
    return status;
}

RESULT bench_submit(struct bench *bench, uint32_t id, const char *text, uint64_t *ticket_out)
{
    struct replica *replica = bench->nodes[id].replica;
    CHECK(replica != NULL);
    return replica_submit(replica, bench->now_ms, slice_text(text), false, ticket_out);
}

RESULT bench_append(
    struct bench *bench,
    uint32_t from,
    uint32_t to,
    uint64_t term,
    uint64_t previous,
    uint64_t previous_term,
    uint64_t commit,
    const uint64_t *terms,
    uint32_t change)
{
    /* libraft's configuration of nodes 1 to 3 as voters, padded to a word. */
    static uint8_t members[] = {
        1,   3,   0,   0, 0, 0, 0, 0, 0, 1,   0,   0,   0,   0,   0,   0,   0,   'n',
        '1', ':', '1', 0, 1, 2, 0, 0, 0, 0,   0,   0,   0,   'n', '2', ':', '1', 0,
        1,   3,   0,   0, 0, 0, 0, 0, 0, 'n', '3', ':', '1', 0,   1,   0,
    };
    static uint8_t command[] = "command";
    Wire__RaftEntry entries[16];
    Wire__RaftEntry *list[16];
    Wire__RaftAppendAsk ask = WIRE__RAFT_APPEND_ASK__INIT;
    Wire__RaftMessage message = WIRE__RAFT_MESSAGE__INIT;
    for (; terms != NULL && terms[ask.n_entries] != 0; ask.n_entries++) {
        Wire__RaftEntry *entry = &entries[ask.n_entries];
        bool is_change = change == ask.n_entries + 1;
        wire__raft_entry__init(entry);
        entry->term = terms[ask.n_entries];
        entry->type = is_change ? WIRE__RAFT_ENTRY_TYPE__RAFT_ENTRY_TYPE_CHANGE
                                : WIRE__RAFT_ENTRY_TYPE__RAFT_ENTRY_TYPE_COMMAND;
        entry->data.data = is_change ? members : command;
        entry->data.len = is_change ? sizeof(members) : sizeof(command);
        list[ask.n_entries] = entry;
    }
    ask.previous_index = previous;
    ask.previous_term = previous_term;
    ask.commit = commit;
    ask.entries = list;
    message.format = 1;
    message.term = term;
    message.body_case = WIRE__RAFT_MESSAGE__BODY_APPEND_ASK;
    message.append_ask = &ask;
    uint8_t room[2048];
    size_t size = 0;
    CHECK(wire_encode_into(&message, room, sizeof(room), &size));
    return replica_receive(bench->nodes[to].replica, bench->now_ms, from, slice_of(room, size));
}
