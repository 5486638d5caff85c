/* libraft's messages as bytes. Decides what a well-formed message is; never who may send one. */
#ifndef CONTROLLER_REPLICA_WIRE_H
#define CONTROLLER_REPLICA_WIRE_H

#include "base/arena.h"
#include "base/result.h"
#include "base/slice.h"
#include "controller/journal.h"

#include <raft.h>
#include <raft.pb-c.h>

enum {
    REPLICA_MESSAGE_MAX = LIMIT_FRAME - 2048, /* The frame around it keeps the rest. */
    REPLICA_MESSAGE_ENTRIES = 512,
};

struct replica_encoder {
    Wire__RaftEntry entries[REPLICA_MESSAGE_ENTRIES];
    Wire__RaftEntry *entry_list[REPLICA_MESSAGE_ENTRIES];
    Wire__RaftMember members[LIMIT_CONTROLLERS];
    Wire__RaftMember *member_list[LIMIT_CONTROLLERS];
    uint8_t room[REPLICA_MESSAGE_MAX];
};

/* An AppendEntries that is larger than size_max is cut to a prefix of entries_out entries, at least
 * one of those it has. The bytes live in the encoder. */
struct slice replica_encode_standing(
    struct replica_encoder *encoder, uint64_t term, Wire__RaftStanding *standing);
struct slice replica_encode(
    struct replica_encoder *encoder,
    const struct raft_message *message,
    size_t size_max,
    unsigned int *entries_out);

/* Everything in the message points into the arena. FAILURE_BAD_INPUT: not well formed. */
RESULT replica_decode(struct slice bytes, struct arena *arena, Wire__RaftMessage **message_out);

/* Is this an encoded configuration of libraft? */
bool replica_change_valid(struct slice bytes);
/* Its members; it is valid. */
uint32_t replica_change_members(
    struct slice bytes, struct journal_member members_out[static LIMIT_CONTROLLERS]);

#endif
