/* Decides where a simulated process keeps its memory: where its last life had it, since a page that
 * the system must fetch costs ten times what it costs to clear one. Never decides what is in it. */
#include "tests/sim/sim_pages.h"

#include "base/check.h"

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

enum { PAGE = 4096, LOOK_PAGES = 4096 };

/* Pages that are there are cleared; the others are given back, should one be out on swap. */
static void clear(uint8_t *at, size_t size)
{
    unsigned char there[LOOK_PAGES];
    size_t pages = size / PAGE;
    CHECK(size % PAGE == 0 && pages <= LOOK_PAGES);
    CHECK(mincore(at, size, there) == 0);
    for (size_t from = 0, to = 0; from < pages; from = to) {
        for (to = from; to < pages && (there[to] & 1) == (there[from] & 1); to++) {
        }
        if ((there[from] & 1) != 0) {
            memset(at + from * PAGE, 0, (to - from) * PAGE);
        } else {
            CHECK(madvise(at + from * PAGE, (to - from) * PAGE, MADV_DONTNEED) == 0);
        }
    }
}

void *sim_pages_fresh(struct sim_pages *pages, size_t size)
{
    size = (size + PAGE - 1) / PAGE * PAGE;
    if (pages->size != size) {
        sim_pages_end(pages);
        pages->at = mmap(
            NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        CHECK(pages->at != MAP_FAILED);
        pages->size = size;
        return pages->at;
    }
    for (size_t at = 0; at < size; at += LOOK_PAGES * PAGE) {
        size_t rest = size - at;
        clear((uint8_t *)pages->at + at, rest < LOOK_PAGES * PAGE ? rest : LOOK_PAGES * PAGE);
    }
    return pages->at;
}

void sim_pages_end(struct sim_pages *pages)
{
    if (pages->at != NULL) {
        CHECK(munmap(pages->at, pages->size) == 0);
    }
    *pages = (struct sim_pages){ .at = NULL };
}
