/* The double-entry ledger of what tenants may have: floor, cap, held and used, in four dimensions.
 *
 * Accounts form a tree (project → tenant). Each movement has a source and a destination among three
 * places: available → held (hold), held → used (commit), held → available and used → available
 * (release). What left "available" is booked a second time in `drawn`; drawn = held + used in every
 * account after every movement (INV-LED-1), so that a one-sided write cannot go unseen.
 *
 * All or nothing: a movement happens at every level of the tree or at none. The object that is
 * charged remembers what it holds; releasing what was never taken is our bug and crashes. */
#ifndef QUOTA_LEDGER_H
#define QUOTA_LEDGER_H

#include "base/reject.h"

#include <stdbool.h>
#include <stdint.h>

/* Indexes of quota_amounts.of; the order is the order in which refusals are looked for. */
enum quota_dimension {
    QUOTA_VCPUS = 0,
    QUOTA_MEMORY_BYTES = 1,
    QUOTA_INSTANCES = 2,
    QUOTA_NETWORKS = 3,
    QUOTA_DIMENSIONS
};

enum { QUOTA_LEVELS = 4 }; /* Longest path to a root; today two: project and tenant. */

#define QUOTA_UNLIMITED UINT64_MAX /* As a cap or a capacity: none. */

struct quota_amounts {
    uint64_t of[QUOTA_DIMENSIONS];
};

struct quota_account {
    struct quota_account *parent; /* NULL: a tenant's account. Lives as long as this one. */
    uint64_t holder;              /* The tenant's or project's id, for refusals. */
    struct quota_amounts floor;   /* What the owner can always have (tenants only). */
    struct quota_amounts cap;     /* May be lowered below what is drawn: then nothing new fits. */
    struct quota_amounts used;
    struct quota_amounts held;
    struct quota_amounts drawn; /* The counter-entry: held + used. Written by the ledger only. */
};

/* Why not, in the words that an answer needs. Filled with every refusal. */
struct quota_refusal {
    enum quota_dimension dimension;
    uint64_t limit;
    uint64_t usage; /* used + held; of the whole cell for floors. */
    uint64_t requested;
    uint64_t holder; /* Whose limit stands in the way; 0: the cell's. */
};

/* "vcpus", "memory_bytes", "instances", "networks": the field names of the interface. */
const char *quota_dimension_name(enum quota_dimension dimension);

/* An account with no cap, no floor and nothing drawn. */
void ledger_open(struct quota_account *account, uint64_t holder, struct quota_account *parent);
/* Sets what a stored row says. Only for loading: on an account with nothing drawn. */
void ledger_restore(
    struct quota_account *account,
    const struct quota_amounts *used,
    const struct quota_amounts *held);

/* Would a hold be taken? REJECT_NONE or REJECT_QUOTA; changes nothing. An amount of 0 in a
 * dimension is never refused by that dimension. */
enum reject ledger_fits(
    const struct quota_account *account,
    const struct quota_amounts *amounts,
    struct quota_refusal *refusal_out);
/* available → held, in the account and every account above it, or in none (INV-LED-4).
 * REJECT_QUOTA names the first dimension, nearest account first, that would pass its cap. */
enum reject ledger_hold(
    struct quota_account *account,
    const struct quota_amounts *amounts,
    struct quota_refusal *refusal_out);
/* held → used. */
void ledger_commit(struct quota_account *account, const struct quota_amounts *amounts);
/* held → available: what was held did not come to be. */
void ledger_release_held(struct quota_account *account, const struct quota_amounts *amounts);
/* used → available: what was used is gone from the world, not merely asked to go. */
void ledger_release_used(struct quota_account *account, const struct quota_amounts *amounts);

/* Nothing drawn: the account may be closed. */
bool ledger_empty(const struct quota_account *account);

/* A recount, read only (INV-LED-2): begin with an account, add what the inventory (or the accounts
 * below it) says, ask. An overflow of the sum answers false to both questions. */
struct ledger_sum {
    struct quota_amounts used;
    struct quota_amounts held;
    bool overflowed;
};
void ledger_sum_begin(struct ledger_sum *sum);
void ledger_sum_used(struct ledger_sum *sum, const struct quota_amounts *amounts);
void ledger_sum_held(struct ledger_sum *sum, const struct quota_amounts *amounts);
void ledger_sum_account(struct ledger_sum *sum, const struct quota_account *child);
/* The account's books balance and are exactly the sum. */
bool ledger_sum_check(const struct ledger_sum *sum, const struct quota_account *account);
/* The account's books balance and cover at least the sum (INV-LED-5: a parent covers its children).
 */
bool ledger_sum_covered(const struct ledger_sum *sum, const struct quota_account *parent);

#endif
