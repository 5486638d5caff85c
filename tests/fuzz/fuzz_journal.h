/* What the target of the log and its first inputs share: its shape, and what a part does to it. */
#ifndef TESTS_FUZZ_FUZZ_JOURNAL_H
#define TESTS_FUZZ_FUZZ_JOURNAL_H

#include "tests/fuzz/fuzz.h"

enum { SEGMENTS = 4, SEGMENT_BYTES = 16 * 1024, OWNER = 7 };

/* A part's kind: the segment in the low bits, and what is done to it. */
enum how {
    HOW_RECORD = 0, /* Sealed behind what is there: checksum, chain, offset and epoch as ours. */
    HOW_AGED,       /* The same, and durable before the next record is written. */
    HOW_ODD,        /* Its first 8 bytes change the header, under a checksum that is right. */
    HOW_BYTES,      /* Plain bytes at the offset that the first two say. */
    HOW_SHORT,      /* The file ends where the first two bytes say; at 0 there is none. */
    HOW_SKIP,       /* The next record leaves a gap. */
    HOW_LATER,      /* What follows is written over it while the log is open. */
    HOWS,
};

#endif
