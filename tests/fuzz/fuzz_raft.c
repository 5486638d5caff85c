/* Messages of consensus. What replica_decode takes is packed as the same bytes again; what the
 * library would send (made of what was read) comes back field by field. Configurations are judged
 * by libraft's own encoder. */
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/message.h"

#include "base/check.h"
#include "controller/replica_wire.h"
#include "wire/wire.h"

#include <stdlib.h>
#include <string.h>

enum kind { KIND_MESSAGE, KIND_CHANGE, KIND_LARGE, KINDS };

enum { SEEDS = 96, LARGE_MAX = 128 * 1024 };

static _Alignas(16) uint8_t memory[1024 * 1024];
static _Alignas(16) uint8_t second_memory[1024 * 1024];
static struct replica_encoder encoder;

const ProtobufCMessageDescriptor *fuzz_type(uint8_t kind)
{
    return kind % KINDS == KIND_MESSAGE ? &wire__raft_message__descriptor : NULL;
}

/* The library's form of an AppendEntries, and back to bytes. */
static struct slice append_again(const Wire__RaftMessage *message, unsigned int *entries_out)
{
    static struct raft_entry entries[REPLICA_MESSAGE_ENTRIES];
    const Wire__RaftAppendAsk *ask = message->append_ask;
    struct raft_message made = { .type = RAFT_IO_APPEND_ENTRIES };
    for (size_t i = 0; i < ask->n_entries; i++) {
        const Wire__RaftEntry *entry = ask->entries[i];
        entries[i] = (struct raft_entry){ .term = entry->term,
                                          .type = (unsigned short)entry->type,
                                          .buf = { entry->data.data, entry->data.len } };
    }
    made.append_entries = (struct raft_append_entries){ .term = message->term,
                                                        .prev_log_index = ask->previous_index,
                                                        .prev_log_term = ask->previous_term,
                                                        .leader_commit = ask->commit,
                                                        .entries = entries,
                                                        .n_entries = (unsigned int)ask->n_entries };
    return replica_encode(&encoder, &made, REPLICA_MESSAGE_MAX, entries_out);
}

static struct slice install_again(const Wire__RaftMessage *message, unsigned int *entries_out)
{
    static struct raft_server servers[LIMIT_CONTROLLERS];
    const Wire__RaftInstall *install = message->install;
    for (size_t i = 0; i < install->n_members; i++) {
        servers[i] = (struct raft_server){ .id = install->members[i]->id,
                                           .role = (int)install->members[i]->role };
        memcpy(&servers[i].address, &install->members[i]->address, sizeof(servers[i].address));
    }
    struct raft_message made = { .type = RAFT_IO_INSTALL_SNAPSHOT };
    made.install_snapshot = (struct raft_install_snapshot){
        .term = message->term,
        .last_index = install->index,
        .last_term = install->index_term,
        .conf_index = install->members_index,
        .conf = { .servers = servers, .n = (unsigned int)install->n_members },
        .data = { install->manifest.data, install->manifest.len },
    };
    return replica_encode(&encoder, &made, REPLICA_MESSAGE_MAX, entries_out);
}

/* Through the library's own structure. */
static struct slice again(const Wire__RaftMessage *message, unsigned int *entries_out)
{
    struct raft_message made = { .type = 0 };
    switch (message->body_case) {
    case WIRE__RAFT_MESSAGE__BODY_VOTE_ASK:
        made.type = RAFT_IO_REQUEST_VOTE;
        made.request_vote.term = message->term;
        made.request_vote.last_log_index = message->vote_ask->last_index;
        made.request_vote.last_log_term = message->vote_ask->last_term;
        made.request_vote.disrupt_leader = message->vote_ask->disrupt != 0;
        break;
    case WIRE__RAFT_MESSAGE__BODY_VOTE_TOLD:
        made.type = RAFT_IO_REQUEST_VOTE_RESULT;
        made.request_vote_result.term = message->term;
        made.request_vote_result.vote_granted = message->vote_told->granted != 0;
        break;
    case WIRE__RAFT_MESSAGE__BODY_APPEND_ASK: return append_again(message, entries_out);
    case WIRE__RAFT_MESSAGE__BODY_APPEND_TOLD:
        made.type = RAFT_IO_APPEND_ENTRIES_RESULT;
        made.append_entries_result.term = message->term;
        made.append_entries_result.rejected = message->append_told->rejected;
        made.append_entries_result.last_log_index = message->append_told->last_index;
        break;
    case WIRE__RAFT_MESSAGE__BODY_INSTALL: return install_again(message, entries_out);
    case WIRE__RAFT_MESSAGE__BODY_TIMEOUT_NOW:
        made.type = RAFT_IO_TIMEOUT_NOW;
        made.timeout_now.term = message->term;
        made.timeout_now.last_log_index = message->timeout_now->last_index;
        made.timeout_now.last_log_term = message->timeout_now->last_term;
        break;
    case WIRE__RAFT_MESSAGE__BODY_STANDING:
        *entries_out = 0;
        return replica_encode_standing(&encoder, message->term, message->standing);
    case WIRE__RAFT_MESSAGE__BODY__NOT_SET:
    case _WIRE__RAFT_MESSAGE__BODY__CASE_IS_INT_SIZE: MUST(false); break;
    }
    return replica_encode(&encoder, &made, REPLICA_MESSAGE_MAX, entries_out);
}

/* Nothing in it is beyond what the adapter may give to the library. */
static void hold_bounds(const Wire__RaftMessage *message)
{
    const uint64_t most = UINT64_C(1) << 62;
    MUST(message->term > 0 && message->term <= most);
    if (message->body_case == WIRE__RAFT_MESSAGE__BODY_APPEND_ASK) {
        const Wire__RaftAppendAsk *ask = message->append_ask;
        uint64_t term = ask->previous_term;
        MUST((ask->previous_index == 0) == (term == 0) && ask->previous_index <= most);
        for (size_t i = 0; i < ask->n_entries; i++) {
            MUST(ask->entries[i]->term >= term && ask->entries[i]->term <= message->term);
            MUST(ask->entries[i]->type != 0 && ask->entries[i]->term > 0);
            term = ask->entries[i]->term;
        }
    } else if (message->body_case == WIRE__RAFT_MESSAGE__BODY_INSTALL) {
        MUST(message->install->index_term <= message->term && message->install->n_members > 0);
        MUST(message->install->index <= most);
    }
}

static void hold_message(struct slice bytes)
{
    struct arena arena;
    Wire__RaftMessage *message = NULL;
    unsigned int entries = 0;
    arena_init(&arena, memory, sizeof(memory));
    struct result decoded = replica_decode(bytes, &arena, &message);
    MUST(decoded.code == 0 || decoded.code == FAILURE_BAD_INPUT || decoded.code == FAILURE_FULL);
    if (decoded.code != 0) {
        return;
    }
    hold_bounds(message);
    struct slice made = again(message, &entries);
    MUST(slice_equal(made, bytes));
    bool append = message->body_case == WIRE__RAFT_MESSAGE__BODY_APPEND_ASK;
    MUST(entries == (append ? message->append_ask->n_entries : 0));
    if (append && entries > 1) { /* Cut to a prefix, it is still a message. */
        Wire__RaftMessage *cut = NULL;
        struct arena second;
        message->append_ask->n_entries = entries / 2;
        made = append_again(message, &entries);
        arena_init(&second, second_memory, sizeof(second_memory));
        MUST(replica_decode(made, &second, &cut).code == 0);
        MUST(cut->append_ask->n_entries == entries && entries > 0);
    }
}

static void hold_change(struct slice bytes)
{
    struct journal_member members[LIMIT_CONTROLLERS];
    struct raft_configuration theirs;
    struct raft_buffer encoded = { NULL, 0 };
    if (!replica_change_valid(bytes)) {
        return;
    }
    memset(members, 0, sizeof(members));
    uint32_t count = replica_change_members(bytes, members);
    MUST(count == bytes.data[1] && count > 0 && count <= LIMIT_CONTROLLERS);
    raft_configuration_init(&theirs);
    bool same = true;
    size_t used = 9;
    for (uint32_t i = 0; i < count && same; i++) {
        used += 8 + strlen(members[i].address) + 1 + 1;
        MUST(members[i].address[0] != '\0' && strlen(members[i].address) < LIMIT_ADDRESS);
        same =
            members[i].id != 0 &&
            raft_configuration_add(&theirs, members[i].id, members[i].address, members[i].role) ==
                0; /* It refuses what comes twice; so the rest cannot be compared. */
    }
    if (same) {
        MUST(raft_configuration_encode(&theirs, &encoded) == 0);
        MUST(encoded.len - used < 8 && bytes.size - used < 8); /* Padding alone differs. */
        MUST(memcmp(encoded.base, bytes.data, used) == 0);
        raft_free(encoded.base);
    }
    raft_configuration_close(&theirs);
}

/* A message with one large thing in it, which would not fit an input: which, and how large. */
static void hold_large(struct slice bytes)
{
    static uint8_t data[LARGE_MAX];
    static uint8_t packed[2 * LARGE_MAX];
    static Wire__RaftEntry entries[REPLICA_MESSAGE_ENTRIES + 1];
    static Wire__RaftEntry *list[REPLICA_MESSAGE_ENTRIES + 1];
    if (bytes.size < 4) {
        return;
    }
    size_t size =
        (bytes.data[0] | (size_t)bytes.data[1] << 8 | (size_t)bytes.data[2] << 16) % LARGE_MAX;
    Wire__RaftMessage message = WIRE__RAFT_MESSAGE__INIT;
    Wire__RaftAppendAsk ask = WIRE__RAFT_APPEND_ASK__INIT;
    Wire__RaftInstall install = WIRE__RAFT_INSTALL__INIT;
    Wire__RaftMember member = WIRE__RAFT_MEMBER__INIT;
    Wire__RaftMember *members[] = { &member };
    message.format = 1;
    message.term = 1;
    member.id = 1;
    member.address = "10.0.0.1:7444";
    install.index = install.index_term = install.members_index = 1;
    install.n_members = 1;
    install.members = members;
    install.manifest = (ProtobufCBinaryData){ size, data };
    bool many = bytes.data[3] % 3 == 1;
    ask.n_entries = many ? size % COUNT_OF(entries) + 1 : 1;
    for (size_t i = 0; i < ask.n_entries; i++) {
        wire__raft_entry__init(&entries[i]);
        entries[i].term = 1;
        entries[i].type = WIRE__RAFT_ENTRY_TYPE__RAFT_ENTRY_TYPE_COMMAND;
        entries[i].data = (ProtobufCBinaryData){ many ? 0 : size, data };
        list[i] = &entries[i];
    }
    ask.entries = list;
    bool appends = bytes.data[3] % 3 < 2;
    message.body_case =
        appends ? WIRE__RAFT_MESSAGE__BODY_APPEND_ASK : WIRE__RAFT_MESSAGE__BODY_INSTALL;
    message.append_ask = &ask;
    if (!appends) {
        message.install = &install;
    }
    size_t used = 0;
    MUST(wire_encode_into(&message, packed, sizeof(packed), &used));
    bool fits = used <= REPLICA_MESSAGE_MAX &&
                (appends ? ask.n_entries <= REPLICA_MESSAGE_ENTRIES && (many || size <= LIMIT_ENTRY)
                         : size <= JOURNAL_MANIFEST_MAX);
    struct arena arena;
    Wire__RaftMessage *read = NULL;
    arena_init(&arena, memory, sizeof(memory));
    MUST((replica_decode(slice_of(packed, used), &arena, &read).code == 0) == fits);
    hold_message(slice_of(packed, used));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = slice_of(data, size);
    struct fuzz_part part;
    while (fuzz_part_next(&rest, &part)) {
        uint8_t *bytes = fuzz_copy(part.bytes);
        switch ((enum kind)(part.kind % KINDS)) {
        case KIND_MESSAGE: hold_message(slice_of(bytes, part.bytes.size)); break;
        case KIND_CHANGE: hold_change(slice_of(bytes, part.bytes.size)); break;
        case KIND_LARGE: hold_large(slice_of(bytes, part.bytes.size)); break;
        case KINDS: break;
        }
        free(bytes);
    }
    return 0;
}

static struct slice seed_change(struct prng *prng)
{
    struct raft_configuration made;
    struct raft_buffer encoded = { NULL, 0 };
    static uint8_t room[1024];
    raft_configuration_init(&made);
    uint64_t count = 1 + prng_below(prng, LIMIT_CONTROLLERS);
    for (uint64_t i = 0; i < count; i++) {
        int code = raft_configuration_add(
            &made, i + 1, &"10.10.10.10:7444"[prng_below(prng, 8)], (int)prng_below(prng, 3));
        CHECK(code == 0 || code == RAFT_DUPLICATEADDRESS);
    }
    int code = raft_configuration_encode(&made, &encoded);
    CHECK(code == 0 && encoded.len <= sizeof(room));
    memcpy(room, encoded.base, encoded.len);
    raft_free(encoded.base);
    raft_configuration_close(&made);
    return slice_of(room, encoded.len);
}

size_t fuzz_seed(uint32_t number, uint8_t room[static FUZZ_INPUT_MAX])
{
    struct prng prng;
    struct arena arena;
    size_t used = 0;
    if (number >= SEEDS) {
        return 0;
    }
    prng_seed(&prng, number);
    struct slice change = seed_change(&prng);
    if (number % 8 == 1 && number < 32) {
        static const uint32_t sizes[] = { 100, LIMIT_ENTRY, LIMIT_ENTRY + 1, LARGE_MAX - 1 };
        uint32_t size = number == 25 ? REPLICA_MESSAGE_ENTRIES : sizes[number / 8];
        uint8_t bytes[4] = {
            (uint8_t)size, (uint8_t)(size >> 8), (uint8_t)(size >> 16), (uint8_t)(number / 8)
        };
        (void)fuzz_part_put(room, FUZZ_INPUT_MAX, &used, KIND_LARGE, slice_of(bytes, 4));
        bytes[3] = 0;
        (void)fuzz_part_put(room, FUZZ_INPUT_MAX, &used, KIND_LARGE, slice_of(bytes, 4));
        bytes[3] = 2;
        (void)fuzz_part_put(room, FUZZ_INPUT_MAX, &used, KIND_LARGE, slice_of(bytes, 4));
        return used;
    }
    if (number % 8 == 0) {
        (void)fuzz_part_put(room, FUZZ_INPUT_MAX, &used, KIND_CHANGE, change);
        return used;
    }
    arena_init(&arena, memory, sizeof(memory));
    Wire__RaftMessage *message =
        (Wire__RaftMessage *)message_any(&wire__raft_message__descriptor, &prng, &arena);
    CHECK(message != NULL);
    message->format = 1;
    message->term = 1 + prng_below(&prng, 1000);
    if (message->body_case == WIRE__RAFT_MESSAGE__BODY_APPEND_ASK) {
        Wire__RaftAppendAsk *ask = message->append_ask;
        ask->previous_index = prng_below(&prng, 50);
        ask->previous_term = ask->previous_index == 0 ? 0 : 1;
        ask->commit = 7;
        for (size_t i = 0; i < ask->n_entries; i++) {
            ask->entries[i]->term = 1;
            ask->entries[i]->type = (Wire__RaftEntryType)(1 + prng_below(&prng, 3));
            if (ask->entries[i]->type == WIRE__RAFT_ENTRY_TYPE__RAFT_ENTRY_TYPE_CHANGE) {
                memcpy(&ask->entries[i]->data.data, &change.data, sizeof(change.data));
                ask->entries[i]->data.len = change.size;
            }
        }
    } else if (message->body_case == WIRE__RAFT_MESSAGE__BODY_INSTALL) {
        message->install->index = 9;
        message->install->index_term = 1;
        message->install->members_index = 3;
        for (size_t i = 0; i < message->install->n_members; i++) {
            message->install->members[i]->role %= 3;
        }
    }
    struct slice bytes = SLICE_EMPTY;
    struct result packed = wire_encode(message, &arena, &bytes);
    CHECK(packed.code == 0);
    (void)fuzz_part_put(room, FUZZ_INPUT_MAX, &used, KIND_MESSAGE, bytes);
    return used;
}
