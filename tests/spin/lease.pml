/* One owner, exhaustively: docs/FENCING.md 2 to 4, 6 to 15, 19. Time is ticks, and every timer an age that
 * stops growing where nobody looks further. Guest A is on node 0; it is enough to watch it: who vouches
 * for whom depends on acknowledgements alone. The leader may start a second copy when its rules let it;
 * then the first must have ended.
 *
 * Any message may be lost at any time, in either direction. TWIN_* breaks one rule; each must fail. */
#ifndef NODES
#define NODES 3
#endif
#define QUORUM (55 * NODES / 100 + 1)
#ifndef LOSE            /* A leader loses who proved nothing for so long. */
#define LOSE 2
#endif
#ifndef ATTEST          /* A node calls itself cut off after so long. */
#define ATTEST LOSE
#endif
#ifndef SELF            /* What an acknowledgement or a proof is worth. */
#define SELF 4
#endif
#ifndef KILL            /* From the deadline to the guest's end. */
#define KILL 1
#endif
#ifndef SPARE
#define SPARE 1
#endif
#define DEAD (SELF + KILL + SPARE)
#ifdef TWIN_THAWS_AT_ONCE
#define HOLD 1
#else
#define HOLD DEAD
#endif
#ifdef TWIN_VOUCHES_FOR_EVER
#define HEARD_MAX (ATTEST + 1)
#else
#define HEARD_MAX ATTEST
#endif

byte heard[NODES];      /* Of a node: since an acknowledgement came. */
byte repeats[NODES];    /* Of a node: since the one was issued that it repeats. */
byte proved[NODES];     /* Of the leader: since the newest was issued that the node has repeated. */
byte proved_guest;      /* The same of node 0, counted on to DEAD. */
byte issued;            /* Since the last one was issued to node 0. */
byte base;              /* Of node 0: since the renewal left that was acknowledged. */
byte vouched = SELF;    /* Of node 0: since the last proof. */
byte thawed = HOLD;     /* Since the cell was last frozen. */
byte ending;            /* Ticks that the guest has been ending. */
bool once[NODES];       /* It was cut off once: only a twin remembers. */

mtype = { RUNS, ENDS, ENDED }
mtype guest = RUNS;
bool moved;
byte count, at;
#ifdef DRIFT
byte slip;              /* Since a clock last slipped by a tick against another. */
#endif

#define grow(age, most) if :: age < most -> age++ :: else fi
#define lost(node) (proved[node] >= LOSE)

inline look() {         /* Frozen? Judged before anything else counts. */
    count = 0; at = 0;
    do
    :: at < NODES -> if :: lost(at) -> count++ :: else fi; at++
    :: else -> break
    od;
    if :: count >= QUORUM -> thawed = 0 :: else fi;
    count = 0; at = 0
}
inline renewal(node) {  /* It arrives, with what it repeats. */
#ifndef TWIN_LOOKS_TOO_LATE
    look();
#endif
#ifdef TWIN_RENEWAL_IS_PROOF
    proved[node] = 0;
    if :: node == 0 -> proved_guest = 0 :: else fi;
#else
    if :: repeats[node] < proved[node] -> proved[node] = repeats[node] :: else fi;
    if :: node == 0 && repeats[0] < proved_guest -> proved_guest = repeats[0] :: else fi;
#endif
    if :: node == 0 -> issued = 0 :: else fi    /* And is acknowledged. */
}
inline acknowledged(node) {
#ifndef TWIN_REPEATS_FIRST
    heard[node] = 0;    /* One step with what follows: nobody repeats before its age is new. */
#endif
    repeats[node] = 0;
    if :: node == 0 -> base = 0 :: else fi
}
inline vouch() {        /* All at one instant; a lost answer is a vouching that did not happen. */
    count = 0; at = 0;
    do
    :: at < NODES ->
#ifdef TWIN_VOUCHES_FOR_EVER
       if :: once[at] -> count++ :: else fi;
#else
       if :: heard[at] >= ATTEST -> count++ :: else fi;
#endif
       at++
    :: else -> break
    od;
    if :: count >= QUORUM && heard[0] >= ATTEST -> vouched = 0 :: else fi;
    count = 0; at = 0
}
inline leader_ticks() {
    at = 0;
    do
    :: at < NODES ->
       grow(proved[at], LOSE); grow(repeats[at], DEAD);
       at++
    :: else -> break
    od;
    at = 0;
    grow(proved_guest, DEAD); grow(issued, DEAD); grow(thawed, HOLD);
#ifndef LAZY
    look()
#endif
}
inline peers_tick() {
    at = 0;
    do
    :: at < NODES ->
       grow(heard[at], HEARD_MAX);
#ifdef TWIN_VOUCHES_FOR_EVER
       if :: heard[at] >= ATTEST -> once[at] = true :: else fi;
#endif
       at++
    :: else -> break
    od;
    at = 0
}
inline guard_ticks() {
    grow(base, SELF); grow(vouched, SELF);
    if :: guest == ENDS -> ending++ :: else fi
}
#define expired (base >= SELF && vouched >= SELF)
#ifdef TWIN_PAUSED_GUARD
#define in_time true
#else
#define in_time (!(guest == RUNS && expired) && !(guest == ENDS && ending >= KILL))
#endif
#ifdef TWIN_DEAD_FROM_PROOF
#define dead_for proved_guest
#else
#define dead_for issued
#endif

active proctype cell() {
    byte node;
    do
    :: !moved -> atomic {                       /* A renewal, and what becomes of its answer. */
           select(node : 0 .. NODES - 1);
           if
           :: d_step { renewal(node); acknowledged(node) }
           :: d_step { renewal(node) }
           fi;
           node = 0
       }
#ifdef TWIN_REPEATS_FIRST
    :: !moved -> atomic {
           select(node : 0 .. NODES - 1);
           if :: repeats[node] < heard[node] -> heard[node] = repeats[node] :: else fi;
           node = 0
       }
#endif
#ifdef ELECTIONS
    :: !moved -> d_step {                       /* Somebody else leads, and knows nothing. */
#ifdef TWIN_VIEW_INHERITED
           proved_guest = DEAD; issued = DEAD
#else
           at = 0;
           do :: at < NODES -> proved[at] = LOSE; at++ :: else -> break od;
           at = 0; proved_guest = DEAD; issued = 0; thawed = 0
#endif
       }
#ifdef TWIN_DEPOSED_ANSWERS
    :: !moved -> d_step { acknowledged(0) }     /* Unheard by the one who leads now. */
#endif
#endif
    :: !moved && guest == RUNS -> d_step { vouch() }
    :: !moved && guest == RUNS && expired -> guest = ENDS
    :: !moved && guest == ENDS -> d_step { guest = ENDED; ending = 0 }
    :: !moved && dead_for >= DEAD && thawed >= HOLD -> atomic {
           d_step { look() };
           if
           :: thawed >= HOLD ->
#ifdef REACHED
              assert(false);                    /* Something does move: the model is not empty. */
#endif
              assert(guest == ENDED); moved = true
           :: else
           fi
       }
    :: !moved && in_time ->
#ifdef DRIFT
       atomic {
           if
           :: d_step { leader_ticks(); peers_tick(); guard_ticks(); grow(slip, DEAD) }
           :: slip >= DEAD -> d_step { leader_ticks(); peers_tick(); slip = 0 }  /* Node 0 is slow. */
           :: slip >= DEAD -> d_step { peers_tick(); leader_ticks(); guard_ticks(); peers_tick(); slip = 0 }
           fi
       }
#else
       d_step { leader_ticks(); peers_tick(); guard_ticks() }
#endif
    :: moved -> break
    od
}
