/* A toy cell that keeps its word, for tests of the checkers: objects, one list of all that was
 * done, one account; clients whose requests overlap, get lost, and are done late. Can be told to
 * lie once. Decides nothing; every choice comes from the seed. */
#ifndef HISTORY_TOY_H
#define HISTORY_TOY_H

#include "tests/history/history.h"

enum toy_lie {
    TOY_TRUTH = 0,
    TOY_STALE_READ,    /* A read sees what was there before a write that had returned. */
    TOY_LOST_WRITE,    /* A create is acknowledged and not done. */
    TOY_DOUBLE_APPLY,  /* A start is done twice. */
    TOY_RESURRECTED,   /* What was deleted is there again. */
    TOY_WRONG_REFUSAL, /* A create is refused because there is one, and there is none. */
    TOY_STALE_LIST,    /* A read of the list leaves out the newest. */
    TOY_FORGOTTEN,     /* The list loses an element before the end. */
    TOY_INVENTED,      /* The list has one more at the end. */
    TOY_MISCHARGED,    /* The account is charged for what is not there. */
    TOY_LIES
};

struct toy_size {
    uint32_t clients;
    uint32_t objects;
    uint32_t operations;
    uint32_t lost; /* Requests of a hundred whose answer nobody hears. */
};

/* Adds a whole history, with final reads of everything. */
void toy_play(
    struct history *history, uint64_t seed, const struct toy_size *size, enum toy_lie lie);
const char *toy_lie_name(enum toy_lie lie);

#endif
