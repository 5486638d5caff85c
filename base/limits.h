/* Every maximum of the system, with its reason. Full is an answer, not an accident. */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

#include <stdint.h>

/* ---- The cell. Tables are taken at start; these are the defaults of a lab-sized cell. ---- */
enum {
    LIMIT_CONTROLLERS = 7, /* More voters slow every commit and tolerate no more in practice. */
    LIMIT_NODES = 4096,    /* A few thousand nodes are one cell; past it, more cells. */
    LIMIT_TENANTS = 4096,
    LIMIT_PROJECTS = 16384,
    LIMIT_USERS = 16384,
    LIMIT_IMAGES = 4096,
    LIMIT_NETWORKS = 16384,    /* Below the 24-bit VNI space by far. */
    LIMIT_INSTANCES = 65536,   /* The default; a cell may be configured up to a million. */
    LIMIT_OPERATIONS = 262144, /* Every write is remembered for a day after it is done. */
    LIMIT_IDEMPOTENCY_PER_TENANT =
        4096, /* The default of a configurable bound; never early eviction. */
    LIMIT_ALARMS = 1024,
    LIMIT_TOKENS = 1024,
    LIMIT_REVOCATIONS = 16384,
};

/* ---- Objects. ---- */
enum {
    LIMIT_NAME = 64,  /* Bytes with terminator: RFC 1035 labels are 63. */
    LIMIT_LABELS = 8, /* Per object. */
    LIMIT_LABEL_KEY = 32,
    LIMIT_LABEL_VALUE = 64,
    LIMIT_INSTANCE_NETWORKS = 4, /* Taps per guest. */
    LIMIT_VCPUS = 64,            /* Per instance. */
    LIMIT_ATTEMPTS = 100,        /* max_attempts a tenant may ask for. */
    LIMIT_ADDRESS = 64,          /* host:port of a machine, with terminator. */
    LIMIT_REASON = 192,          /* A sentence for people. */
    LIMIT_IDEMPOTENCY_KEY = 64,  /* Bytes with terminator. */
    LIMIT_NODE_IMAGES = 32,      /* Verified image files that a node may report. */
    LIMIT_NODE_FALLBACKS = 4,    /* Announced fallbacks of a node (KVM to TCG and the like). */
};

/* ---- A node. ---- */
enum {
    LIMIT_NODE_INSTANCES = 1024, /* Guests one agent keeps in mind: rows of its only table. */
    LIMIT_NODE_SEGMENTS = 1024,  /* Tenant networks with a member on one node. */
    LIMIT_SEGMENT_PEERS = 256,   /* Other nodes in one network's flood list; each costs a copy. */
    LIMIT_NODE_VERBS = 8,        /* In flight to host: its pool of libvirt callers has as many. */
    LIMIT_NODE_STARTS = 2,       /* Boots at once: a boot costs seconds of CPU when emulated. */
    LIMIT_VCPU_RATIO = 16,       /* What the scheduler can be told: VIEW_OVERCOMMIT_MAX per cent. */
    LIMIT_RESERVE_PERCENT = 89,  /* Kept free for management and failover. */
};
/* What a node says it has is cut to what one machine can have, so that no word of a machine can
 * make the cell's sums wrap: LIMIT_NODES of these, sold sixteen times over, are far below 2^64. */
#define LIMIT_NODE_VCPUS        (UINT64_C(1) << 16)
#define LIMIT_NODE_MEMORY_BYTES (UINT64_C(1) << 46)

/* ---- Messages. ---- */
enum {
    LIMIT_FRAME = 128 * 1024,  /* One SEQPACKET message; fits the default 208 KiB socket buffer. */
    LIMIT_ENTRY = 96 * 1024,   /* One log entry: fits one frame with room for its envelope. */
    LIMIT_COMMAND = 16 * 1024, /* One command inside an entry. */
    LIMIT_COMMANDS_PER_ENTRY = 256,
    LIMIT_REQUEST_BODY = 64 * 1024, /* HTTP body; a batch is cut by its own bound below. */
    LIMIT_BATCH = 128,              /* Requests in one POST /v1/batch. */
    LIMIT_LIST_PAGE = 500,          /* Items in one page. */
    LIMIT_CONSOLE = 64 * 1024,      /* Bytes of console log answered at once. */
};

/* ---- Time, in milliseconds. ---- */
enum {
    LIMIT_TICK_MS = 30,         /* Heartbeat of consensus, and the engine's clock tick. */
    LIMIT_ELECTION_MS = 150,    /* Pre-vote is off (rule 9): 150/30 gives p99 below one second. */
    LIMIT_NODE_RENEW_MS = 1000, /* A node's heartbeat. */
    LIMIT_WALL_BOUND_MS = 5000, /* Clocks that are kept at all are nearer by far. */
    LIMIT_NO_LEADER_MS = 2000,  /* After this the API says 503 instead of waiting. */
};
/* The deadlines of one owner (docs/FENCING.md, clauses 2, 6 and 11 to 19). The assertions below are
 * its inequalities: whoever changes a number changes the model's first (tests/spin). */
enum {
    FENCE_DRIFT_PER_MILLE = 10,   /* rho: a clock gains or loses at most this much on another. */
    FENCE_TRIP_MS = 1000,         /* RTT: there and back between any two machines. */
    LIMIT_NODE_UNKNOWN_MS = 6000, /* L_c: without proof for so long a node is lost. */
    FENCE_ATTEST_MS = 7000, /* L_att: without an ack for so long a node says that it is cut off. */
    FENCE_ANSWER_MS = 2000, /* A_rtt: a challenge is answered by then, or not at all. */
    FENCE_SELF_MS = 20000,  /* T_self: what an ack or a frozen proof is worth. */
    FENCE_KILL_MS = 10000,  /* T_kill: from the deadline to the last guest's end. */
    FENCE_START_MS = 2000,  /* A guest is only started if its node has so much time left. */
    FENCE_DEAD_MS = 33000,  /* T_dead: after it somebody else may run the guests. */
    FENCE_SPARE_MS = 2390,  /* Of T_dead: for what nobody thought of. */
    FENCE_FROZEN_PERCENT = 55, /* k(M) is one more than this share of the members. */
};
/* Log time for which an operation, and with it its idempotency key, is kept once it is done. */
#define LIMIT_OPERATION_KEEP_MS (UINT64_C(24) * 3600 * 1000)
#define LIMIT_MEMORY_BYTES_MIN \
    (UINT64_C(16) << 20) /* A guest's memory: whole MiB in these bounds. */
#define LIMIT_MEMORY_BYTES_MAX (UINT64_C(4) << 40)

_Static_assert(LIMIT_ENTRY + 4096 <= LIMIT_FRAME, "an entry and its envelope fit one frame");
_Static_assert(LIMIT_COMMAND * 4 <= LIMIT_ENTRY, "an entry holds several of the largest commands");
/* In microseconds: what so many milliseconds may be on a slow clock, and on a fast one. */
#define FENCE_SLOW(ms) ((1000 - FENCE_DRIFT_PER_MILLE) * (ms))
#define FENCE_FAST(ms) ((1000 + FENCE_DRIFT_PER_MILLE) * (ms))
_Static_assert(
    FENCE_FAST(LIMIT_NODE_UNKNOWN_MS) <= FENCE_SLOW(FENCE_ATTEST_MS),
    "I1: who attests is lost to every leader");
_Static_assert(
    LIMIT_NODE_UNKNOWN_MS >= 5 * LIMIT_NODE_RENEW_MS + FENCE_TRIP_MS,
    "I2: an echo is two renewals old, and three may be lost");
_Static_assert(
    FENCE_SLOW(FENCE_SELF_MS) >=
        1000 * (FENCE_ATTEST_MS + 4 * LIMIT_NODE_RENEW_MS + 2 * FENCE_TRIP_MS + FENCE_ANSWER_MS),
    "I3: peers may attest before the first deadline");
_Static_assert(
    FENCE_SLOW(FENCE_DEAD_MS - FENCE_SPARE_MS) >= FENCE_FAST(FENCE_SELF_MS + FENCE_KILL_MS),
    "I4: the first copy has ended before the second begins");
_Static_assert(LIMIT_IDEMPOTENCY_PER_TENANT * 64 <= LIMIT_OPERATIONS, "many tenants fit");

#endif
