/* The mistakes that the simulator has to find: one semantic change each, in product code, behind a
 * build flag. In every ordinary build MUTANT() is the constant false and costs nothing; with
 * -DUDATSU_MUTANTS it is true for the one that the test program chose before anything ran.
 *
 * Decides which mistakes there are. Never found by a test of their own line: tests/sim/README.md
 * says which general checker sees each. */
#ifndef BASE_MUTANT_H
#define BASE_MUTANT_H

#include <stdbool.h>

/* Name, group, and what a programmer could have done wrong. tests/tidy holds each to one use. */
#define MUTANTS(X)                                                                                \
    X(LEDGER_PROJECT_UNTOUCHED, "ledger", "a charge moves in the project's row, unmarked")        \
    X(LEDGER_HELD_NOT_READ, "ledger", "what is held is not read back from the mirror")            \
    X(LEDGER_NETWORK_KEPT, "ledger", "a network that is deleted stays charged")                   \
    X(LEDGER_ROOM_KEPT, "ledger", "a node gets its vcpus back, not its memory")                   \
    X(IDEM_NOT_FOUND_AGAIN, "ledger", "keys are not indexed when rows are read back")             \
    X(IDEM_AT_THE_DOOR_ONLY, "ledger", "a key is looked up in the trial, not when it is applied") \
    X(GENERATION_NOT_RAISED, "orders", "a new order keeps the generation of the one before")      \
    X(ORDERS_LOST_FOR_GOOD, "orders", "a node that disagrees is not told everything again")       \
    X(RESTS_WHILE_IT_STARTS, "orders", "a guest whose start is under way is said to rest")        \
    X(GONE_BEFORE_IT_IS_ERASED, "orders", "a guest is said to be gone, its files are there")      \
    X(AUDIT_CHAIN_OF_THE_CELL, "audit", "a tenant's leaf is chained to the provider's")           \
    X(AUDIT_TENANT_UNTOUCHED, "audit", "a tenant's chain grows in its row, unmarked")             \
    X(AUDIT_LEAF_FOR_REASONS_ONLY, "audit", "a change that needs no reason leaves no leaf")       \
    X(AUDIT_SIZE_OF_NOW, "audit", "a note is kept with today's size, not the one it signs")       \
    X(MIRROR_KEEPS_REMOVED, "mirror", "a row that was removed stays in the mirror")               \
    X(MIRROR_GOES_ON_WITH_A_GAP, "mirror", "a disk that recovered is written on to, gap or not")  \
    X(SNAPSHOT_ASKS_FORGOTTEN, "snapshot", "who takes one over answers nothing asked before")     \
    X(LOG_FORGETS_MEMBERS, "log", "a log that is shortened keeps the members of the time before") \
    X(AGENT_BELIEVES_A_STOP, "agent", "a guest is gone because libvirt said so, unseen")          \
    X(PAUSED_TAKEN_FOR_STOPPED, "agent", "a domain that is paused is said to have stopped")       \
    X(AGENT_TRUSTS_EVENTS, "agent", "an agent that has looked once waits for events")             \
    X(READ_STALE_UNASKED, "session", "any replica answers reads from what it has")                \
    X(READ_BEFORE_THE_BARRIER, "session", "who was elected leads before its barrier is applied")  \
    X(ANSWER_TO_THE_SLOT, "session", "an answer goes to whoever has the asker's place now")       \
    X(FENCE_RENEWAL_IS_PROOF, "fence", "who renews is alive, whether he hears us or not")         \
    X(FENCE_DEAD_FROM_PROOF, "fence", "a node is dead so long after its last proof, not our ack") \
    X(FENCE_THAWS_AT_ONCE, "fence", "what was frozen a moment ago is not any more")               \
    X(FENCE_NEWEST_EPOCH_ONLY, "fence", "only the newest membership can be frozen")               \
    X(FENCE_SETTLES_AT_ONCE, "fence", "an old membership ends before its members know the new")   \
    X(FENCE_BASE_IS_RECEIPT, "fence", "a lease runs from when the ack came, not what it answers") \
    X(FENCE_ANY_SESSION, "fence", "an order that was meant for an earlier session is obeyed")     \
    X(FENCE_ANSWERS_KEPT, "fence", "who vouched once is counted in every later round")            \
    X(FENCE_ONE_VOUCHER_LESS, "fence", "one less than are needed vouch for a node")               \
    X(FENCE_SLOW_TO_LOSE, "fence", "a leader counts on a node for longer than its peers do")      \
    X(FENCE_PROOF_LASTS, "fence", "who was vouched for once runs on for ever")

#define MUTANT_ENUMERATOR(name, group, what) MUTANT_##name,
enum mutant { MUTANT_NONE, MUTANTS(MUTANT_ENUMERATOR) MUTANT_COUNT };
#undef MUTANT_ENUMERATOR

#ifdef UDATSU_MUTANTS
extern enum mutant mutant_chosen;
#define MUTANT(name) (mutant_chosen == MUTANT_##name)

struct mutant_line {
    const char *name;
    const char *group;
    const char *what;
};
/* Index MUTANT_NONE is the sound program. */
extern const struct mutant_line mutant_lines[];
#else
#define MUTANT(name) ((int)MUTANT_##name < 0)
#endif

#endif
