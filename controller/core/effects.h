/* What a step wants done: a bounded list, in order. Everything pointed to lives in the step's arena
 * until the shell has carried the list out. */
#ifndef CONTROLLER_CORE_EFFECTS_H
#define CONTROLLER_CORE_EFFECTS_H

#include "base/arena.h"
#include "base/check.h"
#include "base/slice.h"

#include <frame.pb-c.h>

enum effect_kind {
    EFFECT_LEAF = 1, /* Every replica: keep this audit leaf with the rows of this index. */
    EFFECT_EVENT,    /* Every replica: publish on the bus. */
    EFFECT_ASSIGN,   /* From apply: an instance of a node changed. engine.c turns it into orders. */
    EFFECT_ANSWER,   /* Answer an ask, of the local api or of another controller. */
    EFFECT_SEND,     /* A frame to another machine. */
    EFFECT_KEYS,     /* A frame to this machine's keys. */
    EFFECT_SUBMIT,   /* Propose an entry. */
    EFFECT_MEMBER_ADD, /* Consensus membership; the leader repeats it until status shows it. */
    EFFECT_MEMBER_REMOVE,
    EFFECT_HAND_OVER,   /* Give leadership away: this replica is unfit. */
    EFFECT_READ_LEAVES, /* Leaves are in the store: the shell reads them and answers. */
    EFFECT_PROVE,       /* The same for a checkpoint: it adds the proof of tenant `node`. */
    EFFECT_RENEWED,     /* This controller's own certificate came; without bytes: refused. */
    EFFECT_RING,        /* Ask keys of principals changed: doors are told anew. */
};

struct effect {
    enum effect_kind kind;
    uint64_t handle; /* ANSWER, READ_LEAVES: the ask. SUBMIT: our ticket. */
    uint64_t origin; /* ANSWER, READ_LEAVES: 0 the local api, else the controller that forwarded. */
    uint64_t id;     /* LEAF: its sequence. ASSIGN: the instance. MEMBER: the controller.
                      * READ_LEAVES: the actor; its kind says whether one was named. */
    Wire__Kind actor_kind;
    uint64_t node;       /* ASSIGN: the node to be told. */
    uint64_t generation; /* ASSIGN: of the order. */
    uint64_t epoch;
    bool reserved;          /* SUBMIT: may use the room kept for delete, revoke and membership. */
    struct slice bytes;     /* LEAF, SUBMIT; RENEWED: the certificate. */
    Wire__Answer *answer;   /* ANSWER. */
    Wire__Frame *frame;     /* SEND, KEYS. */
    Wire__EventView *event; /* EVENT. */
    const Wire__AuditRead *leaves; /* READ_LEAVES. */
};

enum { EFFECTS_MAX = 8192 };

struct effects {
    struct effect list[EFFECTS_MAX];
    uint32_t count;
    struct arena *arena;
};

/* The next free effect, zeroed. A step that would need more than EFFECTS_MAX is our bug: every
 * source of effects is bounded well below it. */
static inline struct effect *effects_add(struct effects *effects, enum effect_kind kind)
{
    CHECK(effects->count < EFFECTS_MAX);
    struct effect *effect = &effects->list[effects->count++];
    *effect = (struct effect){ .kind = kind };
    return effect;
}

#endif
