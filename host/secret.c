/* Decides where secrets may live. Never logs one, never copies one into ordinary memory. */
#include "host/secret.h"

#include "base/check.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

RESULT secret_make(size_t size, struct secret *secret_out)
{
    CHECK(size > 0);
    CHECK(size <= 1024 * 1024);
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t room = (size + page - 1) / page * page;
    void *data = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data == MAP_FAILED) {
        return FAIL(FAILURE_NO_SPACE);
    }
    /* INV-SEC-23 */
    if (mlock(data, room) != 0 || madvise(data, room, MADV_DONTDUMP) != 0 ||
        madvise(data, room, MADV_DONTFORK) != 0) {
        (void)munmap(data, room); /* Nothing was in it. */
        return FAIL(FAILURE_NO_SPACE);
    }
    *secret_out = (struct secret){ .data = data, .size = size, .room = room };
    return OK;
}

RESULT secret_copy(struct slice bytes, struct secret *secret_out)
{
    CHECK(bytes.data != NULL);
    TRY(secret_make(bytes.size, secret_out));
    memcpy(secret_out->data, bytes.data, bytes.size);
    return OK;
}

RESULT secret_random(size_t size, struct secret *secret_out)
{
    CHECK(size <= 256); /* Above it getrandom may be interrupted. */
    struct secret made = { 0 };
    TRY(secret_make(size, &made));
    if (getrandom(made.data, size, 0) != (ssize_t)size) {
        secret_free(&made);
        return FAIL(FAILURE_IO);
    }
    *secret_out = made;
    return OK;
}

void secret_free(struct secret *secret)
{
    if (secret->data != NULL) {
        CHECK(secret->size <= secret->room);
        explicit_bzero(secret->data, secret->room);
        int failed = munmap(secret->data, secret->room);
        CHECK(failed == 0);
    }
    *secret = (struct secret){ 0 };
}

bool secret_equal(const struct secret *secret, struct slice bytes)
{
    CHECK(secret->data != NULL);
    if (secret->size != bytes.size) {
        return false;
    }
    unsigned int differences = 0;
    for (size_t i = 0; i < bytes.size; i++) {
        differences |= (unsigned int)(secret->data[i] ^ bytes.data[i]);
    }
    return differences == 0;
}

struct slice secret_slice(const struct secret *secret)
{
    CHECK(secret->data != NULL);
    return slice_of(secret->data, secret->size);
}
