/* Moments of the simulated store. A row is an immutable, counted block, so that a flush and a
 * checkpoint copy pointers only. */
#ifndef TESTS_SIM_SIM_IMAGE_H
#define TESTS_SIM_SIM_IMAGE_H

#include "audit/sha256.h"
#include "base/slice.h"

enum { SIM_IMAGE_ROWS = 1 << 20 };

struct sim_row {
    uint32_t references;
    uint64_t hash; /* Of key and value. */
    uint32_t key_size;
    uint32_t value_size;
    uint8_t bytes[]; /* Key, then value. */
};

/* A moment: rows ascending by key. */
struct sim_image {
    uint64_t index;
    uint32_t count;
    uint32_t capacity;
    struct sim_row **rows; /* Owned, and one reference to each row. */
};

/* The simulator does not simulate its own memory: NULL ends it. */
void *sim_must(void *memory);

/* One reference, the caller's. */
struct sim_row *sim_row_make(struct slice key, struct slice value);
void sim_row_drop(struct sim_row *row);
struct slice sim_row_key(const struct sim_row *row);
struct slice sim_row_value(const struct sim_row *row);

void sim_image_clear(struct sim_image *image); /* The index stays. */
void sim_image_free(struct sim_image *image);
void sim_image_copy(struct sim_image *to, const struct sim_image *from);
/* The first row that is not below the key. */
uint32_t sim_image_seek(const struct sim_image *image, struct slice key);
bool sim_image_has(const struct sim_image *image, uint32_t at, struct slice key);
void sim_image_put(struct sim_image *image, struct sim_row *row); /* Takes its own reference. */
void sim_image_delete(struct sim_image *image, struct slice key);
/* What stands for the bytes of a database's files; returns their size. */
uint64_t sim_image_digest(const struct sim_image *image, uint8_t digest_out[static SHA256_SIZE]);

#endif
