/* The lives of what accounts are charged for: from when to when each may have been there, and
 * surely was. Never what it costs, nor whether that was charged. */
#ifndef HISTORY_LIVES_H
#define HISTORY_LIVES_H

#include "tests/history/merge.h"
#include "tests/history/work.h"

struct life {
    uint32_t account;
    uint32_t object;
    enum history_kind kind;
    const uint64_t *amounts;
    uint64_t begins_ns;   /* Not before. */
    uint64_t there_ns;    /* Surely there from here … HISTORY_OPEN: it may never have been. */
    uint64_t doubtful_ns; /* … to here. */
    uint64_t seen_ns;     /* Surely there until here, in no doubt; 0: nobody saw it later. */
    uint64_t gone_ns;     /* Surely gone from here on. */
    uint64_t id;          /* 0: untold. */
};

struct lives {
    struct life *all; /* Owned; by account, kind, object and begin. */
    size_t count;
};

/* Spends of the work what it looks at; when that is spent, what it says means nothing. */
void lives_begin(
    const struct history *history,
    const struct merge *merge,
    struct work *work,
    struct lives *lives_out);
void lives_end(struct lives *lives);
/* The account's first; they stand together. */
size_t lives_of(const struct lives *lives, uint32_t account);
bool lives_same_name(const struct life *a, const struct life *b);

#endif
