/* What a controller answers is enough for a tenant's export to prove itself complete, also when
 * leaves came after the checkpoint; and whatever is withheld from such an export, or mixed into it
 * from elsewhere, is found. INV-AUD-4 */
#include "audit/map.h"
#include "audit/verify.h"
#include "tests/unit/server_room.h"
#include "wire/wire.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

enum { LINES = 64, PASS_TURNS = 80, NOWHERE = 1000 };

struct line {
    size_t size;
    char text[AUDIT_LINE_MAX];
};

/* A checkpoint as it was answered, kept. */
struct kept {
    uint64_t size;
    char note[AUDIT_NOTE_MAX];
    size_t proof_size;
    uint8_t proof[AUDIT_PROOF_MAX];
};

static struct line lines[LINES];
static uint32_t lines_count;
static struct audit_verifier verifier;

static void pass(void) /* Longer than a checkpoint takes. */
{
    for (int i = 0; i < PASS_TURNS; i++) {
        room_turn();
    }
}

static Wire__Identity user_of(const char *tenant, const char *name)
{
    Wire__UserCreate create = WIRE__USER_CREATE__INIT;
    create.name = name;
    create.role = WIRE__ROLE__ROLE_TENANT;
    create.tenant = tenant;
    Wire__Request request = WIRE__REQUEST__INIT;
    request.body_case = WIRE__REQUEST__BODY_USER_CREATE;
    request.user_create = &create;
    (void)room_ask(room_admin(), &request, name);
    cr_assert_eq(room.reject, REJECT_NONE);
    const struct user_row *row =
        state_lookup(engine_state(server_engine(room.server)), TABLE_USER, 0, name);
    cr_assert_not_null(row);
    Wire__Identity who = WIRE__IDENTITY__INIT;
    who.kind = WIRE__KIND__KIND_USER;
    who.id = row->head.id;
    who.epoch = row->epoch;
    return who;
}

/* One more leaf of this tenant. */
static void leaf_of(const char *tenant, const char *network, const char *cidr)
{
    char key[64];
    Wire__NetworkCreate create = WIRE__NETWORK_CREATE__INIT;
    create.tenant = tenant;
    create.name = network;
    create.cidr = cidr;
    Wire__Request request = WIRE__REQUEST__INIT;
    request.body_case = WIRE__REQUEST__BODY_NETWORK_CREATE;
    request.network_create = &create;
    (void)snprintf(key, sizeof(key), "%s-%s", tenant, network);
    (void)room_ask(user_of(tenant, key), &request, key);
    cr_assert_eq(room.reject, REJECT_NONE, "%s", reject_name((enum reject)room.reject));
}

static const Wire__Answer *audit(Wire__Identity who, const char *tenant, bool checkpoint)
{
    Wire__AuditRead read = WIRE__AUDIT_READ__INIT;
    read.tenant = tenant;
    read.checkpoint = checkpoint;
    Wire__Request request = WIRE__REQUEST__INIT;
    request.body_case = WIRE__REQUEST__BODY_AUDIT_READ;
    request.audit_read = &read;
    return room_ask(who, &request, "");
}

static struct kept checkpoint_of(Wire__Identity who, const char *tenant)
{
    struct kept kept = { .size = 0 };
    const Wire__Answer *answer = audit(who, tenant, true);
    cr_assert_not_null(answer);
    cr_assert_eq(room.reject, REJECT_NONE);
    kept.size = answer->checkpoint->size;
    (void)snprintf(kept.note, sizeof(kept.note), "%s", answer->checkpoint->note);
    kept.proof_size = answer->checkpoint->tenant_map.len;
    cr_assert_leq(kept.proof_size, sizeof(kept.proof));
    memcpy(kept.proof, answer->checkpoint->tenant_map.data, kept.proof_size);
    return kept;
}

static uint64_t tenant_id(const char *name)
{
    const struct tenant_row *row =
        state_lookup(engine_state(server_engine(room.server)), TABLE_TENANT, 0, name);
    cr_assert_not_null(row);
    return row->head.id;
}

static struct line *new_line(void)
{
    cr_assert_lt(lines_count, LINES);
    return &lines[lines_count++];
}

/* The lines of an export: the tenant's leaves below `below` but the `withheld`-th, then the
 * checkpoint and its proof. Returns how many leaves there were to tell. */
static uint32_t export_of(
    const char *tenant, uint64_t below, uint32_t withheld, const struct kept *kept)
{
    struct audit_scope scope = { .tenant = tenant_id(tenant) };
    lines_count = 0;
    struct line *line = new_line();
    line->size = audit_export_header("udatsu/0001", scope, line->text);
    const Wire__Answer *answer = audit(room_admin(), tenant, false);
    uint32_t told = 0;
    uint32_t place = 0;
    for (size_t i = 0; i < answer->n_leaves; i++) {
        static _Alignas(16) uint8_t memory[8192];
        struct arena arena;
        Wire__Leaf *leaf = NULL;
        struct slice bytes = slice_of(answer->leaves[i]->leaf.data, answer->leaves[i]->leaf.len);
        arena_init(&arena, memory, sizeof(memory));
        cr_assert_eq(wire_decode(&wire__leaf__descriptor, bytes, &arena, &leaf).code, 0);
        if (leaf->seq >= below) {
            break;
        }
        if (place++ != withheld) {
            line = new_line();
            line->size = audit_export_leaf(bytes, line->text);
            told++;
        }
    }
    line = new_line();
    line->size = audit_export_checkpoint(slice_text(kept->note), line->text);
    if (kept->proof_size > 0) {
        line = new_line();
        line->size = audit_export_tenant_map(slice_of(kept->proof, kept->proof_size), line->text);
    }
    return told;
}

static enum audit_finding verdict(void)
{
    static struct audit_verify_tenant room_for_one[1];
    struct audit_key key = room_key();
    audit_verify_start(&verifier, &key, 1, room_for_one, 1);
    for (uint32_t i = 0; i < lines_count; i++) {
        if (!audit_verify_line(&verifier, slice_of(lines[i].text, lines[i].size - 1))) {
            break;
        }
    }
    return audit_verify_end(&verifier)->finding;
}

/* Two tenants, three leaves of each and more, all of them signed. */
static void open_cell(void)
{
    room_set_up();
    cr_assert_eq(room_tenant("acme", "k1"), REJECT_NONE);
    cr_assert_eq(room_tenant("beta", "k2"), REJECT_NONE);
    leaf_of("acme", "one", "10.1.0.0/24");
    leaf_of("beta", "one", "10.1.0.0/24");
    leaf_of("acme", "two", "10.2.0.0/24");
    leaf_of("beta", "two", "10.2.0.0/24");
    pass();
}

TestSuite(server_audit, .init = open_cell, .fini = room_tear_down);

Test(server_audit, a_tenants_export_proves_that_it_is_complete)
{
    struct kept kept = checkpoint_of(room_admin(), "acme");
    cr_assert_gt(kept.proof_size, 0);
    cr_assert_geq(export_of("acme", kept.size, NOWHERE, &kept), 3);
    cr_assert_eq(verdict(), AUDIT_SOUND);
    cr_assert_eq(verifier.verdict.unsigned_leaves, 0);
    kept = checkpoint_of(room_admin(), "");
    cr_assert_eq(kept.proof_size, 0); /* A whole export needs none. */
}

/* How many leaves there are of whom; UINT32_MAX: it was refused. */
static uint32_t deeds_of(Wire__Identity who, const char *actor)
{
    Wire__AuditRead read = WIRE__AUDIT_READ__INIT;
    read.actor = actor;
    Wire__Request request = WIRE__REQUEST__INIT;
    request.body_case = WIRE__REQUEST__BODY_AUDIT_READ;
    request.audit_read = &read;
    const Wire__Answer *answer = room_ask(who, &request, "");
    cr_assert_not_null(answer);
    return room.reject == REJECT_NONE ? (uint32_t)answer->n_leaves : UINT32_MAX;
}

Test(server_audit, what_a_machine_or_the_plane_did_is_asked_for_like_what_a_person_did)
{
    char controller[ID_TEXT_SIZE];
    id_format(ID_CONTROLLER, id_make(1, 1), controller);
    uint32_t all = deeds_of(room_admin(), "");
    uint32_t plane = deeds_of(room_admin(), "cell");
    uint32_t person = deeds_of(room_admin(), "admin");
    cr_assert_gt(plane, 0); /* It began, and somebody led. */
    cr_assert_gt(person, 0);
    cr_assert_eq(plane + person + 4, all); /* Four networks are their tenants' users'. */
    /* The first controller's number is the plane's own; its kind tells them apart. */
    cr_assert_eq(deeds_of(room_admin(), "c1"), 0);
    cr_assert_eq(deeds_of(room_admin(), controller), 0);
    cr_assert_eq(deeds_of(room_admin(), "nobody"), UINT32_MAX);
    Wire__Identity user = user_of("acme", "c1"); /* A person with a machine's name. */
    cr_assert_eq(deeds_of(room_admin(), "c1"), UINT32_MAX);
    cr_assert_eq(room.reject, REJECT_BAD_FIELD);
    cr_assert_eq(deeds_of(room_admin(), controller), 0);
    /* A tenant asks for its own users only. */
    cr_assert_eq(deeds_of(user, "c1"), 0);
    cr_assert_eq(deeds_of(user, "cell"), UINT32_MAX);
    cr_assert_eq(deeds_of(user, controller), UINT32_MAX);
}

static bool called(const Wire__Answer *answer, const char *actor, const char *resource)
{
    for (size_t i = 0; i < answer->n_leaves; i++) {
        if (strcmp(answer->leaves[i]->actor_name, actor) == 0 &&
            strcmp(answer->leaves[i]->resource_name, resource) == 0) {
            return true;
        }
    }
    return false;
}

/* INV-SEC-1: names are beside the record, and each reader gets those that are his to know. */
Test(server_audit, a_leaf_comes_with_names_but_a_tenant_is_not_told_what_the_providers_people_are)
{
    const struct user_row *admin =
        state_find(engine_state(server_engine(room.server)), TABLE_USER, room_admin().id);
    leaf_of("acme", "blue", "10.9.0.0/24");
    const Wire__Answer *all = audit(room_admin(), "", false);
    cr_assert(called(all, admin->name.text, "acme"));
    cr_assert(called(all, "acme-blue", "blue"));
    const Wire__Answer *own = audit(user_of("acme", "reader"), "acme", false);
    cr_assert(called(own, "acme-blue", "blue"));
    cr_assert(called(own, "", "acme")); /* The admin made it. */
    cr_assert_not(called(own, admin->name.text, "acme"));
}

Test(server_audit, a_leaf_withheld_at_the_start_in_the_middle_or_at_the_end_is_missed)
{
    struct kept kept = checkpoint_of(room_admin(), "acme");
    uint32_t all = export_of("acme", kept.size, NOWHERE, &kept);
    for (uint32_t i = 0; i < all; i++) {
        cr_assert_eq(export_of("acme", kept.size, i, &kept), all - 1);
        cr_assert_eq(verdict(), i + 1 < all ? AUDIT_LEAF_CHAIN : AUDIT_TENANT_INCOMPLETE);
    }
}

Test(server_audit, leaves_after_the_checkpoint_do_not_spoil_its_proof)
{
    struct kept signed_before = checkpoint_of(room_admin(), "acme");
    room.keys_silent = true;
    leaf_of("acme", "late", "10.3.0.0/24");
    leaf_of("beta", "late", "10.3.0.0/24");
    leaf_of("acme", "later", "10.4.0.0/24");
    cr_assert_eq(room_tenant("gamma", "k3"), REJECT_NONE);
    struct kept kept = checkpoint_of(room_admin(), "acme");
    const struct state *state = engine_state(server_engine(room.server));
    cr_assert_eq(kept.size, signed_before.size); /* Nothing newer was signed. */
    cr_assert_gt(state_cell(state)->frontier.size, kept.size);
    cr_assert_eq(kept.proof_size, signed_before.proof_size);
    cr_assert_eq(memcmp(kept.proof, signed_before.proof, kept.proof_size), 0);
    (void)export_of("acme", kept.size, NOWHERE, &kept);
    cr_assert_eq(verdict(), AUDIT_SOUND);
    /* The map of now is not what was signed: going back is what makes the proof. */
    struct audit_map_entry now[4] = { { 0, state_cell(state)->chain } };
    uint64_t count = 1;
    for (const struct tenant_row *row = state_first(state, TABLE_TENANT); row != NULL;
         row = state_next(state, TABLE_TENANT, row)) {
        now[count++] = (struct audit_map_entry){ row->head.id, row->chain };
    }
    cr_assert(audit_map_prove(now, count, tenant_id("acme"), kept.proof, &kept.proof_size));
    (void)export_of("acme", kept.size, NOWHERE, &kept);
    cr_assert_eq(verdict(), AUDIT_BAD_PROOF);
    /* Of a tenant that is younger than the checkpoint nothing is signed. */
    cr_assert_eq(checkpoint_of(room_admin(), "gamma").proof_size, 0);
}

Test(server_audit, the_proof_of_another_tenant_or_of_another_checkpoint_does_not_fit)
{
    struct kept old = checkpoint_of(room_admin(), "acme");
    struct kept other = checkpoint_of(room_admin(), "beta");
    struct kept mixed = old;
    mixed.proof_size = other.proof_size;
    memcpy(mixed.proof, other.proof, other.proof_size);
    (void)export_of("acme", old.size, NOWHERE, &mixed);
    cr_assert_eq(verdict(), AUDIT_LEAF_FOREIGN);
    leaf_of("acme", "more", "10.3.0.0/24");
    pass();
    struct kept new = checkpoint_of(room_admin(), "acme");
    cr_assert_gt(new.size, old.size);
    (void)export_of("acme", new.size, NOWHERE, &new);
    cr_assert_eq(verdict(), AUDIT_SOUND);
    (void)export_of("acme", new.size, NOWHERE, &old); /* An old checkpoint after new leaves. */
    cr_assert_eq(verdict(), AUDIT_CHECKPOINT_SIZE);
    mixed = new; /* The proof against the map root of another checkpoint, either way. */
    mixed.proof_size = old.proof_size;
    memcpy(mixed.proof, old.proof, old.proof_size);
    (void)export_of("acme", new.size, NOWHERE, &mixed);
    cr_assert_eq(verdict(), AUDIT_BAD_PROOF);
    mixed = old;
    mixed.proof_size = new.proof_size;
    memcpy(mixed.proof, new.proof, new.proof_size);
    (void)export_of("acme", old.size, NOWHERE, &mixed);
    cr_assert_eq(verdict(), AUDIT_BAD_PROOF);
    mixed.proof_size = 0;
    (void)export_of("acme", old.size, NOWHERE, &mixed);
    cr_assert_eq(verdict(), AUDIT_TENANT_UNPROVEN);
}

Test(server_audit, a_tenants_user_gets_its_own_proof_and_nobody_elses) /* INV-SEC-1 */
{
    Wire__Identity ann = user_of("acme", "ann");
    pass();
    struct kept kept = checkpoint_of(ann, "");
    struct kept same = checkpoint_of(room_admin(), "acme");
    cr_assert_gt(kept.proof_size, 0);
    cr_assert_eq(kept.size, same.size);
    cr_assert_eq(memcmp(kept.proof, same.proof, same.proof_size), 0);
    (void)audit(ann, "beta", true);
    cr_assert_eq(room.reject, REJECT_NOT_FOUND);
    (void)audit(ann, "nobody", true);
    cr_assert_eq(room.reject, REJECT_NOT_FOUND);
}

Test(server_audit, the_proof_is_the_same_after_a_restart)
{
    struct kept before = checkpoint_of(room_admin(), "beta");
    room.keys_silent = true;
    leaf_of("beta", "late", "10.5.0.0/24");
    server_close(room.server);
    room.server = NULL;
    room_open();
    pass();
    struct kept after = checkpoint_of(room_admin(), "beta");
    cr_assert_eq(after.size, before.size);
    cr_assert_eq(after.proof_size, before.proof_size);
    cr_assert_eq(memcmp(after.proof, before.proof, before.proof_size), 0);
}
