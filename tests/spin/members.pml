/* Members come, go, lose power and return while nodes are cut off: docs/FENCING.md 8, 11, 20, 21. The first
 * epoch is nodes 0 to 2. ADD: the second has node 3 as well. BURY: it lacks node 1, which may be seen off,
 * and which somebody may switch on again. Guest A is on node 0, as in lease.pml. */
#define LOSE 2
#define ATTEST 2
#define SELF 4
#define KILL 1
#define DEAD 6
#ifdef ADD
#define NODES 4
#define SECOND_QUORUM 3
#define in_second(node) true
#else
#define NODES 3
#define SECOND_QUORUM 2
#define in_second(node) ((node) != 1)
#endif
#define FIRST_QUORUM 2
#define in_first(node) ((node) < 3)

byte heard[NODES], repeats[NODES], proved[NODES];
bool holds[NODES];      /* The node holds the second membership; */
bool knows[NODES];      /* the leader has seen that it does. */
bool second, first_ended;
bool dark;              /* Node 1 has no power. */
bool seen_off;          /* And somebody read that back. */
bool acked_since = true; /* Node 1 was acknowledged in this boot. */
byte issued, base, ending, thawed = DEAD, vouched = SELF + KILL + 1;
mtype = { RUNS, ENDS, ENDED }
mtype guest = RUNS;
bool moved;
byte one, two, at;

#define grow(age, most) if :: age < most -> age++ :: else fi

inline look() {
    one = 0; two = 0; at = 0;
    do
    :: at < NODES ->
       if
       :: proved[at] >= LOSE && !(at == 1 && seen_off) ->
          if :: in_first(at) -> one++ :: else fi;
          if :: in_second(at) -> two++ :: else fi
       :: else
       fi;
       at++
    :: else -> break
    od;
#ifdef TWIN_NEWEST_ONLY
    if :: (!second && one >= FIRST_QUORUM) || (second && two >= SECOND_QUORUM) -> thawed = 0 :: else fi;
#else
    if :: (!first_ended && one >= FIRST_QUORUM) || (second && two >= SECOND_QUORUM) -> thawed = 0 :: else fi;
#endif
    one = 0; two = 0; at = 0
}
inline settle() {
#ifdef TWIN_SETTLES_AT_ONCE
    if :: second -> first_ended = true :: else fi
#else
    if
    :: second && !first_ended && knows[0] && knows[2] && (knows[1] || seen_off) -> first_ended = true
    :: else
    fi
#endif
}
inline renewal(node) {
    look();
    if :: repeats[node] < proved[node] -> proved[node] = repeats[node] :: else fi;
    if :: holds[node] -> knows[node] = true :: else fi;
    look(); settle(); look();
    if :: node == 0 -> issued = 0 :: node == 1 -> seen_off = false :: else fi;
    look()
}
inline acknowledged(node) {
    heard[node] = 0; repeats[node] = 0; holds[node] = second;
    if :: node == 0 -> base = 0 :: node == 1 -> acked_since = true :: else fi
}
#define answers(node) (heard[node] >= ATTEST && !((node) == 1 && (dark || !acked_since)))
inline vouch() {        /* Node 0 counts the members of the epoch that it holds. */
    one = 0; at = 0;
    do
    :: at < NODES ->
       if
       :: answers(at) && ((!holds[0] && in_first(at)) || (holds[0] && in_second(at))) -> one++
       :: else
       fi;
       at++
    :: else -> break
    od;
    if
    :: heard[0] >= ATTEST && one >= (holds[0] -> SECOND_QUORUM : FIRST_QUORUM) -> vouched = 0
    :: else
    fi;
    one = 0; at = 0
}
#define expired (base >= SELF && vouched >= SELF)

active proctype cell() {
    byte node;
    do
    :: !moved -> atomic {
           if
           :: node = 0
           :: node = 2
           :: !dark && (!second || in_second(1)) -> node = 1
#ifdef ADD
           :: second -> node = 3
#endif
           fi;
           if
           :: d_step { renewal(node); acknowledged(node) }
           :: d_step { renewal(node) }
           fi;
           node = 0
       }
    :: !moved && !second -> d_step {
           look(); second = true;
#ifdef ADD
           proved[3] = LOSE;
#endif
           settle(); look()
       }
#ifndef POWERED
    :: !moved && !dark -> d_step { dark = true; holds[1] = false }
    :: !moved && dark -> d_step {
           dark = false; heard[1] = 0; repeats[1] = DEAD;
#ifdef TWIN_VOUCHES_AFTER_BOOT
           acked_since = true
#else
           acked_since = false
#endif
       }
#ifdef TWIN_OFF_BY_HEARSAY
    :: !moved && !seen_off -> d_step {
#else
    :: !moved && !seen_off && dark -> d_step {
#endif
           look(); seen_off = true; proved[1] = LOSE; knows[1] = false; settle(); look()
       }
#endif
    :: !moved && guest == RUNS && vouched > 0 -> d_step { vouch() }
    :: !moved && guest == RUNS && expired -> guest = ENDS
    :: !moved && guest == ENDS -> d_step { guest = ENDED; ending = 0 }
    :: !moved && issued >= DEAD && thawed >= DEAD -> atomic {
           d_step { look() };
           if
           :: thawed >= DEAD ->
#ifdef REACHED
              assert(!first_ended);             /* Something moves after the first epoch has ended. */
#endif
              assert(guest == ENDED); moved = true
           :: else
           fi
       }
    :: !moved && !(guest == RUNS && expired) && !(guest == ENDS && ending >= KILL) -> d_step {
           at = 0;
           do
           :: at < NODES -> grow(heard[at], ATTEST); grow(repeats[at], LOSE); grow(proved[at], LOSE); at++
           :: else -> break
           od;
           at = 0;
           grow(issued, DEAD); grow(thawed, DEAD); grow(base, SELF); grow(vouched, SELF);
           if :: guest == ENDS -> ending++ :: else fi;
           look()
       }
    :: moved -> break
    od
}
