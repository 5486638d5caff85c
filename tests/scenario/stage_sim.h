/* What the files of the simulator's stage share: the whole plane in virtual time (tests/sim), with
 * the story's people in the place of its random clients. Its checkers judge after every event. */
#ifndef TESTS_SCENARIO_STAGE_SIM_H
#define TESTS_SCENARIO_STAGE_SIM_H

#include "controller/core/state.h"
#include "tests/scenario/deed.h"
#include "tests/sim/plane.h"

enum {
    SIM_TENANTS = 4,            /* People of a story; client c is of tenant c mod 4. */
    SIM_ROOT = SIM_TENANTS - 1, /* Root's place among them: of no tenant. */
    SIM_CLIENTS = 64,           /* So many ask at the same time. */
    SIM_NODES = 8,
    SIM_OBJECTS = 1024,
    SIM_ASKS = 8192,
    SIM_LOOK_MS = 50,
    SIM_LOOKS = 4800, /* Four minutes of virtual time. */
    SIM_ANSWER_MS = 60 * 1000,
};

struct sim_person {
    char name[STAGE_NAME];
    uint64_t principal;
};

/* What the story calls so is called otherwise in the plane: a letter and the number of the request
 * that made it, as its checkers want it. */
struct sim_object {
    bool network;
    bool gone; /* Its end was acknowledged. */
    char tenant[STAGE_NAME];
    char name[STAGE_NAME];
    uint32_t number;
};

/* One ask, with every word that it points to. */
struct sim_ask {
    struct deed deed;
    char words[7][STAGE_NAME];
    enum { SIM_DEED = 1, SIM_LEAVES, SIM_EVENTS } of;
    uint64_t from;     /* First leaf; event after which. */
    uint32_t request;  /* Of the plane. */
    uint32_t object;   /* Of sim_object, plus one; 0: none. */
    uint32_t got;      /* Leaves or events in the answer. */
    uint64_t resource; /* Of the answer. */
    bool deals;        /* Counts as the story's deed. */
    bool queued;
    struct told told;
};

struct stage {
    struct plane plane;
    bool begun; /* The cell is there. */
    bool dead;
    uint32_t nodes_count;
    bool dark[SIM_NODES];
    bool cut[SIM_NODES];
    struct sim_person people[SIM_TENANTS];
    uint32_t people_count;
    uint32_t turn; /* Of clients. */
    struct sim_object objects[SIM_OBJECTS];
    uint32_t objects_count;
    struct sim_ask asks[SIM_ASKS];
    uint32_t asks_count;
    uint32_t deeds[STAGE_DEEDS]; /* Numbers of asks. */
    uint32_t deeds_count;
    uint64_t next_leaf;
    uint32_t leaves_before;
    uint32_t leaves_count;
    struct seen_leaf leaves[STAGE_LEAVES];
    uint64_t events_after;
    uint64_t events_found;
    const char *event_wanted;
    uint64_t elections_before;
};

extern struct stage *sim_stage; /* The only one: the plane's files have one world each. */

/* ---- stage_sim.c ---- */
bool sim_because(char why[static STAGE_TEXT], const char *reason);
bool sim_begin(struct stage *stage, char why[static STAGE_TEXT]);
uint32_t sim_node(const struct stage *stage, const char *name); /* Machine; PLANE_NONE: none. */
/* The leader's rows, as new as what is committed; NULL: nobody can say. */
const struct state *sim_state(struct stage *stage);

/* ---- stage_sim_ask.c ---- */
/* The plane's name for an object; made up at the first mention. */
const char *sim_object_name(
    struct stage *stage, bool network, const char *tenant, const char *name, uint32_t *at_out);
/* Posts it; its number. */
uint32_t sim_post(struct stage *stage, const struct deed *deed, uint32_t of, uint64_t from);
bool sim_answered(struct stage *stage); /* Runs until everything posted is answered. */

#endif
