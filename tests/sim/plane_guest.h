/* What the simulated hypervisors really did to each guest, by sequence of its id: the checkers of
 * ends and of guests hold words against it. */
#ifndef TESTS_SIM_PLANE_GUEST_H
#define TESTS_SIM_PLANE_GUEST_H

#include "tests/sim/plane_host.h"

struct instance_row;
struct operation_row;
struct state;

/* One agent's tries to start one placement of one order. */
struct plane_tries {
    uint64_t generation;
    uint64_t epoch;
    uint64_t agent; /* Machine, life of host, channel to its agent. */
    uint64_t started_ms;
    uint32_t failed; /* That this agent was told of, or must have seen. */
    bool up;         /* The last one came up, and no verb has ended it since. */
};

struct plane_guest {
    uint64_t ran;    /* Highest boot of it that really ran. */
    uint64_t failed; /* Starts that failed, and ends of what ran, however they came about. */
    struct plane_tries tries;
    uint64_t asked_ms; /* By its node's clock: when it was last asked to stop; 0: never. */
    uint32_t asked_at; /* Which machine. */
    bool dead;         /* For good: no start of it comes up any more. */
    uint64_t ordered;  /* Newest generation that was seen. */
    uint64_t forced;   /* Epoch in which somebody ordered its end without asking. */
    /* The operation that was last seen under way on it; 0: none. */
    uint64_t operation;
    uint64_t operation_generation;
    uint64_t operation_boots;
    uint64_t operation_epoch;
    uint64_t operation_node;
    uint64_t operation_failed; /* `failed`, when it was seen first; 0 if that may have been late. */
};

/* ---- plane_check_guest.c ---- */
void plane_guests_begin(void);
void plane_guests_over(void);
struct plane_guest *plane_guest_of(uint64_t instance);
/* This one does not come up now, and neither will it soon. */
bool plane_guest_sick(struct plane *plane, const Wire__Assignment *order);
/* A verb is about to make this domain; `heard`: by the agent that asked for it. */
void plane_guest_tries(
    struct plane *plane, uint32_t machine, const Wire__Assignment *order, bool heard);
/* It was made. */
void plane_guest_made(
    struct plane *plane, uint32_t machine, const struct plane_domain *domain, bool fails);
void plane_guest_ended(const struct plane_domain *domain); /* It runs no more. */
/* The agent of this machine gives a verb that stops it. */
void plane_guest_stop(struct plane *plane, uint32_t machine, uint64_t instance, bool force);
bool plane_guest_forge_stop(struct plane *plane, const struct state *state);
bool plane_guest_forge_tries(struct plane *plane, const struct instance_row *row);

/* ---- plane_check_ends.c ---- */
void plane_ends_begin(const struct plane *plane);
void plane_ends_over(void);
/* The newest state has this row, or (NULL) has it no more. late: not every state was looked at. */
void plane_ends_look(
    struct plane *plane,
    const struct state *state,
    uint64_t instance,
    struct instance_row *row,
    bool late);
/* Some state has this of a request that was acknowledged. */
void plane_ends_again(
    struct plane *plane, uint64_t index, uint32_t request, const struct operation_row *row);
/* Everything has come together: what still runs? */
void plane_ends_settled(struct plane *plane, const struct state *state);
/* A guest dies on a sound node and does not come back; soon nobody says any more that it runs. */
void plane_ends_kill(struct plane *plane, const struct state *state);
void plane_ends_killed(struct plane *plane, const struct state *state);
bool plane_ends_forge(const struct instance_row *row); /* Its last operation promised more. */
void plane_ends_forge_killed(void);                    /* Who is said to be dead is not. */

#endif
