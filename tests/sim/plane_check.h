/* What must hold: of states, of leaves, of orders, of what clients were told; and the lies by which
 * each checker is seen to refuse. */
#ifndef TESTS_SIM_PLANE_CHECK_H
#define TESTS_SIM_PLANE_CHECK_H

#include "tests/sim/plane_host.h"
#include "tests/sim/plane_people.h"

struct engine;
struct instance_row;
struct network_row;
struct state;
struct cell_row;

/* ---- plane_check.c, plane_leaves.c ---- */
void plane_check_begin(struct plane *plane);
void plane_check_over(void); /* Gives its memory back. */
/* The client was told that this request is done. */
void plane_check_told(struct plane *plane, uint32_t request);
void plane_check_all(struct plane *plane); /* Every state as a whole. */
void plane_check_machine(struct plane *plane, uint32_t machine);
void plane_check_forget(struct plane *plane, uint32_t machine); /* It starts anew, from disk. */
/* What runs on this node runs nowhere else. */
void plane_check_owner(struct plane *plane, uint32_t machine);
/* `order`: a verb that starts this instance. */
void plane_check_start(struct plane *plane, uint32_t machine, const Wire__Assignment *order);
/* What this request did is in that state. */
bool plane_check_kept(
    struct plane *plane, const struct plane_request *request, const struct state *state);
bool plane_check_converged(struct plane *plane);
const char *plane_check_why(void); /* What had not converged. */
void plane_check_end(struct plane *plane);
void plane_leaves_begin(struct plane *plane);
void plane_leaves_end(void);
void plane_leaves_check(struct plane *plane, uint32_t machine, struct engine *engine);
void plane_leaves_forget(struct plane *plane, uint32_t machine);
void plane_leaves_wiped(uint32_t machine);   /* Its store begins anew. */
void plane_leaves_flushed(uint32_t machine); /* What was seen of them survives a crash. */
/* What was seen of the chain, else of the tree, is spoilt. */
void plane_leaves_forge(uint32_t machine, bool chain);

/* ---- plane_check_change.c, plane_check_audit.c, plane_check_rooms.c ---- */
void plane_change_begin(void);
void plane_change_over(void);
/* Somebody has applied so much; what it makes others do is not to be held against an older state.
 */
void plane_change_applied(uint64_t index);
void plane_change_look(struct plane *plane, uint64_t index, const struct state *state);
/* The newest state that any controller has; NULL: who had it is down. */
const struct state *plane_change_newest(struct plane *plane);
/* Somebody ends this domain by a verb. */
void plane_change_end(struct plane *plane, uint32_t machine, const struct plane_domain *domain);
/* It left this node long ago, and what it left is there still. False: no room. */
bool plane_change_forge(struct plane *plane, const struct instance_row *row);
void plane_audit_over(void);
/* A leaf of the one log, as far as it is judged. */
struct plane_leaf {
    uint64_t index;
    uint64_t tenant;
    uint64_t actor;
    uint64_t resource;
    uint64_t count; /* Of refusals that were folded; 1. */
    Wire__Kind actor_kind;
    uint32_t word; /* plane_said_word */
    uint32_t reject;
    uint8_t hash[32];
};
void plane_audit_leaf(
    struct plane *plane, uint64_t seq, const Wire__Leaf *leaf, const uint8_t hash[static 32]);
uint64_t plane_leaves_seen(void);
const struct plane_leaf *plane_leaf_seen(uint64_t seq);
/* ---- plane_check_said.c ---- */
uint32_t plane_said_word(struct plane *plane, const char *operation);
enum plane_act plane_said_act(uint32_t word); /* 0: nobody asks for it, or a story did. */
void plane_said_end(struct plane *plane);
/* `word`: what its leaf must say, or PLANE_ANY_WORD. */
enum { PLANE_ANY_WORD = UINT16_MAX };
void plane_audit_change(uint64_t resource, uint64_t after, uint64_t until, uint32_t word);
void plane_audit_note(struct plane *plane, const struct cell_row *cell);
void plane_audit_end(struct plane *plane);
/* What was seen is spoilt: a signed note, the leaf of a write, or a change without one. False:
 * there is none yet. */
enum plane_forged { AUDIT_NOTE, AUDIT_WRITE, AUDIT_CHANGE, AUDIT_ACTOR };
bool plane_audit_forge(enum plane_forged what);
void plane_rooms_begin(void);
void plane_rooms_over(void);
void plane_rooms_check(struct plane *plane, uint32_t machine, const struct state *state);

/* ---- plane_check_asked.c ---- */
/* The request that made what is called so; NULL: nobody asked for it. */
const struct plane_request *plane_maker_of(const char *name, enum plane_act act);
void plane_asked_instance(
    struct plane *plane,
    uint32_t machine,
    const struct instance_row *row,
    const struct plane_request *request);
void plane_asked_network(
    struct plane *plane,
    uint32_t machine,
    const struct network_row *row,
    const struct plane_request *request);
/* A cap is being asked for, or was acknowledged. */
void plane_asked_cap(const struct plane_request *request);
uint64_t plane_asked_most(const struct plane *plane); /* Instances that any cap ever allowed. */
void plane_asked_caps(
    struct plane *plane, uint32_t machine, uint64_t index, const struct state *state);
/* The numbers by which a request is refused do refuse it. */
void plane_asked_refusal(
    struct plane *plane, const struct plane_request *request, const Wire__Answer *answer);
/* At the end: guests were booted as often as was asked. */
void plane_asked_end(struct plane *plane, const struct state *state);
void plane_asked_start(struct plane *plane, uint32_t machine, const Wire__StartInstance *start);
void plane_asked_forge(void); /* From now on every network looks torn. */
/* A network in which a node, *machine_out, does not reach every other one; NULL: none. */
const struct network_row *plane_asked_torn(
    struct plane *plane, const struct state *state, uint32_t *machine_out);

/* ---- plane_check_floors.c ---- */
enum plane_floors_forged { PLANE_FORGED_NOTHING, PLANE_FORGED_FLOORS, PLANE_FORGED_CLAIMS };
void plane_floors_begin(void);
void plane_floors_over(void);
void plane_floors_ready(void); /* Everybody has heard of all nodes that joined so far. */
/* Capacity less the reserve and what is promised to others than this tenant. */
uint64_t plane_floors_left(uint32_t tenant, enum quota_dimension dimension);
void plane_floors_asked(const struct plane *plane, const struct plane_request *request);
/* It is acknowledged, or refused. */
void plane_floors_told(struct plane *plane, const struct plane_request *request);
/* What it was asked to be may come yet, though it was refused. */
bool plane_floors_doubted(uint32_t tenant);
void plane_floors_check(
    struct plane *plane, uint32_t machine, uint64_t index, const struct state *state);
/* The numbers by which a floor refuses a request are so, and do refuse it. */
void plane_floors_refusal(
    struct plane *plane, const struct plane_request *request, const Wire__Answer *answer);
/* From now on nothing can be promised, or claimed. False: nothing is. */
bool plane_floors_forge(enum plane_floors_forged what);

/* ---- plane_check_refused.c ---- */
void plane_refused_begin(void);
void plane_refused_said(struct plane *plane, const Wire__Leaf *leaf); /* A folded one. */
void plane_refused_forge(struct plane *plane); /* One more is said than there were. */

/* ---- plane_heap.c ---- */
void plane_heap_begin(struct plane *plane);
void plane_heap_end(void);
void plane_heap_spoil(void); /* The next step of a core asks for memory. */

/* ---- plane_lost.c ---- */
void plane_lost_begin(const struct plane *plane);
void plane_lost_end(void);
/* A copy of every disk, to be set back to; and the day when a majority is hurt. */
void plane_lost_save(struct plane *plane);
void plane_lost_strike(struct plane *plane);
void plane_lost_note(struct plane *plane); /* One more disk is hurt. */
void plane_lost_forget(uint32_t machine);  /* Its disk broke a promise. */
/* Anew, from its disk. */
void plane_lost_starts(uint32_t machine, uint64_t applied);
void plane_lost_refused(struct plane *plane, uint32_t machine); /* With a name. */
void plane_lost_look(
    struct plane *plane, uint32_t machine, uint64_t index, const struct state *state);
void plane_lost_judge(struct plane *plane);
bool plane_lost_forge(struct plane *plane); /* What was said is changed; false: not now. */

/* ---- plane_history.c ---- */
void plane_history_begin(struct plane *plane);
void plane_history_end(void);
/* The number of the event; UINT32_MAX: nothing that the checkers judge. */
uint32_t plane_history_asked(
    const struct plane *plane, const struct plane_request *request, uint32_t attempt);
/* `answer` NULL: nobody will ever know. */
void plane_history_told(
    const struct plane *plane,
    uint32_t event,
    const struct plane_request *request,
    const Wire__Answer *answer);
/* Somebody was told that this is not there. */
void plane_history_lie(const struct plane *plane, const struct plane_request *request);
void plane_history_check(struct plane *plane);
/* Accounts are charged with too much; two writes were told each other's numbers (false: not now).
 */
void plane_history_overcharge(void);
bool plane_history_disorder(void);

/* ---- plane_lie.c ---- */
const char *plane_lie_word(const char *lie);          /* NULL: no such lie. */
const char *plane_lie_at(uint32_t index);             /* NULL: there are no more. */
bool plane_lie(struct plane *plane, const char *lie); /* False: not possible now. */

#endif
