/* The stage of the simulated plane: three controllers, as many nodes as the story has, keys and
 * hypervisors, in virtual time and without accidents of their own; what befalls them is the
 * story's. The plane's checkers end the story at the event that breaks something. */
#include "tests/scenario/stage_sim.h"
#include "tests/sim/plane_machine.h"
#include "tests/sim/plane_people.h"

#include "base/check.h"
#include "base/id.h"
#include "controller/core/read.h"
#include "controller/server.h"
#include "tests/scenario/stage_rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct stage *sim_stage;
static struct plane_tally *tally;

bool sim_because(char why[static STAGE_TEXT], const char *reason)
{
    (void)snprintf(why, STAGE_TEXT, "%s", reason);
    return false;
}

const char *stage_runner(void)
{
    return "sim";
}

const char *stage_last_words(void)
{
    tally = mmap(NULL, sizeof(*tally), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(tally != MAP_FAILED);
    return tally->what;
}

struct stage *stage_open(const struct stage_conf *conf, const char **why_out)
{
    if (conf->reserve_percent + conf->vcpu_ratio + conf->idempotency_limit +
            conf->requests_per_second !=
        0) {
        *why_out = "its cell is made as the simulator makes cells";
        return NULL;
    }
    CHECK(sim_stage == NULL && tally != NULL); /* One story a process. */
    sim_stage = calloc(1, sizeof(*sim_stage));
    CHECK(sim_stage != NULL);
    struct plane *plane = &sim_stage->plane;
    const char *seed = getenv("UDATSU_STORY_SEED");
    plane->seed = seed == NULL ? 1 : strtoull(seed, NULL, 10);
    plane->verbose = getenv("UDATSU_STORY_TRACE") != NULL;
    plane->tally = tally;
    plane->conf = (struct plane_conf){ .controllers = 3,
                                       .tenants = SIM_TENANTS,
                                       .clients = SIM_CLIENTS - 1,
                                       .instances = 100,
                                       .requests = SIM_ASKS,
                                       .think_ms = 50 };
    return sim_stage;
}

void stage_close(struct stage *stage)
{
    if (stage->begun && plane_clients_idle(&stage->plane)) {
        plane_end(&stage->plane);
    }
    free(stage);
    sim_stage = NULL;
}

/* ---- Given ---- */

bool sim_begin(struct stage *stage, char why[static STAGE_TEXT])
{
    if (stage->begun) {
        return true;
    }
    if (stage->nodes_count == 0) {
        return sim_because(why, "a cell has nodes; they are given first");
    }
    stage->plane.conf.nodes = stage->nodes_count;
    plane_begin(&stage->plane);
    plane_tenants[SIM_ROOT] = 0; /* Whose root is. */
    stage->begun = true;
    return true;
}

bool stage_node(
    struct stage *stage,
    const char *name,
    const char *rack,
    const struct quota_amounts *size,
    char why[static STAGE_TEXT])
{
    char wanted[STAGE_NAME];
    if (rack[0] != '\0' || size->of[QUOTA_VCPUS] != 0 || size->of[QUOTA_MEMORY_BYTES] != 0) {
        return sim_because(why, "its nodes have racks and sizes of their own");
    }
    (void)snprintf(wanted, sizeof(wanted), "n%u", (unsigned int)(stage->nodes_count + 1));
    if (stage->begun || stage->nodes_count == SIM_NODES || strcmp(name, wanted) != 0) {
        return sim_because(why, "nodes are given first, and are called n1, n2, …");
    }
    stage->nodes_count++;
    return true;
}

uint32_t sim_node(const struct stage *stage, const char *name)
{
    unsigned long number = name[0] == 'n' ? strtoul(name + 1, NULL, 10) : 0;
    return number >= 1 && number <= stage->nodes_count ? PLANE_CONTROLLERS + (uint32_t)number - 1
                                                       : PLANE_NONE;
}

bool stage_person(
    struct stage *stage, const char *name, const char *tenant, char why[static STAGE_TEXT])
{
    struct deed deed = {
        .who = "root", .verb = DEED_CREATE, .noun = DEED_USER, .name = name, .tenant = tenant
    };
    if (stage->people_count == SIM_ROOT) {
        return sim_because(why, "so many people have no place here");
    }
    if (!sim_begin(stage, why)) {
        return false;
    }
    uint32_t number = sim_post(stage, &deed, SIM_DEED, 0);
    const struct sim_ask *ask = &stage->asks[number - 1];
    if (!sim_answered(stage) || ask->told.what != TOLD_ACCEPTED) {
        return sim_because(why, ask->told.detail);
    }
    const struct tenant_row *row =
        tenant == NULL ? NULL : state_lookup(sim_state(stage), TABLE_TENANT, 0, tenant);
    struct sim_person *person = &stage->people[stage->people_count];
    plane_tenants[stage->people_count++] = row == NULL ? 0 : row->head.id;
    (void)text_copy(person->name, sizeof(person->name), slice_text(name));
    person->principal = ask->resource;
    return true;
}

bool stage_is_person(const struct stage *stage, const char *name)
{
    bool is = strcmp(name, "root") == 0;
    for (uint32_t i = 0; i < stage->people_count; i++) {
        is = is || strcmp(stage->people[i].name, name) == 0;
    }
    return is;
}

bool stage_is_node(const struct stage *stage, const char *name)
{
    return sim_node(stage, name) != PLANE_NONE;
}

bool stage_by_hand(struct stage *stage, char why[static STAGE_TEXT])
{
    CHECK(stage != NULL);
    return sim_because(why, "nodes of the simulator speak for themselves");
}

bool stage_hand(struct stage *stage, const struct hand *hand, char why[static STAGE_TEXT])
{
    CHECK(hand->word != 0);
    return stage_by_hand(stage, why);
}

/* ---- Deeds ---- */

bool stage_do(
    struct stage *stage, const struct deed *deed, uint32_t many, char why[static STAGE_TEXT])
{
    struct deed_room room;
    char name[STAGE_NAME];
    struct deed one = *deed;
    if (!deed_request(deed, "linux", &room)) {
        return sim_because(why, "nobody does that");
    }
    if (stage->dead || !sim_begin(stage, why)) {
        return stage->dead ? sim_because(why, "nobody is there to be asked") : false;
    }
    for (uint32_t i = 1; i <= (many == 0 ? 1 : many); i++) {
        if (many != 0) {
            (void)snprintf(name, sizeof(name), "%.40s-%u", deed->name, (unsigned int)i);
            one.name = name;
        }
        CHECK(stage->deeds_count < STAGE_DEEDS);
        stage->deeds[stage->deeds_count++] = sim_post(stage, &one, SIM_DEED, 0);
    }
    return sim_answered(stage) || sim_because(why, "nobody answers");
}

uint32_t stage_deeds(const struct stage *stage)
{
    return stage->deeds_count;
}

void stage_told(const struct stage *stage, uint32_t number, struct told *told_out)
{
    CHECK(number >= 1 && number <= stage->deeds_count);
    *told_out = stage->asks[stage->deeds[number - 1] - 1].told;
}

/* ---- Seeing ---- */

static bool can_say(struct plane *plane)
{
    struct replica_status status;
    uint32_t leader = plane_leader(plane);
    if (leader == PLANE_NONE) {
        return false;
    }
    server_status(plane_server(plane, leader), &status);
    return status.applied == status.commit &&
           engine_applied(server_engine(plane_server(plane, leader))) > 0;
}

const struct state *sim_state(struct stage *stage)
{
    struct plane *plane = &stage->plane;
    if (!stage->begun || stage->dead || !plane_until(plane, SIM_ANSWER_MS, can_say)) {
        return NULL;
    }
    return engine_state(server_engine(plane_server(plane, plane_leader(plane))));
}

static const char *known_as(struct stage *stage, const char *tenant, const char *name)
{
    for (uint32_t i = stage->objects_count; i > 0; i--) {
        const struct sim_object *one = &stage->objects[i - 1];
        if (!one->network && strcmp(one->tenant, tenant) == 0 && strcmp(one->name, name) == 0) {
            return plane_requests[one->number].name;
        }
    }
    return "";
}

void stage_instance(
    struct stage *stage, const char *tenant, const char *name, struct seen_instance *seen_out)
{
    const struct state *state = sim_state(stage);
    *seen_out = (struct seen_instance){ .there = false };
    if (state != NULL) {
        rows_see_instance(state, tenant, known_as(stage, tenant, name), seen_out);
        unsigned long machine =
            seen_out->node[0] == 'm' ? strtoul(seen_out->node + 1, NULL, 10) : 0;
        if (machine >= PLANE_CONTROLLERS) {
            (void)snprintf(seen_out->node, STAGE_NAME, "n%lu", machine - PLANE_CONTROLLERS + 1);
        }
    }
}

void stage_account(
    struct stage *stage, const char *tenant, const char *project, struct seen_account *seen_out)
{
    const struct state *state = sim_state(stage);
    *seen_out = (struct seen_account){ .there = false };
    if (state != NULL) {
        rows_see_account(state, tenant, project, seen_out);
    }
}

void stage_node_seen(struct stage *stage, const char *name, struct seen_node *seen_out)
{
    char machine[STAGE_NAME];
    const struct state *state = sim_state(stage);
    *seen_out = (struct seen_node){ .there = false };
    (void)snprintf(machine, sizeof(machine), "m%u", (unsigned int)sim_node(stage, name));
    if (state != NULL) {
        rows_see_node(state, machine, seen_out);
    }
}

bool stage_order(
    struct stage *stage,
    const char *node,
    const char *tenant,
    const char *name,
    char wish[static STAGE_NAME])
{
    CHECK(stage != NULL && node != NULL && tenant != NULL && name != NULL);
    wish[0] = '\0';
    return false; /* Frames are gone when they have arrived. */
}

void stage_operation(struct stage *stage, const char *name, char state[static STAGE_NAME])
{
    const struct state *rows = sim_state(stage);
    const char *called = name;
    for (uint32_t i = 0; i < stage->objects_count; i++) {
        const struct sim_object *one = &stage->objects[i];
        called = strcmp(one->name, name) == 0 ? plane_requests[one->number].name : called;
    }
    state[0] = '\0';
    if (rows != NULL) {
        rows_see_operation(rows, called, state);
    }
}

static uint64_t events(struct stage *stage, const char *name)
{
    uint64_t after = stage->events_after;
    uint32_t got = 1;
    struct deed nobody = { .who = "root" };
    stage->event_wanted = name;
    stage->events_found = 0;
    for (uint32_t i = 0; i < 64 && got > 0; i++) {
        uint32_t number = sim_post(stage, &nobody, SIM_EVENTS, after);
        got = sim_answered(stage) ? stage->asks[number - 1].got : 0;
        after = got > 0 ? stage->asks[number - 1].resource : after;
    }
    return stage->events_found;
}

uint64_t stage_count(struct stage *stage, enum seen_count what, const char *name)
{
    if (what == SEEN_EVENTS) {
        return events(stage, name);
    }
    const struct state *state = sim_state(stage);
    return state == NULL ? 0 : rows_count(state, what, name);
}

uint64_t stage_elections(struct stage *stage)
{
    const struct state *state = sim_state(stage);
    return state == NULL ? 0 : state_cell(state)->elections - stage->elections_before;
}

uint64_t stage_feature_level(struct stage *stage)
{
    const struct state *state = sim_state(stage);
    return state == NULL ? 0 : state_cell(state)->feature_level;
}

/* ---- Always ---- */

uint32_t stage_leaves(struct stage *stage, const struct seen_leaf **leaves_out)
{
    struct deed nobody = { .who = "root" };
    uint32_t before = UINT32_MAX;
    while (stage->leaves_count != before) {
        before = stage->leaves_count;
        (void)sim_post(stage, &nobody, SIM_LEAVES, stage->next_leaf);
        if (!sim_answered(stage)) {
            break;
        }
    }
    *leaves_out = stage->leaves + stage->leaves_before;
    return stage->leaves_count - stage->leaves_before;
}

bool stage_begins(struct stage *stage, char why[static STAGE_TEXT])
{
    const struct seen_leaf *ignored = NULL;
    if (!sim_begin(stage, why)) {
        return false;
    }
    (void)stage_leaves(stage, &ignored);
    stage->leaves_before = stage->leaves_count;
    const struct state *state = sim_state(stage);
    CHECK(state != NULL);
    stage->elections_before = state_cell(state)->elections;
    stage->events_after =
        engine_applied(server_engine(plane_server(&stage->plane, plane_leader(&stage->plane))));
    return true;
}

bool stage_audit(struct stage *stage, const char *tenant, char why[static STAGE_TEXT])
{
    const struct state *state = sim_state(stage);
    /* Its chain and its frontier are compared at every event, on every replica. */
    return (state != NULL && state_lookup(state, TABLE_TENANT, 0, tenant) != NULL) ||
           sim_because(why, "there is no such tenant");
}

bool stage_ledger(struct stage *stage, uint64_t *mismatches_out)
{
    const struct state *state = sim_state(stage);
    *mismatches_out = state == NULL ? 0 : read_ledger_mismatches(state);
    return state != NULL;
}

bool stage_digests(struct stage *stage, char why[static STAGE_TEXT])
{
    CHECK(stage != NULL);
    why[0] = '\0';
    return true; /* The plane compares them at every index, and ends the story. */
}

bool stage_settled(struct stage *stage)
{
    return !stage->dead;
}

const char *stage_wrong(struct stage *stage)
{
    CHECK(stage != NULL);
    return NULL; /* What the plane's checkers find ends the process: stage_last_words. */
}
