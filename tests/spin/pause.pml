/* A machine that sleeps as a whole wakes with its guests running, and no timer can help: docs/FENCING.md 25.
 * What it then does to a disk or a wire counts only with the current epoch. */
#define DEADLINE 4
#define ELSEWHERE 6

bool sleeps, first = true, second, harm;
byte epoch = 1, age;

active proctype machine() {
    do
    :: !sleeps && age < ELSEWHERE -> sleeps = true
    :: sleeps -> sleeps = false
    :: age < ELSEWHERE && !(!sleeps && first && age >= DEADLINE) -> age++
    :: first && !sleeps && age >= DEADLINE -> first = false
#ifdef TWIN_NO_EPOCH_AT_THE_PORT
    :: first && !sleeps -> harm = harm || second
#else
    :: first && !sleeps && epoch == 1 -> harm = harm || second
#endif
    :: age >= ELSEWHERE && !second -> d_step { epoch = 2; second = true }
    :: harm -> assert(false)
    :: second && !first -> break
    od
}
