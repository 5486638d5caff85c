/* Which known word was meant by one that is not known: a slip of the fingers or a word cut short.
 * Offers come one by one; the closest wins, the first of equals. */
#ifndef CLI_NEAREST_H
#define CLI_NEAREST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NEAREST_WORD = 32 }; /* The table's longest word has 15 letters. */

struct nearest {
    char word[NEAREST_WORD];
    const char *best; /* One of the offers; NULL while none is close. */
    uint32_t distance;
};

/* A word that is too long to be a slip of ours is close to nothing. */
void nearest_begin(struct nearest *nearest, const char *word, size_t size);
void nearest_offer(struct nearest *nearest, const char *offer);

#endif
