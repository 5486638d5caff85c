/* Decides whether an amount fits under every cap on the way up, and books movements.
 * Never knows what the amounts are for, never expires anything, never forgets a movement. */
#include "quota/ledger.h"

#include "base/check.h"

#include <string.h>

enum place { PLACE_AVAILABLE = 1, PLACE_HELD = 2, PLACE_USED = 3 };

static bool checked_add(uint64_t a, uint64_t b, uint64_t *sum_out)
{
    return !__builtin_add_overflow(a, b, sum_out);
}

const char *quota_dimension_name(enum quota_dimension dimension)
{
    static const char *const names[] = {
        [QUOTA_VCPUS] = "vcpus",
        [QUOTA_MEMORY_BYTES] = "memory_bytes",
        [QUOTA_INSTANCES] = "instances",
        [QUOTA_NETWORKS] = "networks",
    };
    _Static_assert(COUNT_OF(names) == QUOTA_DIMENSIONS, "every dimension has its name");
    CHECK(dimension < QUOTA_DIMENSIONS);
    return names[dimension];
}

/* INV-LED-1: what left "available" is exactly what is held or used. Unsigned columns whose sum
 * neither wraps nor differs from the counter-entry are also never negative. */
static bool account_balanced(const struct quota_account *account)
{
    for (uint32_t d = 0; d < QUOTA_DIMENSIONS; d++) {
        uint64_t sum = 0;
        if (!checked_add(account->used.of[d], account->held.of[d], &sum) ||
            sum != account->drawn.of[d]) {
            return false;
        }
    }
    return true;
}

/* INV-LED-5, for one child: a parent has at least what each of its children has. */
static bool account_covered(const struct quota_account *account)
{
    const struct quota_account *parent = account->parent;
    if (parent == NULL) {
        return true;
    }
    for (uint32_t d = 0; d < QUOTA_DIMENSIONS; d++) {
        if (parent->used.of[d] < account->used.of[d] || parent->held.of[d] < account->held.of[d]) {
            return false;
        }
    }
    return true;
}

void ledger_open(struct quota_account *account, uint64_t holder, struct quota_account *parent)
{
    CHECK(holder != 0);
    CHECK(parent != account);
    memset(account, 0, sizeof *account);
    account->holder = holder;
    account->parent = parent;
    for (uint32_t d = 0; d < QUOTA_DIMENSIONS; d++) {
        account->cap.of[d] = QUOTA_UNLIMITED;
    }
}

void ledger_restore(
    struct quota_account *account,
    const struct quota_amounts *used,
    const struct quota_amounts *held)
{
    CHECK(account->holder != 0);
    CHECK(ledger_empty(account));
    for (uint32_t d = 0; d < QUOTA_DIMENSIONS; d++) {
        uint64_t drawn = 0;
        CHECK(checked_add(used->of[d], held->of[d], &drawn)); /* Our own row wrote it. */
        account->used.of[d] = used->of[d];
        account->held.of[d] = held->of[d];
        account->drawn.of[d] = drawn;
    }
    CHECK(account_balanced(account)); /* INV-LED-1 */
}

/* Does the amount fit under this one account's caps? */
static enum reject account_fits(
    const struct quota_account *account,
    const struct quota_amounts *amounts,
    struct quota_refusal *refusal_out)
{
    CHECK(account_balanced(account)); /* INV-LED-1 */
    for (uint32_t d = 0; d < QUOTA_DIMENSIONS; d++) {
        if (amounts->of[d] == 0) {
            continue;
        }
        uint64_t after = 0;
        bool fits = checked_add(account->drawn.of[d], amounts->of[d], &after);
        if (!fits || after > account->cap.of[d]) {
            *refusal_out = (struct quota_refusal){
                .dimension = (enum quota_dimension)d,
                .limit = account->cap.of[d],
                .usage = account->drawn.of[d],
                .requested = amounts->of[d],
                .holder = account->holder,
            };
            return REJECT_QUOTA;
        }
    }
    return REJECT_NONE;
}

enum reject ledger_fits(
    const struct quota_account *account,
    const struct quota_amounts *amounts,
    struct quota_refusal *refusal_out)
{
    CHECK(account != NULL);
    uint32_t levels = 0;
    for (const struct quota_account *at = account; at != NULL; at = at->parent) {
        CHECK(++levels <= QUOTA_LEVELS); /* A longer path is a circle. */
        enum reject reject = account_fits(at, amounts, refusal_out);
        if (reject != REJECT_NONE) {
            return reject;
        }
    }
    return REJECT_NONE;
}

/* Takes out of one column and its counter-entry. */
static void account_debit(struct quota_account *account, enum place place, uint32_t d, uint64_t n)
{
    switch (place) {
    case PLACE_AVAILABLE: CHECK(checked_add(account->drawn.of[d], n, &account->drawn.of[d])); break;
    case PLACE_HELD:
        CHECK(account->held.of[d] >= n); /* INV-LED-1 */
        account->held.of[d] -= n;
        break;
    case PLACE_USED:
        CHECK(account->used.of[d] >= n); /* INV-LED-1 */
        account->used.of[d] -= n;
        break;
    }
}

static void account_credit(struct quota_account *account, enum place place, uint32_t d, uint64_t n)
{
    switch (place) {
    case PLACE_AVAILABLE:
        CHECK(account->drawn.of[d] >= n); /* INV-LED-1 */
        account->drawn.of[d] -= n;
        break;
    case PLACE_HELD: CHECK(checked_add(account->held.of[d], n, &account->held.of[d])); break;
    case PLACE_USED: CHECK(checked_add(account->used.of[d], n, &account->used.of[d])); break;
    }
}

/* One movement, from one place to another, at every level. */
static void ledger_move(
    struct quota_account *account,
    const struct quota_amounts *amounts,
    enum place from,
    enum place into)
{
    CHECK(account != NULL);
    CHECK(from != into);
    uint32_t levels = 0;
    for (struct quota_account *at = account; at != NULL; at = at->parent) {
        CHECK(++levels <= QUOTA_LEVELS);
        for (uint32_t d = 0; d < QUOTA_DIMENSIONS; d++) {
            account_debit(at, from, d, amounts->of[d]);
            account_credit(at, into, d, amounts->of[d]);
        }
        CHECK(account_balanced(at)); /* INV-LED-1 */
    }
    for (const struct quota_account *at = account; at != NULL; at = at->parent) {
        CHECK(account_covered(at)); /* INV-LED-5 */
    }
}

enum reject ledger_hold(
    struct quota_account *account,
    const struct quota_amounts *amounts,
    struct quota_refusal *refusal_out)
{
    enum reject reject = ledger_fits(account, amounts, refusal_out);
    if (reject != REJECT_NONE) {
        return reject; /* INV-LED-4: nothing was taken anywhere. */
    }
    ledger_move(account, amounts, PLACE_AVAILABLE, PLACE_HELD);
    for (const struct quota_account *at = account; at != NULL; at = at->parent) {
        for (uint32_t d = 0; d < QUOTA_DIMENSIONS; d++) {
            CHECK(amounts->of[d] == 0 || at->drawn.of[d] <= at->cap.of[d]); /* INV-LED-4 */
        }
    }
    return REJECT_NONE;
}

void ledger_commit(struct quota_account *account, const struct quota_amounts *amounts)
{
    ledger_move(account, amounts, PLACE_HELD, PLACE_USED);
}

void ledger_release_held(struct quota_account *account, const struct quota_amounts *amounts)
{
    ledger_move(account, amounts, PLACE_HELD, PLACE_AVAILABLE);
}

void ledger_release_used(struct quota_account *account, const struct quota_amounts *amounts)
{
    ledger_move(account, amounts, PLACE_USED, PLACE_AVAILABLE);
}

bool ledger_empty(const struct quota_account *account)
{
    CHECK(account_balanced(account)); /* INV-LED-1 */
    for (uint32_t d = 0; d < QUOTA_DIMENSIONS; d++) {
        if (account->drawn.of[d] != 0) {
            return false;
        }
    }
    return true;
}

void ledger_sum_begin(struct ledger_sum *sum)
{
    *sum = (struct ledger_sum){ .overflowed = false };
}

static void sum_add(
    struct ledger_sum *sum, struct quota_amounts *column, const struct quota_amounts *amounts)
{
    for (uint32_t d = 0; d < QUOTA_DIMENSIONS; d++) {
        uint64_t total = 0;
        if (checked_add(column->of[d], amounts->of[d], &total)) {
            column->of[d] = total;
        } else {
            sum->overflowed = true;
        }
    }
}

void ledger_sum_used(struct ledger_sum *sum, const struct quota_amounts *amounts)
{
    sum_add(sum, &sum->used, amounts);
}

void ledger_sum_held(struct ledger_sum *sum, const struct quota_amounts *amounts)
{
    sum_add(sum, &sum->held, amounts);
}

void ledger_sum_account(struct ledger_sum *sum, const struct quota_account *child)
{
    sum_add(sum, &sum->used, &child->used);
    sum_add(sum, &sum->held, &child->held);
}

/* Recounts never crash: they are how a wrong book is reported. */
bool ledger_sum_check(const struct ledger_sum *sum, const struct quota_account *account)
{
    if (sum->overflowed || !account_balanced(account)) {
        return false;
    }
    for (uint32_t d = 0; d < QUOTA_DIMENSIONS; d++) {
        /* INV-LED-2 */
        if (sum->used.of[d] != account->used.of[d] || sum->held.of[d] != account->held.of[d]) {
            return false;
        }
    }
    return true;
}

bool ledger_sum_covered(const struct ledger_sum *sum, const struct quota_account *parent)
{
    if (sum->overflowed || !account_balanced(parent)) {
        return false;
    }
    for (uint32_t d = 0; d < QUOTA_DIMENSIONS; d++) {
        /* INV-LED-5 */
        if (sum->used.of[d] > parent->used.of[d] || sum->held.of[d] > parent->held.of[d]) {
            return false;
        }
    }
    return true;
}
