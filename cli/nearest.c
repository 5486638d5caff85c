/* Decides how far two words are from each other: letters left out, put in, taken for another, or
 * two changed places. Never decides what is done about it: nothing is run on a guess. */
#include "cli/nearest.h"

#include "base/check.h"

#include <string.h>

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* Two whole rows and the one before them are enough for changed places. */
static uint32_t distance(const char *from, const char *to)
{
    uint32_t rows[3][NEAREST_WORD] = { { 0 } };
    size_t from_size = strlen(from);
    size_t to_size = strlen(to);
    CHECK(from_size < NEAREST_WORD);
    CHECK(to_size < NEAREST_WORD);
    for (uint32_t j = 0; j <= to_size; j++) {
        rows[0][j] = j;
    }
    for (uint32_t i = 1; i <= from_size; i++) {
        uint32_t *row = rows[i % 3];
        const uint32_t *above = rows[(i + 2) % 3];
        const uint32_t *higher = rows[(i + 1) % 3];
        row[0] = i;
        for (uint32_t j = 1; j <= to_size; j++) {
            uint32_t other = from[i - 1] == to[j - 1] ? 0 : 1;
            row[j] = least(above[j - 1] + other, least(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1]) {
                row[j] = least(row[j], higher[j - 2] + 1);
            }
        }
    }
    return rows[from_size % 3][to_size];
}

void nearest_begin(struct nearest *nearest, const char *word, size_t size)
{
    CHECK(nearest != NULL);
    CHECK(word != NULL);
    memset(nearest, 0, sizeof(*nearest));
    if (size < NEAREST_WORD) {
        memcpy(nearest->word, word, size);
    }
}

void nearest_offer(struct nearest *nearest, const char *offer)
{
    size_t size = strlen(nearest->word);
    CHECK(offer != NULL);
    CHECK(nearest->distance <= 2);
    if (size < 2 || *offer == '\0' || strlen(offer) >= NEAREST_WORD) {
        return; /* One letter is close to everything. */
    }
    bool cut = strncmp(offer, nearest->word, size) == 0;
    uint32_t far = cut ? 1 : distance(nearest->word, offer);
    uint32_t allowed = size < 5 ? 1 : 2;
    if (far <= allowed && (nearest->best == NULL || far < nearest->distance)) {
        nearest->best = offer;
        nearest->distance = far;
    }
}
