/* The desk on which the bare core is tried: one engine that leads (alone, or with members that the
 * test plays), a log that commits when it is told to, a clock moved by hand, keys and nodes played
 * by hand, and a second engine that is fed the same entries.
 *
 * Decides nothing about what is right; it carries out effects and keeps what came of them. */
#ifndef TESTS_SCENARIO_DESK_H
#define TESTS_SCENARIO_DESK_H

#include "audit/audit.h"
#include "controller/core/engine.h"

#include <api.pb-c.h>
#include <frame.pb-c.h>

enum {
    DESK_CELL = 1,
    DESK_LEAVES = 65536,
    DESK_EVENTS = 32768,
    DESK_ANSWERS = 16384,
    DESK_FRAMES = 32768,
    DESK_LOG = 65536,
    DESK_NODES = 32,
    DESK_MEMBERS = 3,
};

struct desk_conf {
    uint32_t reserve_percent;
    uint32_t vcpu_ratio;          /* 0: one. */
    uint32_t idempotency_limit;   /* 0: the default. */
    uint32_t members;             /* Voters: 1, or DESK_MEMBERS with two that the test plays. */
    uint32_t requests_per_second; /* Of one principal; 0: no limit. */
    uint32_t tenant_requests_per_second;
    uint64_t asks_from;      /* As engine_conf's. */
    place_policy *placement; /* As engine_conf's. */
    bool alone;              /* No second engine. */
    bool blank;              /* Do not lead yet: no genesis. */
};

struct desk_leaf {
    uint64_t seq;
    uint64_t tenant;
    uint64_t tenant_seq;
    Wire__Kind actor_kind;
    uint64_t actor;
    uint64_t resource;
    uint64_t count; /* Of a fold; 0: not folded. */
    uint64_t index;
    uint32_t reject;
    char operation[64];
    char reason[64];
    uint8_t previous[AUDIT_HASH];
    uint8_t hash[AUDIT_HASH];
};

struct desk_event {
    uint64_t index;
    char name[32];
    char subject[ID_TEXT_SIZE];
};

struct desk_answer {
    uint64_t handle;
    Wire__Answer *answer;
};

struct desk_entry {
    uint64_t index;
    struct slice bytes;
};

struct desk_pending {
    uint64_t ticket;
    uint64_t handle; /* SUBMIT's own, for a refusal. */
    struct slice bytes;
};

struct desk_node {
    uint64_t id;
    char name[LIMIT_NAME];
    uint32_t epoch;
    uint64_t vcpus;
    uint64_t memory_bytes;
    uint8_t boot;
    uint32_t conditions; /* What it says in its renewals. */
    bool silent;         /* It does not renew while time passes. */
};

struct desk_engine {
    struct engine *engine;
    void *memory; /* calloc; freed by desk_close. */
};

struct desk {
    struct desk_conf conf;
    struct desk_engine first;
    struct desk_engine second;
    struct effects *effects;
    struct arena step;    /* Of the step under way. */
    struct arena scratch; /* For entries on their way in. */
    struct arena paper;   /* What is kept: answers, frames, the log. */
    uint64_t now_ms;
    uint64_t wall_ms;
    uint64_t term;
    uint64_t index;
    uint64_t tickets;
    uint64_t handles;
    uint64_t controller;
    uint64_t others[DESK_MEMBERS - 1];
    uint64_t others_heard_ms[DESK_MEMBERS - 1]; /* Ago; what desk_members tells. */
    Wire__Identity operator_person;

    bool hold_log;   /* Entries wait for desk_commit. */
    bool refuse_log; /* SUBMIT comes to nothing: FAILURE_BUSY, or refuse_why. */
    uint16_t refuse_why;
    size_t squeeze;   /* Bytes of the step's arena that are gone before it begins. */
    bool keys_silent; /* Keys do not answer. */
    bool later;       /* The next asks are only asked; desk_turn plans nothing until then. */
    const char *key;  /* Of the next write only; NULL: a fresh one. */
    uint8_t sealing;  /* Another sealing key of the next join; 0: the usual one. */
    const char *if_match;
    const char *project;

    struct desk_pending pending[ENGINE_TICKETS];
    uint32_t pending_count;
    struct desk_entry *log;
    uint32_t log_count;
    struct desk_leaf *leaves;
    uint32_t leaves_count;
    struct desk_event *events;
    uint32_t events_count;
    struct desk_answer *answers;
    uint32_t answers_count;
    const Wire__Frame **frames; /* Sent to other machines. */
    uint32_t frames_count;
    const Wire__Frame **asked_keys;
    uint32_t asked_keys_count;
    uint32_t leaves_read; /* READ_LEAVES and PROVE effects seen; the last one's tenant is
                             leaves_tenant. */
    uint64_t leaves_tenant;
    uint32_t member_adds;
    uint32_t member_removes;
    uint32_t hand_overs;
    uint32_t rings;
    uint32_t renewed; /* Certificates for this controller itself. */
    bool digests_differ;
    struct desk_node nodes[DESK_NODES];
    uint32_t nodes_count;
};

struct desk *desk_open(const struct desk_conf *conf);
void desk_close(struct desk *desk);
struct state *desk_state(const struct desk *desk);
struct state_capacity desk_capacity(void);
/* An engine of the desk's shape that knows nothing yet; freed by the caller through memory. */
struct desk_engine desk_engine_new(const struct desk *desk);

/* One event; effects are carried out. now and wall are the desk's. */
void desk_step(struct desk *desk, struct engine_event *event);
/* Proposes and commits until nothing is left to do (one turn only when the log is held). */
void desk_turn(struct desk *desk);
/* Commits what waits: the oldest entry. */
void desk_commit(struct desk *desk);
/* Applies one encoded entry to an engine as a follower would; its effects are thrown away. */
void desk_apply(struct desk *desk, struct engine *engine, uint64_t index, struct slice bytes);
void desk_lead(struct desk *desk, uint64_t term);
void desk_follow(struct desk *desk, uint64_t term, uint64_t leader);
void desk_members(struct desk *desk, bool fit, uint64_t leader);
/* Time passes: nodes that are not silent renew, the clock ticks. */
void desk_pass(struct desk *desk, uint64_t ms);
/* A frame from another machine. */
void desk_frame(
    struct desk *desk, Wire__Kind kind, uint64_t peer, uint32_t epoch, Wire__Frame *frame);
void desk_link(struct desk *desk, Wire__Kind kind, uint64_t peer, bool up);

/* Asks; 0 is never a handle. The answer is NULL while there is none. */
uint64_t desk_ask(struct desk *desk, Wire__Identity who, const char *key, Wire__Request *request);
const Wire__Answer *desk_answer(const struct desk *desk, uint64_t handle);
/* Asks, takes a turn (unless desk->later) and gives the answer. Writes take desk->key and the other
 * settings of the next write. */
const Wire__Answer *desk_do(struct desk *desk, Wire__Identity who, Wire__Request *request);

/* A node joins with a token, is linked, says hello and is alive. */
struct desk_node *desk_node_new(
    struct desk *desk, const char *name, const char *rack, uint64_t vcpus, uint64_t memory_bytes);
struct desk_node *desk_node_named(struct desk *desk, const char *name);
void desk_hello(struct desk *desk, const struct desk_node *node);
void desk_renew(struct desk *desk, const struct desk_node *node, bool agrees);
void desk_word(
    struct desk *desk,
    const struct desk_node *node,
    uint64_t instance,
    uint64_t generation,
    uint64_t epoch,
    Wire__Observed observed,
    uint32_t repairs);
/* The owner's word about the newest order. */
void desk_report(
    struct desk *desk,
    const struct desk_node *node,
    const struct instance_row *row,
    Wire__Observed observed);

/* Leaves whose operation is this word; reject REJECTS_END: any. Folded ones count as one. */
uint32_t desk_leaves(const struct desk *desk, const char *operation, uint32_t reject);
uint32_t desk_events(const struct desk *desk, const char *name);
/* The last frame of this kind to this machine after frame number `from`; NULL: none. */
const Wire__Frame *desk_sent(
    const struct desk *desk, uint64_t peer, Wire__Frame__BodyCase body, uint32_t from);
Wire__Identity desk_who(const struct desk *desk, const char *user);
struct instance_row *desk_instance(const struct desk *desk, const char *tenant, const char *name);
struct tenant_row *desk_tenant(const struct desk *desk, const char *name);

#endif
