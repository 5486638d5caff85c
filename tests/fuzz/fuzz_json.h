/* What the JSON target and its first inputs share: the kinds of parts. */
#ifndef TESTS_FUZZ_FUZZ_JSON_H
#define TESTS_FUZZ_FUZZ_JSON_H

#include "tests/fuzz/fuzz.h"

enum kind { KIND_TREE, KIND_BODY, KIND_BATCH, KINDS };

/* A body's first byte is its route, the second how it is read: with little memory, with a secret,
 * with a name that the path gave. */
enum how { HOW_SMALL = 1, HOW_SECRET = 2, HOW_GIVEN = 4 };

#endif
