/* What journal.c, journal_scan.c and journal_write.c share. Nobody else includes it. */
#ifndef CONTROLLER_JOURNAL_INNER_H
#define CONTROLLER_JOURNAL_INNER_H

#include "base/arena.h"
#include "controller/journal.h"
#include "controller/journal_record.h"

#define NOT_READ_BACK "what was on the disk does not read back"
#define SHORTER       "the file is shorter than it was made"

enum { JOURNAL_PAYLOAD_EXTRA = 2048 }; /* Of a record around its entry or manifest. */

struct journal_segment {
    int handle;     /* Of the disk; -1 when not open. */
    uint64_t epoch; /* 0: no live records in it. */
    uint64_t base;  /* Index that the next entry had when the segment began. */
};

/* Where an entry lies. Ring, by index modulo place_count. */
struct journal_place {
    uint64_t index; /* 0: empty. */
    uint64_t term;
    uint32_t offset;
    uint32_t size; /* Of the payload that the caller gave. */
    uint8_t segment;
    uint8_t type;
};

struct journal {
    struct disk disk;
    struct journal_conf conf;
    struct journal_state state;
    uint64_t id; /* Given at creation, in every header. */
    struct journal_segment segments[JOURNAL_SEGMENTS_MAX];
    uint32_t current;
    uint64_t oldest; /* Epoch of the oldest segment that is still needed. */
    uint64_t end;    /* Where the next record goes in the current segment. */
    uint64_t synced; /* Durable up to here in the current segment. */
    uint64_t chain;
    bool broken;                  /* A write or sync failed; nothing works any more. */
    struct journal_place *places; /* Owned. */
    uint64_t place_count;         /* As many as the segments can hold, within the limit. */
    uint8_t *manifest;            /* Owned; of state.snapshot. */
    uint8_t *room;                /* Owned; one record. */
    size_t room_size;
    struct arena arena; /* Owned memory; one decoded record. */
};

/* "journal-3" or "journal-3.new". */
void journal_name(char out[static 32], uint32_t slot, bool fresh);
struct journal_place *journal_place_of(const struct journal *journal, uint64_t index);
struct journal_segment *journal_current(struct journal *journal);
uint32_t journal_free_segments(const struct journal *journal);

/* FAILURE_CORRUPT, with the place for whoever opens. slot JOURNAL_SEGMENTS_MAX: of no one file. The
 * first fault that is found is kept. */
struct result journal_damaged(
    struct journal *journal, uint32_t slot, uint64_t offset, const char *what);

/* Takes over a snapshot's fields and a copy of its manifest. */
void journal_keep_snapshot(struct journal *journal, const struct journal_snapshot *snapshot);
/* Moves `oldest` up to the newest segment from which [first, last] can still be rebuilt. */
void journal_release(struct journal *journal);

/* Writes one record in this class, opening a new segment if need be. offset_out may be NULL. */
RESULT journal_write(
    struct journal *journal,
    enum journal_class class,
    Wire__JournalRecord *record,
    uint32_t *offset_out);
/* Writes the first record of segment `slot` with epoch `epoch` and makes it the current one. */
RESULT journal_begin_segment(
    struct journal *journal, uint32_t slot, uint64_t epoch, uint64_t previous_end);

/* Reads all segments and rebuilds everything that lives in memory. */
RESULT journal_scan(struct journal *journal);

#endif
