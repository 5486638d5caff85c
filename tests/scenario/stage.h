/* The stage on which a story is told: what it may do there and what it may see. One header, three
 * stages, chosen when the program is linked:
 *
 *   stage_core*.c   the bare core: a desk that plays everything around one engine
 *   stage_sim*.c    the simulator of the whole plane, in virtual time
 *   stage_lab*.c    real processes and real guests, through the operator's own command
 *
 * A stage decides how a deed is done and where a fact is read. It never decides whether a story is
 * true: that is story*.c, which is the same on all three. */
#ifndef TESTS_SCENARIO_STAGE_H
#define TESTS_SCENARIO_STAGE_H

#include "quota/ledger.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    STAGE_NAME = 64,
    STAGE_TEXT = 256,
    STAGE_OPERATION = 96,
    STAGE_DEEDS = 8192, /* Of one story. */
    STAGE_LEAVES = 65536,
    STAGE_MANY = 256, /* Asked at once. */
};

struct stage; /* Each stage has its own. */

/* What a cell is made with; 0: as the product does by itself. */
struct stage_conf {
    uint32_t reserve_percent;
    uint32_t vcpu_ratio;
    uint32_t idempotency_limit;
    uint32_t requests_per_second; /* Of one principal. */
};

/* ---- What people do ---- */

enum deed_verb {
    DEED_CREATE = 1,
    DEED_START,
    DEED_STOP,
    DEED_REBOOT,
    DEED_DELETE,
    DEED_LIMIT,
    DEED_REVOKE,
    DEED_READ,
};

enum deed_noun {
    DEED_INSTANCE = 1,
    DEED_NETWORK,
    DEED_TENANT,
    DEED_PROJECT,
    DEED_USER,
    DEED_STATUS,
};

struct deed {
    const char *who;
    enum deed_verb verb;
    enum deed_noun noun;
    const char *tenant; /* Of the object; of a tenant itself: its name. NULL: none. */
    const char *name;
    const char *project; /* NULL: the tenant's default one. */
    const char *network; /* An instance's; NULL: none. */
    const char *cidr;    /* A network's. */
    const char *spread;
    const char *key;      /* NULL: a fresh one. */
    const char *if_match; /* NULL: none. */
    struct quota_amounts size;
    struct quota_amounts cap;
    struct quota_amounts floor;
    uint32_t attempts; /* 0: as the product does. */
    bool has_cap;
    bool has_floor;
    bool stopped;
    bool stop_on_failure;
    bool elsewhere;
};

/* What one of them was answered. */
struct told {
    enum { TOLD_WAITING = 0, TOLD_ACCEPTED = 1, TOLD_REFUSED = 2 } what;
    bool write;
    char code[STAGE_NAME]; /* Why it was refused. */
    char detail[STAGE_TEXT];
    char dimension[STAGE_NAME];
    uint64_t limit;
    uint64_t usage;
    char operation[STAGE_OPERATION]; /* Of a write that was accepted: two of one key are one. */
};

/* ---- What happens by itself, or is made to happen ---- */

enum cause {
    CAUSE_TIME = 1,        /* "time passes 7s" */
    CAUSE_LEADER_DIES,     /* Its process; it is started anew. */
    CAUSE_CONTROLLERS_DIE, /* All of them lose power, at once. */
    CAUSE_CONTROLLERS_BACK,
    CAUSE_NODE_CUT, /* "n1 is cut off": nobody hears it; its guests run on. */
    CAUSE_NODE_HEARD,
    CAUSE_NODE_DARK,     /* "n1 loses power", and its guests with it. */
    CAUSE_NODE_LIGHT,    /* "n1 has power": it boots. */
    CAUSE_NODE_PROGRAMS, /* "programs of n1 die": the agent and the host; they are started anew. */
    CAUSE_GUEST,         /* "guest a/web crashes". */
};

/* What only the bare core can be told: single words of a node, a log that waits. */
enum hand_word { HAND_REPORT = 1, HAND_LOG_WAITS, HAND_LOG_GOES_ON };

struct hand {
    enum hand_word word;
    const char *node; /* The rest is a report's. */
    const char *tenant;
    const char *name;
    const char *observed; /* "running" "stopped" "gone" "failed" "starting" */
    uint32_t repairs;
    bool older_order;
    bool older_placement;
};

/* ---- What can be seen ---- */

struct seen_instance {
    bool there;
    char state[STAGE_NAME];
    char node[STAGE_NAME]; /* "": on none. */
    char address[STAGE_NAME];
    char reason[STAGE_TEXT];
    uint64_t generation;
    uint64_t epoch;
    uint64_t attempts;
};

struct seen_account {
    bool there;
    struct quota_amounts used;
    struct quota_amounts held;
    struct quota_amounts placed;
    bool has_placed; /* A stage that sees no sum of what is placed says so. */
};

struct seen_node {
    bool there;
    char liveness[STAGE_NAME];
    struct quota_amounts placed;
};

struct seen_leaf {
    char operation[STAGE_NAME];
    bool person; /* A person did it. */
    bool refused;
    uint64_t times; /* Refusals of one kind may be one leaf. */
};

enum seen_count { SEEN_EVENTS = 1, SEEN_ALARMS, SEEN_INSTANCES, SEEN_NETWORKS };

/* ---- The stage itself ---- */

const char *stage_runner(void); /* "core", "sim" or "lab": what stories call it. */
/* Before the story's own process begins: where a stage that ends it leaves the reason; NULL: it
 * does not. Shared memory. */
const char *stage_last_words(void);
/* NULL: there is none like that here, and why. */
struct stage *stage_open(const struct stage_conf *conf, const char **why_out);
/* Everything is made whole again; false: it did not come together, and why. */
bool stage_end(struct stage *stage, char why[static STAGE_TEXT]);
void stage_close(struct stage *stage);

/* Givens. False: it cannot be given here; why says so. */
bool stage_node(
    struct stage *stage,
    const char *name,
    const char *rack,
    const struct quota_amounts *size,
    char why[static STAGE_TEXT]);
/* A person with papers: a tenant's user, or (tenant NULL) an auditor. */
bool stage_person(
    struct stage *stage, const char *name, const char *tenant, char why[static STAGE_TEXT]);
bool stage_is_person(const struct stage *stage, const char *name);
bool stage_is_node(const struct stage *stage, const char *name);
/* The first thing after what was given is about to happen: counts begin here.
 * False: nothing can happen here yet; why says so. */
bool stage_begins(struct stage *stage, char why[static STAGE_TEXT]);

/* Does it once; or, if many > 0, for names -1 … -many, all asked before the first is answered.
 * Deeds are numbered from 1. False: it cannot be done here; why says so. */
bool stage_do(
    struct stage *stage, const struct deed *deed, uint32_t many, char why[static STAGE_TEXT]);
uint32_t stage_deeds(const struct stage *stage); /* The last one's number. */
void stage_told(const struct stage *stage, uint32_t number, struct told *told_out);

/* False: that does not happen here, or did not; why says so. */
bool stage_cause(
    struct stage *stage,
    enum cause cause,
    const char *subject, /* A node, or a guest's name. */
    const char *tenant,  /* A guest's. */
    uint64_t ms,
    char why[static STAGE_TEXT]);
/* From the first given on: nodes do nothing but what the story says. */
bool stage_by_hand(struct stage *stage, char why[static STAGE_TEXT]);
bool stage_hand(struct stage *stage, const struct hand *hand, char why[static STAGE_TEXT]);
/* The world goes on a little. False: nothing comes of waiting any longer. `patience` counts the
 * calls in vain since the last thing that was done. */
bool stage_goes_on(struct stage *stage, uint32_t patience);

void stage_instance(
    struct stage *stage, const char *tenant, const char *name, struct seen_instance *seen_out);
void stage_account(
    struct stage *stage, const char *tenant, const char *project, struct seen_account *seen_out);
void stage_node_seen(struct stage *stage, const char *name, struct seen_node *seen_out);
/* What its node was told last about its newest order: "running" "stopped" "gone"; "": nothing. */
bool stage_order(
    struct stage *stage,
    const char *node,
    const char *tenant,
    const char *name,
    char wish[static STAGE_NAME]);
/* Of the newest operation about an object of this name; "": there is none. */
void stage_operation(struct stage *stage, const char *name, char state[static STAGE_NAME]);
/* Events since the first deed, alarms that are raised now, what a tenant has. */
uint64_t stage_count(struct stage *stage, enum seen_count what, const char *name);
uint64_t stage_elections(struct stage *stage); /* Since the first deed. */
uint64_t stage_feature_level(struct stage *stage);

/* ---- What holds always ---- */

/* Leaves since the first deed, in order; they only become more. */
uint32_t stage_leaves(struct stage *stage, const struct seen_leaf **leaves_out);
/* What a tenant is given of the audit log proves itself complete; false: it does not, and why. */
bool stage_audit(struct stage *stage, const char *tenant, char why[static STAGE_TEXT]);
/* Accounts that are not what is there. False: nobody can say now. */
bool stage_ledger(struct stage *stage, uint64_t *mismatches_out);
/* False: two that applied the same entries differ, and which. */
bool stage_digests(struct stage *stage, char why[static STAGE_TEXT]);
/* False: something that must not be yet to come (an entry on its way, nobody leads). */
bool stage_settled(struct stage *stage);
/* What the stage itself holds to be wrong, however the story is told; NULL: nothing. */
const char *stage_wrong(struct stage *stage);

#endif
