/* The simulator of the whole plane: what its files share. One seed is one process, one thread and
 * virtual time: the daemons' own server, core, journal and replica objects on every controller and
 * the daemons' own agent on every node, over disks, streams, keys and hypervisors that fail.
 *
 *   plane_run        events in order of time; trace, odds, violations
 *   plane_time       clocks, what work costs, machines that are busy or stand still
 *   plane_story      the life of one seed: begin a cell, trouble, heal, the last judgement
 *   plane_net        streams between machines: a stream loses its tail, never its middle
 *   plane_controller a controller's process: start, crash, and what server.h asks of its host
 *   plane_snapshot   checkpoints over the store in memory, their parts as frames
 *   plane_node       an agent's process: start, crash, its effects
 *   plane_host       the fake hypervisor beneath it
 *   plane_client     clients: one request at a time, retried until it has an answer
 *   plane_request    what they ask, and what an answer means; plane_odd: what must be refused;
 *                    plane_wire: their bytes
 *   plane_swarm      what each seed draws
 *   plane_fault      when crashes, cuts and the rest strike
 *   plane_disk       what the disks of controllers do
 *   plane_operator   replaces, adds and removes controllers
 *   plane_check      what must hold after every event (rows); plane_leaves: of the audit log
 *   plane_history    what clients were told, judged at the end
 *   plane_lie        spoils what a checker looks at, so that it is seen to refuse
 *   plane_main       options, many seeds, the table */
#ifndef TESTS_SIM_PLANE_H
#define TESTS_SIM_PLANE_H

#include "base/limits.h"
#include "base/prng.h"
#include "base/reject.h"
#include "base/slice.h"

#include <audit.pb-c.h>
#include <frame.pb-c.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    PLANE_CONTROLLERS = LIMIT_CONTROLLERS, /* Machines 0 … 6; a seed begins with three or five. */
    PLANE_NODES = 2048,                    /* At most; machines from PLANE_CONTROLLERS on. */
    PLANE_TENANTS = 64,
    PLANE_CLIENTS = 256,       /* At most, with the operator, who is client 0. */
    PLANE_SEQUENCES = 1 << 22, /* Ids that one seed can give. */
    PLANE_INDEXES = 1 << 22,
    PLANE_EVENTS = 1 << 20,   /* Waiting at once. */
    PLANE_INBOX = 128,        /* Letters waiting at one machine, and PLANE_INBOX_PEER more for */
    PLANE_INBOX_PEER = 8,     /* each other machine: channels are not wider. */
    PLANE_DOMAINS = 128,      /* Of one fake hypervisor. */
    PLANE_INJECTED = 1 << 16, /* Commands and strikes of one seed that are remembered. */
    PLANE_CELL = 7,
    PLANE_KEY = 24,
    PLANE_NAME = 24,
    PLANE_IMAGES = 4, /* All that the cell has room for. */
};
#define PLANE_NONE UINT32_MAX

/* How large a world is. What is 0 is drawn by the seed. */
struct plane_conf {
    uint32_t controllers; /* That begin the cell. */
    uint32_t nodes;
    uint32_t tenants;
    uint32_t clients;   /* Of tenants, beside the operator. */
    uint32_t instances; /* Each tenant's cap. */
    uint32_t requests;  /* At most, of all. */
    uint64_t life_ms;   /* Trouble ends then. */
    uint64_t fill;      /* Per cent of its cap that a tenant fills before it does anything else. */
    uint64_t think_ms;  /* Most that a client rests between two requests. */
};

enum plane_kind {
    PLANE_TICK = 1,   /* machine: a controller's clock. */
    PLANE_TURN,       /* machine: the input of its loop's turn is over. */
    PLANE_FREE,       /* machine: it takes the next of its inbox. */
    PLANE_LETTER,     /* machine ← a; b: session. */
    PLANE_RAFT,       /* The same, of consensus: bytes are the message in the frame. */
    PLANE_ASK,        /* machine: its api; a: client; b: the attempt; bytes: Asks. */
    PLANE_LINK_UP,    /* machine sees a come; b: session. */
    PLANE_LINK_DOWN,  /* machine sees a go; b: session. */
    PLANE_CONNECT,    /* machine and a try to meet. */
    PLANE_BREAK,      /* The stream b between machine and a ends. */
    PLANE_KEYS,       /* machine: its keys answer. */
    PLANE_RESTART,    /* machine. */
    PLANE_FLUSHED,    /* machine: its store became durable. */
    PLANE_AGENT_TICK, /* machine. */
    PLANE_VERB,       /* machine: its host acts; b: life of host. */
    PLANE_TOLD,       /* machine: its host answers, or tells; b: life of host. */
    PLANE_GUEST_ENDS, /* machine; a: instance; b: life of host. */
    PLANE_HOST_BACK,  /* machine; a: 1 host, 2 libvirt; b: life of host. */
    PLANE_CLIENT,     /* a: client. */
    PLANE_ANSWER,     /* a: client; b: the attempt; bytes: Told. */
    PLANE_FAULT,
    PLANE_WEATHER,
    PLANE_CUT_OFF, /* machine. */
    PLANE_MEND,    /* machine; a, b: what ends (plane_fault.c). */
    PLANE_OPERATE, /* The operator looks. */
    PLANE_ROOM,    /* machine: its disk has room again. */
    PLANE_TRIAL,   /* a, b: what an experiment's file says (trial.h). */
};

/* Rows of the table; every one must be seen in a run of 200 seeds. */
enum plane_fault {
    PLANE_KILL,
    PLANE_LEADER_KILLED,
    PLANE_POWER_LOSS,
    PLANE_TORN_WRITE,
    PLANE_DEATH_IN_DISK_CALL,
    PLANE_DISK_CALL_FAILED,
    PLANE_ALL_CONTROLLERS_DOWN,
    PLANE_HALF_SECTOR,
    PLANE_STRAY_WRITE,
    PLANE_ROT,
    PLANE_SYNC_LIED,
    PLANE_SET_BACK,
    PLANE_REFUSED_TO_START,
    PLANE_DISK_SLOW,
    PLANE_DISK_FULL,
    PLANE_SPACE_BACK,
    PLANE_STORE_BROKEN,
    PLANE_FLUSH_UNASKED,
    PLANE_CUT,
    PLANE_ONE_WAY,
    PLANE_SPLIT,
    PLANE_TAIL_LOST,
    PLANE_FRAME_DROPPED,
    PLANE_DELAYED,
    PLANE_OVERTAKEN,
    PLANE_ASKED_TWICE,
    PLANE_FLOOD,
    PLANE_ANSWER_LOST,
    PLANE_WALL_JUMP,
    PLANE_DRIFT,
    PLANE_CLOCK_STANDS,
    PLANE_STANDSTILL,
    PLANE_SLOW,
    PLANE_FLAPS,
    PLANE_OLD_BUILD,
    PLANE_MEMBERS_CHANGED,
    PLANE_LEFT_FOR_DEAD,
    PLANE_KEYS_LATE,
    PLANE_KEYS_DIED,
    PLANE_NODE_CRASH,
    PLANE_NODE_FORGETS,
    PLANE_AGENT_RESTART,
    PLANE_HOST_RESTART,
    PLANE_LIBVIRT_AWAY,
    PLANE_GUEST_CRASH,
    PLANE_END_UNTOLD,
    PLANE_START_FAILED,
    PLANE_STOP_IGNORED,
    PLANE_STOP_LIED,
    PLANE_VERB_LATE,
    PLANE_TOLD_TWICE,
    PLANE_DOMAIN_LOST,
    PLANE_SNAPSHOT_FETCHED,
    PLANE_SNAPSHOT_DAMAGED,
    PLANE_MIRROR_STARTED_OVER,
    PLANE_NARROW,
    PLANE_INBOX_FULL,
    PLANE_ELECTION,
    PLANE_FORWARDED,
    PLANE_FAULTS
};

enum plane_checker {
    PLANE_CHECK_DIGEST,
    PLANE_CHECK_AGREED,
    PLANE_CHECK_LEDGER,
    PLANE_CHECK_CAP,
    PLANE_CHECK_ACKNOWLEDGED,
    PLANE_CHECK_ONCE,
    PLANE_CHECK_INVENTED,
    PLANE_CHECK_READ,
    PLANE_CHECK_ONE_OWNER,
    PLANE_CHECK_GENERATION,
    PLANE_CHECK_STARTED_ORDER,
    PLANE_CHECK_LEAVES,
    PLANE_CHECK_FRONTIER,
    PLANE_CHECK_BOUNDS,
    PLANE_CHECK_CONVERGED,
    PLANE_CHECK_INVENTORY,
    PLANE_CHECK_ROOMS,
    PLANE_CHECK_LET_GO,
    PLANE_CHECK_WANTED,
    PLANE_CHECK_NOTE,
    PLANE_CHECK_LEAF_OF_CHANGE,
    PLANE_CHECK_LEAF_OF_WRITE,
    PLANE_CHECK_LINEAR,
    PLANE_CHECKERS
};

/* What can strike. Up to SET_BACK: a controller; from NODE on: a node. */
enum plane_strike {
    STRIKE_PROCESS = 1,
    STRIKE_ALL,
    STRIKE_SNAPSHOT,
    STRIKE_MEMBER,
    STRIKE_FULL,
    STRIKE_STORE,
    STRIKE_CALLS,
    STRIKE_SLOW_DISK,
    STRIKE_ROT,
    STRIKE_LIE,
    STRIKE_STRAY,
    STRIKE_SAVE,
    STRIKE_SET_BACK,
    STRIKE_FLOOD,
    STRIKE_STANDSTILL,
    STRIKE_SLOW,
    STRIKE_CLOCK,
    STRIKE_FLAP,
    STRIKE_NODE,
    STRIKE_FORGETS,
    STRIKE_AGENT,
    STRIKE_HOST,
    STRIKE_LIBVIRT,
    STRIKE_GUEST,
    STRIKE_LOSES,
    STRIKES_END
};

/* What this seed knows of trouble. */
struct plane_swarm {
    bool on[PLANE_FAULTS]; /* What calls and frames may suffer. */
    uint32_t weights[STRIKES_END];
    uint64_t rest_ms; /* Most between two strikes. */
    uint64_t starts;  /* A start lasts so many times as long: guests may be emulated. */
    uint32_t keys;    /* Remembered of a tenant; 0: the product's bound. */
    uint32_t rate;    /* Requests per second of a principal; 0: no limit. */
    bool old_builds;  /* Some controllers begin as programs of the first feature level. */
    bool core_only;   /* At the end only a majority is healed; the rest is left for dead. */
};

struct plane_event {
    uint64_t at_us;
    uint64_t order; /* Ties are broken by age. */
    enum plane_kind kind;
    uint32_t machine;
    uint32_t life; /* Of the machine's process; an event for an earlier life is dropped. */
    uint64_t a;
    uint64_t b;
    size_t size;
    uint8_t *bytes; /* Owned. */
};

/* What one end of a link knows. */
struct plane_end {
    uint64_t session; /* The stream that this end sees up; 0: none. */
    uint64_t last_us; /* Nothing of it arrives here earlier. */
    bool stalled;     /* A cut ate something: what follows does not arrive either. */
};

/* Between a controller and any other machine; one stream at most. Side 0 is the machine with the
 * lower number. */
struct plane_link {
    uint64_t session; /* 0: none. */
    bool waiting;     /* A CONNECT is on its way. */
    struct plane_end ends[2];
    bool cut[2];         /* What this side sends is lost. */
    bool refused;        /* One of the two was revoked: they meet no more. */
    uint64_t free_us[2]; /* When all that this side sent is on the wire. */
};

/* A machine's clock, as its programs read it. */
struct plane_clock {
    uint64_t since_us; /* Of the world, when the rate changed last. */
    uint64_t local_us; /* What it showed then. */
    uint64_t rate_ppm; /* 1,000,000: as the world's. 0: it stands. */
    int64_t wall_offset_ms;
};

struct plane_inbox {
    struct plane_event *ring; /* Owned; of `capacity`. */
    uint32_t capacity;
    uint32_t first;
    uint32_t count;
    bool freeing; /* A FREE is on its way. */
};

struct plane_machine {
    uint64_t id; /* Of the cell; 0: has not joined. */
    bool exists;
    bool up;
    bool dead;       /* For good. */
    uint32_t serial; /* Of the job that made it join; part of its name. */
    uint32_t life;
    struct plane_clock clock;
    uint64_t busy_us;  /* It takes no input before. */
    uint64_t stood_us; /* How long it stood still, in all. */
    uint64_t slow;     /* Its work costs so many times as much. */
    struct plane_inbox inbox;
    uint64_t newest_letter; /* That arrived here, by age. */
};

struct plane_weather {
    uint64_t drop;         /* Per ten thousand frames. */
    uint64_t delay_min_us; /* At least; */
    uint64_t delay_max_us; /* and so much more. */
    uint64_t straggler;    /* Per ten thousand frames: half a second late, and all behind it. */
    uint64_t bytes_per_ms; /* Of each direction of a link; 0: no bound. */
};

struct plane_tally {
    uint64_t faults[PLANE_FAULTS];
    uint64_t checks[PLANE_CHECKERS];
    uint64_t rejects[REJECTS_END];
    uint64_t seeds;
    uint64_t events;
    uint64_t virtual_ms;
    uint64_t acknowledged;
    uint64_t refused;
    uint64_t entries;
    uint64_t instances_most; /* Of one state. */
    uint64_t queued_most;    /* Longest inbox of a machine. */
    uint64_t commands_least; /* Of a seed that was lived to its end. */
    uint64_t struck_least;
    uint64_t seconds_least;
    uint64_t struck; /* Faults that were struck by themselves, as against odds of calls. */
    uint64_t hash;
    struct plane_conf conf; /* As the seed that ran last drew it. */
    bool failed;
    uint64_t failed_ms;
    uint64_t seed_events; /* Of the seed that ran last. */
    uint32_t injected_count;
    uint32_t injected[PLANE_INJECTED]; /* What was injected into it, in order: plane_inject.c. */
    char what[256];
};

/* What is injected: a command of a client, a strike, a change of weather. Each draws from a stream
 * of its own, so that leaving one out changes no other. */
enum plane_inject { PLANE_INJECT_COMMAND = 1, PLANE_INJECT_STRIKE, PLANE_INJECT_WEATHER };

/* The least of a seed that still fails. */
struct plane_kept {
    bool off[PLANE_FAULTS]; /* Faults of calls and frames that do not happen. */
    bool only;              /* Of what is injected only `ids` happen, ascending. */
    uint32_t count;
    uint32_t ids[PLANE_INJECTED];
};

struct plane {
    struct prng prng;
    uint64_t seed;
    struct plane_conf conf; /* What the seed drew is filled in. */
    struct plane_swarm swarm;
    uint64_t now_us;
    uint64_t now_ms;
    uint64_t until; /* Stop at this event; 0: never. */
    bool verbose;
    const char *lie;               /* NULL: none. */
    const struct plane_kept *kept; /* NULL: everything happens. */
    struct prng prng_aside;        /* While something is injected. */
    bool trouble;                  /* Faults may strike. */
    bool done;
    uint32_t machines_count;
    struct plane_weather weather;
    struct plane_machine *machines; /* Owned; controllers, then nodes. */
    struct plane_link *links;       /* Owned; plane_link_of. */
    uint32_t *machine_of;           /* Owned; by sequence of the id: machine + 1. */
    uint64_t sessions;
    struct plane_event *queue; /* Owned; a heap. */
    uint32_t queue_count;
    uint32_t queue_capacity;
    uint64_t event_order;
    uint32_t strikes;       /* So far, */
    uint32_t weathers;      /* and changes of weather. */
    uint64_t shelter_ms;    /* Until then nothing strikes controllers: one returns, set back. */
    uint64_t struck_before; /* Of the tally, when trouble began. */
    struct plane_tally *tally;
    struct trial *trial; /* NULL: no experiment is run (trial.h). */
};

/* ---- plane_run.c ---- */
uint64_t plane_below(struct plane *plane, uint64_t bound);
bool plane_odds(struct plane *plane, uint64_t per_ten_thousand);
/* The same, and false whenever nothing may go wrong. */
bool plane_strikes(struct plane *plane, enum plane_fault fault, uint64_t per_ten_thousand);
void plane_trace(struct plane *plane, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* A violation: the seed ends here. */
_Noreturn void plane_fail(struct plane *plane, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void plane_hash(struct plane *plane, uint64_t value);
void plane_seen(struct plane *plane, enum plane_fault fault);
void plane_checked(struct plane *plane, enum plane_checker checker);
/* `bytes` are copied. */
void plane_post(
    struct plane *plane,
    uint64_t delay_ms,
    enum plane_kind kind,
    uint32_t machine,
    uint64_t a,
    uint64_t b,
    struct slice bytes);
void plane_after(struct plane *plane, uint64_t delay_ms, enum plane_kind kind, uint32_t machine);
void plane_post_us(
    struct plane *plane,
    uint64_t delay_us,
    enum plane_kind kind,
    uint32_t machine,
    uint64_t a,
    uint64_t b,
    struct slice bytes);
void *plane_zeroed(size_t count, size_t size); /* Owned by the caller; never NULL. */
/* Runs events until `ready` says so; false: not within `patience_ms`. */
bool plane_until(struct plane *plane, uint64_t patience_ms, bool (*ready)(struct plane *plane));

/* ---- plane_time.c ---- */
enum plane_cost {
    PLANE_COST_LETTER = 1, /* A frame of another machine: read, decoded, one step. */
    PLANE_COST_ASK,        /* A request of a client: authority, plan. */
    PLANE_COST_TICK,
    PLANE_COST_APPLY, /* An entry: decoded, applied, mirrored. */
    PLANE_COST_SYNC,  /* Of the log, to a disk that does nothing else. */
    PLANE_COST_AGENT, /* One step of an agent. */
    PLANE_COST_START, /* Of a domain, until the hypervisor says that it runs. */
    PLANE_COST_STOP,
    PLANE_COST_ERASE,
    PLANE_COST_SEGMENT,
    PLANE_COST_LOOK, /* Observe, survey, console. */
    PLANE_COSTS_END
};
uint64_t plane_cost(enum plane_cost cost);                        /* Microseconds. */
void plane_cost_is(enum plane_cost cost, uint64_t us);            /* Another than was measured. */
uint64_t plane_now(const struct plane *plane, uint32_t machine);  /* CLOCK_BOOTTIME, ms. */
uint64_t plane_wall(const struct plane *plane, uint32_t machine); /* 1970 UTC, ms. */
void plane_clock_rate(struct plane *plane, uint32_t machine, uint64_t rate_ppm);
/* How long `ms` of the machine's clock last in the world. */
uint64_t plane_lasts_us(const struct plane *plane, uint32_t machine, uint64_t ms);
/* Its work took so long: it takes no input meanwhile, and what it sends leaves afterwards. */
void plane_spend(struct plane *plane, uint32_t machine, uint64_t us);
/* It stands still, and hears everything later. */
void plane_pause(struct plane *plane, uint32_t machine, uint64_t ms);
/* Its process is new, or gone: nothing of what kept it busy counts any more. */
void plane_wake(struct plane *plane, uint32_t machine);
/* True: the event has to wait for its machine. It was taken over, with its bytes. */
bool plane_wait(struct plane *plane, const struct plane_event *event);
void plane_freed(struct plane *plane, uint32_t machine); /* The next one, when it can. */
/* The next of the inbox; false: none, or the machine is still busy. */
bool plane_next(struct plane *plane, uint32_t machine, struct plane_event *event_out);
/* Encodes and decodes: what does not travel well ends the seed. The frame lives until the next. */
struct slice plane_encode(struct plane *plane, const Wire__Frame *frame);
const Wire__Frame *plane_decode(struct plane *plane, struct slice bytes);

/* ---- plane_story.c ---- */
void plane_live(struct plane *plane);
/* The cell that plane->conf says in full, complete and without trouble (stories are told in it);
 * and its memory given back. */
void plane_begin(struct plane *plane);
void plane_end(struct plane *plane);

/* ---- plane_net.c ---- */
void plane_send(struct plane *plane, uint32_t from, const Wire__Frame *frame);
void plane_letter(struct plane *plane, const struct plane_event *event);
void plane_link_event(struct plane *plane, const struct plane_event *event);
void plane_connect(struct plane *plane, uint32_t one, uint32_t other);
void plane_break(struct plane *plane, const struct plane_event *event);
void plane_refuse(struct plane *plane, uint32_t one, uint32_t other);
/* The machine's link is gone or back. */
void plane_unlink(struct plane *plane, uint32_t machine);
void plane_relink(struct plane *plane, uint32_t machine);
uint32_t plane_machine_of(const struct plane *plane, uint64_t id); /* PLANE_NONE: nobody. */
void plane_machine_is(struct plane *plane, uint32_t machine, uint64_t id);
struct plane_link *plane_link_of(struct plane *plane, uint32_t one, uint32_t other);
void plane_weather(struct plane *plane);
void plane_weather_fair(struct plane *plane); /* For now. */
void plane_cuts_break(struct plane *plane);   /* Streams through a cut will end. */
void plane_cut_off(struct plane *plane, uint32_t machine);
void plane_cut_machine(struct plane *plane, uint32_t machine, bool cut);

/* The machines below this one have links with it: all, of a controller; else the controllers. */
uint32_t plane_linked_end(const struct plane *plane, uint32_t machine);

/* ---- plane_controller.c ---- */
void plane_controllers_begin(struct plane *plane);
void plane_controllers_end(struct plane *plane);
void plane_controller_join(struct plane *plane, uint32_t machine, uint64_t id);
void plane_controller_event(struct plane *plane, const struct plane_event *event);
void plane_controller_frame(
    struct plane *plane, uint32_t machine, uint32_t from, const Wire__Frame *frame);
void plane_controller_link(struct plane *plane, uint32_t machine, uint32_t peer, bool up);
void plane_controller_crash(struct plane *plane, uint32_t machine, bool power);
void plane_controller_off(struct plane *plane, uint32_t machine); /* For good, and wiped. */
bool plane_controller_hurt(uint32_t machine);
/* ---- plane_disk.c ---- */
/* A copy of its disk, to be set back to. */
void plane_disk_save(struct plane *plane, uint32_t machine);
/* ROT, SYNC_LIED, STRAY_WRITE, SET_BACK. False: too many are hurt already. */
bool plane_disk_hurt(struct plane *plane, uint32_t machine, enum plane_fault how);
void plane_disk_slow(struct plane *plane, uint32_t machine, uint64_t sync_us);
void plane_controller_full(struct plane *plane, uint32_t machine, bool full);
void plane_controller_break(struct plane *plane, uint32_t machine);
/* Per million disk calls: the process dies inside one; one fails. */
void plane_controller_odds(struct plane *plane, uint32_t machine, uint64_t die, uint64_t fail);
struct server *plane_server(struct plane *plane, uint32_t machine); /* NULL: it is down. */
struct store *plane_store(struct plane *plane, uint32_t machine);
uint32_t plane_leader(struct plane *plane); /* PLANE_NONE: nobody. */
/* If the seed says so, some begin with programs of the first feature level. */
void plane_old_builds(struct plane *plane);

/* ---- plane_node.c ---- */
void plane_nodes_begin(struct plane *plane);
void plane_nodes_end(struct plane *plane);
void plane_node_join(struct plane *plane, uint32_t machine, uint64_t id);
void plane_node_event(struct plane *plane, const struct plane_event *event);
void plane_node_frame(
    struct plane *plane, uint32_t machine, uint32_t from, const Wire__Frame *frame);
void plane_node_link(struct plane *plane, uint32_t machine, uint32_t peer, bool up);
/* The agent's process dies; `power`: the whole node, with its guests. */
void plane_node_crash(struct plane *plane, uint32_t machine, bool power);
/* Everything on it is gone; it joins anew under another name. */
void plane_node_forgets(struct plane *plane, uint32_t machine);
void plane_node_told(struct plane *plane, uint32_t machine, const Wire__Frame *frame);
void plane_node_host(struct plane *plane, uint32_t machine, bool up);

/* ---- plane_host.c ---- */
struct plane_domain {
    uint64_t instance; /* 0: free. */
    bool running;
    bool paused;
    bool leftovers;
    bool clings; /* A lie of ours: whatever the hypervisor says, it runs on. */
    uint64_t generation;
    uint64_t epoch;
    uint64_t boots;
};
void plane_hosts_begin(struct plane *plane);
void plane_hosts_end(void);
void plane_host_wiped(uint32_t machine); /* After its power went: not even leftovers. */
void plane_host_power(struct plane *plane, uint32_t machine);
void plane_host_verb(struct plane *plane, uint32_t machine, const Wire__Frame *frame);
void plane_host_event(struct plane *plane, const struct plane_event *event);
void plane_host_restart(struct plane *plane, uint32_t machine);
void plane_host_libvirt(struct plane *plane, uint32_t machine);
void plane_host_guest(struct plane *plane, uint32_t machine);
void plane_host_loses(struct plane *plane, uint32_t machine);
const struct plane_domain *plane_host_domains(uint32_t machine);
bool plane_host_up(uint32_t machine);
/* A domain that nobody ordered, on another node than this one; false: no place for it. */
bool plane_host_forge(struct plane *plane, uint64_t instance, uint64_t node);
void plane_host_agent_died(struct plane *plane, uint32_t machine);

/* ---- plane_client.c, plane_request.c ---- */
enum plane_act {
    PLANE_ACT_IMAGE = 1,
    PLANE_ACT_TENANT,
    PLANE_ACT_USER,
    PLANE_ACT_TOKEN,
    PLANE_ACT_REMOVE,
    PLANE_ACT_REVOKE, /* machine: the request that made the user. */
    PLANE_ACT_JOIN,
    PLANE_ACT_NETWORK,
    PLANE_ACT_NETWORK_DELETE,
    PLANE_ACT_CREATE,
    PLANE_ACT_START,
    PLANE_ACT_STOP,
    PLANE_ACT_REBOOT,
    PLANE_ACT_DELETE,
    PLANE_ACT_READ,
    PLANE_ACT_ODD,
};

enum plane_odd {
    PLANE_ODD_NAME_TAKEN = 1,
    PLANE_ODD_BAD_NAME,
    PLANE_ODD_BAD_FIELD,
    PLANE_ODD_DENIED,
    PLANE_ODD_NOT_FOUND,
    PLANE_ODD_OTHER_BODY,
    PLANE_ODD_TOKEN,
    PLANE_ODD_ELSEWHERE,
    PLANE_ODD_OLD_TAG,
    PLANE_ODD_NOTHING,
    PLANE_ODD_REVOKED,
    PLANE_ODD_FLOOR,
    PLANE_ODD_IMAGES,
    PLANE_ODD_NO_ROOM,
    PLANE_ODDS
};

enum plane_state { PLANE_OPEN = 1, PLANE_ACKNOWLEDGED = 2, PLANE_REFUSED = 3 };

struct plane_request {
    enum plane_act act;
    enum plane_state state;
    uint32_t client;
    uint32_t tenant;  /* Index. */
    uint32_t machine; /* TOKEN, JOIN: whose, */
    enum plane_odd odd;
    uint32_t life;    /* and how often it was made anew. */
    uint32_t object;  /* Request that created what this one is about; its own number for creates. */
    uint32_t network; /* CREATE: request that made its network; 0: none. */
    bool flag;        /* CREATE: stopped. STOP: force. */
    bool unsure;      /* An attempt's outcome is unknown. */
    bool ending;      /* A delete was asked for. */
    bool listed;      /* Among what its tenant's clients may choose. */
    uint32_t found;   /* Rows of this name, at the end. */
    uint64_t principal;
    uint64_t operation; /* Once acknowledged. */
    uint64_t resource;
    uint64_t index; /* Of the state that acknowledged it. */
    uint32_t reject;
    uint32_t attempts;
    char key[PLANE_KEY];
    char name[PLANE_NAME];
};

extern struct plane_request *plane_requests; /* Number 0 is none. */
extern uint32_t plane_requests_count;

void plane_clients_begin(struct plane *plane);
void plane_client_event(struct plane *plane, const struct plane_event *event);
void plane_client_answer(
    struct plane *plane, uint32_t machine, uint64_t handle, const Wire__Answer *answer);
void plane_client_lost(struct plane *plane, uint32_t machine); /* Its api went away. */
/* A request of the story itself; runs until it is answered. */
struct plane_request *plane_ask(
    struct plane *plane, enum plane_act act, uint32_t tenant, uint32_t machine);
/* More reads at once than one tenant may have under way. */
void plane_client_flood(struct plane *plane);
/* The operator's; plane_operator_told hears of its end. False: another is under way. */
bool plane_ask_soon(struct plane *plane, enum plane_act act, uint32_t machine, uint32_t life);
bool plane_clients_idle(const struct plane *plane);
void plane_clients_busy(struct plane *plane, bool busy);
void plane_clients_end(struct plane *plane);
void plane_clients_only(uint32_t machine); /* The only controller that is asked from now on. */
void plane_client_ahead(void);             /* Believes in a newer state than there is. */

uint32_t plane_request_new(struct plane *plane, enum plane_act act, uint32_t client);
/* Chooses and fills one; 0: nothing sensible to do now. */
uint32_t plane_request_choose(struct plane *plane, uint32_t client);
/* It exists, as far as is known: clients may choose it; or they may no more. */
void plane_request_list(struct plane *plane, uint32_t number, bool listed);
/* The same bytes at every attempt. Lives until the next call. */
const Wire__Request *plane_request_wire(
    const struct plane *plane, const struct plane_request *request, uint32_t attempt);
/* False: it must be asked again. */
bool plane_request_answered(
    struct plane *plane, struct plane_request *request, const Wire__Answer *answer);
/* Something of this client's that was acknowledged, or an instance that it may name; 0: none. */
uint32_t plane_request_done(struct plane *plane, uint32_t client, bool instance);
const char *plane_act_name(enum plane_act act);

/* ---- plane_wire.c ---- */
const char *plane_tenant_name(uint32_t tenant); /* Lives until the next call. */

/* ---- plane_odd.c ---- */
void plane_odd_begin(struct plane *plane);
uint32_t plane_odd_choose(struct plane *plane, uint32_t client);
bool plane_odd_fair(const struct plane_request *request, uint32_t reject);
const char *plane_odd_name(enum plane_odd odd);
void plane_odd_wire(
    const struct plane *plane, const struct plane_request *request, Wire__Request *out);
extern uint64_t plane_users[PLANE_CLIENTS]; /* Principal of each client. */
extern uint64_t plane_tenants[PLANE_TENANTS];
static inline uint32_t plane_tenant_of(const struct plane *plane, uint32_t client)
{
    return client % plane->conf.tenants;
}

/* ---- plane_fault.c ---- */
void plane_fault(struct plane *plane);
void plane_heal(struct plane *plane);
void plane_mend(struct plane *plane, const struct plane_event *event);

/* ---- plane_inject.c ---- */
/* `who`: the client, else 0; `number`: counts per kind and client. True: it happens. Until
 * plane_inject_end all draws are its own. */
bool plane_inject_begin(struct plane *plane, enum plane_inject kind, uint32_t who, uint32_t number);
void plane_inject_end(struct plane *plane);
/* "command 3 of client 5" …; lives until the next call. */
const char *plane_inject_name(uint32_t id);

/* ---- plane_swarm.c ---- */
void plane_swarm_draw(struct plane *plane);
enum plane_strike plane_swarm_strike(struct plane *plane);

/* ---- plane_operator.c ---- */
void plane_operator_event(struct plane *plane);
void plane_operator_told(struct plane *plane, const struct plane_request *request);
void plane_operator_wish(struct plane *plane);                   /* Some change of members. */
bool plane_operator_rejoins(struct plane *plane, uint32_t node); /* False: it is busy. */
bool plane_operator_busy(void);

/* ---- plane_check.c, plane_leaves.c ---- */
void plane_check_begin(struct plane *plane);
void plane_check_over(void); /* Gives its memory back. */
/* The client was told that this request is done. */
void plane_check_told(struct plane *plane, uint32_t request);
void plane_check_all(struct plane *plane); /* Every state as a whole. */
void plane_check_machine(struct plane *plane, uint32_t machine);
void plane_check_forget(struct plane *plane, uint32_t machine); /* It starts anew, from disk. */
/* What runs on this node runs nowhere else. */
void plane_check_owner(struct plane *plane, uint32_t machine);
/* `order`: a verb that starts this instance. */
void plane_check_start(struct plane *plane, uint32_t machine, const Wire__Assignment *order);
bool plane_check_converged(struct plane *plane);
const char *plane_check_why(void); /* What had not converged. */
void plane_check_end(struct plane *plane);
void plane_leaves_begin(struct plane *plane);
void plane_leaves_end(void);
struct engine;
void plane_leaves_check(struct plane *plane, uint32_t machine, struct engine *engine);
void plane_leaves_forget(struct plane *plane, uint32_t machine);
void plane_leaves_wiped(uint32_t machine);   /* Its store begins anew. */
void plane_leaves_flushed(uint32_t machine); /* What was seen of them survives a crash. */
/* What was seen of the chain, else of the tree, is spoilt. */
void plane_leaves_forge(uint32_t machine, bool chain);

/* ---- plane_check_change.c, plane_check_audit.c, plane_check_rooms.c ---- */
struct state;
struct cell_row;
void plane_change_begin(void);
void plane_change_over(void);
/* Somebody has applied so much; what it makes others do is not to be held against an older state.
 */
void plane_change_applied(uint64_t index);
void plane_change_look(struct plane *plane, uint64_t index, const struct state *state);
/* Somebody ends this domain by a verb. */
void plane_change_end(struct plane *plane, uint32_t machine, const struct plane_domain *domain);
void plane_audit_over(void);
void plane_audit_leaf(uint64_t seq, const Wire__Leaf *leaf, const uint8_t hash[static 32]);
void plane_audit_change(uint64_t resource, uint64_t after, uint64_t until);
void plane_audit_note(struct plane *plane, const struct cell_row *cell);
void plane_audit_end(struct plane *plane);
void plane_rooms_begin(void);
void plane_rooms_over(void);
void plane_rooms_check(struct plane *plane, uint32_t machine, const struct state *state);

/* ---- plane_history.c ---- */
void plane_history_begin(struct plane *plane);
void plane_history_end(void);
/* The number of the event; UINT32_MAX: nothing that the checkers judge. */
uint32_t plane_history_asked(
    const struct plane *plane, const struct plane_request *request, uint32_t attempt);
/* `answer` NULL: nobody will ever know. */
void plane_history_told(
    const struct plane *plane,
    uint32_t event,
    const struct plane_request *request,
    const Wire__Answer *answer);
/* Somebody was told that this is not there. */
void plane_history_lie(const struct plane *plane, const struct plane_request *request);
void plane_history_check(struct plane *plane);

/* ---- plane_lie.c ---- */
const char *plane_lie_word(const char *lie);          /* NULL: no such lie. */
bool plane_lie(struct plane *plane, const char *lie); /* False: not possible now. */

static inline bool plane_is_node(uint32_t machine)
{
    return machine >= PLANE_CONTROLLERS;
}

#endif
