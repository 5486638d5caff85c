/* What leaves say: who did what, to whose thing, and how often somebody was turned away. Held
 * against what clients asked and were told, at the end of a seed. */
#include "audit/leaf.h"
#include "base/check.h"
#include "base/id.h"
#include "base/reject.h"
#include "tests/sim/plane_check.h"

#include <stdlib.h>
#include <string.h>

#define CELL WIRE__KIND__KIND_CELL
#define NODE WIRE__KIND__KIND_NODE
#define USER WIRE__KIND__KIND_USER

/* Whose word it is. */
static const struct word {
    const char *operation;
    Wire__Kind actor; /* UNSET: whoever it was. */
    enum plane_act act;
} words[] = {
    { "genesis", CELL, 0 },
    { "leader-changed", CELL, 0 },
    { "feature-level", CELL, 0 },
    { "replicas-disagree", CELL, 0 },
    { "controller-standby", CELL, 0 },
    { "controller-voter", CELL, 0 },
    { "controller-gone", CELL, 0 },
    { "node-alive", CELL, 0 },
    { "node-unknown", CELL, 0 },
    { "node-boot", NODE, 0 },
    { "node-limited", NODE, 0 },
    { "node-restored", NODE, 0 },
    { "instance-starting", NODE, 0 },
    { "instance-running", NODE, 0 },
    { "instance-repair", NODE, 0 },
    { "instance-stopped", NODE, 0 },
    { "instance-failed", NODE, 0 },
    { "instance-gone", NODE, 0 },
    { "join", WIRE__KIND__KIND_UNSET, PLANE_ACT_JOIN },
    { "renew", WIRE__KIND__KIND_UNSET, 0 },
    { "many", WIRE__KIND__KIND_UNSET, 0 }, /* Refusals of more kinds than are told apart. */
    { "image-create", USER, PLANE_ACT_IMAGE },
    { "tenant-create", USER, PLANE_ACT_TENANT },
    { "user-create", USER, PLANE_ACT_USER },
    { "user-revoke", USER, PLANE_ACT_REVOKE },
    { "token-create", USER, PLANE_ACT_TOKEN },
    { "controller-remove", USER, PLANE_ACT_REMOVE },
    { "quota-set", USER, PLANE_ACT_QUOTA },
    { "network-create", USER, PLANE_ACT_NETWORK },
    { "network-delete", USER, PLANE_ACT_NETWORK_DELETE },
    { "instance-create", USER, PLANE_ACT_CREATE },
    { "instance-start", USER, PLANE_ACT_START },
    { "instance-stop", USER, PLANE_ACT_STOP },
    { "instance-reboot", USER, PLANE_ACT_REBOOT },
    { "instance-delete", USER, PLANE_ACT_DELETE },
    { "instance-read", USER, PLANE_ACT_READ },
    { "unknown", USER, PLANE_ACT_ODD }, /* It asked for nothing that there is. */
    { "tenant-delete", USER, 0 },       /* The rest is asked for in stories alone. */
    { "project-create", USER, 0 },
    { "project-delete", USER, 0 },
    { "image-delete", USER, 0 },
};

uint32_t plane_said_word(struct plane *plane, const char *operation)
{
    for (uint32_t i = 0; i < COUNT_OF(words); i++) {
        if (strcmp(words[i].operation, operation) == 0) {
            return i;
        }
    }
    plane_fail(plane, "SAID %s, which nobody does", operation);
}

enum plane_act plane_said_act(uint32_t word)
{
    CHECK(word < COUNT_OF(words));
    return plane_people_known ? words[word].act : 0;
}

/* ---- People and things ---- */

/* Somebody, and how often the answers to him were this refusal. */
struct person {
    uint64_t id;
    uint64_t tenant;
    uint64_t told[REJECTS_END];
    uint64_t unsure; /* Attempts whose end nobody was told, or told to be unknown. */
};

static struct person *people; /* Owned; the first is whoever has no name. */
static uint32_t people_count;
static uint32_t *makers; /* Owned; by sequence of an id: the request that made it, or joined so. */

static struct person *person_of(uint64_t id)
{
    for (uint32_t i = 0; i < people_count; i++) {
        if (people[i].id == id) {
            return &people[i];
        }
    }
    return NULL;
}

static uint64_t tenant_of(uint32_t index)
{
    for (uint32_t i = 1; i <= plane_requests_count; i++) {
        const struct plane_request *request = &plane_requests[i];
        if (request->act == PLANE_ACT_TENANT && request->tenant == index) {
            return request->resource;
        }
    }
    return 0;
}

static void people_gather(void)
{
    people[people_count++] = (struct person){ .id = 0 };
    people[people_count++] = (struct person){ .id = plane_users[0] };
    for (uint32_t i = 1; i <= plane_requests_count; i++) {
        const struct plane_request *request = &plane_requests[i];
        if (request->act == PLANE_ACT_USER && request->resource != 0) {
            people[people_count++] =
                (struct person){ .id = request->resource, .tenant = tenant_of(request->tenant) };
        }
        bool makes = request->act == PLANE_ACT_CREATE || request->act == PLANE_ACT_NETWORK ||
                     request->act == PLANE_ACT_JOIN;
        if (makes && request->resource != 0) {
            CHECK(id_sequence(request->resource) < PLANE_SEQUENCES);
            makers[id_sequence(request->resource)] = i;
        }
    }
}

static void answers_gather(struct plane *plane)
{
    for (uint32_t i = 1; i <= plane_requests_count; i++) {
        const struct plane_request *request = &plane_requests[i];
        struct person *person = person_of(request->principal);
        uint64_t answered = 0;
        if (person == NULL) {
            plane_fail(
                plane, "SAID by %llx, who is nobody", (unsigned long long)request->principal);
        }
        for (uint32_t reject = 0; reject < REJECTS_END; reject++) {
            person->told[reject] += request->answers[reject];
            answered += request->answers[reject];
        }
        person->unsure += request->attempts - answered + request->answers[REJECT_OUTCOME_UNKNOWN];
        person->unsure += request->rerouted;
        people[0].unsure += request->act == PLANE_ACT_ODD || request->act == PLANE_ACT_JOIN ? 1 : 0;
    }
}

/* ---- Leaves ---- */

static const struct plane_request *maker_of(uint64_t resource)
{
    const struct plane_request *request = &plane_requests[makers[resource & (PLANE_SEQUENCES - 1)]];
    return resource != 0 && request->resource == resource ? request : NULL;
}

/* The owner's: of a thing its tenant, of a refusal whoever was refused. */
static bool tenant_sound(const struct plane_leaf *leaf, const struct person *person)
{
    const struct plane_request *maker = maker_of(leaf->resource);
    bool owned = maker != NULL && maker->act != PLANE_ACT_JOIN;
    if (owned) {
        return leaf->tenant == plane_tenants[maker->tenant];
    }
    return leaf->reject == REJECT_NONE || person == NULL || leaf->tenant == person->tenant;
}

static bool actor_sound(const struct plane_leaf *leaf, const struct person *person)
{
    Wire__Kind wanted = words[leaf->word].actor;
    const struct plane_request *joined = maker_of(leaf->actor);
    if (wanted == WIRE__KIND__KIND_UNSET) {
        return true;
    }
    if (wanted == USER && person == NULL) {
        return false;
    }
    return leaf->actor_kind == wanted &&
           (wanted != NODE || (joined != NULL && joined->act == PLANE_ACT_JOIN));
}

static void leaf_check(struct plane *plane, const struct plane_leaf *leaf)
{
    const struct person *person = leaf->actor_kind == USER ? person_of(leaf->actor) : NULL;
    plane_checked(plane, PLANE_CHECK_SAID);
    if (!actor_sound(leaf, person) || !tenant_sound(leaf, person)) { /* INV-AUD-1 */
        plane_fail(
            plane,
            "SAID %s by %llx, of tenant %llx: another did it, or it is another's",
            words[leaf->word].operation,
            (unsigned long long)leaf->actor,
            (unsigned long long)leaf->tenant);
    }
    if (person == NULL || leaf->reject == REJECT_NONE || words[leaf->word].actor != USER) {
        return;
    }
    if (person->told[leaf->reject] + person->unsure == 0) { /* INV-AUD-5 */
        plane_fail(
            plane,
            "SAID that %llx was refused: %s, and nobody was told so",
            (unsigned long long)leaf->actor,
            reject_name((enum reject)leaf->reject));
    }
}

/* A refusal whose answer was lost between controllers is made again by the next leader: some are.
 */
static void counts_check(struct plane *plane)
{
    uint64_t said = 0;
    uint64_t told = 0;
    for (uint64_t seq = 0; seq < plane_leaves_seen(); seq++) {
        const struct plane_leaf *leaf = plane_leaf_seen(seq);
        said += leaf->reject == REJECT_NONE ? 0 : leaf->count;
    }
    for (uint32_t i = 0; i < people_count; i++) {
        told += people[i].unsure;
        for (uint32_t reject = 1; reject < REJECTS_END; reject++) {
            told += people[i].told[reject];
        }
    }
    plane_checked(plane, PLANE_CHECK_SAID);
    if (said > told + told / 4 * 3 + 16) { /* INV-AUD-5 */
        plane_fail(
            plane,
            "SAID %llu refusals, of %llu at most",
            (unsigned long long)said,
            (unsigned long long)told);
    }
}

void plane_said_end(struct plane *plane)
{
    if (!plane_people_known) {
        return;
    }
    people = plane_zeroed(plane_requests_count + 3, sizeof(*people));
    makers = plane_zeroed(PLANE_SEQUENCES, sizeof(*makers));
    people_count = 0;
    people_gather();
    answers_gather(plane);
    for (uint64_t seq = 0; seq < plane_leaves_seen(); seq++) {
        leaf_check(plane, plane_leaf_seen(seq));
    }
    counts_check(plane);
    free(people);
    free(makers);
}
