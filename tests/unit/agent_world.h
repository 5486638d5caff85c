/* A small world around one pure agent: a fake hypervisor that keeps domains and segments, one or
 * more controllers, and time by hand. Every frame the agent sends is encoded and decoded, so that a
 * malformed one fails the test that caused it. */
#ifndef TESTS_UNIT_AGENT_WORLD_H
#define TESTS_UNIT_AGENT_WORLD_H

#include "base/result.h"
#include "node-agent/core/agent.h"

enum { WORLD_DOMAINS = 64, WORLD_VERBS = 64, WORLD_REPORTS = 256 };

struct world_domain {
    uint64_t instance; /* 0: free. */
    bool running;
    bool paused;
    bool leftovers;
    uint64_t generation;
    uint64_t epoch;
    uint64_t boots;
};

struct world_verb {
    uint64_t handle;
    Wire__Verb__VerbCase kind;
    uint64_t object; /* Instance or network. */
    uint64_t generation;
    uint64_t epoch;
    uint64_t boots;
    uint32_t vni;
    size_t peers; /* Of a segment. */
    bool force;
};

struct world_report {
    uint64_t controller;
    uint64_t instance;
    uint64_t generation;
    Wire__Observed observed;
    uint32_t repairs;
};

struct world {
    struct agent agent;
    struct agent_effects effects;
    struct arena arena;
    uint64_t now_ms;
    struct agent_saved saved;
    bool have_saved;
    uint32_t saves;

    struct world_domain domains[WORLD_DOMAINS];
    uint64_t segments[WORLD_DOMAINS];
    uint64_t segment_generations[WORLD_DOMAINS];
    uint64_t segment_number;  /* Generation of ordered segments; 0: 1. */
    const char *segment_peer; /* NULL: 10.99.0.102. */
    bool segment_more;        /* It comes to those that are known. */
    uint32_t start_failure;   /* enum failure of the next starts; 0: they work. */
    uint32_t starts;          /* Domains made. */
    uint32_t doubles;         /* Starts where a domain was: must stay 0 (INV-VM-1). */
    uint32_t destroys;

    struct world_verb verbs[WORLD_VERBS]; /* Given to host, not yet answered. */
    uint32_t verbs_count;

    uint32_t hellos;
    uint32_t hello_known;
    uint32_t renewals;
    uint64_t renew_count;
    uint64_t renew_digest;
    uint32_t renew_conditions;
    uint32_t strangers;                         /* Domains of others that Observe tells of. */
    struct world_report reports[WORLD_REPORTS]; /* In hellos to the leader and in reports. */
    uint32_t reports_count;
    uint32_t consoles;
    uint32_t console_failure;
    uint32_t logs[AGENT_LOGS_END];
};

void world_open(struct world *world);
/* The agent dies and starts again with what it saved; host stays. */
void world_restart_agent(struct world *world, uint8_t boot);
void world_step(struct world *world, struct agent_event *event);
void world_tick(struct world *world, uint64_t ms);
void world_host(struct world *world, bool up);
void world_link(struct world *world, uint64_t controller, bool up);
void world_welcome(struct world *world, uint64_t controller, uint64_t term);
void world_libvirt(struct world *world, bool up);
void world_ended(struct world *world, uint64_t instance, uint32_t why);
/* Takes one waiting verb and answers it as the fake would. False: none waits. */
bool world_answer(struct world *world, uint32_t which);
/* Answers and ticks until nothing waits and nothing moves. */
void world_settle(struct world *world);
struct world_domain *world_domain(struct world *world, uint64_t instance);
const struct world_verb *world_waiting(const struct world *world, Wire__Verb__VerbCase kind);
/* The last report of an instance, or NULL. */
const struct world_report *world_last(const struct world *world, uint64_t instance);

/* One frame of orders with one assignment (NULL: none), whole and last as told. */
struct world_order {
    uint64_t instance;
    uint64_t generation;
    uint64_t epoch;
    uint64_t boots;
    Wire__Desired desired;
    Wire__OnFailure on_failure;
    uint32_t max_attempts;
    uint64_t network; /* 0: no nic. */
    bool force;
};
void world_orders(
    struct world *world,
    uint64_t controller,
    uint64_t term,
    bool whole,
    bool last,
    const struct world_order *orders,
    uint32_t count);

#endif
