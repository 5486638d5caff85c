/* What the doors are told of revocations: all of them, in bounded frames, again when a door is
 * back.
 */
#include "controller/engine_doors.h"
#include "tests/unit/core_lab.h"
#include "wire/wire.h"

enum { FRAMES = 16 };

struct heard {
    uint32_t link;
    uint32_t api;
    size_t dials;
    size_t least;   /* Of link's last frame. */
    size_t revoked; /* Of all frames to api. */
    uint64_t last;
    bool deaf; /* The channel is full, or its program is away. */
};

static bool hear(void *context, enum program other, Wire__Frame *frame)
{
    struct heard *heard = context;
    static uint8_t room[LIMIT_FRAME];
    size_t size = 0;
    cr_assert(wire_encode_into(frame, room, sizeof(room), &size)); /* It fits a message. */
    cr_assert(frame_may_pass(PROGRAM_ENGINE, other, frame->body_case));
    if (heard->deaf) {
        return false;
    }
    if (other == PROGRAM_LINK) {
        heard->link++;
        heard->dials = frame->link_peers->n_dial;
        heard->least = frame->link_peers->n_least;
    } else {
        heard->api++;
        heard->revoked += frame->doors->n_least;
        heard->last = frame->doors->least[0]->id;
    }
    return true;
}

static const struct replica_status nobody = { .member_count = 0 };

static void tell(struct lab *lab, struct doors *doors, struct heard *heard)
{
    doors_tell(doors, desk_state(lab->desk), &nobody, lab->desk->controller, hear, heard);
}

Test(engine_doors, a_revocation_is_told_once_and_again_to_a_door_that_is_back)
{
    struct lab lab = lab_open(); /* INV-SEC-33 */
    struct doors doors = { .dialled = 0 };
    struct heard heard = { .link = 0 };
    doors_ring(&doors);
    tell(&lab, &doors, &heard);
    cr_assert_eq(heard.api, 0); /* Nobody is revoked. */
    cr_assert_eq(say_revoke(lab.desk, lab.root, "ann")->reject, 0);
    tell(&lab, &doors, &heard);
    cr_assert_eq(heard.api, 0); /* Nobody rang: this is the mutant that forgets EFFECT_RING. */
    cr_assert_eq(lab.desk->rings, 1);
    doors_ring(&doors);
    tell(&lab, &doors, &heard);
    tell(&lab, &doors, &heard);
    cr_assert_eq(heard.api, 1);
    cr_assert_eq(heard.revoked, 1);
    cr_assert_eq(heard.last, lab.ann.id);
    doors_opened(&doors, PROGRAM_API);
    heard.deaf = true;
    tell(&lab, &doors, &heard);
    heard.deaf = false;
    tell(&lab, &doors, &heard); /* What could not be said is said now. */
    cr_assert_eq(heard.api, 2);
    lab_close(&lab);
}

Test(engine_doors, link_hears_of_machines_and_api_of_everybody)
{
    struct lab lab = lab_open(); /* INV-SEC-33 */
    struct doors doors = { .dialled = 0 };
    struct heard heard = { .link = 0 };
    struct node_row *node = state_find(desk_state(lab.desk), TABLE_NODE, lab.n1->id);
    node->epoch++;
    cr_assert_eq(say_revoke(lab.desk, lab.root, "ann")->reject, 0);
    doors_ring(&doors);
    tell(&lab, &doors, &heard);
    cr_assert_eq(heard.link, 1);
    cr_assert_eq(heard.least, 1);
    cr_assert_eq(heard.revoked, 2);
    node->epoch--;
    lab_close(&lab);
}

Test(engine_doors, more_than_one_frame_holds_are_told_in_parts)
{
    struct lab lab = lab_open(); /* INV-SEC-33 */
    struct doors doors = { .dialled = 0 };
    struct heard heard = { .link = 0 };
    struct state *state = desk_state(lab.desk);
    uint32_t most = state->limit[TABLE_USER];
    uint32_t made = 0;
    for (uint64_t id = id_make(DESK_CELL, 1000000); !state_full(state, TABLE_USER); id++) {
        struct user_row *row = state_insert(state, TABLE_USER, id);
        row->epoch = UINT32_MAX;
        made++;
    }
    doors_ring(&doors);
    tell(&lab, &doors, &heard);
    cr_assert_eq(heard.revoked, made);
    cr_assert_eq(heard.api, (made + 4095) / 4096);
    cr_assert_leq(made, most);
    desk_close(lab.desk); /* Rows that no command made: nothing more is true of it. */
}
