/* Decides when the kernel finds pages for the engine's tables: at start, not in a step. Never looks
 * into them. */
#include "controller/engine_memory.h"

#include "base/check.h"
#include "host/log.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

enum {
    PIECE_BYTES = 2 * 1024 * 1024, /* A large page, so that no other thread waits long. */
    PAUSE_MS = 2,                  /* Nobody hurries: a starting cell has better to do. */
};

static void take(uv_work_t *work)
{
    struct engine_memory *self = work->data;
    while (self->left > 0 && self->failure == 0) {
        size_t piece = self->left < PIECE_BYTES ? self->left : PIECE_BYTES;
        self->failure = madvise(self->at, piece, MADV_POPULATE_WRITE) == 0 ? 0 : errno;
        self->at += piece;
        self->left -= piece;
        uv_sleep(PAUSE_MS);
    }
}

static void taken(uv_work_t *work, int status)
{
    struct engine_memory *self = work->data;
    (void)status;
    self->taking = false;
    if (self->failure != 0) {
        log_line(LOG_LEVEL_WARN, "memory-not-ahead", "why=%s", strerror(self->failure));
    }
}

void *engine_memory_take(struct engine_memory *self, void *old, size_t size)
{
    if (old != NULL) {
        int returned = munmap(old, self->size);
        CHECK(returned == 0);
    }
    self->size = size;
    if (size == 0) {
        return NULL;
    }
    void *fresh = mmap(
        NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (fresh == MAP_FAILED) {
        return NULL;
    }
    int advised = madvise(fresh, size, MADV_HUGEPAGE);
    (void)advised;       /* Names are looked up at random: fewer pages, fewer misses. */
    if (!self->taking) { /* Else an engine came after an engine: its pages come when needed. */
        self->taking = true;
        self->at = fresh;
        self->left = size;
        self->failure = 0;
        self->work.data = self;
        int queued = uv_queue_work(self->loop, &self->work, take, taken);
        CHECK(queued == 0);
    }
    return fresh;
}
