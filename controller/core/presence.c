/* Decides where placed instances are found. Never decides where they go. */
#include "controller/core/presence.h"

#include "base/check.h"

/* What an instance is a member of, in its links' order: its node, its tenant, then its networks. */
enum { OF_NODE = 0, OF_TENANT = 1, OF_NETWORKS = 2 };

_Static_assert(OF_NETWORKS + LIMIT_INSTANCE_NETWORKS == PRESENCE_PLACES, "a link for each");

static const struct table *instances(const struct state *state)
{
    return &state->tables[TABLE_INSTANCE];
}

static uint32_t position(const struct state *state, const struct instance_row *row, uint32_t of)
{
    const struct table *table = instances(state);
    CHECK(of < PRESENCE_PLACES);
    size_t slot = (size_t)((const uint8_t *)row - table->rows) / table->row_size;
    CHECK(slot < table->capacity);
    return (uint32_t)slot * PRESENCE_PLACES + of + 1;
}

struct instance_row *presence_row(const struct state *state, uint32_t at)
{
    const struct table *table = instances(state);
    CHECK(at != 0);
    uint32_t slot = (at - 1) / PRESENCE_PLACES;
    CHECK(slot < table->capacity);
    return (struct instance_row *)(void *)(table->rows + (size_t)slot * table->row_size);
}

static struct presence_link *link_at(const struct state *state, uint32_t at)
{
    return &presence_row(state, at)->links[(at - 1) % PRESENCE_PLACES];
}

uint32_t presence_next(const struct state *state, uint32_t at)
{
    return link_at(state, at)->next;
}

/* Where the list begins that this membership is in; NULL: there is no such thing. */
static uint32_t *head_of(const struct state *state, const struct instance_row *row, uint32_t of)
{
    if (of == OF_NODE) {
        struct node_row *node = state_find(state, TABLE_NODE, row->node.value);
        return node == NULL ? NULL : &node->first_placed;
    }
    if (of == OF_TENANT) {
        struct tenant_row *tenant = state_find(state, TABLE_TENANT, row->tenant.value);
        return tenant == NULL ? NULL : &tenant->first_placed;
    }
    uint64_t id = row->nics[of - OF_NETWORKS].network.value;
    struct network_row *network = state_find(state, TABLE_NETWORK, id);
    return network == NULL ? NULL : &network->first_placed;
}

/* Another one on the same node is in this network already. */
static bool has_neighbour(const struct state *state, const struct instance_row *row, uint32_t nic)
{
    const struct node_row *node = state_find(state, TABLE_NODE, row->node.value);
    CHECK(node != NULL);
    for (uint32_t at = node->first_placed; at != 0; at = presence_next(state, at)) {
        const struct instance_row *other = presence_row(state, at);
        for (uint32_t i = 0; i < other->nics_count; i++) {
            if (other->nics[i].network.value == row->nics[nic].network.value) {
                return true;
            }
        }
    }
    return false;
}

bool presence_put(struct state *state, struct instance_row *row, uint64_t index)
{
    uint32_t places = OF_NETWORKS + row->nics_count;
    for (uint32_t of = 0; of < places; of++) {
        if (head_of(state, row, of) == NULL) {
            return false;
        }
    }
    for (uint32_t i = 0; i < row->nics_count; i++) {
        row->nics[i].came_at = has_neighbour(state, row, i) ? 0 : index;
    }
    for (uint32_t of = 0; of < places; of++) {
        uint32_t *head = head_of(state, row, of);
        uint32_t at = position(state, row, of);
        CHECK(*head != at);
        row->links[of] = (struct presence_link){ .next = *head };
        if (*head != 0) {
            link_at(state, *head)->previous = at;
        }
        *head = at;
    }
    return true;
}

void presence_drop(struct state *state, struct instance_row *row)
{
    CHECK(row->node.value != 0);
    for (uint32_t of = 0; of < OF_NETWORKS + row->nics_count; of++) {
        struct presence_link *link = &row->links[of];
        uint32_t *head = head_of(state, row, of);
        CHECK(head != NULL);
        if (link->previous != 0) {
            link_at(state, link->previous)->next = link->next;
        } else {
            CHECK(*head == position(state, row, of));
            *head = link->next;
        }
        if (link->next != 0) {
            link_at(state, link->next)->previous = link->previous;
        }
        *link = (struct presence_link){ 0 };
    }
}
