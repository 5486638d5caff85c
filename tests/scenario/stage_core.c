/* The stage of the bare core: the desk's engine leads, the log commits at once unless it is told to
 * wait, nodes do as they are told the moment somebody looks. Decides nothing of the story's. */
#include "tests/scenario/stage_core.h"

#include "base/check.h"
#include "controller/core/read.h"
#include "tests/scenario/deed.h"
#include "tests/scenario/say.h"
#include "tests/scenario/stage_rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool because(char why[static STAGE_TEXT], const char *reason)
{
    (void)snprintf(why, STAGE_TEXT, "%s", reason);
    return false;
}

const char *stage_runner(void)
{
    return "core";
}

const char *stage_last_words(void)
{
    return NULL;
}

struct stage *stage_open(const struct stage_conf *conf, const char **why_out)
{
    struct stage *stage = calloc(1, sizeof(*stage));
    CHECK(stage != NULL && why_out != NULL);
    struct desk_conf desk = { .reserve_percent = conf->reserve_percent,
                              .vcpu_ratio = conf->vcpu_ratio,
                              .idempotency_limit = conf->idempotency_limit,
                              .requests_per_second = conf->requests_per_second };
    stage->desk = desk_open(&desk);
    const Wire__Answer *image = say_image(stage->desk, stage->desk->operator_person, "linux");
    CHECK(image != NULL && image->reject == 0);
    return stage;
}

void stage_close(struct stage *stage)
{
    desk_close(stage->desk);
    free(stage);
}

bool stage_end(struct stage *stage, char why[static STAGE_TEXT])
{
    if (stage->dead && !stage_cause(stage, CAUSE_CONTROLLERS_BACK, NULL, NULL, 0, why)) {
        return false;
    }
    return stage_digests(stage, why);
}

/* ---- Given ---- */

bool stage_node(
    struct stage *stage,
    const char *name,
    const char *rack,
    const struct quota_amounts *size,
    char why[static STAGE_TEXT])
{
    uint64_t vcpus = size->of[QUOTA_VCPUS];
    uint64_t memory = size->of[QUOTA_MEMORY_BYTES];
    if (stage->desk->nodes_count == DESK_NODES) {
        return because(why, "so many nodes have no place on the desk");
    }
    (void)desk_node_new(
        stage->desk, name, rack, vcpus == 0 ? 8 : vcpus, memory == 0 ? 8 * SAY_GIB : memory);
    return true;
}

bool stage_person(
    struct stage *stage, const char *name, const char *tenant, char why[static STAGE_TEXT])
{
    struct desk *desk = stage->desk;
    Wire__Role role = tenant == NULL ? WIRE__ROLE__ROLE_AUDITOR : WIRE__ROLE__ROLE_TENANT;
    const Wire__Answer *answer = say_user(desk, desk->operator_person, name, role, tenant);
    return (answer != NULL && answer->reject == 0) ||
           because(why, answer == NULL ? "no answer" : answer->problem->detail);
}

bool stage_is_person(const struct stage *stage, const char *name)
{
    return rows_person(desk_state(stage->desk), name) != NULL;
}

bool stage_is_node(const struct stage *stage, const char *name)
{
    return desk_node_named(stage->desk, name) != NULL;
}

bool stage_begins(struct stage *stage, char why[static STAGE_TEXT])
{
    (void)why; /* The core is there as soon as it is opened. */
    stage->leaves_before = stage->desk->leaves_count;
    stage->events_before = stage->desk->events_count;
    stage->elections_before = state_cell(desk_state(stage->desk))->elections;
    return true;
}

bool stage_by_hand(struct stage *stage, char why[static STAGE_TEXT])
{
    stage->by_hand = true;
    why[0] = '\0';
    return true;
}

/* ---- Deeds ---- */

static void ask(struct stage *stage, const struct deed *deed)
{
    struct deed_room room;
    struct desk *desk = stage->desk;
    bool sound = deed_request(deed, "linux", &room);
    CHECK(sound && stage->deeds < STAGE_DEEDS);
    desk->key = deed->key;
    desk->if_match = deed->if_match;
    (void)desk_do(desk, desk_who(desk, deed->who), &room.request);
    stage->handles[stage->deeds] = desk->handles;
    stage->writes[stage->deeds] = deed_writes(deed);
    stage->deeds++;
}

bool stage_do(
    struct stage *stage, const struct deed *deed, uint32_t many, char why[static STAGE_TEXT])
{
    struct deed_room room;
    char name[STAGE_NAME];
    struct deed one = *deed;
    if (!deed_request(deed, "linux", &room)) {
        return because(why, "nobody does that");
    }
    if (stage->dead) {
        return because(why, "nobody is there to be asked");
    }
    if (many == 0) {
        ask(stage, deed);
        return true;
    }
    stage->desk->later = true;
    for (uint32_t i = 1; i <= many; i++) {
        (void)snprintf(name, sizeof(name), "%.40s-%u", deed->name, (unsigned int)i);
        one.name = name;
        ask(stage, &one);
    }
    stage->desk->later = false;
    desk_turn(stage->desk);
    return true;
}

uint32_t stage_deeds(const struct stage *stage)
{
    return stage->deeds;
}

void stage_told(const struct stage *stage, uint32_t number, struct told *told_out)
{
    CHECK(number >= 1 && number <= stage->deeds);
    const Wire__Answer *answer = desk_answer(stage->desk, stage->handles[number - 1]);
    struct deed deed = { .verb = stage->writes[number - 1] ? DEED_CREATE : DEED_READ };
    if (answer == NULL) {
        *told_out = (struct told){ .what = TOLD_WAITING, .write = stage->writes[number - 1] };
        return;
    }
    deed_told(&deed, answer, told_out);
    told_out->write = told_out->write && answer->operation != NULL;
}

/* ---- Seeing ---- */

void stage_instance(
    struct stage *stage, const char *tenant, const char *name, struct seen_instance *seen_out)
{
    rows_see_instance(desk_state(stage->desk), tenant, name, seen_out);
}

void stage_account(
    struct stage *stage, const char *tenant, const char *project, struct seen_account *seen_out)
{
    rows_see_account(desk_state(stage->desk), tenant, project, seen_out);
}

void stage_node_seen(struct stage *stage, const char *name, struct seen_node *seen_out)
{
    rows_see_node(desk_state(stage->desk), name, seen_out);
}

bool stage_order(
    struct stage *stage,
    const char *node,
    const char *tenant,
    const char *name,
    char wish[static STAGE_NAME])
{
    static const char *const wishes[] = { "", "running", "stopped", "gone" };
    const struct instance_row *row = rows_instance(desk_state(stage->desk), tenant, name);
    const struct desk_node *to = desk_node_named(stage->desk, node);
    CHECK(to != NULL);
    const Wire__Frame *told = desk_sent(stage->desk, to->id, WIRE__FRAME__BODY_NODE_ORDERS, 0);
    wish[0] = '\0';
    for (size_t i = 0; told != NULL && row != NULL && i < told->node_orders->n_assignments; i++) {
        const Wire__Assignment *order = told->node_orders->assignments[i];
        if (order->instance == row->head.id && order->generation == row->generation) {
            (void)snprintf(wish, STAGE_NAME, "%s", wishes[order->desired]);
        }
    }
    return true;
}

void stage_operation(struct stage *stage, const char *name, char state[static STAGE_NAME])
{
    rows_see_operation(desk_state(stage->desk), name, state);
}

uint64_t stage_count(struct stage *stage, enum seen_count what, const char *name)
{
    uint64_t count = 0;
    if (what != SEEN_EVENTS) {
        return rows_count(desk_state(stage->desk), what, name);
    }
    for (uint32_t i = stage->events_before; i < stage->desk->events_count; i++) {
        count += strcmp(stage->desk->events[i].name, name) == 0 ? 1 : 0;
    }
    return count;
}

uint64_t stage_elections(struct stage *stage)
{
    return state_cell(desk_state(stage->desk))->elections - stage->elections_before;
}

uint64_t stage_feature_level(struct stage *stage)
{
    return state_cell(desk_state(stage->desk))->feature_level;
}

/* ---- Always ---- */

uint32_t stage_leaves(struct stage *stage, const struct seen_leaf **leaves_out)
{
    uint32_t count = stage->desk->leaves_count - stage->leaves_before;
    CHECK(count <= STAGE_LEAVES);
    while (stage->leaves_count < count) {
        const struct desk_leaf *from =
            &stage->desk->leaves[stage->leaves_before + stage->leaves_count];
        struct seen_leaf *to = &stage->leaves[stage->leaves_count++];
        (void)text_copy(to->operation, sizeof(to->operation), slice_text(from->operation));
        to->person = from->actor_kind == WIRE__KIND__KIND_USER;
        to->refused = from->reject != REJECT_NONE;
        to->times = from->count == 0 ? 1 : from->count;
    }
    *leaves_out = stage->leaves;
    return count;
}

/* INV-AUD-4: numbered without a gap, each chained to the one before. */
bool stage_audit(struct stage *stage, const char *tenant, char why[static STAGE_TEXT])
{
    const struct tenant_row *row = desk_tenant(stage->desk, tenant);
    const struct desk_leaf *before = NULL;
    uint64_t count = 0;
    for (uint32_t i = 0; row != NULL && i < stage->desk->leaves_count; i++) {
        const struct desk_leaf *leaf = &stage->desk->leaves[i];
        if (leaf->tenant != row->head.id) {
            continue;
        }
        bool follows =
            before == NULL || (leaf->tenant_seq == before->tenant_seq + 1 &&
                               memcmp(leaf->previous, before->hash, sizeof(before->hash)) == 0);
        if (!follows) {
            return because(why, "a leaf does not follow the one before");
        }
        before = leaf;
        count++;
    }
    return count > 0 || because(why, "it has no leaf");
}

bool stage_ledger(struct stage *stage, uint64_t *mismatches_out)
{
    *mismatches_out = read_ledger_mismatches(desk_state(stage->desk));
    return true;
}

bool stage_digests(struct stage *stage, char why[static STAGE_TEXT])
{
    return !stage->desk->digests_differ || because(why, "a second engine came to another digest");
}

bool stage_settled(struct stage *stage)
{
    return stage->desk->pending_count == 0;
}

const char *stage_wrong(struct stage *stage)
{
    CHECK(stage->desk != NULL);
    return NULL; /* The desk judges nothing by itself. */
}
