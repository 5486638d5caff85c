/* Every kind of thing that the simulator of the plane has: of events, of faults, of checks, of
 * strikes. A new one is a row here and a name in plane_table.c. */
#ifndef TESTS_SIM_PLANE_KIND_H
#define TESTS_SIM_PLANE_KIND_H

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
    PLANE_VERB_OUTLIVES, /* From here on a seed draws from a stream of its own. */
    PLANE_SET_BACK_FOUL,
    PLANE_NEVER_UP,
    PLANE_DISK_LOST, /* From here on: only where there is no budget (plane_lost.c). */
    PLANE_MEMORY_LOST,
    PLANE_REFUSED_BY_NAME,
    PLANE_STOOD_STILL,
    PLANE_WENT_ON,
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
    PLANE_CHECK_LISTS,
    PLANE_CHECK_CHARGED,
    PLANE_CHECK_ALLOCATES,
    PLANE_CHECK_AS_ASKED,
    PLANE_CHECK_SEGMENTS,
    PLANE_CHECK_SAID,
    PLANE_CHECK_ALARMS,
    PLANE_CHECK_FLOORS,
    PLANE_CHECK_PROMISED,
    PLANE_CHECK_CLAIMED,
    PLANE_CHECK_UNFAIR,
    PLANE_CHECK_ENDS,
    PLANE_CHECK_DOWN,
    PLANE_CHECK_GRACE,
    PLANE_CHECK_ATTEMPTS,
    PLANE_CHECK_COUNTED,
    PLANE_CHECK_UNSAID, /* Only where there is no budget. */
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

/* What is injected: a command of a client, a strike, a change of weather. Each draws from a stream
 * of its own, so that leaving one out changes no other. */
enum plane_inject { PLANE_INJECT_COMMAND = 1, PLANE_INJECT_STRIKE, PLANE_INJECT_WEATHER };

#endif
