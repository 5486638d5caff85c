/* The agent, pure: events in, effects out. Decides what host is told to do and what the controllers
 * are told. Never holds a right to do any of it: no clock, no libvirt, no socket, no file.
 *
 * The happy path: START → link up → hello → welcome → orders → segment → start → told → report.
 * Every wait is level-triggered: what is still wrong at the next tick is tried again. */
#ifndef NODE_AGENT_CORE_AGENT_H
#define NODE_AGENT_CORE_AGENT_H

#include "base/arena.h"
#include "node-agent/core/model.h"
#include "wire/frame.h"

enum { AGENT_BOOT_ID_SIZE = 16 };

/* What outlives the agent's process; the shell writes it before any later effect is done. */
struct agent_saved_instance {
    uint64_t instance;
    uint64_t generation;
    uint64_t epoch;
    bool booted; /* It ran in this generation. */
};
struct agent_saved {
    uint64_t term;
    uint8_t boot_id[AGENT_BOOT_ID_SIZE];
    uint32_t instances_count;
    struct agent_saved_instance instances[LIMIT_NODE_INSTANCES];
};

enum agent_event_kind {
    AGENT_EVENT_START = 1, /* Once, first. */
    AGENT_EVENT_TICK = 2,  /* Every 100 ms or so; any rate is correct. */
    AGENT_EVENT_LINK = 3,
    AGENT_EVENT_WELCOME = 4,
    AGENT_EVENT_ORDERS = 5,
    AGENT_EVENT_CONSOLE_ASK = 6,
    AGENT_EVENT_HOST_STATE = 7, /* The channel to host opened or closed. */
    AGENT_EVENT_TOLD = 8,
    AGENT_EVENT_HOST = 9,
    AGENT_EVENT_PROCESS = 10, /* parent tells of a program of this machine. */
};

struct agent_event {
    enum agent_event_kind kind;
    uint64_t now_ms;     /* CLOCK_BOOTTIME. */
    uint64_t controller; /* Who sent it: LINK, WELCOME, ORDERS, CONSOLE_ASK; from link's stamp. */
    bool up;             /* LINK, HOST_STATE. */
    uint8_t boot_id[AGENT_BOOT_ID_SIZE]; /* START. */
    const struct agent_saved *saved;     /* START; NULL: there is none. */
    const Wire__NodeWelcome *welcome;
    const Wire__NodeOrders *orders;
    const Wire__NodeConsoleAsk *console_ask;
    const Wire__VerbTold *told;
    const Wire__HostEvent *host;
    const Wire__ProcessRestarted *process;
};

/* Stable numbers; agent_log_name gives the event's name for the log line. */
enum agent_log {
    AGENT_LOG_STARTED = 1,       /* count: rows remembered. */
    AGENT_LOG_WELCOMED = 2,      /* id: controller, count: term. */
    AGENT_LOG_STALE_TERM = 3,    /* id: controller, count: its term. */
    AGENT_LOG_STALE_ORDER = 4,   /* id: instance, count: its generation. */
    AGENT_LOG_BAD_ORDER = 5,     /* id: instance or network. */
    AGENT_LOG_TABLE_FULL = 6,    /* id: instance or network. */
    AGENT_LOG_OBSERVED = 7,      /* count: instances seen. */
    AGENT_LOG_UNWANTED = 8,      /* count: instances that a complete list did not name. */
    AGENT_LOG_REPAIR = 9,        /* id: instance, count: attempt. */
    AGENT_LOG_GAVE_UP = 10,      /* id: instance, count: attempts. */
    AGENT_LOG_VERB_FAILED = 11,  /* id: instance or network, count: enum failure. */
    AGENT_LOG_ENDED = 12,        /* id: instance, count: why. */
    AGENT_LOG_HOST_LOST = 13,    /* Host or libvirt is away: nothing acts until Observe. */
    AGENT_LOG_CONSOLE_BUSY = 14, /* id: instance. */
    AGENT_LOGS_END
};

enum agent_effect_kind {
    AGENT_EFFECT_SAVE = 1,  /* Write agent_save()'s answer durably before the next effect. */
    AGENT_EFFECT_VERB = 2,  /* frame (body VERB) to host. */
    AGENT_EFFECT_FRAME = 3, /* frame to `controller`, by link. */
    AGENT_EFFECT_LOG = 4,
};

struct agent_effect {
    enum agent_effect_kind kind;
    Wire__Frame *frame; /* Lives in the effects' arena. */
    uint64_t controller;
    enum agent_log log;
    uint64_t id;
    uint64_t count;
};

enum { AGENT_EFFECTS = 128, AGENT_ARENA_BYTES = 1024 * 1024 };

/* Whoever calls gives an arena of AGENT_ARENA_BYTES; it is reset at the start of each step, and the
 * effects are done, in order, before the next. */
struct agent_effects {
    struct arena *arena;
    uint32_t count;
    struct agent_effect items[AGENT_EFFECTS];
};

/* Fixed words for the timing of reconciliation, in milliseconds. */
enum {
    AGENT_STOP_GRACE_MS = 20000,  /* Between asking a guest to stop and destroying it. */
    AGENT_BACKOFF_MS = 1000,      /* First wait after a failed start; doubles. */
    AGENT_BACKOFF_MS_MAX = 60000, /* And stops doubling here. */
    AGENT_STABLE_MS = 600000,     /* A guest that ran this long has its attempts back. */
    AGENT_GONE_KEEP_MS = 60000,   /* How long a gone instance is remembered for reports. */
    AGENT_HELLO_MS = 1000,        /* Between hellos while no leader has answered. */
    AGENT_HELLO_OTHERS_MS = 3000, /* Between hellos to the others: one may lead by now. */
    AGENT_SURVEY_MS = 10000,      /* Between looks at the image directory. */
    AGENT_OBSERVE_MS = 30000,     /* Between observations without a reason. */
    AGENT_RETRY_MS = 1000,        /* After Observe, Survey, stop or erase failed. */
    AGENT_REFRESH_PER_RENEW = 8,  /* Rows told again with each renewal, in turn. */
    AGENT_REPORT_INSTANCES = 128, /* In one frame. */
    AGENT_CONSOLES = 8,           /* Console reads in flight. */
};

struct agent_controller {
    uint64_t id; /* 0: free. */
    bool up;
    uint64_t welcomed_term; /* Of its last welcome. */
    uint64_t greeted_term;  /* Of orders that came without a welcome and were answered by hello. */
};

struct agent_console {
    uint64_t handle; /* Of our verb; 0: free. */
    uint64_t controller;
    uint64_t asked; /* The asker's handle. */
};

struct agent_survey {
    bool known;
    bool in_flight;
    uint64_t handle;
    uint64_t not_before_ms;
    uint64_t vcpus;
    uint64_t memory_bytes;
    char virtualization[LIMIT_NAME];
    uint32_t fallbacks_count;
    char fallbacks[LIMIT_NODE_FALLBACKS][LIMIT_REASON];
    uint32_t images_count;
    uint8_t images[LIMIT_NODE_IMAGES][MODEL_DIGEST_SIZE];
};

struct agent {
    struct model model;
    struct agent_controller controllers[LIMIT_CONTROLLERS];
    struct agent_console consoles[AGENT_CONSOLES];
    struct agent_survey survey;
    uint8_t boot_id[AGENT_BOOT_ID_SIZE];
    uint64_t now_ms;
    uint64_t term;   /* Highest welcomed, ever; orders of a lower one are refused (INV-VM-2). */
    uint64_t leader; /* Controller that welcomed us with `term`; 0: none. */
    bool list_open;
    bool heard_all; /* A complete list was received since START (INV-VM-4). */

    bool host_up;
    bool libvirt_up;
    bool observed; /* Observe answered since (re)start of agent, host and libvirt (INV-VM-3). */
    bool observe_in_flight;
    bool observe_again; /* Something ended while Observe was under way. */
    uint64_t observe_handle;
    uint64_t observe_at_ms;    /* When the next one is due. */
    uint64_t observe_retry_ms; /* Not before, after a failed one. */

    uint64_t processes[PROGRAMS_END]; /* When each program here last started; 0: not told. */

    uint64_t next_handle;
    uint64_t renew_seq;
    uint64_t renew_at_ms;
    uint64_t ask_whole_at_ms;
    uint64_t hello_at_ms;
    uint32_t act_cursor; /* Where the next look for work begins, so that no row starves. */
    uint32_t refresh_cursor;
    bool save_due;
};

/* In memory that the caller zeroed: it is large, and fresh pages are zero. */
void agent_init(struct agent *agent);
void agent_step(
    struct agent *agent, const struct agent_event *event, struct agent_effects *effects);
/* What SAVE has to write. */
void agent_save(const struct agent *agent, struct agent_saved *saved_out);
/* "orders-of-an-old-term" …: the log line's event. */
const char *agent_log_name(enum agent_log log);

#endif
