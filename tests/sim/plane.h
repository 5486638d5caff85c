/* The simulator of the whole plane: what its files share. One seed is one process, one thread and
 * virtual time: the daemons' own server, core, journal and replica objects on every controller and
 * the daemons' own agent on every node, over disks, streams, keys and hypervisors that fail.
 *
 *   plane_run        events in order of time; trace, odds, violations
 *   plane_time       clocks, what work costs, machines that are busy or stand still
 *   plane_story      the life of one seed: begin a cell, trouble, heal, the last judgement
 *   plane_net        streams between machines: a stream loses its tail, never its middle
 *   plane_controller a controller's process: start, crash
 *   plane_server     what its server is given, and what becomes of its wishes
 *   plane_snapshot   checkpoints over the store in memory, their parts as frames
 *   plane_node       an agent's process: start, crash, its effects
 *   plane_host       the fake hypervisor beneath it; plane_verb: what its verbs do
 *   plane_client     clients: one request at a time, retried until it has an answer
 *   plane_request    what they ask, and what an answer means; plane_odd: what must be refused;
 *                    plane_wire: their bytes
 *   plane_swarm      what each seed draws
 *   plane_fault      when crashes, cuts and the rest strike
 *   plane_disk       what the disks of controllers do
 *   plane_lost       without a budget: what a cell that lost its memory may still say
 *   plane_operator   replaces, adds and removes controllers, sets caps and floors (plane_floor)
 *   plane_check      what must hold after every event (rows); plane_leaves: of the audit log
 *   plane_check_guest how hypervisors see guests asked, ended and tried; plane_check_ends: what
 *                    operations are said to have ended with is so
 *   plane_check_refused counts refusals where they are noted
 *   plane_heap       counts what steps of the cores ask of the heap: nothing
 *   plane_history    what clients were told; plane_history_final: judged at the end
 *   plane_lie        spoils what a checker looks at, so that it is seen to refuse
 *   plane_main       options, many seeds, the table
 *
 * Here: the world and its events. plane_kind.h has every kind of trouble and of check; what the
 * files of a name offer is in plane_time.h, plane_net.h, plane_machine.h, plane_host.h,
 * plane_people.h, plane_fault.h, plane_check.h. */
#ifndef TESTS_SIM_PLANE_H
#define TESTS_SIM_PLANE_H

#include "base/limits.h"
#include "base/prng.h"
#include "base/reject.h"
#include "base/slice.h"
#include "tests/sim/plane_kind.h"

#include <audit.pb-c.h>
#include <frame.pb-c.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    PLANE_CONTROLLERS = LIMIT_CONTROLLERS, /* Machines 0 … 6; a seed begins with three or five. */
    PLANE_NODES = 2048,                    /* At most; machines from PLANE_CONTROLLERS on. */
    PLANE_TENANTS = 64,
    PLANE_PROMISES = PLANE_TENANTS + 8, /* And tenants without clients. */
    PLANE_RESERVE_PERCENT = 10,
    PLANE_VCPU_RATIO = 4,
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
    PLANE_LOOKS = 21, /* At how many instances there are, evenly spread over a life. */
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

/* What this seed knows of trouble. */
struct plane_swarm {
    bool on[PLANE_FAULTS]; /* What calls and frames may suffer. */
    uint32_t weights[STRIKES_END];
    uint64_t rest_ms; /* Most between two strikes. */
    uint64_t starts;  /* A start lasts so many times as long: guests may be emulated. */
    uint32_t keys;    /* Remembered of a tenant; 0: the product's bound. */
    uint32_t rate;    /* Requests per second of a principal; 0: no limit. */
    bool old_builds;  /* Some controllers begin as programs of the first feature level. */
    bool floors;      /* Tenants are promised some. */
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

/* Of seeds that were lived to their end: what cells they were. */
struct plane_lived {
    uint64_t began_with[PLANE_CONTROLLERS + 1]; /* Seeds, by controllers. */
    uint64_t changes;                           /* Members that came or went, and */
    uint64_t changed_in;                        /* the seeds in which one did. */
    uint64_t installs;                          /* Snapshots of others, put in place of own rows. */
    uint64_t installed_in;
    uint64_t mixed_in;     /* Builds of two feature levels were members at once. */
    uint64_t instances;    /* The median of PLANE_LOOKS looks at a life; of all seeds, the most, */
    uint64_t instances_at; /* and when trouble ended. */
};

struct plane_tally {
    struct plane_lived lived;
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
    bool lied;              /* What was to be spoilt is spoilt. */
    bool failed;
    uint64_t failed_ms;
    uint64_t seed_events; /* Of the seed that ran last. */
    uint32_t injected_count;
    uint32_t injected[PLANE_INJECTED]; /* What was injected into it, in order: plane_inject.c. */
    char what[256];
};

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
    bool unrecoverable;            /* Without a budget: more may be hurt than can be mended, */
    bool lost;                     /* and so it came. */
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
    uint64_t changes;       /* Members that came or went since. */
    bool mixed;             /* Builds of two levels were members at once. */
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

/* ---- plane_story.c ---- */
void plane_live(struct plane *plane);
/* The cell that plane->conf says in full, complete and without trouble (stories are told in it);
 * and its memory given back. */
void plane_begin(struct plane *plane);
void plane_end(struct plane *plane);

static inline bool plane_is_node(uint32_t machine)
{
    return machine >= PLANE_CONTROLLERS;
}

#endif
