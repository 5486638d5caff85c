/* Taking the audit log out of a cell, reading it and the events to their end, and judging an export
 * without the cell. */
#include "cli_cell.h"

#include "audit/export.h"
#include "audit/leaf.h"
#include "audit/map.h"
#include "audit/note.h"
#include "base/id.h"
#include "cli/base64.h"

#include <criterion/criterion.h>
#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

TestSuite(cli_audit, .init = cell_begin, .fini = cell_end);

enum { LEAVES = 5, SIGNED = 4 };

static char page_body[LEAVES * 600];
static char checkpoint_body[4096];
static char key_line[AUDIT_KEY_LINE_MAX];

static void sign_note(const char *body, char note[static 1024])
{
    gnutls_privkey_t key;
    gnutls_datum_t x;
    gnutls_datum_t data = { (unsigned char *)(uintptr_t)body, (unsigned)strlen(body) };
    gnutls_datum_t signature;
    gnutls_ecc_curve_t curve;
    struct audit_key public = { .name = "udatsu/0001/log" };
    char line[AUDIT_KEY_LINE_MAX];
    gnutls_privkey_init(&key);
    cr_assert_eq(gnutls_privkey_generate(key, GNUTLS_PK_EDDSA_ED25519, 0, 0), 0);
    cr_assert_eq(gnutls_privkey_export_ecc_raw(key, &curve, &x, NULL, NULL), 0);
    cr_assert_eq(x.size, ED25519_PUBLIC);
    memcpy(public.public_key, x.data, ED25519_PUBLIC);
    cr_assert_eq(
        gnutls_privkey_sign_data2(key, GNUTLS_SIGN_EDDSA_ED25519, 0, &data, &signature), 0);
    audit_key_line(&public, key_line);
    audit_signature_line(&public, signature.data, line);
    (void)snprintf(note, 1024, "%s\n%s", body, line);
    gnutls_free(x.data);
    gnutls_free(signature.data);
    gnutls_privkey_deinit(key);
}

/* A log of LEAVES leaves of one owner, the first SIGNED of them under a checkpoint; a tenant's
 * comes with its proof. */
static void make_log(uint64_t tenant)
{
    uint8_t proof[AUDIT_PROOF_MAX];
    char proof_hex[2 * AUDIT_PROOF_MAX + 1] = "";
    size_t proof_size = 0;
    struct audit_frontier frontier = { 0 };
    struct audit_chain chain = { 0 };
    struct audit_checkpoint checkpoint = { .size = SIGNED, .log_time_ms = 7 };
    char body[AUDIT_NOTE_BODY_MAX];
    char note[1024];
    size_t used = (size_t)snprintf(page_body, sizeof(page_body), "{\"items\":[");
    for (uint64_t i = 0; i < LEAVES; i++) {
        Wire__Leaf leaf = WIRE__LEAF__INIT;
        struct audit_leaf made;
        char hex[2 * AUDIT_LEAF_MAX + 1];
        uint8_t digest[32] = { 1 };
        leaf.tenant = tenant;
        leaf.wall_ms = 1000 * i;
        leaf.log_time_ms = i;
        leaf.actor_kind = WIRE__KIND__KIND_CELL;
        leaf.operation = "tenant-create";
        leaf.resource_kind = WIRE__KIND__KIND_TENANT;
        leaf.resource = id_make(1, 9);
        leaf.argument_digest.data = digest;
        leaf.argument_digest.len = sizeof(digest);
        leaf.index = i + 1;
        audit_record(&frontier, &chain, &leaf, &made);
        hex_encode(slice_of(made.bytes, made.size), hex);
        used += (size_t)snprintf(
            page_body + used,
            sizeof(page_body) - used,
            "%s{\"leaf\":\"%s\",\"resource_name\":\"acme\"}",
            i == 0 ? "" : ",",
            hex);
        if (i + 1 == SIGNED) {
            struct audit_frontier map = { 0 };
            struct audit_map_entry entry = { tenant, chain };
            audit_map_append(&map, tenant, &chain);
            cr_assert(audit_map_prove(&entry, 1, tenant, proof, &proof_size));
            audit_root(&map, checkpoint.map_root);
            audit_root(&frontier, checkpoint.root);
        }
    }
    (void)snprintf(page_body + used, sizeof(page_body) - used, "]}");
    audit_origin(1, checkpoint.origin);
    audit_checkpoint_body(&checkpoint, body);
    sign_note(body, note);
    used = (size_t)snprintf(checkpoint_body, sizeof(checkpoint_body), "{\"note\":\"");
    for (const char *at = note; *at != '\0'; at++) {
        used += (size_t)snprintf(
            checkpoint_body + used,
            sizeof(checkpoint_body) - used,
            *at == '\n' ? "\\n" : "%c",
            *at);
    }
    if (tenant != 0) {
        hex_encode(slice_of(proof, proof_size), proof_hex);
    }
    (void)snprintf(
        checkpoint_body + used,
        sizeof(checkpoint_body) - used,
        "\",\"size\":%d,\"tenant_map\":\"%s\"}",
        (int)SIGNED,
        proof_hex);
}

Test(cli_audit, an_export_verifies_without_the_cell_and_not_after_one_byte_changed)
{
    struct server server;
    char file[64];
    char key[64];
    char line[256];
    char shown[256];
    static char text[64 * 1024];
    make_log(0);
    (void)snprintf(file, sizeof(file), "%s/export", cell_folder);
    (void)snprintf(key, sizeof(key), "%s/log.pub", cell_folder);
    cell_write(key, key_line);
    const struct step steps[] = { { 200, NULL, checkpoint_body },
                                  { 200, NULL, page_body },
                                  { 200, NULL, checkpoint_body } };
    cell_start(&server, steps, 3);
    cell_use(&server, NULL);
    (void)snprintf(line, sizeof(line), "udatsu audit export %s", file);
    cr_assert_eq(cell_run(line), EXIT_DONE, "%s", cell_err);
    cr_assert_str_eq(cell_out, "{\"leaves\": 4, \"checkpoint\": 4}\n");
    cr_assert_eq(cell_run(line), EXIT_FAILED, "evidence is never overwritten");
    cell_stop(&server);
    (void)unsetenv("UDATSU_ENDPOINTS");
    (void)snprintf(line, sizeof(line), "udatsu audit verify %s --key %s -o json", file, key);
    cr_assert_eq(cell_run(line), EXIT_DONE, "%s", cell_err);
    cr_assert_not_null(strstr(cell_out, "\"signed_leaves\": 4"));
    cr_assert_not_null(strstr(cell_out, "\"scope\": \"all\""), "%s", cell_out);
    /* What it says is read without the cell, and only of a file that verifies. */
    (void)snprintf(shown, sizeof(shown), "udatsu audit show %s --key %s -o csv", file, key);
    cr_assert_eq(cell_run(shown), EXIT_DONE, "%s", cell_err);
    cr_assert_not_null(strstr(cell_out, "3,1970-01-01T00:00:03.000Z,cell,tenant-create,"));
    /* What stands behind a zero byte is read, too. */
    cell_read(file, text, sizeof(text));
    FILE *hidden = fopen(file, "ae");
    cr_assert_not_null(hidden);
    cr_assert_eq(fseek(hidden, 0, SEEK_END), 0);
    cr_assert_eq(fwrite("\0hidden\n", 1, 8, hidden), 8);
    cr_assert_eq(fclose(hidden), 0);
    cr_assert_eq(cell_run(line), EXIT_INTEGRITY, "%s", cell_out);
    cr_assert_eq(cell_run(shown), EXIT_INTEGRITY);
    cr_assert_str_eq(cell_out, "");
    cell_write(file, text);
    /* One digit of the third leaf. */
    char *at = text;
    for (int i = 0; i < 3; i++) {
        at = strchr(at, '\n') + 1;
    }
    at += 150;
    *at = *at == '1' ? '2' : '1';
    cell_write(file, text);
    cr_assert_eq(cell_run(line), EXIT_INTEGRITY);
    cr_assert_not_null(strstr(cell_err, "leaf 2"), "%s", cell_err);
    /* Another key, no key, no file. */
    *at = *at == '1' ? '2' : '1';
    make_log(0);
    cell_write(key, key_line);
    cr_assert_eq(cell_run(line), EXIT_INTEGRITY);
    (void)unlink(key);
    cr_assert_eq(cell_run(line), EXIT_USAGE);
    (void)snprintf(line, sizeof(line), "udatsu audit verify %s", file);
    cr_assert_eq(cell_run(line), EXIT_USAGE);
    cr_assert_not_null(strstr(cell_err, "public key is wanted"), "%s", cell_err);
    (void)unlink(file);
}

Test(cli_audit, a_tenants_export_goes_over_pages_of_others_and_verifies)
{
    struct server server;
    char file[64];
    char key[64];
    char line[256];
    make_log(id_make(1, 9));
    (void)snprintf(file, sizeof(file), "%s/export-tenant", cell_folder);
    (void)snprintf(key, sizeof(key), "%s/log.pub", cell_folder);
    cell_write(key, key_line);
    const struct step steps[] = {
        { 200, NULL, checkpoint_body }, { 200, NULL, "{\"items\":[],\"next\":1}" },
        { 200, NULL, page_body },       { 200, NULL, checkpoint_body },
        { 200, NULL, page_body },       { 200, NULL, "{\"note\":\"n\",\"size\":4}" },
    };
    cell_start(&server, steps, 6);
    cell_use(&server, NULL);
    (void)snprintf(line, sizeof(line), "udatsu --tenant acme audit export %s", file);
    /* Pages begin where the last one ended: leaf 0 comes too late now, and is not written. */
    cr_assert_eq(cell_run(line), EXIT_INTEGRITY, "%s", cell_out);
    cr_assert_eq(access(file, F_OK), -1); /* Half an export proves nothing. */
    (void)snprintf(line, sizeof(line), "udatsu audit export %s", file); /* The tenant's own user. */
    cr_assert_eq(cell_run(line), EXIT_DONE, "%s", cell_err);
    (void)snprintf(line, sizeof(line), "udatsu audit verify %s --key %s -o json", file, key);
    cr_assert_eq(cell_run(line), EXIT_DONE, "%s", cell_err);
    cr_assert_not_null(strstr(cell_out, "\"signed_leaves\": 4"));
    (void)unlink(file);
    (void)snprintf(line, sizeof(line), "udatsu --tenant young audit export %s", file);
    cr_assert_eq(cell_run(line), EXIT_INCONCLUSIVE, "%s", cell_err);
    cell_stop(&server);
    (void)unlink(key);
}

Test(cli_audit, leaves_are_shown_with_names_and_times)
{
    struct server server;
    make_log(0);
    const struct step steps[] = { { 200, NULL, page_body },
                                  { 200, NULL, "{\"items\":[{\"leaf\":\"ff\"}]}" } };
    cell_start(&server, steps, 2);
    cell_use(&server, NULL);
    cr_assert_eq(cell_run("udatsu audit ls -o csv"), EXIT_DONE, "%s", cell_err);
    cr_assert_not_null(strstr(
        cell_out,
        "3,1970-01-01T00:00:03.000Z,,cell,tenant-create,acme,"
        "00010004-0000-8000-8000-000000000009,done"));
    cr_assert_eq(cell_run("udatsu audit ls"), EXIT_INTEGRITY);
    cell_stop(&server);
}

Test(cli_audit, leaves_are_read_to_the_end_and_a_part_says_that_it_is_one)
{
    struct server server;
    static char more_body[sizeof(page_body) + 16];
    make_log(0);
    size_t size = strlen(page_body);
    (void)snprintf(more_body, sizeof(more_body), "%.*s,\"next\":9}", (int)size - 1, page_body);
    const struct step steps[] = { { 200, NULL, "{\"items\":[],\"next\":5}" },
                                  { 200, NULL, more_body },
                                  { 200, NULL, "{\"items\":[]}" },
                                  { 200, NULL, more_body },
                                  { 200, NULL, "{\"items\":[],\"next\":2}" } };
    cell_start(&server, steps, 5);
    cell_use(&server, NULL);
    cr_assert_eq(cell_run("udatsu audit ls -o csv --actor ann"), EXIT_DONE, "%s", cell_err);
    cr_assert_not_null(strstr(cell_out, "3,1970-01-01T00:00:03.000Z"));
    cr_assert_null(strstr(cell_err, "more follow"), "%s", cell_err);
    cr_assert_eq(server.seen_count, 3);
    cr_assert_str_eq(server.seen[1].first, "5");
    cr_assert_str_eq(server.seen[2].first, "9");
    cr_assert_str_eq(server.seen[2].actor, "ann");
    cr_assert_eq(cell_run("udatsu audit ls -o csv --limit 5"), EXIT_DONE, "%s", cell_err);
    cr_assert_not_null(strstr(cell_err, "--first 9"), "%s", cell_err);
    cr_assert_eq(cell_run("udatsu audit ls --first 2"), EXIT_INTEGRITY, "pages go on");
    cell_stop(&server);
}

Test(cli_audit, events_are_read_to_the_end)
{
    struct server server;
    const struct step steps[] = {
        { 200,
          NULL,
          "{\"items\":[{\"index\":3,\"name\":\"one\"},{\"index\":4,\"name\":\"two\"}]}" },
        { 200, NULL, "{\"items\":[{\"index\":7,\"name\":\"three\"}]}" },
        { 200, NULL, "{\"items\":[]}" },
        { 200, NULL, "{\"items\":[{\"index\":7,\"name\":\"three\"}]}" },
        { 200, NULL, "{\"items\":[{\"index\":7,\"name\":\"again\"}]}" },
    };
    cell_start(&server, steps, 5);
    cell_use(&server, NULL);
    cr_assert_eq(cell_run("udatsu event ls -o csv"), EXIT_DONE, "%s", cell_err);
    cr_assert_not_null(strstr(cell_out, "three"));
    cr_assert_eq(server.seen_count, 3);
    cr_assert_str_eq(server.seen[0].after, "");
    cr_assert_str_eq(server.seen[1].after, "4");
    cr_assert_str_eq(server.seen[2].after, "7");
    for (uint32_t i = 0; i < 3; i++) {
        cr_assert_str_eq(server.seen[i].limit, "200");
    }
    cr_assert_eq(cell_run("udatsu event ls --limit 1"), EXIT_DONE, "%s", cell_err);
    cr_assert_not_null(strstr(cell_err, "--after 7"), "%s", cell_err);
    cr_assert_eq(cell_run("udatsu event ls --after 7"), EXIT_FAILED, "events go on");
    cell_stop(&server);
}
