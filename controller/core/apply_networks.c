/* Decides about networks and images. */
#include "base/check.h"
#include "base/mutant.h"
#include "controller/core/apply.h"
#include "isolation/network.h"

#include <string.h>

static const struct quota_amounts one_network = { .of = { [QUOTA_NETWORKS] = 1 } };

/* The first VNI that no live network has. INV-NET-1 */
static uint32_t free_vni(const struct state *state, uint64_t network)
{
    for (uint32_t attempt = 0; attempt <= LIMIT_NETWORKS; attempt++) {
        uint32_t vni = network_vni(network, attempt);
        if (state_vni(state, vni) == NULL) {
            return vni;
        }
    }
    UNREACHABLE(); /* More attempts than live networks. */
}

static void network_create(
    struct apply *apply, const Wire__NetworkCreate *create, struct outcome *outcome)
{
    struct project_row *project = apply_project(apply, outcome, create->tenant, create->project);
    struct network_cidr cidr = { 0, 0 };
    if (project == NULL ||
        !apply_name_free(apply, outcome, TABLE_NETWORK, project->head.id, create->name)) {
        return;
    }
    if (!network_cidr_parse(create->cidr, &cidr)) {
        refuse(
            apply,
            outcome,
            REJECT_BAD_FIELD,
            "A network's range is IPv4, /16 to /29, without host bits.",
            "/cidr",
            "10.1.0.0/24");
        return;
    }
    struct quota_refusal refusal = { 0 };
    enum reject reject = ledger_fits(&project->account, &one_network, &refusal);
    if (reject != REJECT_NONE) {
        refuse_quota(apply, outcome, reject, &refusal);
        return;
    }
    if (apply->dry) {
        return;
    }
    reject = ledger_hold(&project->account, &one_network, &refusal);
    CHECK(reject == REJECT_NONE);
    ledger_commit(&project->account, &one_network);
    uint64_t id = state_next_id(apply->state);
    struct network_row *row = state_insert(apply->state, TABLE_NETWORK, id);
    CHECK(row != NULL);
    row->tenant = project->tenant;
    row->project.value = project->head.id;
    bool named = tenant_text_set(&row->name, create->name);
    CHECK(named);
    row->base = cidr.base;
    row->prefix = cidr.prefix;
    row->vni = free_vni(apply->state, id);
    row->created_at = apply->wall_ms;
    row->revision = 1;
    state_index(apply->state, TABLE_NETWORK, row, true);
    project->children++;
    state_touch(apply->state, TABLE_PROJECT, project);
    state_touch(
        apply->state, TABLE_TENANT, state_find(apply->state, TABLE_TENANT, row->tenant.value));
    (void)apply_operation(
        apply, outcome, row->tenant.value, WIRE__KIND__KIND_NETWORK, id, row->name.text, true);
}

static void network_delete(
    struct apply *apply, const Wire__NetworkDelete *delete, struct outcome *outcome)
{
    struct project_row *project = apply_project(apply, outcome, delete->tenant, delete->project);
    if (project == NULL) {
        return;
    }
    struct network_row *row =
        state_lookup(apply->state, TABLE_NETWORK, project->head.id, delete->network);
    if (row == NULL) {
        refuse(apply, outcome, REJECT_NOT_FOUND, "There is no such network.", "/network", "");
        return;
    }
    if (!apply_matches(apply, outcome, row->revision)) {
        return;
    }
    if (row->addresses != 0) {
        refuse(
            apply,
            outcome,
            REJECT_IN_USE,
            "Instances still have addresses in this network.",
            "",
            "Delete them first; an address is free when its node reports the instance gone.");
        outcome->problem.usage = row->addresses;
        return;
    }
    if (apply->dry) {
        return;
    }
    (void)apply_operation(
        apply,
        outcome,
        row->tenant.value,
        WIRE__KIND__KIND_NETWORK,
        row->head.id,
        row->name.text,
        true);
    if (!MUTANT(LEDGER_NETWORK_KEPT)) {
        ledger_release_used(&project->account, &one_network);
    }
    CHECK(project->children > 0);
    project->children--;
    state_touch(apply->state, TABLE_PROJECT, project);
    state_touch(
        apply->state, TABLE_TENANT, state_find(apply->state, TABLE_TENANT, row->tenant.value));
    state_index(apply->state, TABLE_NETWORK, row, false);
    state_remove(apply->state, TABLE_NETWORK, row);
}

static void image_create(
    struct apply *apply, const Wire__ImageCreate *create, struct outcome *outcome)
{
    if (!apply_name_free(apply, outcome, TABLE_IMAGE, 0, create->name)) {
        return;
    }
    if (create->kernel_sha256.len != 32 || create->initramfs_sha256.len != 32) {
        refuse(
            apply,
            outcome,
            REJECT_BAD_FIELD,
            "An image is two files known by their SHA-256.",
            create->kernel_sha256.len != 32 ? "/kernel_sha256" : "/initramfs_sha256",
            "Import both files into each node's image directory and give their digests.");
        return;
    }
    if (apply->dry) {
        return;
    }
    uint64_t id = state_next_id(apply->state);
    struct image_row *row = state_insert(apply->state, TABLE_IMAGE, id);
    CHECK(row != NULL);
    bool named = text_copy(row->name, sizeof(row->name), slice_text(create->name));
    CHECK(named);
    memcpy(row->kernel_sha256, create->kernel_sha256.data, 32);
    memcpy(row->initramfs_sha256, create->initramfs_sha256.data, 32);
    row->created_at = apply->wall_ms;
    state_index(apply->state, TABLE_IMAGE, row, true);
    (void)apply_operation(apply, outcome, 0, WIRE__KIND__KIND_IMAGE, id, row->name, true);
}

static void image_delete(
    struct apply *apply, const Wire__ImageDelete *delete, struct outcome *outcome)
{
    struct image_row *row = state_lookup(apply->state, TABLE_IMAGE, 0, delete->image);
    if (row == NULL) {
        refuse(apply, outcome, REJECT_NOT_FOUND, "There is no such image.", "/image", "");
        return;
    }
    if (row->instances != 0) {
        refuse(apply, outcome, REJECT_IN_USE, "Instances still boot from this image.", "", "");
        outcome->problem.usage = row->instances;
        return;
    }
    if (apply->dry) {
        return;
    }
    (void)apply_operation(apply, outcome, 0, WIRE__KIND__KIND_IMAGE, row->head.id, row->name, true);
    state_index(apply->state, TABLE_IMAGE, row, false);
    state_remove(apply->state, TABLE_IMAGE, row);
}

void apply_networks(struct apply *apply, const Wire__Request *request, struct outcome *outcome)
{
    if (request->body_case == WIRE__REQUEST__BODY_NETWORK_CREATE) {
        network_create(apply, request->network_create, outcome);
    } else if (request->body_case == WIRE__REQUEST__BODY_NETWORK_DELETE) {
        network_delete(apply, request->network_delete, outcome);
    } else if (request->body_case == WIRE__REQUEST__BODY_IMAGE_CREATE) {
        image_create(apply, request->image_create, outcome);
    } else {
        CHECK(request->body_case == WIRE__REQUEST__BODY_IMAGE_DELETE);
        image_delete(apply, request->image_delete, outcome);
    }
}
