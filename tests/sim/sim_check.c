/* What must hold after every event. Decides when a run is wrong; changes nothing in it. Knows more
 * than any replica: every entry ever written, every vote ever sent, everything ever committed. */
#include "base/check.h"
#include "base/hash.h"
#include "controller/replica_inner.h"
#include "tests/sim/sim.h"

#include <stdlib.h>
#include <string.h>

enum { WRITTEN_MAX = 4 * SIM_INDEXES };

struct written { /* An entry that was in some log at some time. */
    uint64_t term;
    uint64_t previous_term; /* 0: not known. */
    uint64_t hash;
    uint32_t next; /* In the list of its index; 0: end. */
};

struct sim_oracle {
    uint32_t leader_of[SIM_TERMS];
    uint32_t leader_life[SIM_TERMS]; /* A process that starts anew has lost what it led with. */
    uint32_t vote_sent[SIM_NODES + 1][SIM_TERMS];
    uint64_t term_seen[SIM_NODES + 1];
    struct written written[WRITTEN_MAX];
    uint32_t written_count;
    uint32_t list_of[SIM_INDEXES];
    uint64_t shadow[SIM_NODES + 1][SIM_INDEXES]; /* Terms in each log, as last seen. */
    uint64_t shadow_last[SIM_NODES + 1];
    uint64_t commit_seen[SIM_NODES + 1];
    struct {
        uint64_t term;
        uint64_t hash;
        uint64_t by; /* Term of the first who saw it committed. */
    } committed[SIM_INDEXES];
    uint64_t committed_last;
    bool change[SIM_INDEXES]; /* Committed, and a configuration. */
    uint64_t snapshot_seen[SIM_NODES + 1];
    uint32_t order[SIM_INDEXES]; /* Commands as applied first. */
    uint64_t order_hash[SIM_INDEXES];
    uint64_t order_count;
    uint8_t applied[SIM_INDEXES]; /* By command. */
    uint8_t acknowledged[SIM_INDEXES];
};

static void counted(struct sim *sim, enum sim_checker checker)
{
    CHECK(checker < CHECKERS);
    sim->tally->checks[checker]++;
}

static uint64_t hash_of(unsigned int type, struct slice bytes)
{
    struct hash_key key = { type, 1 };
    CHECK(type > 0);
    return hash_bytes(key, bytes);
}

void sim_check_begin(struct sim *sim)
{
    sim->oracle = calloc(1, sizeof(*sim->oracle));
    CHECK(sim->oracle != NULL);
    sim->oracle->written_count = 1;
}

void sim_check_forget(struct sim *sim, uint32_t id)
{
    CHECK(id >= 1 && id <= SIM_NODES);
    sim->oracle->shadow_last[id] = 0;
    sim->oracle->commit_seen[id] = 0;
    sim->oracle->snapshot_seen[id] = 0;
    memset(sim->oracle->shadow[id], 0, sizeof(sim->oracle->shadow[id]));
}

static void check_written(
    struct sim *sim, uint32_t id, uint64_t index, uint64_t term, uint64_t before, uint64_t hash)
{
    struct sim_oracle *oracle = sim->oracle;
    counted(sim, CHECKER_LOG_MATCHING);
    for (uint32_t i = oracle->list_of[index]; i != 0; i = oracle->written[i].next) {
        struct written *written = &oracle->written[i];
        if (written->term != term) {
            continue;
        }
        if (written->hash != hash ||
            (before != 0 && written->previous_term != 0 && before != written->previous_term)) {
            sim_fail(
                sim,
                "LOGMATCH n%u index %llu term %llu",
                id,
                (unsigned long long)index,
                (unsigned long long)term);
        }
        written->previous_term = before != 0 ? before : written->previous_term;
        return;
    }
    CHECK(oracle->written_count < WRITTEN_MAX);
    uint32_t fresh = oracle->written_count++;
    oracle->written[fresh] = (struct written){ term, before, hash, oracle->list_of[index] };
    oracle->list_of[index] = fresh;
}

/* Looks at what is new in this log since the last look. */
static void check_log(struct sim *sim, struct sim_node *node)
{
    struct sim_oracle *oracle = sim->oracle;
    struct journal *journal = node->replica->journal;
    const struct journal_state *state = journal_state(journal);
    uint64_t *shadow = oracle->shadow[node->id];
    CHECK(state->last < SIM_INDEXES);
    uint64_t from = state->last + 1;
    uint64_t term = 0;
    while (from > state->first && journal_entry_at(journal, from - 1, &term, NULL) &&
           (from - 1 > oracle->shadow_last[node->id] || shadow[from - 1] != term)) {
        from--;
    }
    for (uint64_t index = from; index <= state->last; index++) {
        struct journal_entry entry = { 0 };
        uint64_t before = 0;
        if (journal_read(journal, index, &entry).code != 0) {
            sim_fail(sim, "READ n%u index %llu", node->id, (unsigned long long)index);
        }
        if (index == 1 || !journal_entry_at(journal, index - 1, &before, NULL)) {
            before = state->snapshot.index == index - 1 ? state->snapshot.term : 0;
        }
        shadow[index] = entry.term;
        check_written(sim, node->id, index, entry.term, before, hash_of(entry.type, entry.bytes));
    }
    oracle->shadow_last[node->id] = state->last;
}

static void check_committed(
    struct sim *sim, uint32_t id, uint64_t index, uint64_t term, uint64_t hash, uint64_t by)
{
    struct sim_oracle *oracle = sim->oracle;
    CHECK(index < SIM_INDEXES);
    counted(sim, CHECKER_COMMITTED);
    if (oracle->committed[index].term == 0) {
        oracle->committed[index].term = term;
        oracle->committed[index].hash = hash;
        oracle->committed[index].by = by;
    }
    if (oracle->committed[index].term != term || oracle->committed[index].hash != hash) {
        sim_fail(
            sim,
            "COMMITTED n%u index %llu term %llu, elsewhere term %llu",
            id,
            (unsigned long long)index,
            (unsigned long long)term,
            (unsigned long long)oracle->committed[index].term);
    }
    if (index > oracle->committed_last) {
        oracle->committed_last = index;
    }
}

static void check_commit(
    struct sim *sim, struct sim_node *node, const struct replica_status *status)
{
    uint64_t *seen = &sim->oracle->commit_seen[node->id];
    for (uint64_t index = *seen + 1; index <= status->commit; index++) {
        struct journal_entry entry = { 0 };
        if (index > status->last && index > status->snapshot) {
            sim_fail(sim, "GAP n%u commits %llu", node->id, (unsigned long long)index);
        }
        if (index < status->first || index > status->last) {
            continue;
        }
        if (journal_read(node->replica->journal, index, &entry).code != 0) {
            sim_fail(sim, "READ n%u index %llu", node->id, (unsigned long long)index);
        }
        CHECK(entry.index == index);
        sim->oracle->change[index] = entry.type == JOURNAL_CHANGE;
        check_committed(
            sim, node->id, index, entry.term, hash_of(entry.type, entry.bytes), status->term);
    }
    *seen = status->commit > *seen ? status->commit : *seen;
}

/* A snapshot's members are those of its index: of a change behind it nobody knows how it ends. */
static void check_snapshot(struct sim *sim, const struct sim_node *node)
{
    const struct journal_state *state = journal_state(node->replica->journal);
    const struct journal_snapshot *snapshot = &state->snapshot;
    bool sound = snapshot->members_index <= snapshot->index;
    if (!state->snapshot_present || sim->oracle->snapshot_seen[node->id] == snapshot->index) {
        return;
    }
    CHECK(snapshot->index < SIM_INDEXES);
    counted(sim, CHECKER_SNAPSHOT);
    sim->oracle->snapshot_seen[node->id] = snapshot->index;
    for (uint64_t index = snapshot->members_index + 1; index <= snapshot->index; index++) {
        sound = sound && !sim->oracle->change[index];
    }
    if (!sound) {
        sim_fail(
            sim,
            "MEMBERS n%u has a snapshot of %llu with the members of %llu",
            node->id,
            (unsigned long long)snapshot->index,
            (unsigned long long)snapshot->members_index);
    }
}

static void check_completeness(
    struct sim *sim, struct sim_node *node, const struct replica_status *status)
{
    const struct sim_oracle *oracle = sim->oracle;
    counted(sim, CHECKER_COMPLETENESS);
    CHECK(oracle->committed_last < SIM_INDEXES);
    for (uint64_t index = status->snapshot + 1; index <= oracle->committed_last; index++) {
        uint64_t term = 0;
        if (oracle->committed[index].term == 0 || oracle->committed[index].by >= status->term) {
            continue;
        }
        if (!journal_entry_at(node->replica->journal, index, &term, NULL) ||
            term != oracle->committed[index].term) {
            sim_fail(
                sim,
                "COMPLETENESS n%u leads term %llu without %llu of term %llu",
                node->id,
                (unsigned long long)status->term,
                (unsigned long long)index,
                (unsigned long long)oracle->committed[index].term);
        }
    }
}

static void check_leader(
    struct sim *sim, struct sim_node *node, const struct replica_status *status)
{
    uint32_t *leader = &sim->oracle->leader_of[status->term];
    counted(sim, CHECKER_ONE_LEADER);
    if (*leader == 0) {
        *leader = node->id;
        sim->oracle->leader_life[status->term] = node->life;
        sim->tally->elections++;
        sim_trace(sim, "n%u wins term %llu", node->id, (unsigned long long)status->term);
        check_completeness(sim, node, status);
    }
    if (*leader != node->id) {
        sim_fail(
            sim,
            "TWOLEADERS term %llu: n%u and n%u",
            (unsigned long long)status->term,
            *leader,
            node->id);
    }
    if (sim->oracle->leader_life[status->term] != node->life) { /* INV-LOG-11 */
        sim_fail(sim, "AGAIN n%u leads term %llu anew", node->id, (unsigned long long)status->term);
    }
}

void sim_check_node(struct sim *sim, struct sim_node *node)
{
    struct replica_status status;
    replica_status(node->replica, &status);
    CHECK(status.term < SIM_TERMS);
    counted(sim, CHECKER_TERM_FORWARD);
    if (status.term < sim->oracle->term_seen[node->id]) {
        sim_fail(sim, "TERM n%u goes back", node->id);
    }
    sim->oracle->term_seen[node->id] = status.term;
    check_log(sim, node);
    if (status.role == REPLICA_LEADING || status.role == REPLICA_ELECTING) {
        check_leader(sim, node, &status);
    }
    check_commit(sim, node, &status);
    check_snapshot(sim, node);
}

static void check_vote(struct sim *sim, uint32_t from, uint32_t to, uint64_t term)
{
    CHECK(term < SIM_TERMS);
    uint32_t *sent = &sim->oracle->vote_sent[from][term];
    counted(sim, CHECKER_ONE_VOTE);
    if (*sent != 0 && *sent != to) {
        sim_fail(
            sim,
            "TWOVOTES n%u votes for n%u and n%u in term %llu",
            from,
            *sent,
            to,
            (unsigned long long)term);
    }
    *sent = to;
}

void sim_check_message(struct sim *sim, uint32_t from, uint32_t to, struct slice bytes)
{
    static _Alignas(16) uint8_t memory[REPLICA_ARENA];
    struct arena arena;
    Wire__RaftMessage *message = NULL;
    arena_init(&arena, memory, sizeof(memory));
    CHECK(from != to);
    if (replica_decode(bytes, &arena, &message).code != 0) {
        sim_fail(sim, "WIRE n%u sends what is not well formed", from);
    }
    if (message->body_case == WIRE__RAFT_MESSAGE__BODY_VOTE_TOLD && message->vote_told->granted) {
        check_vote(sim, from, to, message->term);
    }
    if (message->body_case == WIRE__RAFT_MESSAGE__BODY_VOTE_ASK) {
        check_vote(sim, from, from, message->term);
    }
    sim_hash(sim, hash_of(1, bytes));
}

void sim_check_apply(
    struct sim *sim, struct sim_node *node, uint64_t index, uint64_t term, struct slice entry)
{
    struct sim_oracle *oracle = sim->oracle;
    uint32_t command = sim_machine_command(entry);
    uint64_t at = node->machine.count - 1;
    CHECK(at < SIM_INDEXES && command < SIM_INDEXES);
    counted(sim, CHECKER_PREFIX);
    if (at == oracle->order_count) {
        oracle->order[at] = command;
        oracle->order_hash[at] = node->machine.hash;
        oracle->order_count++;
        counted(sim, CHECKER_ONCE);
        if (oracle->applied[command]++ != 0) {
            sim_fail(sim, "TWICE command %u", command);
        }
    }
    if (at > oracle->order_count || oracle->order[at] != command ||
        oracle->order_hash[at] != node->machine.hash) {
        sim_fail(sim, "PREFIX n%u applies %u as %llu", node->id, command, (unsigned long long)at);
    }
    check_committed(
        sim, node->id, index, term, hash_of(JOURNAL_COMMAND, entry), oracle->term_seen[node->id]);
}

void sim_check_restored(struct sim *sim, const struct sim_node *node)
{
    const struct sim_oracle *oracle = sim->oracle;
    uint64_t count = node->machine.count;
    counted(sim, CHECKER_RESTORED);
    CHECK(count < SIM_INDEXES);
    if (count > oracle->order_count ||
        (count > 0 && oracle->order_hash[count - 1] != node->machine.hash)) {
        sim_fail(sim, "RESTORED n%u has another state", node->id);
    }
}

void sim_check_ticket(struct sim *sim, uint32_t waiting, uint32_t applied)
{
    counted(sim, CHECKER_TICKET);
    CHECK(waiting < SIM_INDEXES);
    if (waiting != applied) {
        sim_fail(sim, "TICKET of command %u answers %u", waiting, applied);
    }
    sim->oracle->acknowledged[waiting] = 1;
    sim->tally->acknowledged++;
}

bool sim_check_acknowledged(const struct sim *sim, uint32_t command)
{
    CHECK(command < SIM_INDEXES);
    return command != 0 && sim->oracle->acknowledged[command] != 0;
}

/* It has what the leader has, and believes in no change of members: in a calm cell none is under
 * way. */
static bool come_together(const struct sim_node *node, const struct sim_node *leader)
{
    struct replica_status status = { .changing = true };
    if (node->up) {
        replica_status(node->replica, &status);
    }
    CHECK(leader->up);
    return !status.changing && node->machine.count == leader->machine.count &&
           node->machine.hash == leader->machine.hash;
}

bool sim_check_converged(struct sim *sim)
{
    struct sim_node *leader = sim_leader(sim);
    struct replica_status status;
    counted(sim, CHECKER_LIVENESS);
    if (leader == NULL || !sim_check_acknowledged(sim, sim->marker)) {
        return false;
    }
    replica_status(leader->replica, &status);
    for (uint32_t i = 0; i < status.member_count; i++) {
        const struct sim_node *node = &sim->nodes[status.members[i].id];
        if (status.members[i].role != REPLICA_VOTER || !come_together(node, leader)) {
            return false;
        }
    }
    CHECK(status.member_count > 0);
    return !status.changing;
}

void sim_check_end(struct sim *sim)
{
    struct sim_oracle *oracle = sim->oracle;
    const struct sim_node *leader = sim_leader(sim);
    CHECK(leader != NULL);
    for (uint32_t command = 1; command < sim->next_command; command++) {
        if (oracle->acknowledged[command] == 0) {
            continue;
        }
        counted(sim, CHECKER_ACKNOWLEDGED);
        bool there = false;
        for (uint64_t at = 0; at < leader->machine.count && !there; at++) {
            there = oracle->order[at] == command;
        }
        if (!there) {
            sim_fail(sim, "LOST command %u was acknowledged", command);
        }
    }
    free(oracle);
    sim->oracle = NULL;
}
