/* The door of consensus: the calls of replica.h. Decides what is asked of the library and what is
 * refused before it; turns, rules and the log are its other files'. */
#include "controller/replica.h"

#include "base/check.h"
#include "controller/replica_inner.h"

#include <stdlib.h>
#include <string.h>

static void conf_fill(struct replica *replica, struct disk disk, const struct replica_conf *conf)
{
    CHECK(conf->self != 0);
    CHECK(conf->address != NULL && conf->address[0] != '\0');
    replica->conf = *conf;
    bool fits = text_copy(replica->address, sizeof(replica->address), slice_text(conf->address));
    CHECK(fits);
    replica->conf.address = replica->address;
    if (replica->conf.snapshot_every == 0) {
        replica->conf.snapshot_every = REPLICA_SNAPSHOT_EVERY;
    }
    if (replica->conf.snapshot_keep == 0) {
        replica->conf.snapshot_keep = replica->conf.snapshot_every / 4 + 1;
    }
    if (replica->conf.message_max == 0) {
        replica->conf.message_max = REPLICA_MESSAGE_MAX;
    }
    replica->disk = disk;
    replica->journal_conf = (struct journal_conf){
        .owner = conf->self,
        .segment_bytes = conf->segment_bytes != 0 ? conf->segment_bytes : REPLICA_SEGMENT_BYTES,
        .segment_count = conf->segment_count != 0 ? conf->segment_count : REPLICA_SEGMENT_COUNT,
        .entry_max = conf->entry_max != 0 ? conf->entry_max : LIMIT_ENTRY,
        .fault = conf->fault,
    };
    CHECK(replica->conf.message_max <= REPLICA_MESSAGE_MAX);
    CHECK(replica->conf.message_max >= replica->journal_conf.entry_max + 256);
    prng_seed(&replica->prng, conf->seed ^ conf->self);
    replica_heap_init(&replica->heap);
}

/* A new journal's number: never zero, and different for each seed and replica. */
static uint64_t journal_number(const struct replica_conf *conf)
{
    struct prng prng;
    CHECK(conf->self != 0);
    prng_seed(&prng, conf->seed + conf->self * 31);
    uint64_t number = prng_next(&prng);
    return number != 0 ? number : 1;
}

static void replica_free(struct replica *replica)
{
    CHECK(!replica->in_turn);
    replica_heap_drop(&replica->heap);
    journal_close(replica->journal);
    free(replica->arena.memory);
    free(replica->encoder);
    free(replica);
}

/* NULL: no memory. */
static struct replica *replica_new(struct disk disk, const struct replica_conf *conf)
{
    struct replica *replica = calloc(1, sizeof(*replica));
    if (replica == NULL) {
        return NULL;
    }
    conf_fill(replica, disk, conf);
    void *memory = malloc(REPLICA_ARENA);
    replica->encoder = malloc(sizeof(*replica->encoder));
    if (memory == NULL || replica->encoder == NULL) {
        free(memory);
        replica_free(replica);
        return NULL;
    }
    arena_init(&replica->arena, memory, REPLICA_ARENA);
    CHECK(replica->journal == NULL);
    return replica;
}

RESULT replica_create(struct disk disk, const struct replica_conf *conf)
{
    struct replica *replica = replica_new(disk, conf);
    if (replica == NULL) {
        return FAIL(FAILURE_NO_SPACE);
    }
    CHECK(replica->journal_conf.owner == conf->self);
    struct result result = journal_create(disk, &replica->journal_conf, journal_number(conf));
    replica_free(replica);
    return result;
}

static RESULT bootstrap_journal(
    struct replica *replica, const struct replica_member *members, uint32_t member_count)
{
    struct raft_configuration configuration;
    struct replica_object *object = &replica->object;
    bool self = false;
    raft_configuration_init(&configuration);
    for (uint32_t i = 0; i < member_count; i++) {
        int added =
            raft_configuration_add(&configuration, members[i].id, members[i].address, RAFT_VOTER);
        CHECK(added == 0);
        self = self || members[i].id == replica->conf.self;
    }
    CHECK(self);
    replica_io_init(replica);
    replica_fsm_init(replica);
    int made = raft_init(
        &object->raft, &object->io, &object->fsm, replica->conf.self, replica->conf.address);
    CHECK(made == 0);
    return raft_bootstrap(&object->raft, &configuration) == 0 ? OK : FAIL(FAILURE_IO);
}

/* A log that was made, perhaps by a beginning that was interrupted, and that never took part. */
static bool pristine(const struct journal_state *state)
{
    CHECK(state->first > 0);
    return state->term <= 1 && state->vote == 0 && state->last == 0 && !state->snapshot_present;
}

RESULT replica_bootstrap(
    struct disk disk,
    const struct replica_conf *conf,
    const struct replica_member *members,
    uint32_t member_count)
{
    CHECK(member_count > 0 && member_count <= LIMIT_CONTROLLERS);
    struct replica *replica = replica_new(disk, conf);
    if (replica == NULL) {
        return FAIL(FAILURE_NO_SPACE);
    }
    struct result result = journal_create(disk, &replica->journal_conf, journal_number(conf));
    if (result.code == 0 || result.code == FAILURE_EXISTS) {
        result = journal_open(disk, &replica->journal_conf, &replica->journal);
    }
    if (result.code == 0 && !pristine(journal_state(replica->journal))) {
        result = FAIL(FAILURE_EXISTS);
    }
    if (result.code == 0) {
        replica_turn_begin(replica, 0);
        result = bootstrap_journal(replica, members, member_count);
        replica->in_turn = false;
    }
    replica_free(replica);
    return result;
}

RESULT replica_open(
    struct disk disk,
    const struct replica_conf *conf,
    const struct replica_host *host,
    uint64_t now_ms,
    struct replica **out)
{
    struct replica *replica = replica_new(disk, conf);
    if (replica == NULL) {
        return FAIL(FAILURE_NO_SPACE);
    }
    CHECK(host->send != NULL && host->apply != NULL && host->role != NULL && host->lost != NULL);
    CHECK(host->snapshot_take != NULL && host->snapshot_restore != NULL);
    CHECK(host->snapshot_ready != NULL && host->flushed_index != NULL && host->halt != NULL);
    replica->host = *host;
    replica->applied_index = conf->restored_index;
    replica->next_ticket = 1;
    struct result result = journal_open(disk, &replica->journal_conf, &replica->journal);
    if (result.code != 0) {
        replica_free(replica);
        return result;
    }
    const struct journal_state *state = journal_state(replica->journal);
    replica->torn = state->torn;
    if (conf->restored_index > state->last) {
        /* INV-LOG-6: what was applied was in the log. This log is an older copy of itself, and
         * may have forgotten a vote: this identity must not take part again. */
        if (conf->fault != NULL) {
            *conf->fault =
                (struct journal_fault){ .index = state->last,
                                        .what = "it is older than the rows that came from it" };
        }
        replica_free(replica);
        return FAIL(FAILURE_CORRUPT);
    }
    replica_turn_begin(replica, now_ms);
    result = replica_object_open(replica);
    if (result.code != 0) {
        replica->in_turn = false;
        replica_free(replica);
        return result;
    }
    replica_turn_end(replica);
    replica_return_begin(replica);
    *out = replica;
    return OK;
}

void replica_close(struct replica *replica)
{
    if (replica != NULL) {
        CHECK(!replica->in_turn);
        replica_free(replica);
    }
}

void replica_tick(struct replica *replica, uint64_t now_ms)
{
    if (replica->halted) {
        return;
    }
    replica->now_ms = now_ms > replica->now_ms ? now_ms : replica->now_ms;
    replica_return_tick(replica);
    if (replica->returning) {
        return;
    }
    replica_turn_begin(replica, now_ms);
    CHECK(replica_live(replica));
    replica->object.tick(&replica->object.io);
    replica_turn_end(replica);
    if (replica->halted) {
        return;
    }
    /* A second turn, because the first may have changed who leads. */
    replica_turn_begin(replica, now_ms);
    replica_members_tick(replica);
    if (replica_live(replica)) {
        replica_relief(replica);
    }
    replica_turn_end(replica);
}

static RESULT submit_check(
    const struct replica *replica, struct slice entry, enum journal_class class)
{
    uint32_t size = (uint32_t)entry.size;
    if (replica_role_now(replica) != REPLICA_LEADING) {
        return FAIL(FAILURE_NOT_LEADER);
    }
    if (entry.size == 0 || entry.size > replica->journal_conf.entry_max) {
        return FAIL(FAILURE_BAD_INPUT);
    }
    if (replica->object.transfer_busy || replica->object.raft.transfer != NULL) {
        return FAIL(FAILURE_BUSY);
    }
    CHECK(class != JOURNAL_INNER);
    return journal_fits(replica->journal, class, &size, 1) ? OK : FAIL(FAILURE_FULL);
}

static struct replica_submitted *free_submitted(struct replica *replica)
{
    CHECK(REPLICA_OUTSTANDING > 0);
    for (int i = 0; i < REPLICA_OUTSTANDING; i++) {
        if (replica->object.submitted[i].ticket == 0) {
            return &replica->object.submitted[i];
        }
    }
    return NULL;
}

RESULT replica_submit(
    struct replica *replica,
    uint64_t now_ms,
    struct slice entry,
    bool reserved,
    uint64_t *ticket_out)
{
    enum journal_class class = reserved ? JOURNAL_RESERVED : JOURNAL_NORMAL;
    CHECK(!replica->in_turn);
    TRY(submit_check(replica, entry, class));
    struct replica_submitted *submitted = free_submitted(replica);
    if (submitted == NULL) {
        return FAIL(FAILURE_BUSY);
    }
    replica_turn_begin(replica, now_ms);
    struct raft *raft = &replica->object.raft;
    struct raft_buffer buffer = { .base = raft_malloc(entry.size), .len = entry.size };
    memcpy(buffer.base, entry.data, entry.size);
    submitted->request.data = replica;
    submitted->ticket = replica->next_ticket++;
    submitted->index = raft_last_index(raft) + 1;
    submitted->term = raft->current_term;
    *ticket_out = submitted->ticket;
    replica->append_class = class;
    int code = raft_apply(raft, &submitted->request, &buffer, 1, replica_submitted_done);
    replica->append_class = JOURNAL_INNER;
    struct result result = OK;
    if (code != 0) { /* The library took nothing. */
        raft_free(buffer.base);
        submitted->ticket = 0;
        result = FAIL(code == RAFT_NOTLEADER ? FAILURE_NOT_LEADER : FAILURE_BUSY);
    } else {
        CHECK(submitted->request.index == submitted->index);
    }
    replica_turn_end(replica);
    return result;
}

static enum replica_member_role member_role(int role)
{
    CHECK(role >= 0 && role <= 2);
    switch (role) {
    case RAFT_VOTER: return REPLICA_VOTER;
    case RAFT_STANDBY: return REPLICA_STANDBY;
    default: return REPLICA_SPARE;
    }
}

static void status_members(const struct replica *replica, struct replica_status *status)
{
    const struct raft *raft = &replica->object.raft;
    bool leads = raft->state == RAFT_LEADER;
    CHECK(raft->configuration.n <= LIMIT_CONTROLLERS);
    for (unsigned int i = 0; i < raft->configuration.n; i++) {
        const struct raft_server *server = &raft->configuration.servers[i];
        struct replica_member *member = &status->members[status->member_count++];
        bool self = server->id == replica->conf.self;
        member->id = server->id;
        member->role = member_role(server->role);
        bool fits =
            text_copy(member->address, sizeof(member->address), slice_text(server->address));
        CHECK(fits);
        member->heard_ms = self ? 0 : replica_heard_ms(replica, server->id);
        if (leads) {
            member->match = self ? raft->last_stored : raft->leader_state.progress[i].match_index;
        }
    }
}

void replica_status(const struct replica *replica, struct replica_status *status_out)
{
    const struct raft *raft = &replica->object.raft;
    *status_out = (struct replica_status){
        .role = replica_role_now(replica),
        .term = replica->told_term,
        .reopened = replica->reopened,
        .torn = replica->torn,
    };
    if (replica->halted || !replica->object.started) {
        return;
    }
    const struct journal_state *state = journal_state(replica->journal);
    uint32_t size = replica->journal_conf.entry_max;
    status_out->term = raft->current_term;
    status_out->commit = raft->commit_index;
    status_out->applied =
        raft->last_applied > replica->applied_index ? raft->last_applied : replica->applied_index;
    status_out->first = state->first;
    status_out->last = state->last;
    status_out->snapshot = state->snapshot.index;
    status_out->fill_percent = journal_fill(replica->journal);
    status_out->room = journal_fits(replica->journal, JOURNAL_NORMAL, &size, 1);
    status_out->room_reserved = journal_fits(replica->journal, JOURNAL_RESERVED, &size, 1);
    status_out->changing = replica->object.change_busy || replica->object.transfer_busy ||
                           raft->configuration_uncommitted_index != 0;
    if (raft->state == RAFT_LEADER) {
        status_out->leader = replica->conf.self;
    } else if (raft->state == RAFT_FOLLOWER) {
        status_out->leader = raft->follower_state.current_leader.id;
    }
    status_members(replica, status_out);
    CHECK(status_out->role != REPLICA_HALTED);
}
