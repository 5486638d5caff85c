/* Who is where: what is found by node, tenant and network is what a look at everything finds; and
 * what nodes are told of a network's other nodes. */
#include "controller/core/presence.h"
#include "controller/core/rows.h"
#include "tests/unit/core_lab.h"

#include <stdlib.h>

/* How many placed instances a look at all of them finds; of a network: their interfaces. */
static uint32_t counted(const struct state *state, uint64_t node, uint64_t tenant, uint64_t network)
{
    uint32_t count = 0;
    for (const struct instance_row *row = state_first(state, TABLE_INSTANCE); row != NULL;
         row = state_next(state, TABLE_INSTANCE, row)) {
        bool placed = row->node.value != 0;
        count += placed && (row->node.value == node || row->tenant.value == tenant) ? 1 : 0;
        for (uint32_t i = 0; placed && i < row->nics_count; i++) {
            count += row->nics[i].network.value == network ? 1 : 0;
        }
    }
    return count;
}

static uint32_t walked(const struct state *state, uint32_t at)
{
    uint32_t count = 0;
    for (; at != 0; at = presence_next(state, at)) {
        cr_assert_neq(presence_row(state, at)->node.value, 0);
        count++;
    }
    return count;
}

static void agrees(const struct state *state)
{
    for (const struct node_row *row = state_first(state, TABLE_NODE); row != NULL;
         row = state_next(state, TABLE_NODE, row)) {
        cr_assert_eq(walked(state, row->first_placed), counted(state, row->head.id, 0, 0));
        cr_assert_eq(walked(state, row->first_placed), row->instances);
    }
    for (const struct tenant_row *row = state_first(state, TABLE_TENANT); row != NULL;
         row = state_next(state, TABLE_TENANT, row)) {
        cr_assert_eq(walked(state, row->first_placed), counted(state, 0, row->head.id, 0));
    }
    for (const struct network_row *row = state_first(state, TABLE_NETWORK); row != NULL;
         row = state_next(state, TABLE_NETWORK, row)) {
        cr_assert_eq(walked(state, row->first_placed), counted(state, 0, 0, row->head.id));
    }
}

static void stops(struct lab *lab, const char *name)
{
    cr_assert_eq(say_stop(lab->desk, lab->ann, "a", name)->reject, 0);
    lab_says(lab, name, O(STOPPED));
}

/* Every row of one state, read into another as a restart reads them. */
static void reads_back(const struct state *from)
{
    const struct state_capacity capacity = state_capacity_default();
    void *memory = calloc(1, state_memory(&capacity));
    uint8_t *bytes = malloc(1 << 20);
    struct arena scratch;
    struct state again;
    arena_init(&scratch, bytes, 1 << 20);
    state_init(&again, DESK_CELL, &capacity, memory);
    for (unsigned int table = TABLE_CELL; table < TABLES_END; table++) {
        for (struct row_head *row = state_first(from, (enum state_table)table); row != NULL;
             row = state_next(from, (enum state_table)table, row)) {
            arena_reset(&scratch);
            struct slice stored = rows_encode((enum state_table)table, row, &scratch);
            struct result read =
                rows_restore(&again, (enum state_table)table, row->id, stored, &scratch);
            cr_assert_eq(read.code, 0);
        }
    }
    agrees(&again);
    free(bytes);
    free(memory);
}

Test(core_presence, the_lists_are_what_a_look_at_everything_finds)
{
    struct lab lab = lab_open();
    agrees(desk_state(lab.desk));
    for (const char *const *name = (const char *const[]){ "v1", "v2", "v3", "v4", NULL };
         *name != NULL;
         name++) {
        cr_assert_eq(lab_create(&lab, *name, false)->reject, 0);
        lab_says(&lab, *name, O(RUNNING));
        agrees(desk_state(lab.desk));
    }
    stops(&lab, "v2"); /* In the middle, at the end, at the beginning, and again. */
    agrees(desk_state(lab.desk));
    stops(&lab, "v1");
    stops(&lab, "v4");
    agrees(desk_state(lab.desk));
    reads_back(desk_state(lab.desk));
    cr_assert_eq(say_start(lab.desk, lab.ann, "a", "v2")->reject, 0);
    agrees(desk_state(lab.desk));
    reads_back(desk_state(lab.desk));
    lab_close(&lab);
}

/* The only segment of the newest orders to this node; NULL: it was told nothing. */
static const Wire__Segment *told(const struct lab *lab, const struct desk_node *node, uint32_t from)
{
    const Wire__Frame *frame = desk_sent(lab->desk, node->id, WIRE__FRAME__BODY_NODE_ORDERS, from);
    if (frame == NULL) {
        return NULL;
    }
    cr_assert_eq(frame->node_orders->n_segments, 1);
    return frame->node_orders->segments[0];
}

Test(core_presence, a_node_learns_of_those_that_a_network_comes_to_and_of_nothing_else)
{
    struct lab lab = lab_open();
    struct say_instance wish = { .tenant = "a", .name = "v1", .network = "net", .vcpus = 5 };
    cr_assert_eq(say_create(lab.desk, lab.ann, &wish)->reject, 0);
    struct desk_node *first = lab_node_of(&lab, "v1");
    struct desk_node *second = first == lab.n1 ? lab.n2 : lab.n1;
    uint32_t from = lab.desk->frames_count;
    wish.name = "v2"; /* Two of them have no room on one node. */
    cr_assert_eq(say_create(lab.desk, lab.ann, &wish)->reject, 0);
    cr_assert_eq(lab_node_of(&lab, "v2"), second);
    cr_assert(!told(&lab, second, from)->more);
    cr_assert_eq(told(&lab, second, from)->n_peers, 1);
    cr_assert(told(&lab, first, from)->more);
    cr_assert_eq(told(&lab, first, from)->n_peers, 1);
    from = lab.desk->frames_count;
    cr_assert_eq(lab_create(&lab, "v3", false)->reject, 0);
    struct desk_node *third = lab_node_of(&lab, "v3");
    cr_assert_not_null(told(&lab, third, from));
    cr_assert_null(told(&lab, third == first ? second : first, from)); /* It knows that one. */
    lab_close(&lab);
}
