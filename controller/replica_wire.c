/* Decides what a well-formed consensus message is and how it is written. Never decides who may send
 * it, never gives anything to the library. */
#include "controller/replica_wire.h"

#include "base/check.h"
#include "wire/wire.h"

#include <string.h>

enum { WIRE_FORMAT = 1 };

/* Terms and indexes grow by one; beyond this a number is no number of ours. */
static const uint64_t number_max = UINT64_C(1) << 62;

/* Bytes of an entry beside its data, at most. */
enum { ENTRY_EXTRA = 32, ENVELOPE = 128 };

static void encode_append(
    struct replica_encoder *encoder,
    const struct raft_append_entries *from,
    size_t size_max,
    Wire__RaftAppendAsk *to)
{
    size_t size = ENVELOPE;
    unsigned int count = 0;
    while (count < from->n_entries && count < REPLICA_MESSAGE_ENTRIES) {
        const struct raft_entry *entry = &from->entries[count];
        if (size + entry->buf.len + ENTRY_EXTRA > size_max) {
            break;
        }
        Wire__RaftEntry *made = &encoder->entries[count];
        wire__raft_entry__init(made);
        made->term = entry->term;
        made->type = (Wire__RaftEntryType)entry->type;
        made->data.len = entry->buf.len;
        made->data.data = entry->buf.base;
        encoder->entry_list[count] = made;
        size += entry->buf.len + ENTRY_EXTRA;
        count++;
    }
    CHECK(count > 0 || from->n_entries == 0);
    to->previous_index = from->prev_log_index;
    to->previous_term = from->prev_log_term;
    to->commit = from->leader_commit;
    to->n_entries = count;
    to->entries = encoder->entry_list;
}

static void encode_install(
    struct replica_encoder *encoder,
    const struct raft_install_snapshot *from,
    Wire__RaftInstall *to)
{
    CHECK(from->conf.n <= LIMIT_CONTROLLERS);
    CHECK(from->data.len <= JOURNAL_MANIFEST_MAX);
    for (unsigned int i = 0; i < from->conf.n; i++) {
        Wire__RaftMember *member = &encoder->members[i];
        wire__raft_member__init(member);
        member->id = from->conf.servers[i].id;
        member->address = from->conf.servers[i].address;
        member->role = (uint32_t)from->conf.servers[i].role;
        encoder->member_list[i] = member;
    }
    to->index = from->last_index;
    to->index_term = from->last_term;
    to->members_index = from->conf_index;
    to->n_members = from->conf.n;
    to->members = encoder->member_list;
    to->manifest.len = from->data.len;
    to->manifest.data = from->data.base;
}

static struct slice pack(struct replica_encoder *encoder, const Wire__RaftMessage *made)
{
    size_t size = 0;
    bool fits = wire_encode_into(made, encoder->room, sizeof(encoder->room), &size);
    CHECK(fits);
    CHECK(size > 0);
    return slice_of(encoder->room, size);
}

struct slice replica_encode(
    struct replica_encoder *encoder,
    const struct raft_message *message,
    size_t size_max,
    unsigned int *entries_out)
{
    Wire__RaftMessage made = WIRE__RAFT_MESSAGE__INIT;
    Wire__RaftVoteAsk vote_ask = WIRE__RAFT_VOTE_ASK__INIT;
    Wire__RaftVoteTold vote_told = WIRE__RAFT_VOTE_TOLD__INIT;
    Wire__RaftAppendAsk append_ask = WIRE__RAFT_APPEND_ASK__INIT;
    Wire__RaftAppendTold append_told = WIRE__RAFT_APPEND_TOLD__INIT;
    Wire__RaftInstall install = WIRE__RAFT_INSTALL__INIT;
    Wire__RaftTimeoutNow timeout_now = WIRE__RAFT_TIMEOUT_NOW__INIT;
    made.format = WIRE_FORMAT;
    *entries_out = 0;
    CHECK(size_max <= REPLICA_MESSAGE_MAX);
    switch (message->type) {
    case RAFT_IO_REQUEST_VOTE:
        CHECK(!message->request_vote.pre_vote); /* Rule 9: the wire does not even know it. */
        made.term = message->request_vote.term;
        vote_ask.last_index = message->request_vote.last_log_index;
        vote_ask.last_term = message->request_vote.last_log_term;
        vote_ask.disrupt = message->request_vote.disrupt_leader;
        made.body_case = WIRE__RAFT_MESSAGE__BODY_VOTE_ASK;
        made.vote_ask = &vote_ask;
        break;
    case RAFT_IO_REQUEST_VOTE_RESULT:
        made.term = message->request_vote_result.term;
        vote_told.granted = message->request_vote_result.vote_granted;
        made.body_case = WIRE__RAFT_MESSAGE__BODY_VOTE_TOLD;
        made.vote_told = &vote_told;
        break;
    case RAFT_IO_APPEND_ENTRIES:
        made.term = message->append_entries.term;
        encode_append(encoder, &message->append_entries, size_max, &append_ask);
        *entries_out = (unsigned int)append_ask.n_entries;
        made.body_case = WIRE__RAFT_MESSAGE__BODY_APPEND_ASK;
        made.append_ask = &append_ask;
        break;
    case RAFT_IO_APPEND_ENTRIES_RESULT:
        made.term = message->append_entries_result.term;
        append_told.rejected = message->append_entries_result.rejected;
        append_told.last_index = message->append_entries_result.last_log_index;
        made.body_case = WIRE__RAFT_MESSAGE__BODY_APPEND_TOLD;
        made.append_told = &append_told;
        break;
    case RAFT_IO_INSTALL_SNAPSHOT:
        made.term = message->install_snapshot.term;
        encode_install(encoder, &message->install_snapshot, &install);
        made.body_case = WIRE__RAFT_MESSAGE__BODY_INSTALL;
        made.install = &install;
        break;
    case RAFT_IO_TIMEOUT_NOW:
        made.term = message->timeout_now.term;
        timeout_now.last_index = message->timeout_now.last_log_index;
        timeout_now.last_term = message->timeout_now.last_log_term;
        made.body_case = WIRE__RAFT_MESSAGE__BODY_TIMEOUT_NOW;
        made.timeout_now = &timeout_now;
        break;
    default: UNREACHABLE();
    }
    return pack(encoder, &made);
}

struct slice replica_encode_standing(
    struct replica_encoder *encoder, uint64_t term, Wire__RaftStanding *standing)
{
    Wire__RaftMessage made = WIRE__RAFT_MESSAGE__INIT;
    CHECK(term > 0);
    made.format = WIRE_FORMAT;
    made.term = term;
    made.body_case = WIRE__RAFT_MESSAGE__BODY_STANDING;
    made.standing = standing;
    return pack(encoder, &made);
}

bool replica_change_valid(struct slice bytes)
{
    enum { FORMAT = 1, SPARE_MAX = 2 };
    if (bytes.size < 9 || bytes.data[0] != FORMAT || bytes.data[1] == 0 ||
        bytes.data[1] > LIMIT_CONTROLLERS) {
        return false;
    }
    for (size_t i = 2; i < 9; i++) {
        if (bytes.data[i] != 0) {
            return false;
        }
    }
    size_t at = 9;
    for (unsigned int i = 0; i < bytes.data[1]; i++) {
        CHECK(at <= bytes.size);
        size_t left = bytes.size - at;
        if (left < 8 + 1 + 1) {
            return false;
        }
        const uint8_t *address = bytes.data + at + 8;
        const uint8_t *end = memchr(address, 0, left - 8 - 1);
        if (end == NULL || end == address || end - address >= LIMIT_ADDRESS || end[1] > SPARE_MAX) {
            return false;
        }
        at = (size_t)(end - bytes.data) + 2;
    }
    return bytes.size - at < 8; /* Padding to a word. */
}

uint32_t replica_change_members(
    struct slice bytes, struct journal_member members_out[static LIMIT_CONTROLLERS])
{
    bool valid = replica_change_valid(bytes);
    CHECK(valid);
    uint32_t count = bytes.data[1];
    const uint8_t *at = bytes.data + 9;
    CHECK(count <= LIMIT_CONTROLLERS);
    for (uint32_t i = 0; i < count; i++) {
        struct journal_member *member = &members_out[i];
        member->id = 0;
        for (unsigned int byte = 0; byte < 8; byte++) {
            member->id |= (uint64_t)at[byte] << (8 * byte);
        }
        size_t length = strlen((const char *)at + 8);
        memcpy(member->address, at + 8, length + 1);
        member->role = at[8 + length + 1];
        at += 8 + length + 2;
    }
    return count;
}

static bool append_valid(const Wire__RaftMessage *message)
{
    const Wire__RaftAppendAsk *ask = message->append_ask;
    uint64_t term = ask->previous_term;
    if (ask->previous_index > number_max || term > message->term || ask->commit > number_max ||
        ask->n_entries > REPLICA_MESSAGE_ENTRIES || (ask->previous_index == 0) != (term == 0)) {
        return false;
    }
    for (size_t i = 0; i < ask->n_entries; i++) {
        const Wire__RaftEntry *entry = ask->entries[i];
        struct slice data = slice_of(entry->data.data, entry->data.len);
        if (entry->term == 0 || entry->term < term || entry->term > message->term ||
            data.size > LIMIT_ENTRY ||
            entry->type == WIRE__RAFT_ENTRY_TYPE__RAFT_ENTRY_TYPE_UNSET ||
            (entry->type == WIRE__RAFT_ENTRY_TYPE__RAFT_ENTRY_TYPE_CHANGE &&
             !replica_change_valid(data))) {
            return false;
        }
        term = entry->term;
    }
    return true;
}

static bool install_valid(const Wire__RaftMessage *message)
{
    const Wire__RaftInstall *install = message->install;
    if (install->index == 0 || install->index > number_max || install->index_term == 0 ||
        install->index_term > message->term || install->members_index == 0 ||
        install->members_index > install->index || install->n_members == 0 ||
        install->n_members > LIMIT_CONTROLLERS || install->manifest.len > JOURNAL_MANIFEST_MAX) {
        return false;
    }
    for (size_t i = 0; i < install->n_members; i++) {
        const Wire__RaftMember *member = install->members[i];
        size_t length = strlen(member->address);
        if (member->id == 0 || length == 0 || length >= LIMIT_ADDRESS || member->role > 2) {
            return false;
        }
    }
    return true;
}

static bool message_valid(const Wire__RaftMessage *message)
{
    if (message->format != WIRE_FORMAT || message->term == 0 || message->term > number_max) {
        return false;
    }
    switch (message->body_case) {
    case WIRE__RAFT_MESSAGE__BODY_VOTE_ASK:
        return message->vote_ask->last_index <= number_max &&
               message->vote_ask->last_term < message->term;
    case WIRE__RAFT_MESSAGE__BODY_VOTE_TOLD: return true;
    case WIRE__RAFT_MESSAGE__BODY_APPEND_ASK: return append_valid(message);
    case WIRE__RAFT_MESSAGE__BODY_APPEND_TOLD:
        return message->append_told->rejected <= number_max &&
               message->append_told->last_index <= number_max;
    case WIRE__RAFT_MESSAGE__BODY_INSTALL: return install_valid(message);
    case WIRE__RAFT_MESSAGE__BODY_TIMEOUT_NOW:
        return message->timeout_now->last_index <= number_max;
    case WIRE__RAFT_MESSAGE__BODY_STANDING:
        return message->standing->held <= number_max &&
               message->standing->known_term <= number_max &&
               message->standing->known_held <= number_max &&
               message->standing->votes_since <= number_max;
    case WIRE__RAFT_MESSAGE__BODY__NOT_SET:
    case _WIRE__RAFT_MESSAGE__BODY__CASE_IS_INT_SIZE: return false;
    }
    return false;
}

RESULT replica_decode(struct slice bytes, struct arena *arena, Wire__RaftMessage **message_out)
{
    Wire__RaftMessage *message = NULL;
    if (bytes.size == 0 || bytes.size > REPLICA_MESSAGE_MAX) {
        return FAIL(FAILURE_BAD_INPUT);
    }
    TRY(wire_decode(&wire__raft_message__descriptor, bytes, arena, &message));
    if (!message_valid(message)) {
        return FAIL(FAILURE_BAD_INPUT);
    }
    CHECK(message->term > 0);
    *message_out = message;
    return OK;
}
