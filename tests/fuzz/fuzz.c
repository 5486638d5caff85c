/* Decides how inputs are taken apart and how a finding ends a run. Never looks at a decoder. */
#include "tests/fuzz/fuzz.h"

#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

void (*fuzz_on_finding)(void);
void (*fuzz_leave)(void);

_Noreturn void fuzz_found(const char *what, const char *file, int line)
{
    (void)fprintf(stderr, "found: %s:%d: %s\n", file, line, what);
    if (fuzz_on_finding != NULL) {
        fuzz_on_finding();
    }
    abort();
}

bool fuzz_part_next(struct slice *rest, struct fuzz_part *part_out)
{
    if (rest->size < 3) {
        return false;
    }
    size_t size = (size_t)rest->data[1] | (size_t)rest->data[2] << 8;
    size_t left = rest->size - 3;
    size = size < left ? size : left;
    part_out->kind = rest->data[0];
    part_out->bytes = slice_of(rest->data + 3, size);
    *rest = slice_of(rest->data + 3 + size, left - size);
    return true;
}

bool fuzz_part_put(uint8_t *room, size_t size, size_t *used, uint8_t kind, struct slice bytes)
{
    if (bytes.size > FUZZ_PART_MAX || size - *used < bytes.size + 3) {
        return false;
    }
    uint8_t *at = room + *used;
    at[0] = kind;
    at[1] = (uint8_t)bytes.size;
    at[2] = (uint8_t)(bytes.size >> 8);
    if (bytes.size > 0) {
        memcpy(at + 3, bytes.data, bytes.size);
    }
    *used += bytes.size + 3;
    return true;
}

size_t fuzz_one_text(uint8_t kind, const char *text, uint8_t room[static FUZZ_INPUT_MAX])
{
    size_t used = 0;
    return fuzz_part_put(room, FUZZ_INPUT_MAX, &used, kind, slice_text(text)) ? used : 0;
}

uint8_t *fuzz_copy(struct slice bytes)
{
    uint8_t *copy = malloc(bytes.size + (bytes.size == 0 ? 1 : 0));
    CHECK(copy != NULL);
    if (bytes.size > 0) {
        memcpy(copy, bytes.data, bytes.size);
    }
    return copy;
}

char *fuzz_text(struct slice bytes)
{
    char *text = malloc(bytes.size + 1);
    CHECK(text != NULL);
    if (bytes.size > 0) {
        memcpy(text, bytes.data, bytes.size);
    }
    text[bytes.size] = '\0';
    return text;
}

void *fuzz_pages(uint32_t which, size_t size)
{
    static void *pages[FUZZ_PAGES];
    static size_t sizes[FUZZ_PAGES];
    CHECK(which < FUZZ_PAGES);
    if (pages[which] == NULL) {
        pages[which] = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        sizes[which] = size;
        CHECK(pages[which] != MAP_FAILED);
    }
    CHECK(sizes[which] == size);
    int code = madvise(pages[which], size, MADV_DONTNEED);
    CHECK(code == 0);
    return pages[which];
}

uint64_t fuzz_number(struct slice bytes, size_t at, size_t size)
{
    uint64_t number = 0;
    for (size_t i = 0; i < size && at + i < bytes.size; i++) {
        number |= (uint64_t)bytes.data[at + i] << 8 * i;
    }
    return number;
}
