/* Coming into a cell with a token. */
#include "cli_cell.h"

#include "base/check.h"
#include "cli/base64.h"
#include "cli/token.h"

#include <criterion/criterion.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(cli_join, .init = cell_begin, .fini = cell_end);

static char setup_path[64];
static char setup_log[64];
static char token_path[64];

/* A stand-in for udatsu-setup that writes down how it was called. */
static void make_setup(void)
{
    char text[512];
    (void)snprintf(setup_path, sizeof(setup_path), "%s/setup", cell_folder);
    (void)snprintf(setup_log, sizeof(setup_log), "%s/setup.log", cell_folder);
    (void)snprintf(token_path, sizeof(token_path), "%s/token", cell_folder);
    (void)snprintf(
        text,
        sizeof(text),
        "#!/bin/sh\necho \"$@\" | sed 's,/tmp/[^ ]*/,,g' >>%s\n"
        "case $1 in csr) printf csr ;; sealing-key) printf key ;; esac\n",
        setup_log);
    cell_write(setup_path, text);
    cr_assert_eq(chmod(setup_path, 0700), 0);
}

static void remove_setup(void)
{
    (void)unlink(setup_path);
    (void)unlink(setup_log);
    (void)unlink(token_path);
}

/* The certificate of the cell as hex of its DER. */
static void ca_hex(char *room)
{
    gnutls_datum_t pem = { (unsigned char *)cell_certificate, (unsigned)strlen(cell_certificate) };
    gnutls_datum_t der;
    cr_assert_eq(gnutls_pem_base64_decode2("CERTIFICATE", &pem, &der), 0);
    hex_encode(slice_of(der.data, der.size), room);
    gnutls_free(der.data);
}

static char root_body[8192];
static char join_body[8192];

/* What GET / and POST /v1/join answer. */
static void make_bodies(const char *members)
{
    char hex[4096];
    ca_hex(hex);
    (void)snprintf(root_body, sizeof(root_body), "{\"cell\":\"0001\",\"ca\":\"%s\"}", hex);
    (void)snprintf(
        join_body,
        sizeof(join_body),
        "{\"id\":\"00010003-0000-8000-8000-000000000005\",\"certificate\":\"0102\",\"ca\":\"%s\","
        "\"cell\":1%s}",
        hex,
        members);
}

/* A token that the cell would have given, in token_path. */
static void make_token(const struct server *server, const char *command)
{
    struct server maker;
    const struct step done[] = { { 202, NULL, "{}" } };
    cell_start(&maker, done, 1);
    cell_use(server == NULL ? &maker : server, server == NULL ? NULL : &maker);
    cr_assert_eq(cell_run(command), EXIT_DONE, "%s", cell_err);
    cell_write(token_path, cell_out);
    cell_stop(&maker);
}

#define PEERS                                                                                    \
    ",\"controllers\":[{\"id\":281474976710657,\"name\":\"c1\",\"link_address\":\"10.0.0.1:1\"," \
    "\"api_address\":\"10.0.0.1:2\"}]"

/* The first answer of the server is for the token itself. */
Test(cli_join, a_node_joins_the_cell_whose_ca_its_token_pins)
{
    struct server server;
    char line[512];
    char log[2048];
    make_setup();
    make_bodies(PEERS);
    const struct step steps[] = { { 202, NULL, "{}" },
                                  { 200, NULL, root_body },
                                  { 503, "0", "{\"code\":\"outcome-unknown\"}" },
                                  { 200, NULL, join_body } };
    cell_start(&server, steps, 4);
    make_token(&server, "udatsu node token n4");
    (void)snprintf(
        line,
        sizeof(line),
        "udatsu node join --token-file %s --setup %s --config /etc/m.yaml --link-address "
        "10.0.0.4:1 --underlay-address 10.1.0.4",
        token_path,
        setup_path);
    cr_assert_eq(cell_run(line), EXIT_DONE, "%s", cell_err);
    cr_assert_str_eq(cell_out, "00010003-0000-8000-8000-000000000005\n");
    cr_assert_str_eq(server.seen[1].url, "/");
    cr_assert_str_eq(server.seen[2].url, "/v1/join");
    cr_assert_eq(strncmp(server.seen[3].body, "{\"secret\":\"", 11), 0);
    cr_assert_str_eq(
        server.seen[3].body + 11 + 64,
        "\",\"kind\":\"node\",\"link_address\":\"10.0.0.4:1\","
        "\"underlay_address\":\"10.1.0.4\",\"csr\":\"637372\"}");
    cr_assert_str_eq(server.seen[2].key, server.seen[3].key);
    cell_read(setup_log, log, sizeof(log));
    cr_assert_str_eq(
        log,
        "csr --config /etc/m.yaml\n"
        "adopt --config /etc/m.yaml --certificate certificate --ca ca --cell 1 --id "
        "00010003-0000-8000-8000-000000000005 --controller "
        "00010002-0000-8000-8000-000000000001,c1,10.0.0.1:1,10.0.0.1:2\n");
    cell_stop(&server);
    remove_setup();
}

Test(cli_join, a_person_enrols_and_a_controller_brings_its_sealing_key)
{
    struct server server;
    char line[512];
    char log[2048];
    make_setup();
    make_bodies(PEERS ",\"sealed\":\"aabb\"");
    const struct step steps[] = { { 202, NULL, "{}" },
                                  { 200, NULL, root_body },
                                  { 200, NULL, join_body } };
    cell_start(&server, steps, 3);
    make_token(&server, "udatsu user token alice");
    (void)snprintf(
        line,
        sizeof(line),
        "udatsu user enroll --token-file %s --setup %s --out /x/alice",
        token_path,
        setup_path);
    cr_assert_eq(cell_run(line), EXIT_DONE, "%s", cell_err);
    cell_stop(&server);
    cell_start(&server, steps, 3);
    make_token(&server, "udatsu controller token c3");
    (void)snprintf(
        line,
        sizeof(line),
        "udatsu controller join --token-file %s --setup %s --config /c --link-address a:1 "
        "--api-address a:2",
        token_path,
        setup_path);
    cr_assert_eq(cell_run(line), EXIT_DONE, "%s", cell_err);
    cr_assert_not_null(strstr(server.seen[2].body, "\"sealing_key\":\"6b6579\""));
    cell_stop(&server);
    cell_read(setup_log, log, sizeof(log));
    cr_assert_not_null(
        strstr(log, "csr --out /x/alice --name user\nadopt --out /x/alice --certificate"));
    cr_assert_not_null(strstr(log, "sealing-key --config /c\n"));
    cr_assert_not_null(strstr(log, ",10.0.0.1:2 --sealed sealed\n"));
    remove_setup();
}

/* INV-SEC-41: the guard is the digest; with another cell behind it nothing but GET / is ever sent.
 */
Test(cli_join, another_cell_never_sees_the_secret)
{
    struct server server;
    char line[512];
    make_setup();
    make_bodies(PEERS);
    make_token(NULL, "udatsu node token n4");
    cell_make_certificate(); /* The cell behind the endpoint is another one now. */
    make_bodies(PEERS);
    const struct step steps[] = { { 202, NULL, "{}" }, { 200, NULL, root_body } };
    cell_start(&server, steps, 2);
    /* A token of the first cell that names the second's endpoint. */
    struct secret token;
    struct secret text;
    char old[TOKEN_TEXT];
    cell_read(token_path, old, sizeof(old));
    cr_assert_eq(token_read(slice_text(old), &token).code, 0);
    cr_assert_eq(secret_make(TOKEN_TEXT, &text).code, 0);
    (void)snprintf(
        token_in(&token)->endpoints, TOKEN_ENDPOINTS, "https://127.0.0.1:%u", server.port);
    cr_assert(token_write(&token, &text));
    cell_write(token_path, (const char *)text.data);
    secret_free(&text);
    secret_free(&token);
    (void)snprintf(
        line,
        sizeof(line),
        "udatsu node join --token-file %s --setup %s --config /c --link-address a:1 "
        "--underlay-address b",
        token_path,
        setup_path);
    cr_assert_eq(cell_run(line), EXIT_DENIED);
    cr_assert_eq(server.seen_count, 1);
    cr_assert_str_eq(server.seen[0].url, "/");
    cr_assert_neq(access(setup_log, F_OK), 0, "no key is made for a cell that is not ours");
    /* A token of another kind does not even ask. */
    (void)snprintf(line, sizeof(line), "udatsu user enroll --token-file %s --out /x", token_path);
    cr_assert_eq(cell_run(line), EXIT_USAGE);
    cr_assert_eq(server.seen_count, 1);
    cell_stop(&server);
    remove_setup();
}

Test(cli_join, an_answer_with_another_ca_is_not_adopted)
{
    struct server server;
    char line[512];
    char log[1024];
    make_setup();
    make_bodies(PEERS);
    char *ca = strstr(join_body, "\"ca\":\"") + 6;
    ca[100] = ca[100] == '0' ? '1' : '0';
    const struct step steps[] = { { 202, NULL, "{}" },
                                  { 200, NULL, root_body },
                                  { 200, NULL, join_body } };
    cell_start(&server, steps, 3);
    make_token(&server, "udatsu node token n4");
    (void)snprintf(
        line,
        sizeof(line),
        "udatsu node join --token-file %s --setup %s --config /c --link-address a:1 "
        "--underlay-address b",
        token_path,
        setup_path);
    cr_assert_eq(cell_run(line), EXIT_INTEGRITY);
    cell_read(setup_log, log, sizeof(log));
    cr_assert_null(strstr(log, "adopt"));
    cell_stop(&server);
    remove_setup();
}
