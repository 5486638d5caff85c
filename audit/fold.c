/* Decides which refusals are one leaf. Never decides what is refused, never posts. */
#include "audit/fold.h"

#include "base/check.h"

#include <string.h>

enum { SECOND_MS = 1000 };

static bool same_key(const struct fold_key *a, const struct fold_key *b)
{
    CHECK(a->operation[FOLD_WORD - 1] == '\0');
    return a->door == b->door && a->actor_kind == b->actor_kind && a->actor == b->actor &&
           a->reject == b->reject && strncmp(a->operation, b->operation, FOLD_WORD) == 0;
}

static struct fold_row *find(struct fold *fold, const struct fold_key *key, uint64_t now_ms)
{
    CHECK(fold->count <= FOLD_ROWS);
    for (uint32_t i = 0; i < fold->count; i++) {
        struct fold_row *row = &fold->rows[i];
        if (row->first_ms / SECOND_MS == now_ms / SECOND_MS && same_key(&row->key, key)) {
            return row;
        }
    }
    return NULL;
}

/* Counts never wrap: a number that large only has to stay large. */
static void count_in(struct fold_row *row, const struct fold_row *more)
{
    CHECK(more->count > 0);
    if (row->count == 0) {
        *row = *more;
        return;
    }
    row->first_ms = more->first_ms < row->first_ms ? more->first_ms : row->first_ms;
    row->last_ms = more->last_ms > row->last_ms ? more->last_ms : row->last_ms;
    if (__builtin_add_overflow(row->count, more->count, &row->count)) {
        row->count = UINT64_MAX;
    }
    CHECK(row->first_ms <= row->last_ms);
}

void fold_return(struct fold *fold, const struct fold_row *row)
{
    CHECK(row->count > 0);
    CHECK(row->first_ms <= row->last_ms);
    if (row->overflow) {
        count_in(&fold->overflow, row);
        return;
    }
    struct fold_row *like = find(fold, &row->key, row->first_ms);
    if (like != NULL) {
        count_in(like, row);
    } else if (fold->count < FOLD_ROWS) {
        fold->rows[fold->count++] = *row;
    } else {
        struct fold_row past = *row; /* INV-AUD-5 */
        past.key = (struct fold_key){ 0 };
        past.overflow = true;
        count_in(&fold->overflow, &past);
    }
}

void fold_add(
    struct fold *fold,
    const struct fold_key *key,
    uint64_t now_ms,
    const uint8_t sample[static AUDIT_HASH])
{
    CHECK(key->reject != 0);
    CHECK(key->operation[FOLD_WORD - 1] == '\0');
    struct fold_row one = { .key = *key, .first_ms = now_ms, .last_ms = now_ms, .count = 1 };
    memcpy(one.sample, sample, AUDIT_HASH);
    fold_return(fold, &one);
}

/* Another second is a second over, also when the clock was set back: nothing waits for years. */
static bool second_over(const struct fold_row *row, uint64_t now_ms)
{
    CHECK(row->count > 0);
    return row->first_ms / SECOND_MS != now_ms / SECOND_MS;
}

bool fold_take(struct fold *fold, uint64_t now_ms, struct fold_row *row_out)
{
    CHECK(fold->count <= FOLD_ROWS);
    CHECK(row_out != NULL);
    for (uint32_t i = 0; i < fold->count; i++) {
        if (second_over(&fold->rows[i], now_ms)) {
            *row_out = fold->rows[i];
            fold->count--;
            size_t after = (size_t)(fold->count - i) * sizeof(fold->rows[0]);
            memmove(&fold->rows[i], &fold->rows[i + 1], after);
            return true;
        }
    }
    bool due = fold->overflow.count > 0 && second_over(&fold->overflow, now_ms);
    if (due) {
        *row_out = fold->overflow;
        fold->overflow = (struct fold_row){ .count = 0 };
    }
    return due;
}
