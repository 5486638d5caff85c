/* What tenants are promised: the floor in each row is the one that acknowledged requests lead to,
 * all floors together fit what nodes really have less the reserve, no placement eats what another's
 * floor promises, and who is refused for a floor is refused by true numbers. Reckoned from
 * requests, rows of instances and machines: never with the product's sums.
 *
 * Only the operator sets floors, one at a time, and capacity never shrinks here: what is known of
 * each is exact but for the one that is being asked for. */
#include "base/check.h"
#include "controller/core/state.h"
#include "tests/sim/plane_check.h"
#include "tests/sim/plane_net.h"

#include <stdlib.h>
#include <string.h>

/* Dimensions that machines have; networks and instances are bounded by caps alone. */
enum { SCARCE = 2, LOOKS = 1024, WHOLE = 100 };
_Static_assert(QUOTA_VCPUS == 0 && QUOTA_MEMORY_BYTES == 1, "scarce dimensions are the first");
/* The largest guest that a client asks for (plane_request.c). */
static const uint64_t guest_most[SCARCE] = { 2, UINT64_C(112) << 20 };

/* What one tenant was promised. */
struct promise {
    uint64_t id;                /* 0: the tenant was not made. */
    struct quota_amounts known; /* As it was acknowledged last. */
    struct quota_amounts next;  /* As it was asked for last. */
    bool open;                  /* It may come to that. */
    uint64_t index;             /* Of the acknowledgement. */
};

struct sums {
    uint64_t floors[SCARCE];
    uint64_t claims[SCARCE]; /* max(placed, floor), of all tenants. */
};

/* What any replica showed at this index. */
struct look {
    uint64_t index;
    struct sums sums;
    uint64_t placed[PLANE_TENANTS][SCARCE];
    uint64_t floors[PLANE_TENANTS][SCARCE];
};

static struct promise promises[PLANE_PROMISES];
static uint32_t promises_count;
static uint64_t changed_index;         /* Of the newest floor that was acknowledged. */
static uint64_t capacity_sure[SCARCE]; /* Of nodes that all heard of, */
static uint64_t capacity_most[SCARCE]; /* and with those that may have joined since. */
static struct look *looks;             /* Owned; by index. */
static struct {
    uint64_t index;
    uint64_t claims[SCARCE];
} before[PLANE_CONTROLLERS];
static enum plane_floors_forged forged;

void plane_floors_begin(void)
{
    looks = plane_zeroed(LOOKS, sizeof(*looks));
}

void plane_floors_over(void)
{
    free(looks);
    looks = NULL;
}

/* ---- What nodes have ---- */

static uint64_t usable(uint64_t capacity)
{
    return capacity * (WHOLE - PLANE_RESERVE_PERCENT) / WHOLE;
}

static void capacity_add(const struct plane *plane, uint32_t machine, uint64_t *capacity)
{
    capacity[QUOTA_VCPUS] += (uint64_t)PLANE_HOST_VCPUS * PLANE_VCPU_RATIO;
    capacity[QUOTA_MEMORY_BYTES] += plane_host_memory(plane, machine);
}

/* Of the nodes that this state has heard of, whatever it believes them to have. A machine that was
 * wiped comes as another node; the one that it was stays in the cell. */
static void capacity_of(const struct plane *plane, const struct state *state, uint64_t *capacity)
{
    for (const struct node_row *row = state_first(state, TABLE_NODE); row != NULL;
         row = state_next(state, TABLE_NODE, row)) {
        uint32_t machine = plane_machine_once(plane, row->head.id);
        if (row->memory_bytes != 0 && machine != PLANE_NONE) {
            capacity_add(plane, machine, capacity);
        }
    }
}

void plane_floors_ready(void)
{
    memcpy(capacity_sure, capacity_most, sizeof(capacity_sure));
}

uint64_t plane_floors_left(uint32_t tenant, enum quota_dimension dimension)
{
    uint64_t left = usable(capacity_sure[dimension]);
    for (uint32_t i = 0; i < promises_count; i++) {
        uint64_t taken = i == tenant ? 0 : promises[i].known.of[dimension];
        left = left > taken ? left - taken : 0;
    }
    return left;
}

/* ---- What is asked and acknowledged ---- */

void plane_floors_asked(const struct plane *plane, const struct plane_request *request)
{
    if (request->act == PLANE_ACT_JOIN && plane_is_node(request->machine)) {
        capacity_add(plane, request->machine, capacity_most);
    }
    if (!plane_sets_floor(request)) {
        return;
    }
    CHECK(request->tenant < PLANE_PROMISES);
    promises_count = promises_count > request->tenant ? promises_count : request->tenant + 1;
    promises[request->tenant].next = request->floor;
    promises[request->tenant].open = true;
}

static uint64_t least_of(const struct promise *promise, uint32_t d)
{
    uint64_t known = promise->known.of[d];
    return promise->open && promise->next.of[d] < known ? promise->next.of[d] : known;
}

/* INV-LED-3, at the moment of the acceptance. */
static void accepted_check(struct plane *plane, const struct plane_request *request)
{
    for (uint32_t d = 0; d < SCARCE; d++) {
        uint64_t sum = request->floor.of[d];
        for (uint32_t i = 0; i < promises_count; i++) {
            sum += i == request->tenant ? 0 : least_of(&promises[i], d);
        }
        plane_checked(plane, PLANE_CHECK_PROMISED);
        if (request->floor.of[d] != 0 && sum > usable(capacity_most[d])) {
            plane_fail(
                plane,
                "PROMISED %s of %llu %s was taken, and %llu of %llu are promised",
                request->key,
                (unsigned long long)request->floor.of[d],
                quota_dimension_name((enum quota_dimension)d),
                (unsigned long long)sum,
                (unsigned long long)usable(capacity_most[d]));
        }
    }
}

void plane_floors_told(struct plane *plane, const struct plane_request *request)
{
    if (!plane_sets_floor(request)) {
        return;
    }
    struct promise *promise = &promises[request->tenant];
    if (request->state != PLANE_ACKNOWLEDGED) {
        promise->open = request->unsure;
        return;
    }
    promise->id = request->act == PLANE_ACT_TENANT ? request->resource : promise->id;
    promise->known = request->floor;
    promise->open = false;
    promise->index = request->index;
    changed_index = request->index > changed_index ? request->index : changed_index;
    if (!plane->lost) {
        accepted_check(plane, request);
    }
}

bool plane_floors_doubted(uint32_t tenant)
{
    return promises[tenant].open;
}

static bool any_open(void)
{
    bool open = false;
    for (uint32_t i = 0; i < promises_count; i++) {
        open = open || promises[i].open;
    }
    return open;
}

/* ---- States ---- */

/* Rows come in the order in which tenants were made, and so do promises. PLANE_PROMISES: it is
 * being made, or a story made it. */
static uint32_t promise_of(uint64_t id, uint32_t from)
{
    for (uint32_t i = 0; i < promises_count; i++) {
        uint32_t at = (from + i) % promises_count;
        if (promises[at].id == id) {
            return at;
        }
    }
    return PLANE_PROMISES;
}

static void row_check(
    struct plane *plane,
    uint32_t machine,
    uint64_t index,
    const struct tenant_row *row,
    const struct promise *promise)
{
    const struct quota_amounts *is = &row->account.floor;
    bool known = memcmp(is, &promise->known, sizeof(*is)) == 0;
    bool next = promise->open && memcmp(is, &promise->next, sizeof(*is)) == 0;
    plane_checked(plane, PLANE_CHECK_FLOORS);
    if (index >= promise->index && !known && !next) {
        plane_fail(
            plane,
            "FLOOR m%u: %s has %llu vcpus, %llu bytes, and %llu, %llu were acknowledged",
            machine,
            row->name.text,
            (unsigned long long)is->of[QUOTA_VCPUS],
            (unsigned long long)is->of[QUOTA_MEMORY_BYTES],
            (unsigned long long)promise->known.of[QUOTA_VCPUS],
            (unsigned long long)promise->known.of[QUOTA_MEMORY_BYTES]);
    }
}

static void tenant_add(
    const struct tenant_row *row, uint32_t tenant, struct sums *sums, struct look *look)
{
    /* plane_check_rooms.c held these to the instances that are placed. */
    const uint64_t placed[SCARCE] = { row->vcpus_placed, row->memory_bytes_placed };
    for (uint32_t d = 0; d < SCARCE; d++) {
        uint64_t floor = row->account.floor.of[d];
        sums->floors[d] += floor;
        sums->claims[d] += placed[d] > floor ? placed[d] : floor;
        if (look != NULL && tenant < PLANE_TENANTS) {
            look->placed[tenant][d] = placed[d];
            look->floors[tenant][d] = floor;
        }
    }
}

/* What may be promised and placed where this state is; what a lie leaves is nothing. */
static void room_of(
    const struct plane *plane, const struct state *state, const struct sums *sums, uint64_t *room)
{
    uint64_t capacity[SCARCE] = { 0 };
    bool over = false;
    for (uint32_t d = 0; d < SCARCE; d++) {
        room[d] = forged == PLANE_FORGED_NOTHING ? usable(capacity_sure[d]) : 0;
        over = over || sums->floors[d] > room[d] || sums->claims[d] > room[d];
    }
    if (!over || forged != PLANE_FORGED_NOTHING) {
        return;
    }
    capacity_of(plane, state, capacity); /* It may be more than everybody knew. */
    for (uint32_t d = 0; d < SCARCE; d++) {
        room[d] = usable(capacity[d]);
    }
}

/* INV-LED-3: of floors always; of claims when a placement made them more. What was placed before a
 * floor was promised is not taken back, and may be more than fits beside it. */
static void sums_check(
    struct plane *plane,
    uint32_t machine,
    uint64_t index,
    const struct state *state,
    const struct sums *sums)
{
    uint64_t since = before[machine].index;
    bool same = since > 0 && since <= index && changed_index <= since && !any_open();
    uint64_t room[SCARCE];
    room_of(plane, state, sums, room);
    for (uint32_t d = 0; d < SCARCE; d++) {
        const char *name = quota_dimension_name((enum quota_dimension)d);
        uint64_t had = forged == PLANE_FORGED_CLAIMS ? 0 : before[machine].claims[d];
        plane_checked(plane, PLANE_CHECK_PROMISED);
        if (sums->floors[d] > room[d] && forged != PLANE_FORGED_CLAIMS) {
            plane_fail(
                plane,
                "PROMISED m%u: %llu of %llu %s",
                machine,
                (unsigned long long)sums->floors[d],
                (unsigned long long)room[d],
                name);
        }
        if (same) {
            plane_checked(plane, PLANE_CHECK_CLAIMED);
        }
        if (same && sums->claims[d] > room[d] && sums->claims[d] > had) {
            plane_fail(
                plane,
                "CLAIMED m%u: %llu of %llu %s, by a placement",
                machine,
                (unsigned long long)sums->claims[d],
                (unsigned long long)room[d],
                name);
        }
        before[machine].claims[d] = sums->claims[d];
    }
    before[machine].index = index;
}

void plane_floors_check(
    struct plane *plane, uint32_t machine, uint64_t index, const struct state *state)
{
    struct sums sums = { { 0 }, { 0 } };
    uint32_t tenant = 0;
    if (!plane->swarm.floors) {
        return;
    }
    struct look *look = looks[index % LOOKS].index < index ? &looks[index % LOOKS] : NULL;
    for (const struct tenant_row *row = state_first(state, TABLE_TENANT); row != NULL;
         row = state_next(state, TABLE_TENANT, row)) {
        uint32_t at = promise_of(row->head.id, tenant);
        if (at < PLANE_PROMISES) {
            row_check(plane, machine, index, row, &promises[at]);
            tenant = at + 1;
        }
        tenant_add(row, at, &sums, look);
    }
    if (look != NULL) {
        look->index = index;
        look->sums = sums;
    }
    sums_check(plane, machine, index, state, &sums);
}

/* ---- Refusals ---- */

struct range {
    uint64_t least;
    uint64_t most;
};

static const struct look *look_at(uint64_t index)
{
    const struct look *look = &looks[index % LOOKS];
    return index > 0 && look->index == index ? look : NULL;
}

/* What all floors but the asker's own were, when `index` was applied: the entry may have changed
 * one before it came to the asker. */
static struct range floors_of_others(
    const struct plane *plane, const struct plane_request *request, uint64_t index, uint32_t d)
{
    const struct look *first = look_at(index - 1);
    const struct look *last = look_at(index);
    bool sets = request->act == PLANE_ACT_QUOTA; /* Refused: its own is what it was. */
    uint64_t own = sets ? promises[request->tenant].known.of[d] : 0;
    if (!plane->swarm.floors) {
        return (struct range){ 0, 0 };
    }
    if (first == NULL || last == NULL) {
        return (struct range){ 0, usable(capacity_most[d]) };
    }
    uint64_t one = first->sums.floors[d] - own;
    uint64_t other = last->sums.floors[d] - own;
    return (struct range){ one < other ? one : other, one < other ? other : one };
}

/* What was claimed while the entry was applied: it began with what was before, and ended with what
 * is after; in between each client has placed at most one guest. */
static struct range claims_of(const struct plane *plane, uint64_t index, uint32_t d)
{
    const struct look *first = look_at(index - 1);
    const struct look *last = look_at(index);
    uint64_t placed = plane->conf.clients * guest_most[d];
    if (first == NULL || last == NULL ||
        memcmp(first->sums.floors, last->sums.floors, sizeof(first->sums.floors)) != 0) {
        return (struct range){ 0, UINT64_MAX };
    }
    uint64_t after = last->sums.claims[d];
    return (struct range){ after > placed ? after - placed : 0, first->sums.claims[d] + placed };
}

/* The guest and all that its tenant had placed stay inside its floor. */
static bool inside(
    const struct plane *plane,
    const struct plane_request *request,
    uint64_t index,
    uint32_t d,
    uint64_t need)
{
    const struct look *first = look_at(index - 1);
    const struct look *last = look_at(index);
    if (first == NULL || last == NULL) {
        return false;
    }
    uint32_t t = request->tenant;
    uint64_t floor =
        first->floors[t][d] < last->floors[t][d] ? first->floors[t][d] : last->floors[t][d];
    uint64_t others = plane->conf.clients / plane->conf.tenants; /* Of this tenant, at most. */
    return first->placed[t][d] + others * guest_most[d] + need <= floor;
}

static bool numbers_sound(
    const struct plane *plane,
    const struct plane_request *request,
    const Wire__Answer *answer,
    uint32_t d)
{
    const Wire__Problem *problem = answer->problem;
    bool odd = request->act == PLANE_ACT_ODD;
    bool promise = plane_sets_floor(request) || (odd && request->odd == PLANE_ODD_FLOOR);
    const struct plane_request *guest = &plane_requests[request->object];
    uint64_t need = promise ? request->floor.of[d] : d == 0 ? guest->vcpus : guest->memory_bytes;
    struct range usage = promise ? floors_of_others(plane, request, answer->index, d)
                                 : claims_of(plane, answer->index, d);
    bool needed = odd ? problem->requested > 0 : need > 0 && problem->requested == need;
    bool spared = promise || odd || !inside(plane, request, answer->index, d, need);
    return needed && spared && problem->limit >= usable(capacity_sure[d]) &&
           problem->limit <= usable(capacity_most[d]) && problem->usage >= usage.least &&
           problem->usage <= usage.most && problem->usage + problem->requested > problem->limit;
}

void plane_floors_refusal(
    struct plane *plane, const struct plane_request *request, const Wire__Answer *answer)
{
    const Wire__Problem *problem = answer->problem;
    bool sound = false;
    for (uint32_t d = 0; d < SCARCE && problem != NULL; d++) {
        const char *name = quota_dimension_name((enum quota_dimension)d);
        sound = sound ||
                (strcmp(problem->dimension, name) == 0 && numbers_sound(plane, request, answer, d));
    }
    plane_checked(plane, PLANE_CHECK_UNFAIR);
    if (!sound) {
        plane_fail(
            plane,
            "UNFAIR %s %s is refused: %llu of %llu %s are claimed, %llu are asked for",
            plane_act_name(request->act),
            request->key,
            problem == NULL ? 0 : (unsigned long long)problem->usage,
            problem == NULL ? 0 : (unsigned long long)problem->limit,
            problem == NULL ? "" : problem->dimension,
            problem == NULL ? 0 : (unsigned long long)problem->requested);
    }
}

bool plane_floors_forge(enum plane_floors_forged what)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < promises_count; i++) {
        sum += promises[i].known.of[QUOTA_VCPUS];
    }
    forged = sum > 0 && !any_open() ? what : PLANE_FORGED_NOTHING;
    return forged == what;
}
