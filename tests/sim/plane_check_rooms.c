/* What is counted must be what is there, in every state: the room that a node and a tenant have
 * given, the addresses of a network, one owner of an address and of a VNI. Looks at rows alone. */
#include "base/check.h"
#include "base/id.h"
#include "controller/core/state.h"
#include "tests/sim/plane_check.h"
#include "tests/sim/plane_net.h"

#include <stdlib.h>
#include <string.h>

#define UNKNOWN WIRE__LIVENESS__LIVENESS_UNKNOWN
#define FAILED  WIRE__INSTANCE_STATE__INSTANCE_STATE_FAILED

struct room {
    uint64_t vcpus;
    uint64_t memory_bytes;
    uint32_t instances;
    uint32_t addresses;
};

static struct room *rooms; /* Owned; by sequence of a node's, a tenant's or a network's id. */

void plane_rooms_begin(void)
{
    rooms = plane_zeroed(PLANE_SEQUENCES, sizeof(*rooms));
}

void plane_rooms_over(void)
{
    free(rooms);
    rooms = NULL;
}

static struct room *room_of(uint64_t id)
{
    CHECK(id_sequence(id) < PLANE_SEQUENCES);
    return &rooms[id_sequence(id)];
}

static void rooms_clear(const struct state *state)
{
    const enum state_table tables[] = { TABLE_NODE, TABLE_TENANT, TABLE_NETWORK };
    for (unsigned int i = 0; i < COUNT_OF(tables); i++) {
        for (const struct row_head *row = state_first(state, tables[i]); row != NULL;
             row = state_next(state, tables[i], row)) {
            *room_of(row->id) = (struct room){ .instances = 0 };
        }
    }
}

static void take_room(struct room *room, const struct instance_row *row)
{
    room->vcpus += row->vcpus;
    room->memory_bytes += row->memory_bytes;
    room->instances++;
}

static void rooms_count(struct plane *plane, uint32_t machine, const struct state *state)
{
    rooms_clear(state);
    for (const struct instance_row *row = state_first(state, TABLE_INSTANCE); row != NULL;
         row = state_next(state, TABLE_INSTANCE, row)) {
        if (row->node.value != 0) {
            take_room(room_of(row->node.value), row);
            take_room(room_of(row->tenant.value), row);
        }
        for (uint32_t i = 0; i < row->nics_count; i++) {
            room_of(row->nics[i].network.value)->addresses++;
            if (state_address(state, row->nics[i].network, row->nics[i].address) != row) {
                plane_fail(/* INV-NET-3 */
                           plane,
                           "ROOM m%u: the address of %s is another's",
                           machine,
                           row->name.text);
            }
        }
    }
}

/* What an alarm says is so; and what is so has its alarm, while there is room for many more. */
static void alarms_check(struct plane *plane, uint32_t machine, const struct state *state)
{
    uint32_t unknown = 0;
    uint32_t failed = 0;
    uint32_t raised = 0;
    for (const struct alarm_row *row = state_first(state, TABLE_ALARM); row != NULL;
         row = state_next(state, TABLE_ALARM, row)) {
        const struct node_row *node = state_find(state, TABLE_NODE, row->subject);
        const struct instance_row *instance = state_find(state, TABLE_INSTANCE, row->subject);
        bool of_node = row->cleared_at == 0 && strcmp(row->name, "node-unknown") == 0;
        bool of_instance = row->cleared_at == 0 && strcmp(row->name, "instance-failed") == 0;
        bool so = (!of_node || (node != NULL && node->liveness == UNKNOWN)) &&
                  (!of_instance || (instance != NULL && instance->state == FAILED));
        unknown += of_node ? 1 : 0;
        failed += of_instance ? 1 : 0;
        raised += row->cleared_at == 0 ? 1 : 0;
        if (!so) {
            plane_fail(
                plane,
                "ALARM m%u: %s of %llx",
                machine,
                row->name,
                (unsigned long long)row->subject);
        }
    }
    for (const struct node_row *row = state_first(state, TABLE_NODE); row != NULL;
         row = state_next(state, TABLE_NODE, row)) {
        unknown -= row->liveness == UNKNOWN ? 1 : 0;
    }
    for (const struct instance_row *row = state_first(state, TABLE_INSTANCE); row != NULL;
         row = state_next(state, TABLE_INSTANCE, row)) {
        failed -= row->state == FAILED ? 1 : 0;
    }
    plane_checked(plane, PLANE_CHECK_ALARMS);
    bool many = raised >= state->limit[TABLE_ALARM] / 4; /* INV-SHARE-1 */
    if (!many && (unknown != 0 || failed != 0)) {
        plane_fail(
            plane, "ALARM m%u: %u nodes, %u instances are without", machine, -unknown, -failed);
    }
}

void plane_rooms_check(struct plane *plane, uint32_t machine, const struct state *state)
{
    rooms_count(plane, machine, state);
    alarms_check(plane, machine, state);
    for (const struct node_row *row = state_first(state, TABLE_NODE); row != NULL;
         row = state_next(state, TABLE_NODE, row)) {
        const struct room *room = room_of(row->head.id);
        plane_checked(plane, PLANE_CHECK_ROOMS);
        if (room->vcpus != row->vcpus_placed || room->memory_bytes != row->memory_bytes_placed ||
            room->instances != row->instances) { /* INV-SCH-1 */
            plane_fail(plane, "ROOM m%u: %s has not what is placed there", machine, row->name);
        }
        uint32_t node = plane_machine_of(plane, row->head.id);
        uint64_t tenth = node == PLANE_NONE ? 0 : plane_host_memory(plane, node) / 10;
        if (node != PLANE_NONE && room->memory_bytes > tenth * 9 + 9) { /* INV-SCH-3 */
            plane_fail(
                plane,
                "ROOM m%u: %llu bytes are placed on %s, whose tenth is %llu",
                machine,
                (unsigned long long)room->memory_bytes,
                row->name,
                (unsigned long long)tenth);
        }
    }
    for (const struct tenant_row *row = state_first(state, TABLE_TENANT); row != NULL;
         row = state_next(state, TABLE_TENANT, row)) {
        const struct room *room = room_of(row->head.id);
        if (room->vcpus != row->vcpus_placed || room->memory_bytes != row->memory_bytes_placed) {
            plane_fail(plane, "ROOM m%u: %s has not what it placed", machine, row->name.text);
        }
    }
    for (const struct network_row *row = state_first(state, TABLE_NETWORK); row != NULL;
         row = state_next(state, TABLE_NETWORK, row)) {
        if (room_of(row->head.id)->addresses != row->addresses ||
            state_vni(state, row->vni) != row) { /* INV-NET-1 */
            plane_fail(plane, "ROOM m%u: addresses or VNI of %s", machine, row->name.text);
        }
    }
}
