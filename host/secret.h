/* Bytes that must not be seen: in pages of their own, locked, left out of dumps and forks, wiped
 * when freed. Everything secret lives in one of these, and only in keys and udatsu-setup. */
#ifndef HOST_SECRET_H
#define HOST_SECRET_H

#include "base/result.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct secret {
    uint8_t *data; /* Owned; NULL when empty. */
    size_t size;   /* What is used. */
    size_t room;   /* What was mapped. */
};

/* `size` zeroed bytes. FAILURE_NO_SPACE: the kernel gives no locked memory. */
RESULT secret_make(size_t size, struct secret *secret_out);
RESULT secret_copy(struct slice bytes, struct secret *secret_out);
RESULT secret_random(size_t size, struct secret *secret_out);
/* Accepts an empty one; empties it. */
void secret_free(struct secret *secret);
/* In time that depends on the sizes only. */
bool secret_equal(const struct secret *secret, struct slice bytes);
struct slice secret_slice(const struct secret *secret);

#endif
