/* Decides what a moment of a store is: rows ascending by key, and an index. Never decides when. */
#include "tests/sim/sim_image.h"

#include "base/check.h"
#include "base/hash.h"
#include "controller/store.h"

#include <stdlib.h>
#include <string.h>

void *sim_must(void *memory)
{
    CHECK(memory != NULL); /* The simulator does not simulate its own memory. */
    return memory;
}

struct sim_row *sim_row_make(struct slice key, struct slice value)
{
    CHECK(key.size > 0 && key.size <= STORE_KEY_MAX);
    CHECK(key.data[0] > 0 && value.size <= STORE_VALUE_MAX);
    struct sim_row *row = sim_must(malloc(sizeof(*row) + key.size + value.size));
    row->references = 1;
    row->key_size = (uint32_t)key.size;
    row->value_size = (uint32_t)value.size;
    memcpy(row->bytes, key.data, key.size);
    if (value.size > 0) {
        memcpy(row->bytes + key.size, value.data, value.size);
    }
    const struct hash_key sizes = { key.size, value.size };
    row->hash = hash_bytes(sizes, slice_of(row->bytes, key.size + value.size));
    return row;
}

void sim_row_drop(struct sim_row *row)
{
    CHECK(row->references > 0);
    if (--row->references == 0) {
        free(row);
    }
}

struct slice sim_row_key(const struct sim_row *row)
{
    return slice_of(row->bytes, row->key_size);
}

struct slice sim_row_value(const struct sim_row *row)
{
    return slice_of(row->bytes + row->key_size, row->value_size);
}

void sim_image_clear(struct sim_image *image)
{
    for (uint32_t i = 0; i < image->count; i++) {
        sim_row_drop(image->rows[i]);
    }
    image->count = 0;
}

void sim_image_free(struct sim_image *image)
{
    sim_image_clear(image);
    free(image->rows);
    *image = (struct sim_image){ .index = 0 };
}

void sim_image_copy(struct sim_image *to, const struct sim_image *from)
{
    CHECK(to != from);
    sim_image_free(to);
    to->index = from->index;
    to->count = from->count;
    to->capacity = from->count;
    to->rows = sim_must(calloc((size_t)from->count + 1, sizeof(struct sim_row *)));
    for (uint32_t i = 0; i < from->count; i++) {
        to->rows[i] = from->rows[i];
        to->rows[i]->references++;
    }
}

/* The first row that is not below the key. */
uint32_t sim_image_seek(const struct sim_image *image, struct slice key)
{
    uint32_t low = 0;
    uint32_t high = image->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (slice_compare(sim_row_key(image->rows[middle]), key) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    CHECK(low <= image->count);
    return low;
}

bool sim_image_has(const struct sim_image *image, uint32_t at, struct slice key)
{
    return at < image->count && slice_equal(sim_row_key(image->rows[at]), key);
}

void sim_image_put(struct sim_image *image, struct sim_row *row)
{
    uint32_t at = sim_image_seek(image, sim_row_key(row));
    row->references++;
    if (sim_image_has(image, at, sim_row_key(row))) {
        sim_row_drop(image->rows[at]);
        image->rows[at] = row;
        return;
    }
    CHECK(image->count < SIM_IMAGE_ROWS);
    if (image->count == image->capacity) {
        image->capacity = image->capacity * 2 + 16;
        image->rows = sim_must(realloc(image->rows, image->capacity * sizeof(struct sim_row *)));
    }
    memmove(
        &image->rows[at + 1],
        &image->rows[at],
        (size_t)(image->count - at) * sizeof(struct sim_row *));
    image->rows[at] = row;
    image->count++;
}

void sim_image_delete(struct sim_image *image, struct slice key)
{
    uint32_t at = sim_image_seek(image, key);
    if (!sim_image_has(image, at, key)) {
        return;
    }
    sim_row_drop(image->rows[at]);
    image->count--;
    memmove(
        &image->rows[at],
        &image->rows[at + 1],
        (size_t)(image->count - at) * sizeof(struct sim_row *));
}

/* What stands for the bytes of the files: the index, then every row with its sizes. Four keyed
 * hashes of them: nobody forges files in here, and SHA-256 would be a tenth of a seed's time. */
uint64_t sim_image_digest(const struct sim_image *image, uint8_t digest_out[static SHA256_SIZE])
{
    uint64_t sums[SHA256_SIZE / sizeof(uint64_t)] = { image->index };
    uint64_t size = sizeof(image->index);
    for (uint32_t i = 0; i < image->count; i++) {
        const struct sim_row *row = image->rows[i];
        for (size_t k = 0; k < COUNT_OF(sums); k++) {
            sums[k] = (sums[k] ^ (row->hash + k)) * UINT64_C(0x9e3779b97f4a7c15);
            sums[k] ^= sums[k] >> 29;
        }
        size += 2 * sizeof(uint32_t) + row->key_size + row->value_size;
    }
    memcpy(digest_out, sums, sizeof(sums));
    CHECK(size >= sizeof(image->index));
    return size;
}
