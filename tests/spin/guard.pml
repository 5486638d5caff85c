/* Who ends the guests when the deadline has come, whatever hangs: docs/FENCING.md 24. Agent, guard and parent
 * may each stop or die at any time, FAULTS in all; parent starts what is silent anew after two ticks, and
 * the machine's init parent. TIMERS: 1, only the agent has the deadline; 2, the guard alone; 3, guard and
 * parent have it on one page, parent a tick later. STAYS: with controllers that answer, no guest ends. */
#ifndef TIMERS
#define TIMERS 3
#endif
#ifndef FAULTS
#define FAULTS 1
#endif
#ifndef KILL
#define KILL 2
#endif
#define LEASE 6
#define AGENT 0
#define GUARD 1
#define PARENT 2

bool bad[3];
byte since[3];
byte left = LEASE, over, faults, at;
bool runs = true, cut_off;

#if TIMERS == 1
#define someone_ends (!bad[AGENT])
#elif TIMERS == 2
#define someone_ends (!bad[GUARD])
#else
#define someone_ends (!bad[GUARD] || (over >= 1 && !bad[PARENT]))
#endif

inline restart(who, by_whom_bad) {
    if :: bad[who] && since[who] >= 2 && !(by_whom_bad) -> bad[who] = false; since[who] = 0 :: else fi
}

active proctype machine() {
    byte who;
    do
    :: faults < FAULTS -> atomic {
           select(who : 0 .. 2);
           if
           :: !bad[who] ->
              bad[who] = true; since[who] = 0; faults++;
#ifdef TWIN_GUESTS_DIE_WITH_GUARD
              if :: who == GUARD -> runs = false :: else fi
#endif
           :: else
           fi;
           who = 0
       }
#ifndef STAYS
    :: !cut_off -> cut_off = true
#endif
    :: runs && left == 0 && someone_ends -> runs = false
    :: runs && !(left == 0 && someone_ends) -> d_step {
           if
           :: !cut_off && !bad[AGENT] && !bad[GUARD] -> left = LEASE
           :: else -> if :: left > 0 -> left-- :: else -> if :: over < 6 -> over++ :: else fi fi
           fi;
           at = 0;
           do
           :: at < 3 -> if :: bad[at] && since[at] < 3 -> since[at]++ :: else fi; at++
           :: else -> break
           od;
           at = 0;
#ifndef TWIN_NOBODY_RESTARTS
           restart(AGENT, bad[PARENT]); restart(GUARD, bad[PARENT]); restart(PARENT, false)
#endif
       };
       assert(!(runs && over > KILL))
#ifdef STAYS
    :: !runs -> assert(false)
#endif
    :: !runs -> break
    od
}
