/* The durable log of consensus: term, vote, entries and the snapshot's manifest in preallocated
 * segments that are recycled. Decides what is durable, what a broken tail is, and whether there is
 * room. Never decides what an entry means, never talks to the network, never deletes a file.
 *
 * Every record carries checksum, epoch of its segment, offset and the checksum of the record
 * before it. A tail that was never synced and did not survive is cut (state.torn); damage to what
 * was synced is FAILURE_CORRUPT: this replica is lost, it comes back with a new identity.
 *
 * After any failure but FAILURE_FULL of a call that writes, the journal is unusable: the process
 * stops (rule 11 of the adapter). Room is asked for before anything is queued, so FAILURE_FULL is
 * the answer of a caller that did not ask. */
#ifndef CONTROLLER_JOURNAL_H
#define CONTROLLER_JOURNAL_H

#include "base/limits.h"
#include "base/result.h"
#include "base/slice.h"
#include "controller/disk.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    JOURNAL_SEGMENTS_MAX = 16,
    JOURNAL_SEGMENTS_MIN = 4,         /* One in use, one for each class of room. */
    JOURNAL_SEGMENT_MIN = 16 * 1024,  /* Of the simulator; daemons take megabytes. */
    JOURNAL_MANIFEST_MAX = 96 * 1024, /* A snapshot's manifest: some 1,000 files; fits a frame. */
    JOURNAL_ENTRIES_MAX = 256 * 1024, /* Entries between two snapshots, in memory 32 bytes each. */
};

/* Numbers are those of the log on disk. */
enum journal_type {
    JOURNAL_COMMAND = 1,
    JOURNAL_BARRIER = 2,
    JOURNAL_CHANGE = 3,
};

/* Who may use the last segments. */
enum journal_class {
    JOURNAL_NORMAL = 1,
    JOURNAL_RESERVED = 2, /* Delete, revoke, membership: they still fit when NORMAL is refused. */
    JOURNAL_INNER = 3,    /* Term, vote, truncate, barrier, snapshot: never refused before them. */
};

/* Where a log is not what was written. */
struct journal_fault {
    char file[32];    /* "": it is not one file's. */
    uint64_t offset;  /* Bytes into the file. */
    uint64_t index;   /* The last entry that reads before it; 0: none does. */
    const char *what; /* Fixed words; NULL: nothing was found. */
};

struct journal_conf {
    uint64_t owner;         /* The replica's id; another replica's journal is FAILURE_CORRUPT. */
    uint32_t segment_bytes; /* A multiple of 4096. */
    uint32_t segment_count;
    uint32_t entry_max;          /* Largest entry in bytes; ≤ LIMIT_ENTRY. */
    struct journal_fault *fault; /* The caller's: filled with FAILURE_CORRUPT. NULL: not asked. */
};

struct journal_member {
    uint64_t id;
    int role; /* The consensus library's own number. */
    char address[LIMIT_ADDRESS];
};

struct journal_snapshot {
    uint64_t index;
    uint64_t term;
    uint64_t members_index; /* Where that configuration was committed. */
    uint32_t member_count;
    struct journal_member members[LIMIT_CONTROLLERS];
    struct slice manifest; /* Inside the journal: valid until the next snapshot. */
};

struct journal_state {
    uint64_t term;
    uint64_t vote;  /* 0: none in this term. */
    uint64_t first; /* Index of the first entry kept. */
    uint64_t last;  /* first - 1 when there is none. */
    uint64_t size;  /* Bytes of payload kept in [first, last]. */
    bool torn;      /* Opening cut a tail that had not been synced. */
    bool snapshot_present;
    struct journal_snapshot snapshot; /* Zero unless present. */
};

struct journal_entry {
    uint64_t index;
    uint64_t term;
    enum journal_type type;
    struct slice bytes;
};

struct journal;

/* Makes all segments; `seed` is a number that no other journal had. FAILURE_EXISTS if there is a
 * journal already. An interrupted creation counts as none. */
RESULT journal_create(struct disk disk, const struct journal_conf *conf, uint64_t seed);
/* FAILURE_NOT_FOUND: never created. FAILURE_CORRUPT: see above. */
RESULT journal_open(struct disk disk, const struct journal_conf *conf, struct journal **out);
void journal_close(struct journal *journal); /* NULL is fine. */

const struct journal_state *journal_state(const struct journal *journal);
/* False outside [first, last]. type_out may be NULL. */
bool journal_entry_at(
    const struct journal *journal, uint64_t index, uint64_t *term_out, enum journal_type *type_out);
/* Reads and verifies one entry. The bytes live until the next call on this journal. */
RESULT journal_read(struct journal *journal, uint64_t index, struct journal_entry *entry_out);

/* Would `count` more entries of these sizes fit, one after the other, in this class? */
bool journal_fits(
    const struct journal *journal, enum journal_class class, const uint32_t *sizes, uint32_t count);
/* Percent of the segments in use: the replica asks for a snapshot as it rises. */
uint32_t journal_fill(const struct journal *journal);

/* Durable on return. set_term resets the vote in the same write; the term never goes back. */
RESULT journal_set_term(struct journal *journal, uint64_t term);
RESULT journal_set_vote(struct journal *journal, uint64_t vote);
/* Durable after journal_sync. An entry's index is last + 1. Class INNER is for barriers and for
 * what a leader already holds. */
RESULT journal_append(
    struct journal *journal, enum journal_class class, const struct journal_entry *entry);
RESULT journal_truncate(struct journal *journal, uint64_t from); /* Drops indexes ≥ from. */
RESULT journal_sync(struct journal *journal);                    /* Nothing to do is OK at once. */
/* Durable on return: old or new after a crash, never a mix. Entries below `first` go. With
 * first = snapshot.index + 1 and `whole`, the entire log goes (an installed snapshot). */
RESULT journal_put_snapshot(
    struct journal *journal, const struct journal_snapshot *snapshot, uint64_t first, bool whole);

#endif
