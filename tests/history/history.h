/* A history: what clients asked of a cell, when, and what they were told. Decides how it is kept in
 * memory and whether it could have been told by one honest machine. Never asks anybody anything:
 * the recorder and the simulator fill it, and the checkers know nothing of either.
 *
 * One event is one operation of one client: history_invoke when it asks, history_return when it was
 * answered. What was never answered stays open, and is INFO: it may have been done, at any time
 * after it was asked, or never. A client that does not know goes on under a new number. The same
 * request asked again under the same key is an event of its own with the same `key`; the checkers
 * take all events of one key for one operation (INV-IDEM-1).
 *
 * Times are nanoseconds on one clock, of any zero. Numbers of names begin at 1; 0 is none. */
#ifndef HISTORY_HISTORY_H
#define HISTORY_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    HISTORY_NAME = 64,      /* Bytes of a name, with terminator. */
    HISTORY_SENTENCE = 640, /* Bytes of a verdict's sentence. */
    HISTORY_AMOUNTS = 4,    /* vcpus, memory in bytes, instances, networks. */
};
#define HISTORY_OPEN   UINT64_MAX /* It has not returned. */
#define HISTORY_UNTOLD UINT64_MAX /* The answer did not say. */

enum history_f {
    HISTORY_CREATE = 1,
    HISTORY_DELETE,
    HISTORY_START,
    HISTORY_STOP,
    HISTORY_REBOOT,
    HISTORY_SET,     /* A value, if the revision is still the one given in `match`. */
    HISTORY_READ,    /* One object. */
    HISTORY_LIST,    /* Several objects, or the elements of a list: only sights and touches. */
    HISTORY_ACCOUNT, /* What an account is charged with. */
    HISTORY_F_END
};

enum history_kind {
    HISTORY_INSTANCE = 1,
    HISTORY_NETWORK,
    HISTORY_VALUE, /* The cap of an account's instances. */
    HISTORY_KIND_END
};

enum history_outcome { HISTORY_INFO = 1, HISTORY_OK, HISTORY_FAIL, HISTORY_OUTCOME_END };

/* Why it failed. What says something of the object is a read of it. */
enum history_refusal {
    HISTORY_UNTRIED = 1, /* Nothing was looked at: no leader, too fast, no room for new work. */
    HISTORY_ABSENT,      /* There is no such object. */
    HISTORY_TAKEN,       /* There is one already. */
    HISTORY_STATE,       /* Not in its present stage. */
    HISTORY_USED,        /* It is there, and something depends on it. */
    HISTORY_CHANGED,     /* Its revision is not the one that was given. */
    HISTORY_REFUSED,     /* For another reason: quota, capacity, authority. */
    HISTORY_REUSED,      /* Its key had been used for another request. */
    HISTORY_REFUSAL_END
};

/* Of an instance; a network is STOPPED when it is there. */
enum history_stage {
    HISTORY_STAGE_UNTOLD = 0, /* Of what is there: any but absent. */
    HISTORY_STAGE_ABSENT,
    HISTORY_STAGE_STOPPED,
    HISTORY_STAGE_STARTING,
    HISTORY_STAGE_RUNNING,
    HISTORY_STAGE_STOPPING,
    HISTORY_STAGE_DELETING,
    HISTORY_STAGE_FAILED,
    HISTORY_STAGE_END
};

/* What one read saw of one object. */
struct history_sight {
    enum history_kind kind;
    uint32_t object; /* Name. */
    enum history_stage stage;
    uint64_t id;       /* Of this life of the name: later lives have greater ones. 0: untold. */
    uint64_t epoch;    /* How often it was placed in this life. HISTORY_UNTOLD. */
    uint64_t revision; /* Grows with every change within one life. HISTORY_UNTOLD. */
    uint64_t value;    /* HISTORY_VALUE only. */
};

/* What one operation did to, or saw of, one list. A list's elements ascend in the order in which
 * they were appended: numbers that the log gave. `last` of a read is the newest element seen; what
 * lies between `after` and `last` was seen as listed, if `listed`. */
enum history_touch_kind { HISTORY_APPEND = 1, HISTORY_SEEN };
struct history_touch {
    enum history_touch_kind kind;
    uint32_t list;    /* Name. */
    uint64_t element; /* APPEND: 0 is one whose number was not told. SEEN: the last; 0: none. */
    bool listed;      /* SEEN: `elements` are all after `after`, up to `element`. */
    bool more;        /* SEEN: there may be newer ones. */
    bool final;       /* SEEN: part of what there was at the end. */
    uint64_t after;
    uint32_t elements; /* First of them in history->elements. */
    uint32_t count;
};

/* A text that is NULL is "". */
struct history_asked {
    uint32_t client;
    enum history_f f;
    enum history_kind kind;
    const char *object;  /* "" only for HISTORY_LIST and HISTORY_ACCOUNT. */
    const char *account; /* Who asks, and is charged; "": untold. Nothing of one is another's. */
    const char *key;     /* Idempotency key; "" for reads. */
    const char *on;      /* CREATE of an instance: the network that it is on; "" for none. */
    uint64_t at_ns;
    uint64_t value; /* CREATE: 1 if it begins at once, 0 if it begins stopped. SET. */
    uint64_t match; /* SET: the revision that it must have; 0: any. */
    uint64_t amounts[HISTORY_AMOUNTS]; /* CREATE: what it is charged. */
};

struct history_told {
    enum history_outcome outcome;
    enum history_refusal refusal; /* FAIL only. */
    uint64_t at_ns;
    uint64_t id;        /* Writes: the life that was made or changed; 0: untold. */
    uint64_t operation; /* Writes: the number that the log gave it; 0: untold. */
    bool done;          /* Writes: nothing is left to be done for it. */
    uint64_t index;     /* Of the log, 0: untold. */
    uint64_t term;
    /* ACCOUNT: used and held together, as charged, and as summed up from the objects in the very
     * same state; `summed` says that there is such a sum. */
    bool summed;
    uint64_t charged[HISTORY_AMOUNTS];
    uint64_t inventory[HISTORY_AMOUNTS];
};

struct history_event {
    uint32_t client;
    uint32_t object;
    uint32_t account;
    uint32_t key;
    uint32_t on;
    enum history_f f;
    enum history_kind kind;
    uint64_t invoke_ns;
    uint64_t value;
    uint64_t match;
    uint64_t amounts[HISTORY_AMOUNTS];
    struct history_told told; /* at_ns is HISTORY_OPEN until it returned. */
    uint32_t sights;          /* First of them in history->sights, when there are any. */
    uint32_t sights_count;
    uint32_t touches;
    uint32_t touches_count;
    /* LIST: what is not among the sights and is of this kind and account was not there. */
    bool whole;
};

struct history_limits {
    uint32_t events;
    uint32_t sights;
    uint32_t touches;
    uint32_t elements;
    uint32_t names;
};

struct history {
    struct history_limits limits;
    struct history_event *events; /* All in the caller's block. */
    struct history_sight *sights;
    struct history_touch *touches;
    uint64_t *elements;
    char (*names)[HISTORY_NAME]; /* Number 0 is none. */
    uint32_t *slots;             /* Of names, by hash. */
    uint32_t slots_mask;
    uint32_t events_count;
    uint32_t sights_count;
    uint32_t touches_count;
    uint32_t elements_count;
    uint32_t names_count;
    bool full; /* Something found no room: every verdict is unknown. */
};

/* Bytes of the caller's block; 16-byte aligned and zeroed when it is given to history_init. */
size_t history_memory(const struct history_limits *limits);
void history_init(struct history *history, const struct history_limits *limits, void *memory);

/* The number of a name, new or known; 0 for "", NULL, and when there is no room. */
uint32_t history_name(struct history *history, const char *text);
const char *history_text(const struct history *history, uint32_t name);

/* The event's number, to be returned; UINT32_MAX: no room, and history_return ignores it. */
uint32_t history_invoke(struct history *history, const struct history_asked *asked);
/* Once for each event at most. Sights and touches follow before anything else returns. */
void history_return(struct history *history, uint32_t event, const struct history_told *told);
void history_add_sight(
    struct history *history, uint32_t event, const char *object, const struct history_sight *sight);
void history_whole(struct history *history, uint32_t event);
void history_add_append(
    struct history *history, uint32_t event, const char *list, uint64_t element);
/* A read that knows only the newest element; 0: it was empty. */
void history_add_newest(
    struct history *history, uint32_t event, const char *list, uint64_t element);
/* A read of all elements after `after` (0: from the first), `more` if there may be newer ones,
 * `final` if it belongs to what there was at the end. */
struct history_read {
    uint64_t after;
    const uint64_t *elements;
    uint32_t count;
    bool more;
    bool final;
};
void history_add_read(
    struct history *history, uint32_t event, const char *list, const struct history_read *read);

/* ---- The checkers. Each may take memory; none changes the history. ---- */

enum history_word { HISTORY_CLEAN = 1, HISTORY_ANOMALY, HISTORY_UNKNOWN };

struct history_verdict {
    enum history_word word;
    uint64_t looked; /* How many things were judged. 0 of them prove nothing. */
    char sentence[HISTORY_SENTENCE];
};

/* Each object alone could have been one machine that did one operation after the other (Wing, Gong
 * 1993; Lowe 2017). Gives up, UNKNOWN, after bounded work for an object. */
struct history_verdict history_check_registers(const struct history *history);
/* No cycle of what was written before, read before, or over before (Adya 1999; Kingsbury, Alvaro
 * 2020): G0, G1a, G1b, G1c, G-single, G2. */
struct history_verdict history_check_lists(const struct history *history);
/* What was acknowledged is in the final lists, once; nothing else is, but what may have been done.
 */
struct history_verdict history_check_once(const struct history *history);
/* Accounts are charged with what there is. INV-LED-2. */
struct history_verdict history_check_ledger(const struct history *history);

/* All of them, in this order; the name of one for the table of verdicts. */
enum { HISTORY_CHECKERS = 4 };
const char *history_checker_name(uint32_t checker);
struct history_verdict history_check(const struct history *history, uint32_t checker);
const char *history_word_text(enum history_word word);

#endif
