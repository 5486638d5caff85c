/* What every target of tests/fuzz shares: how an oracle says that it found something, the inputs
 * that are made of several parts, and where first inputs come from. Decides nothing about a
 * decoder.
 *
 * A target is one LLVMFuzzerTestOneInput and, if it can, fuzz_seed. clang links it with libFuzzer
 * (and mutate.c), gcc with replay.c, so the same oracle sees the kept corpus in every test run. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include "base/arena.h"
#include "base/slice.h"

#include <protobuf-c/protobuf-c.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An oracle's sentence that is not true. Told apart from a CHECK that failed: a spoiled decoder has
 * to end here. */
_Noreturn void fuzz_found(const char *what, const char *file, int line);
#define MUST(cond) ((cond) ? (void)0 : fuzz_found(#cond, __FILE__, __LINE__))
/* Set by the replayer of a spoiled decoder; NULL: abort. */
extern void (*fuzz_on_finding)(void);
/* Set by a target that has something to take away, also after a finding that was wanted. */
extern void (*fuzz_leave)(void);

enum { FUZZ_INPUT_MAX = 64 * 1024, FUZZ_PARTS_MAX = 64, FUZZ_PART_MAX = 16 * 1024 };

/* Writes the number-th first input; the bytes used, or 0: there are no more. */
size_t fuzz_seed(uint32_t number, uint8_t room[static FUZZ_INPUT_MAX]);

/* An input in parts: kind (1 byte), size (2 bytes, little-endian), bytes; again and again. What is
 * cut short is the rest of it. */
struct fuzz_part {
    uint8_t kind;
    struct slice bytes;
};
bool fuzz_part_next(struct slice *rest, struct fuzz_part *part_out);
/* Appends a part; false: no room. */
bool fuzz_part_put(uint8_t *room, size_t size, size_t *used, uint8_t kind, struct slice bytes);
/* An input of one part, a text; the bytes used. For first inputs. */
size_t fuzz_one_text(uint8_t kind, const char *text, uint8_t room[static FUZZ_INPUT_MAX]);
/* The message that parts of this kind hold; NULL: they are no message. Of targets made of parts. */
const ProtobufCMessageDescriptor *fuzz_type(uint8_t kind);

/* A copy of just this size, so that a sanitizer sees who reads beyond. Freed by the caller. */
uint8_t *fuzz_copy(struct slice bytes);
/* The same with a zero behind it: what C calls a string. */
char *fuzz_text(struct slice bytes);

/* Zero pages, no more of them than are touched; each `which` is one place of one size. */
enum { FUZZ_PAGES = 6 };
void *fuzz_pages(uint32_t which, size_t size);
/* Little-endian; what is missing is zero. */
uint64_t fuzz_number(struct slice bytes, size_t at, size_t size);

#endif
