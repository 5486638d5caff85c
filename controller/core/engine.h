/* The engine: one controller's step machine. Everything that happens to a controller comes in as an
 * event, everything it wants done leaves as an effect; it has no clock, no socket and no disk.
 *
 *   ask ─► trial ─► placed ─► batch ─► SUBMIT ─► APPLIED ─► apply_entry ─► ANSWER
 *   read ─► confirmed round ─► ANSWER                 (a follower forwards either, once)
 *   node's words ─► NodeHeard, NodeJudged, NodeReported commands; ASSIGN effects ─► orders
 *
 * engine.c receives events · engine_pace.c says who must wait · engine_asks.c owns asks from
 * arrival to answer · engine_reads.c the confirmed rounds · engine_nodes.c what nodes say ·
 * engine_orders.c what they are told · engine_papers.c certificates · engine_standing.c what
 * controllers say of themselves · engine_lead.c what only a leader does by itself. */
#ifndef CONTROLLER_CORE_ENGINE_H
#define CONTROLLER_CORE_ENGINE_H

#include "audit/fold.h"
#include "base/result.h"
#include "controller/core/apply.h"
#include "controller/core/nodes.h"
#include "controller/core/read.h"

enum {
    ENGINE_ASKS = 2048, /* Under way at once; more is refused with "overloaded". */
    ENGINE_ASK_BYTES = LIMIT_COMMAND,
    ENGINE_TICKETS = 2,  /* Entries submitted and not yet applied: REPLICA_OUTSTANDING. */
    ENGINE_WORDS = 1024, /* Commands of the plane itself waiting for an entry. */
    ENGINE_WORD_BYTES = 4096,
    ENGINE_EVENTS = 4096, /* Events kept for resuming clients. */
    ENGINE_DIGESTS =
        4096,           /* Of the newest entries: others speak of what they applied a second ago. */
    ENGINE_MARKS = 16,  /* Older digests that a controller tells. */
    ENGINE_REPLANS = 3, /* Times a conflict between plan and apply is planned again. */
    ENGINE_ARENA = 8 * 1024 * 1024,
};

enum engine_role { ENGINE_FOLLOWER = 1, ENGINE_ELECTING = 2, ENGINE_LEADING = 3 };

enum engine_event_kind {
    ENGINE_ASK = 1, /* ask: of the local api. */
    ENGINE_FRAME,   /* frame, stamped by link with its sender. */
    ENGINE_LINK,    /* peer came (up) or went. */
    ENGINE_TOLD,    /* frame: keys answered, parent or a door said something. */
    ENGINE_APPLIED, /* index, ticket, entry: committed. */
    ENGINE_LOST,    /* ticket: its outcome is unknown. */
    ENGINE_REFUSED, /* batch: SUBMIT came to nothing; failure says why. */
    ENGINE_ROLE,    /* role, term, leader. */
    ENGINE_MEMBERS, /* What consensus says of every member. */
    ENGINE_CLOCK,   /* Every LIMIT_TICK_MS. */
    ENGINE_TURN,    /* The turn's input is over: propose, confirm. */
    ENGINE_MORE,    /* engine_more() said so: what had no room in the last step. */
    ENGINE_RENEW,   /* csr, epoch, late: this controller's own certificate ends. */
    ENGINE_LEAVE,   /* Another engine takes this one's place: every ask is answered now. */
};

struct engine_member {
    uint64_t id;
    uint32_t voter; /* 0 spare, 1 standby, 2 voter. */
    uint64_t match;
    uint64_t heard_ms; /* Ago; UINT64_MAX: never. */
};

struct engine_event {
    enum engine_event_kind kind;
    uint64_t now_ms;  /* CLOCK_BOOTTIME, or virtual. */
    uint64_t wall_ms; /* 1970 UTC. */
    const Wire__Ask *ask;
    const Wire__Frame *frame;
    uint32_t door; /* TOLD of who was turned away: 1 api, 2 link. */
    bool up;
    Wire__Kind peer_kind;
    uint64_t peer;
    uint64_t index;
    uint64_t ticket;
    const Wire__Entry *entry;
    struct result failure;
    enum engine_role role;
    uint64_t term;
    uint64_t leader;
    uint64_t commit;
    const struct engine_member *members;
    uint32_t members_count;
    bool fit;          /* MEMBERS: there is room on the disk and the mirror is sound. */
    struct slice csr;  /* RENEW: PKCS#10, of a new key. */
    uint32_t epoch;    /* RENEW: of the certificate in use. */
    bool late;         /* RENEW: it ended, or will before the log could be asked often. */
    uint64_t poisoned; /* MEMBERS: the entry that killed this replica time and again; 0: none. */
};

struct engine_conf {
    uint64_t self; /* controller_id. */
    uint16_t cell;
    const Wire__Genesis *genesis; /* Not NULL: this controller begins the cell. Copied as bytes. */
    struct state_capacity capacity;
    uint32_t requests_per_second;        /* Of one principal at this controller; 0: no limit. */
    uint32_t tenant_requests_per_second; /* Of a tenant's principals together. */
    struct slice ca; /* The cell's certificate authority, DER: goes into answers to joiners. */
    /* Asks are numbered from here: above every number that an earlier engine of this machine gave,
     * so that what was answered to it finds nobody. INV-SEC-35 */
    uint64_t asks_from;
    place_policy *placement; /* Of experiments; NULL: the scheduler's own, place(). */
    uint32_t feature_level;  /* That this program speaks for; 0: all that it understands. */
};

struct engine;

size_t engine_memory(const struct engine_conf *conf);
/* `memory` is zeroed, 64-byte aligned and stays the caller's. */
struct engine *engine_init(const struct engine_conf *conf, void *memory);
/* One event; effects->arena and effects->list are the caller's, reset by it between steps. */
void engine_step(struct engine *engine, const struct engine_event *event, struct effects *effects);

/* The last step left something for the next: the shell gives ENGINE_MORE before the turn ends. */
bool engine_more(const struct engine *engine);

/* Something waits to be proposed or confirmed: ENGINE_TURN has work. */
bool engine_turn_due(const struct engine *engine);

/* For restore (before the first step), the mirror, and reports. */
struct state *engine_state(struct engine *engine);
void engine_restored(struct engine *engine, uint64_t index);
uint64_t engine_applied(const struct engine *engine);
/* How many asks are under way; commands of the plane that wait. For /metrics and bounds. */
uint32_t engine_asks_under_way(const struct engine *engine);
/* Where SUBMIT's ticket must be written before the entry can be applied: effect->handle names it.
 */
uint64_t *engine_ticket_slot(struct engine *engine, uint64_t handle);
/* Is there somebody now who could answer ENGINE_RENEW? */
bool engine_may_renew(struct engine *engine, bool late);
/* There is room on the disk and the mirror is sound, as MEMBERS said last. */
bool engine_fit(const struct engine *engine);
/* This replica holds another state than an agreeing majority: it must stop. INV-REF-1 */
bool engine_diverged(const struct engine *engine);
/* The cell has a feature level that this build does not know: it must stop. */
bool engine_outgrown(const struct engine *engine);

#endif
