/* A storm: every kind of request and of frame, filled at random from words that mean something and
 * words that do not, from people, nodes and controllers, while the log holds back and leadership
 * comes and goes. Nothing that another machine or a person can send may end the engine, unbalance
 * the ledger, or make a second engine differ. */
#include "base/prng.h"
#include "tests/unit/core_lab.h"
#include "wire/frame.h"
#include "wire/wire.h"

#include <stdio.h>
#include <stdlib.h>

enum { STEPS = 2500, ROOM = 1 << 20, DEPTH = 5 };

struct storm {
    struct desk *desk;
    struct prng prng;
    struct arena arena;
    char ids[8][ID_TEXT_SIZE];
};

static uint64_t below(struct storm *storm, uint64_t bound)
{
    return prng_below(&storm->prng, bound);
}

static void *take(struct storm *storm, size_t size)
{
    void *room = arena_take(&storm->arena, size);
    cr_assert_not_null(room);
    return room;
}

static uint64_t number(struct storm *storm)
{
    const struct state *state = desk_state(storm->desk);
    switch (below(storm, 8)) {
    case 0: return 0;
    case 1: return UINT64_MAX - below(storm, 2);
    case 2: return below(storm, 4) << 26; /* Bytes of memory. */
    case 3: return id_make(DESK_CELL, 1 + below(storm, state_cell(state)->next_sequence));
    case 4: return 1 + below(storm, 100);
    default: return 1 + below(storm, 3);
    }
}

/* Ids of things that are there, by kind. */
static void ids_read(struct storm *storm)
{
    const struct state *state = desk_state(storm->desk);
    for (unsigned int i = 0; i < COUNT_OF(storm->ids); i++) {
        uint64_t id = id_make(DESK_CELL, 1 + below(storm, state_cell(state)->next_sequence));
        id_format((enum id_kind)(2 + below(storm, 11)), id, storm->ids[i]);
    }
}

static const char *text(struct storm *storm)
{
    static const char *const words[] = {
        "",      "a",           "b",      "net",         "vm",   "m1",      "m2",
        "linux", "n1",          "n2",     "default",     "p",    "root",    "ann",
        "c1",    "10.1.0.0/29", "r1",     "r2",          "Bad.", "-x",      "no such 名",
        "k1",    "key2",        "h:7444", "10.9.0.0/16", "r3",   "nothing",
    };
    uint64_t which = below(storm, COUNT_OF(words) + COUNT_OF(storm->ids));
    if (which >= COUNT_OF(words)) {
        return storm->ids[which - COUNT_OF(words)];
    }
    return words[which];
}

static void scalar(struct storm *storm, const ProtobufCFieldDescriptor *field, void *at)
{
    static const size_t sizes[] = { 0, 4, 16, 32, 32, 32 };
    ProtobufCBinaryData bytes = { 0, NULL };
    uint32_t small = (uint32_t)number(storm);
    uint64_t large = number(storm);
    protobuf_c_boolean flag = below(storm, 2) == 0;
    const char *word = text(storm);
    int value = 0;
    if (field->type == PROTOBUF_C_TYPE_BOOL) {
        memcpy(at, &flag, sizeof(flag));
    } else if (field->type == PROTOBUF_C_TYPE_STRING) {
        memcpy(at, &word, sizeof(word));
    } else if (field->type == PROTOBUF_C_TYPE_BYTES) {
        bytes.len = sizes[below(storm, COUNT_OF(sizes))];
        bytes.data = bytes.len == 0 ? NULL : take(storm, bytes.len);
        if (bytes.len > 0) {
            bytes.data[0] = (uint8_t)below(storm, 4);
        }
        memcpy(at, &bytes, sizeof(bytes));
    } else if (field->type == PROTOBUF_C_TYPE_ENUM) {
        const ProtobufCEnumDescriptor *type = field->descriptor;
        value = type->values[below(storm, type->n_values)].value;
        memcpy(at, &value, sizeof(value));
    } else if (field->type == PROTOBUF_C_TYPE_UINT32 || field->type == PROTOBUF_C_TYPE_FIXED32) {
        memcpy(at, &small, sizeof(small));
    } else {
        cr_assert(field->type == PROTOBUF_C_TYPE_UINT64 || field->type == PROTOBUF_C_TYPE_FIXED64);
        memcpy(at, &large, sizeof(large));
    }
}

static size_t size_of(const ProtobufCFieldDescriptor *field)
{
    switch ((int)field->type) {
    case PROTOBUF_C_TYPE_BOOL: return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_BYTES: return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_ENUM: return sizeof(int);
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32: return sizeof(uint32_t);
    default: return sizeof(uint64_t); /* Numbers and pointers. */
    }
}

static ProtobufCMessage *message(
    struct storm *storm, const ProtobufCMessageDescriptor *type, uint32_t body, int depth);

static void put(struct storm *storm, const ProtobufCFieldDescriptor *field, void *at, int depth)
{
    if (field->type != PROTOBUF_C_TYPE_MESSAGE) {
        scalar(storm, field, at);
        return;
    }
    ProtobufCMessage *made = message(storm, field->descriptor, 0, depth + 1);
    memcpy(at, &made, sizeof(made));
}

/* One message of this type; `body` chooses the member of its oneof, 0: any. */
static ProtobufCMessage *message(
    struct storm *storm, const ProtobufCMessageDescriptor *type, uint32_t body, int depth)
{
    uint8_t *made = take(storm, type->sizeof_message);
    type->message_init((ProtobufCMessage *)(void *)made);
    uint32_t choice = body;
    uint32_t seen = 0;
    for (unsigned int i = 0; i < type->n_fields && body == 0; i++) {
        const ProtobufCFieldDescriptor *field = &type->fields[i];
        bool one = (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0;
        choice = one && below(storm, ++seen) == 0 ? field->id : choice;
    }
    for (unsigned int i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &type->fields[i];
        bool one = (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0;
        if (one && field->id != choice) {
            continue;
        }
        if (one) {
            memcpy(made + field->quantifier_offset, &choice, sizeof(choice));
            put(storm, field, made + field->offset, depth);
        } else if (field->label == PROTOBUF_C_LABEL_REPEATED) {
            size_t count = depth < DEPTH ? below(storm, 3) : 0;
            uint8_t *list = take(storm, size_of(field) * 3);
            for (size_t k = 0; k < count; k++) {
                put(storm, field, list + k * size_of(field), depth);
            }
            memcpy(made + field->quantifier_offset, &count, sizeof(count));
            memcpy(made + field->offset, &list, sizeof(list));
        } else if (
            field->type != PROTOBUF_C_TYPE_MESSAGE || (depth < DEPTH && below(storm, 3) > 0)) {
            put(storm, field, made + field->offset, depth);
        }
    }
    return (ProtobufCMessage *)(void *)made;
}

static Wire__Identity somebody(struct storm *storm)
{
    static const char *const people[] = { "root", "root", "ann", "ann", "bob" };
    Wire__Identity who = WIRE__IDENTITY__INIT;
    uint64_t which = below(storm, COUNT_OF(people) + 2);
    if (which < COUNT_OF(people)) {
        return desk_who(storm->desk, people[which]);
    }
    who.kind = (Wire__Kind)below(storm, 13);
    who.id = number(storm);
    who.epoch = (uint32_t)below(storm, 2);
    return who;
}

static void asks(struct storm *storm)
{
    static const char *const keys[] = { "k1", "k2", "k3", "k4", "k5", "k6", "k7", "k8" };
    Wire__Request *request =
        (Wire__Request *)(void *)message(storm, &wire__request__descriptor, 0, 0);
    request->if_match = below(storm, 8) == 0 ? "r1" : "";
    /* api gives every write its key; mostly a new one. */
    char fresh[24];
    (void)snprintf(fresh, sizeof(fresh), "f%llu", (unsigned long long)storm->desk->handles);
    const char *key = below(storm, 4) == 0 ? keys[below(storm, COUNT_OF(keys))] : fresh;
    (void)desk_ask(storm->desk, somebody(storm), key, request);
}

/* What people do on most days, with few names, so that they meet one another. */
static void deed(struct storm *storm)
{
    static const char *const names[] = { "m1", "m2", "m3", "m4", "m5", "m6" };
    static const char *const nets[] = { "net", "net", "net2", "net3", NULL };
    struct desk *desk = storm->desk;
    Wire__Identity who = below(storm, 6) == 0 ? somebody(storm) : desk_who(desk, "root");
    const char *name = names[below(storm, COUNT_OF(names))];
    const char *net = nets[below(storm, COUNT_OF(nets))];
    struct quota_amounts cap = say_amounts(2 + below(storm, 10), SAY_GIB, 2 + below(storm, 6), 3);
    struct quota_amounts floor = say_amounts(below(storm, 4), below(storm, 3) * SAY_GIB, 0, 0);
    struct say_instance wish = { .tenant = "a",
                                 .name = name,
                                 .vcpus = (uint32_t)(1 + below(storm, 4)),
                                 .memory_bytes = (1 + below(storm, 8)) * 64 * SAY_MIB,
                                 .network = net,
                                 .spread = below(storm, 3) == 0 ? "apart" : NULL,
                                 .stopped = below(storm, 3) == 0 };
    desk->later = true;
    desk->if_match = below(storm, 20) == 0 ? "r2" : NULL;
    switch (below(storm, 12)) {
    case 0:
    case 1:
    case 2: (void)say_create(desk, who, &wish); break;
    case 3:
    case 4: (void)say_start(desk, who, "a", name); break;
    case 5: (void)say_stop(desk, who, "a", name); break;
    case 6: (void)say_reboot(desk, who, "a", name); break;
    case 7:
    case 8: (void)say_delete(desk, who, "a", name); break;
    case 9: (void)say_network(desk, who, "a", net == NULL ? "net" : net, "10.1.0.0/29"); break;
    case 10: (void)say_network_delete(desk, who, "a", net == NULL ? "net" : net); break;
    default: (void)say_quota(desk, who, "a", &floor, below(storm, 2) == 0 ? &cap : NULL); break;
    }
    desk->later = false;
    desk->if_match = NULL;
}

static void machine_says(struct storm *storm)
{
    static const Wire__Frame__BodyCase of_nodes[] = {
        WIRE__FRAME__BODY_NODE_HELLO,
        WIRE__FRAME__BODY_NODE_RENEW,
        WIRE__FRAME__BODY_NODE_REPORT,
        WIRE__FRAME__BODY_CONSOLE_TOLD,
    };
    static const Wire__Frame__BodyCase of_controllers[] = {
        WIRE__FRAME__BODY_FORWARD,   WIRE__FRAME__BODY_FORWARDED, WIRE__FRAME__BODY_CONFIRM,
        WIRE__FRAME__BODY_CONFIRMED, WIRE__FRAME__BODY_STANDING,
    };
    bool node = below(storm, 2) == 0;
    Wire__Frame__BodyCase body = node ? of_nodes[below(storm, COUNT_OF(of_nodes))]
                                      : of_controllers[below(storm, COUNT_OF(of_controllers))];
    Wire__Frame *frame =
        (Wire__Frame *)(void *)message(storm, &wire__frame__descriptor, (uint32_t)body, 0);
    struct desk *desk = storm->desk;
    uint64_t peer = node ? desk->nodes[below(storm, desk->nodes_count)].id
                         : desk->others[below(storm, DESK_MEMBERS - 1)];
    desk_frame(
        desk,
        node ? WIRE__KIND__KIND_NODE : WIRE__KIND__KIND_CONTROLLER,
        peer,
        (uint32_t)(below(storm, 16) / 15),
        frame);
}

/* The owner's true word about something, so that lives go on. */
static void truth(struct storm *storm)
{
    const struct state *state = desk_state(storm->desk);
    uint64_t skip = below(storm, state_count(state, TABLE_INSTANCE) + 1);
    const struct instance_row *row = state_first(state, TABLE_INSTANCE);
    while (row != NULL && skip-- > 0) {
        row = state_next(state, TABLE_INSTANCE, row);
    }
    for (uint32_t i = 0; row != NULL && i < storm->desk->nodes_count; i++) {
        if (storm->desk->nodes[i].id == row->node.value) {
            desk_report(storm->desk, &storm->desk->nodes[i], row, (Wire__Observed)below(storm, 6));
            return;
        }
    }
}

static void leadership(struct storm *storm)
{
    struct desk *desk = storm->desk;
    desk_follow(desk, desk->term + 1, below(storm, 2) == 0 ? 0 : desk->others[0]);
    for (uint32_t i = 0; i < desk->pending_count; i++) {
        struct engine_event lost = { .kind = ENGINE_LOST, .ticket = desk->pending[i].ticket };
        desk_step(desk, &lost);
    }
    while (desk->pending_count > 0) {
        desk_commit(desk);
    }
    for (uint64_t i = below(storm, 5); i > 0; i--) {
        asks(storm);
        machine_says(storm);
    }
    desk_lead(desk, desk->term + 1);
}

static void happens(struct storm *storm)
{
    struct desk *desk = storm->desk;
    arena_reset(&storm->arena);
    ids_read(storm);
    switch (below(storm, 60)) {
    case 0: desk->hold_log = !desk->hold_log; break;
    case 1: leadership(storm); break;
    case 2: desk_pass(desk, 30 + below(storm, 9000)); break;
    case 3: desk->nodes[below(storm, desk->nodes_count)].silent = below(storm, 2) == 0; break;
    case 4:
        desk_link(
            desk, WIRE__KIND__KIND_CONTROLLER, desk->others[below(storm, 2)], below(storm, 2) == 0);
        break;
    case 5: desk_members(desk, below(storm, 8) != 0, desk->controller); break;
    default:
        if (below(storm, 4) == 0) {
            machine_says(storm);
        } else if (below(storm, 3) == 0 && !desk->hold_log) {
            truth(storm);
        } else if (below(storm, 2) == 0) {
            asks(storm);
        } else {
            deed(storm);
        }
        break;
    }
    if (!desk->hold_log) {
        while (desk->pending_count > 0) {
            desk_commit(desk);
        }
    }
    desk_turn(desk);
}

static void storm_of(uint64_t seed)
{
    struct lab lab = lab_open();
    struct storm storm = { .desk = lab.desk };
    void *room = calloc(1, ROOM);
    arena_init(&storm.arena, room, ROOM);
    prng_seed(&storm.prng, seed);
    cr_assert_eq(say_user(lab.desk, lab.root, "bob", WIRE__ROLE__ROLE_AUDITOR, NULL)->reject, 0);
    for (int i = 0; i < DESK_MEMBERS - 1; i++) {
        const Wire__Answer *joined =
            say_join(lab.desk, WIRE__KIND__KIND_CONTROLLER, i == 0 ? "c2" : "c3", "r1");
        cr_assert(id_parse(ID_CONTROLLER, joined->join->id, &lab.desk->others[i]));
    }
    for (int i = 0; i < STEPS; i++) {
        happens(&storm);
        cr_assert_not(lab.desk->digests_differ);
        if (i % 50 == 0) {
            cr_assert_eq(read_ledger_mismatches(desk_state(lab.desk)), 0);
        }
    }
    lab.desk->hold_log = false;
    while (lab.desk->pending_count > 0) {
        desk_commit(lab.desk);
    }
    desk_turn(lab.desk);
    desk_pass(lab.desk, 40 * 1000); /* Whoever waited has been answered. */
    cr_assert_eq(engine_asks_under_way(lab.desk->first.engine), 0);
    uint32_t accepted = 0;
    for (uint32_t i = 0; i < lab.desk->answers_count; i++) {
        accepted += lab.desk->answers[i].answer->reject == 0 ? 1 : 0;
    }
    cr_assert_gt(accepted, 50); /* A storm in which nothing is done shows nothing. */
    free(room);
    lab_close(&lab);
}

Test(core_storm, nothing_that_can_be_sent_breaks_what_must_hold)
{
    for (uint64_t seed = 1; seed <= 8; seed++) { /* INV-LED-2 INV-REF-1 */
        storm_of(seed);
    }
}
