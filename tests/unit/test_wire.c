/* The one encoding: what our encoder makes is accepted, everything else is refused. */
#include "wire/frame.h"
#include "wire/wire.h"

#include <criterion/criterion.h>
#include <string.h>

static _Alignas(16) uint8_t memory[64 * 1024];

static struct arena fresh(void)
{
    struct arena arena;
    arena_init(&arena, memory, sizeof(memory));
    return arena;
}

static struct slice sample(struct arena *arena)
{
    Wire__InstanceCreate create = WIRE__INSTANCE_CREATE__INIT;
    create.tenant = "acme";
    create.name = "web-1";
    create.vcpus = 2;
    Wire__Request request = WIRE__REQUEST__INIT;
    request.format = 1;
    request.body_case = WIRE__REQUEST__BODY_INSTANCE_CREATE;
    request.instance_create = &create;
    struct slice bytes = SLICE_EMPTY;
    cr_assert_eq(wire_encode(&request, arena, &bytes).code, 0);
    return bytes;
}

Test(wire, a_message_survives_the_way_there_and_back)
{
    struct arena arena = fresh();
    struct slice bytes = sample(&arena);
    Wire__Request *back = NULL;
    cr_assert_eq(wire_decode(&wire__request__descriptor, bytes, &arena, &back).code, 0);
    cr_assert_str_eq(back->instance_create->name, "web-1");
    cr_assert_eq(back->instance_create->vcpus, 2);
}

Test(wire, every_flipped_byte_is_refused_or_is_another_canonical_message)
{
    struct arena arena = fresh();
    struct slice bytes = sample(&arena);
    uint8_t copy[512];
    for (size_t at = 0; at < bytes.size; at++) {
        for (unsigned int flip = 1; flip < 256; flip <<= 1) {
            struct arena scratch = fresh();
            scratch.used = 4096;
            memcpy(copy, bytes.data, bytes.size);
            copy[at] ^= (uint8_t)flip;
            Wire__Request *back = NULL;
            struct slice given = slice_of(copy, bytes.size);
            if (wire_decode(&wire__request__descriptor, given, &scratch, &back).code == 0) {
                struct slice again = SLICE_EMPTY;
                cr_assert_eq(wire_encode(back, &scratch, &again).code, 0);
                cr_assert(slice_equal(again, given));
            }
        }
    }
}

Test(wire, unknown_fields_long_varints_and_trailing_bytes_are_refused)
{
    struct arena arena = fresh();
    Wire__Identity *back = NULL;
    static const uint8_t unknown[] = { 0x08, 0x01, 0x78, 0x01 }; /* field 15 */
    static const uint8_t padded[] = { 0x18, 0x81, 0x80, 0x00 };  /* epoch = 1, three bytes */
    static const uint8_t twice[] = { 0x18, 0x01, 0x18, 0x02 };   /* epoch twice */
    static const uint8_t zero[] = { 0x18, 0x00 };                /* a default written out */
    static const uint8_t no_such_kind[] = { 0x08, 0x63 };
    const struct slice bad[] = {
        { unknown, sizeof(unknown) },
        { padded, sizeof(padded) },
        { twice, sizeof(twice) },
        { zero, sizeof(zero) },
        { no_such_kind, sizeof(no_such_kind) },
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        cr_assert_eq(
            wire_decode(&wire__identity__descriptor, bad[i], &arena, &back).code,
            FAILURE_BAD_INPUT,
            "case %zu",
            i);
    }
    static const uint8_t good[] = { 0x18, 0x01 };
    cr_assert_eq(
        wire_decode(&wire__identity__descriptor, slice_of(good, 2), &arena, &back).code, 0);
}

Test(frame, every_body_has_its_rule)
{
    const ProtobufCMessageDescriptor *type = &wire__frame__descriptor;
    for (unsigned int i = 0; i < type->n_fields; i++) {
        if (type->fields[i].id < 10) {
            continue; /* format and peer */
        }
        bool anyone = false;
        for (int from = 1; from < PROGRAMS_END; from++) {
            for (int to = 1; to < PROGRAMS_END; to++) {
                anyone = anyone || frame_may_pass(
                                       (enum program)from,
                                       (enum program)to,
                                       (Wire__Frame__BodyCase)type->fields[i].id);
            }
        }
        cr_assert(anyone, "%s has no rule", type->fields[i].name);
    }
}

Test(frame, nobody_says_what_is_not_his)
{
    cr_assert(frame_may_pass(PROGRAM_API, PROGRAM_ENGINE, WIRE__FRAME__BODY_ASKS));
    cr_assert_not(frame_may_pass(PROGRAM_API, PROGRAM_ENGINE, WIRE__FRAME__BODY_RAFT));
    cr_assert_not(frame_may_pass(PROGRAM_LINK, PROGRAM_ENGINE, WIRE__FRAME__BODY_ASKS));
    cr_assert_not(frame_may_pass(PROGRAM_AGENT, PROGRAM_KEYS, WIRE__FRAME__BODY_ISSUE_ASK));
    cr_assert(
        frame_may_arrive(WIRE__KIND__KIND_NODE, PROGRAM_ENGINE, WIRE__FRAME__BODY_NODE_REPORT));
    cr_assert_not(frame_may_arrive(WIRE__KIND__KIND_NODE, PROGRAM_ENGINE, WIRE__FRAME__BODY_RAFT));
    cr_assert_not(
        frame_may_arrive(WIRE__KIND__KIND_NODE, PROGRAM_AGENT, WIRE__FRAME__BODY_NODE_ORDERS));
    cr_assert_not(
        frame_may_arrive(WIRE__KIND__KIND_USER, PROGRAM_ENGINE, WIRE__FRAME__BODY_FORWARD));
    cr_assert_not(
        frame_may_arrive(WIRE__KIND__KIND_UNSET, PROGRAM_ENGINE, WIRE__FRAME__BODY_NODE_REPORT));
}
