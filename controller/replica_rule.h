/* The rules that make libraft 0.15 sound (reference: docs/adr on consensus). A mutant build leaves
 * one out, and a test must then find the harm; normal builds keep all of them. */
#ifndef CONTROLLER_REPLICA_RULE_H
#define CONTROLLER_REPLICA_RULE_H

enum replica_rule {
    RULE_BARRIER = 10,    /* 1: a barrier at election, before anything else. */
    RULE_CLAMP = 21,      /* 2a: a success reports no more than was asked. */
    RULE_SYNC = 22,       /* 2b: synced, then completed, outside the library, in order. */
    RULE_STORE_LATE = 23, /* 2c: a snapshot is stored when its callback fires. */
    RULE_COMMIT = 24,     /* 2d: a follower commits no more than was compared. */
    RULE_VOTE = 30,       /* 3: one durable vote in a term. */
    RULE_SETTLED = 40,    /* 4: membership changes after the own barrier, one at a time. */
    RULE_CHANGE_CUT = 50, /* 5: a configuration is cut by us, and the object starts anew. */
    RULE_BUSY = 60,       /* 6: no snapshot over an uncommitted configuration. */
    RULE_TRIM = 72,       /* 7b: entries under our snapshot are never shown. */
    RULE_BATCH = 80,      /* 8: one batch for each loaded entry. */
    RULE_PLAIN_VOTE = 90, /* 9: no pre-vote. */
    RULE_MEMBERS = 100,   /* 10: spare, stand-by, voter; never the leader; nobody missing. */
    RULE_STOP = 110,      /* 11: a failed append stops the process. */
    RULE_ASKED = 120,     /* 12: who does not know that it is a voter votes when it is asked. */
    RULE_OVERTAKEN = 130, /* 13: a change that a snapshot overtook is no longer under way. */
    RULE_TERM = 140,      /* 14: a lone voter leads in a term that is new to its disk. */
};

#ifdef REPLICA_MUTANT
#define RULE(name) ((int)RULE_##name != REPLICA_MUTANT)
#else
#define RULE(name) ((int)RULE_##name > 0)
#endif

#endif
