/* What the agent keeps in mind: what is wanted of each instance, what was seen of it, and which
 * tenant networks they need. Decides which orders are too old to count (INV-VM-2). Never decides
 * what to do next (reconcile), never speaks to anyone (agent).
 *
 * Rows live in fixed tables; a row is found by id. Memory belongs to whoever holds struct model. */
#ifndef NODE_AGENT_CORE_MODEL_H
#define NODE_AGENT_CORE_MODEL_H

#include "base/limits.h"

#include <frame.pb-c.h>
#include <stdbool.h>
#include <stdint.h>

enum { MODEL_DIGEST_SIZE = 32, MODEL_MAC_SIZE = 6 };

/* What Observe, an event or an answer of host last said. */
enum presence {
    PRESENCE_UNKNOWN = 0, /* Not observed since the last restart of agent, host or libvirt. */
    PRESENCE_ABSENT = 1,
    PRESENCE_PAUSED = 2, /* Made but never resumed: an interrupted start. */
    PRESENCE_RUNNING = 3,
};

enum operation {
    OPERATION_NONE = 0,
    OPERATION_START = 1,
    OPERATION_ASK_STOP = 2, /* Ask the guest. */
    OPERATION_DESTROY = 3,
    OPERATION_ERASE = 4,
    OPERATION_ENSURE_SEGMENT = 5,
    OPERATION_DROP_SEGMENT = 6,
    OPERATION_OBSERVE = 7,
    OPERATION_SURVEY = 8,
    OPERATION_CONSOLE = 9,
};

struct model_nic {
    uint64_t network;
    uint32_t address; /* IPv4, host order. */
    uint32_t prefix;
    uint8_t mac[MODEL_MAC_SIZE];
};

/* An Assignment, as values. */
struct model_want {
    uint64_t tenant;
    uint64_t memory_bytes;
    uint64_t boots;
    uint32_t vcpus;
    uint32_t max_attempts;
    uint32_t nics_count;
    Wire__Desired desired;
    Wire__OnFailure on_failure;
    bool force;
    struct model_nic nics[LIMIT_INSTANCE_NETWORKS];
    uint8_t kernel[MODEL_DIGEST_SIZE];
    uint8_t initramfs[MODEL_DIGEST_SIZE];
};

struct model_instance {
    uint64_t id;         /* 0: the row is free. */
    uint64_t generation; /* Highest seen; never goes back (INV-VM-2). */
    uint64_t epoch;      /* Highest seen; never goes back (INV-VM-2). */
    struct model_want want;
    bool assigned; /* `want` holds an order of this agent's life. */
    bool unwanted; /* A complete list did not name it (INV-VM-4). */
    bool listed;   /* Named by the list that is being received. */

    enum presence presence;
    uint64_t seen_generation; /* Of the domain that is there, when it was observed last. */
    uint64_t seen_epoch;
    uint64_t seen_boots;
    bool leftovers;
    bool erased; /* Nothing of it is left: host said so. */

    enum operation busy; /* The one verb in flight (INV-VM-5). */
    uint64_t handle;
    bool stopping;      /* The end that comes is ours. */
    bool booted;        /* Ran in this generation: its absence is a failure. */
    bool repairing;     /* The next start repairs a failure. */
    bool failed;        /* Attempts used up. */
    uint32_t ended_why; /* Of the last InstanceEnded; 0: not said. */
    uint32_t attempts;
    uint32_t repairs; /* Not yet reported. */
    uint64_t running_since_ms;
    uint64_t not_before_ms;    /* Back-off. */
    uint64_t stop_deadline_ms; /* 0: the guest was not asked. */
    uint64_t gone_at_ms;
    const char *reason; /* Fixed words of ours. */

    /* What the leader was last told; a difference is reported. */
    bool tell; /* Or it asked to hear it again. */
    Wire__Observed told_observed;
    uint64_t told_generation;
    const char *told_reason;
};

struct model_segment {
    uint64_t network; /* 0: the row is free. */
    uint64_t tenant;
    uint64_t term;       /* Of the leader who gave the peer list. */
    uint64_t newest;     /* Generation of the newest order seen. */
    uint64_t generation; /* Of the first order with this peer list. */
    uint32_t vni;
    uint32_t peers_count;
    uint32_t peers[LIMIT_SEGMENT_PEERS]; /* IPv4, host order. */
    bool ordered;                        /* The peer list is known. */
    bool present;                        /* Host has it. */
    bool current;                        /* Host has it with this peer list. */
    enum operation busy;
    uint64_t handle;
    uint64_t not_before_ms;
    uint32_t members; /* Rows of this node that use it; counted by reconcile. */
};

struct model {
    uint64_t ids[LIMIT_NODE_INSTANCES]; /* Scanned; row i is instances[i]. */
    uint64_t segment_ids[LIMIT_NODE_SEGMENTS];
    struct model_instance instances[LIMIT_NODE_INSTANCES];
    struct model_segment segments[LIMIT_NODE_SEGMENTS];
    uint32_t instances_count;
    uint32_t segments_count;
    uint32_t instances_top; /* Every row from here on is free: nobody walks further. */
    uint32_t segments_top;
    uint32_t strangers; /* Domains on this node that are not ours, when last observed. */
    bool complete;      /* The last observation holds: what has no row is not on this node. */
};

/* How an assignment was taken. */
enum model_taken {
    MODEL_TAKEN_NEW = 1,   /* It changed what is wanted. */
    MODEL_TAKEN_AGAIN = 2, /* As known; the leader wants to hear the row again. */
    MODEL_TAKEN_STALE = 3, /* Older than what was seen: ignored. */
    MODEL_TAKEN_BAD = 4,   /* Outside its contract: ignored. */
    MODEL_TAKEN_FULL = 5,  /* No row is free: ignored. */
};

struct model_instance *model_find(struct model *model, uint64_t id);
/* NULL: the table is full of instances that are not gone. */
struct model_instance *model_make(struct model *model, uint64_t id);
void model_drop(struct model *model, struct model_instance *instance);
enum model_taken model_assign(struct model *model, const Wire__Assignment *assignment);
enum model_taken model_order_segment(
    struct model *model, const Wire__Segment *segment, uint64_t term);
struct model_segment *model_segment_find(struct model *model, uint64_t network);
/* NULL: full. */
struct model_segment *model_segment_make(struct model *model, uint64_t network);
void model_segment_drop(struct model *model, struct model_segment *segment);

/* What Observe answered replaces what was believed of every instance and segment. */
void model_observe(struct model *model, const Wire__VerbTold *told, uint64_t now_ms);
/* Was something of ours observed of which no order of this agent's life says what it should be? */
bool model_has_unordered(const struct model *model);
/* Forgets what was seen: only Observe brings it back (INV-VM-3). */
void model_forget_seen(struct model *model);
void model_list_begin(struct model *model);
/* What the complete list did not name is unwanted. Returns how many. */
uint32_t model_list_end(struct model *model);

Wire__Observed model_observed(const struct model_instance *instance);
/* What the node believes is wanted: for NodeRenew. */
void model_digest(const struct model *model, uint64_t *count_out, uint64_t *digest_out);

#endif
