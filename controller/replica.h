/* Consensus behind one door: libraft's core with our own log, clock and messages, and the rules
 * that make it sound. Decides who leads, what is committed, and when the log shrinks. Never decides
 * what a command means; has no clock, no thread and no socket of its own.
 *
 * The happy path: replica_open → replica_tick every LIMIT_TICK_MS → the host hears role(LEADING) →
 * replica_submit(entry) → followers get it before our own disk does → one sync → a majority has it
 * → apply(ticket). A turn is one call of this header: when it returns, everything that it caused is
 * durable and sent.
 *
 * What can go wrong: a majority is away (role falls back to FOLLOWER, lost(ticket): the outcome is
 * unknown, the entry may still be applied later with ticket 0); the log is full (FAILURE_FULL
 * before anything is queued); the library gives up on itself (its object is dropped and reopened
 * from disk inside the turn; the host hears FOLLOWER and lost()); disk write or sync fails
 * (halt: the process stops, nothing is retried); the log is damaged or older than the store
 * (replica_open refuses with FAILURE_CORRUPT: this identity is gone); the whole disk is an older
 * copy of itself (the others know better: halt with FAILURE_SET_BACK, replica_return.c).
 *
 * Host calls come from inside a turn and must not call back into this header, except
 * replica_status. What they want done is done after the turn. */
#ifndef CONTROLLER_REPLICA_H
#define CONTROLLER_REPLICA_H

#include "base/limits.h"
#include "base/result.h"
#include "base/slice.h"
#include "controller/disk.h"
#include "controller/journal.h"

#include <stdbool.h>
#include <stdint.h>

enum replica_role {
    REPLICA_FOLLOWER = 1,
    REPLICA_CANDIDATE = 2,
    REPLICA_ELECTING = 3, /* Won, but its own barrier is not applied yet: serves nothing. */
    REPLICA_LEADING = 4,
    REPLICA_HALTED = 5, /* Disk failed; only replica_close is left. */
};

enum replica_member_role {
    REPLICA_SPARE = 1,   /* Known, gets nothing. */
    REPLICA_STANDBY = 2, /* Follows, does not count. */
    REPLICA_VOTER = 3,
};

enum { REPLICA_OUTSTANDING = 2 }; /* Entries submitted and not yet applied; more is FAILURE_BUSY. */

struct replica_member {
    uint64_t id;
    char address[LIMIT_ADDRESS];
    enum replica_member_role role;
    uint64_t match;    /* Leader only: the newest index it is known to hold. */
    uint64_t heard_ms; /* Since anything came from it; UINT64_MAX: never. */
};

struct replica_status {
    enum replica_role role;
    uint64_t term;
    uint64_t leader; /* 0: unknown. */
    uint64_t commit;
    uint64_t applied; /* Also counts barriers and membership changes. */
    uint64_t first;   /* Of the log on disk. */
    uint64_t last;
    uint64_t snapshot;     /* Index of the newest snapshot; 0: none. */
    uint32_t fill_percent; /* Of the log's segments. */
    bool room;             /* An ordinary entry of the largest size fits. */
    bool room_reserved;    /* A reserved one does. */
    bool changing;         /* A membership change or transfer is under way. */
    bool torn;             /* Opening cut a tail that was never synced. */
    uint64_t reopened;     /* Times the library's object was dropped and reopened. */
    uint32_t member_count; /* 0: this replica has not been added anywhere yet. */
    struct replica_member members[LIMIT_CONTROLLERS];
};

struct replica_host {
    void *context;
    /* Hands bytes to the link; may drop them. The bytes live until it returns. */
    void (*send)(void *context, uint64_t peer, struct slice message);
    /* A committed command entry, in order, each index once per store: indexes up to
     * conf.restored_index are skipped. ticket: of replica_submit, or 0. Must not fail. */
    void (*apply)(
        void *context, uint64_t index, uint64_t term, uint64_t ticket, struct slice entry);
    void (*role)(void *context, enum replica_role role, uint64_t term);
    void (*lost)(void *context, uint64_t ticket);
    /* The log should shrink: make a durable snapshot of exactly the state after apply of every
     * command ≤ index, within a fraction of LIMIT_ELECTION_MS (a leader that is silent for longer
     * is voted out). FAILURE_BUSY: not now. Keep
     * `index` as the index of the stored rows. The manifest (≤ 96 KiB) lives until the turn ends.
     */
    RESULT (*snapshot_take)(void *context, uint64_t index, struct slice *manifest_out);
    /* The whole state becomes this snapshot's. Its files are here and verified. A failure halts. */
    RESULT (*snapshot_restore)(void *context, uint64_t index, struct slice manifest);
    /* A peer offers this snapshot. True: its files are here and verified, install it. False: they
     * are being fetched; the offer is dropped and comes again. */
    bool (*snapshot_ready)(void *context, uint64_t peer, uint64_t index, struct slice manifest);
    /* The log keeps everything above this: the newest index that the store has flushed. */
    uint64_t (*flushed_index)(void *context);
    /* Disk write or sync failed, or memory ran out: the process must stop. The daemon does not
     * return from it; the simulator does, and the replica is then HALTED. */
    void (*halt)(void *context, struct result why);
};

struct replica_conf {
    uint64_t self;           /* controller_id; never 0, never reused after a loss. */
    const char *address;     /* Copied. */
    uint64_t seed;           /* Of election jitter, and of a new journal. */
    uint64_t restored_index; /* Applied index stored with the rows; 0: an empty store. */
    uint32_t segment_bytes;  /* 0: REPLICA_SEGMENT_BYTES. */
    uint32_t segment_count;  /* 0: REPLICA_SEGMENT_COUNT. */
    uint32_t entry_max;      /* 0: LIMIT_ENTRY. */
    uint32_t snapshot_every; /* Entries between snapshots; 0: REPLICA_SNAPSHOT_EVERY. */
    uint32_t message_max;    /* Bytes of a message with entries; 0: what a frame holds. */
    uint32_t snapshot_keep;  /* Entries kept behind a snapshot for laggards; 0: a quarter of it. */
    bool returns;            /* At the start the others are asked whether we were further once. */
    struct journal_fault *fault; /* The caller's: filled when the log is damaged. NULL is fine. */
};

enum {
    REPLICA_SEGMENT_BYTES = 8 * 1024 * 1024,
    REPLICA_SEGMENT_COUNT = 8,
    REPLICA_SNAPSHOT_EVERY = 8192,
};

struct replica;

/* Makes the log of a replica that begins a cell: the voters are exactly `members` (self is among
 * them; role, match and heard_ms are ignored). FAILURE_EXISTS: there is a log already. */
RESULT replica_bootstrap(
    struct disk disk,
    const struct replica_conf *conf,
    const struct replica_member *members,
    uint32_t member_count);
/* Makes the log of a replica that will be added to a running cell. */
RESULT replica_create(struct disk disk, const struct replica_conf *conf);
/* Starts from the log. snapshot_restore is called inside when the log's snapshot is newer than
 * restored_index; a lone voter even leads and applies inside, before *out is set.
 * FAILURE_NOT_FOUND: neither of the above was called on this disk. */
RESULT replica_open(
    struct disk disk,
    const struct replica_conf *conf,
    const struct replica_host *host,
    uint64_t now_ms,
    struct replica **out);
void replica_close(struct replica *replica); /* NULL is fine. */

/* now_ms: CLOCK_BOOTTIME or virtual. After a stall, give what was received before the tick. */
void replica_tick(struct replica *replica, uint64_t now_ms);
/* `peer` is the authenticated sender. FAILURE_BAD_INPUT: end that peer. */
RESULT replica_receive(
    struct replica *replica, uint64_t now_ms, uint64_t peer, struct slice message);

/* One entry of commands. FAILURE_NOT_LEADER (also while ELECTING), FAILURE_BUSY (outstanding, or
 * leadership is being handed over), FAILURE_FULL (no room in this class), FAILURE_BAD_INPUT (empty
 * or larger than entry_max). ticket_out is set before apply or lost can be called with it. */
RESULT replica_submit(
    struct replica *replica,
    uint64_t now_ms,
    struct slice entry,
    bool reserved,
    uint64_t *ticket_out);

/* Membership, one change at a time; only while LEADING and every other voter was heard lately.
 * FAILURE_NOT_LEADER, FAILURE_BUSY, FAILURE_FULL, FAILURE_EXISTS / FAILURE_NOT_FOUND,
 * FAILURE_DENIED (never the leader itself; never the last voter). The outcome shows in the status:
 * a member that was added climbs from SPARE over STANDBY to VOTER by itself. */
RESULT replica_add(struct replica *replica, uint64_t now_ms, uint64_t id, const char *address);
RESULT replica_remove(struct replica *replica, uint64_t now_ms, uint64_t id);
/* peer 0: the voter that is furthest along. */
RESULT replica_transfer(struct replica *replica, uint64_t now_ms, uint64_t peer);

void replica_status(const struct replica *replica, struct replica_status *status_out);

#endif
