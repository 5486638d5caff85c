/* machine.yaml and identity.yaml: what they may say, and that everything else is named. */
#include "base/check.h"
#include "host/address.h"
#include "host/conf.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[] = "/tmp/udatsu-conf-XXXXXX";

static void write_file(const char *text)
{
    memcpy(path + sizeof(path) - 7, "XXXXXX", 6);
    int fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    (void)close(fd);
}

#define HEAD  "kind: controller\nname: c1\ndata: /var/lib/udatsu\nrun: /run/udatsu\n"
#define DOORS "api: 127.0.0.1:7443\nlink: 127.0.0.1:7444\n"

Test(conf, a_machine_is_described)
{
    write_file(HEAD DOORS "users:\n  - {program: link, user: \"990\"}\n"
                          "settings:\n  - {program: engine, name: place-rack, value: r1}\n");
    struct conf *conf = NULL;
    char error[CONF_ERROR_MAX];
    cr_assert_eq(conf_load(path, &conf, error).code, 0, "%s", error);
    cr_assert_eq(conf->kind, CONF_KIND_CONTROLLER);
    cr_assert_str_eq(conf->link, "127.0.0.1:7444");
    cr_assert_eq(conf->users_count, 1);
    cr_assert_str_eq(conf->settings[0].value, "r1");
    cr_assert_null(conf->programs);
    conf_free(conf);
    (void)unlink(path);
}

Test(conf, what_is_unknown_missing_or_wrong_is_refused_and_named)
{
    static const struct {
        const char *text;
        const char *word; /* Of the sentence. */
    } rows[] = {
        { HEAD DOORS "colour: red\n", "key: colour Load: Backtrace:   in mapping (line: 6" },
        { HEAD DOORS "users:\n  - {program: link, user: a, shell: b}\n",
          "key: shell Load: Backtrace:   in mapping (line: 8" },
        { "name: c1\ndata: /a\nrun: /b\n", "kind" },
        { "kind: router\nname: c1\ndata: /a\nrun: /b\n", "kind" },
        { HEAD, "controller needs both" },
        { HEAD "api: 127.0.0.1:1\n", "controller needs both" },
        { "kind: node\nname: n1\ndata: /a\nrun: /b\n", "underlay" },
        { "kind: node\nname: n1\ndata: /a\nrun: /b\nunderlay: 10.0.0.1\n" DOORS, "nobody" },
        { "kind: node\nname: N1\ndata: /a\nrun: /b\nunderlay: 10.0.0.1\n", "name" },
        { "kind: node\nname: n1\ndata: a\nrun: /b\nunderlay: 10.0.0.1\n", "absolute" },
        { HEAD HEAD DOORS, "" }, /* Every key twice. */
        { "", "" },
        { "- a\n- b\n", "" },
        { "kind: [", "" },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        write_file(rows[i].text);
        struct conf *conf = NULL;
        char error[CONF_ERROR_MAX];
        cr_assert_neq(conf_load(path, &conf, error).code, 0, "row %zu", i);
        cr_assert_neq(error[0], '\0', "row %zu", i);
        cr_assert_not_null(strstr(error, rows[i].word), "row %zu: %s", i, error);
        (void)unlink(path);
    }
    struct conf *conf = NULL;
    char error[CONF_ERROR_MAX];
    cr_assert_neq(conf_load("/no/such/file", &conf, error).code, 0);
}

#define ID1 "00010002-0000-8000-8000-000000000001"
#define ID2 "00020002-0000-8000-8000-000000000001"
#define PEERS \
    "controllers:\n  - {id: " ID1 ", name: c1, link: \"10.0.0.1:1\", api: \"10.0.0.1:2\"}\n"

Test(conf, an_identity_is_of_its_cell)
{
    static const struct {
        const char *text;
        bool good;
    } rows[] = {
        { "cell: 1\nid: " ID1 "\nfirst: true\n" PEERS, true },
        { "cell: 1\nid: " ID1 "\n" PEERS, true },
        { "cell: 2\nid: " ID1 "\n" PEERS, false },
        { "cell: 2\nid: " ID2 "\n" PEERS, false }, /* Its peers are another cell's. */
        { "cell: 0\nid: " ID1 "\n" PEERS, false },
        { "cell: 65536\nid: " ID1 "\n" PEERS, false },
        { "cell: 1\nid: c1\n" PEERS, false },
        { "cell: 1\nid: " ID1 "\n", false },
        { "cell: 1\nid: " ID1 "\ncontrollers: []\n", false },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        write_file(rows[i].text);
        struct conf_identity *identity = NULL;
        char error[CONF_ERROR_MAX];
        bool good = conf_identity_load(path, &identity, error).code == 0;
        cr_assert_eq(good, rows[i].good, "row %zu: %s", i, error);
        if (good) {
            cr_assert_eq(identity->controllers_count, 1);
            conf_identity_free(identity);
        }
        (void)unlink(path);
    }
}

Test(address, numeric_addresses_only)
{
    static const char *const good[] = { "10.98.0.11:7444", "127.0.0.1:1", "[fd00::1]:65535" };
    static const char *const bad[] = { "",           "10.0.0.1",       "10.0.0.1:",   "10.0.0.1:0",
                                       ":80",        "10.0.0.1:65536", "host:80",     "fd00::1:80",
                                       "[fd00::1]",  "[10.0.0.1]:80",  "10.0.0.1:-1", "[]:80",
                                       "1.2.3.4:80x" };
    struct sockaddr_storage address;
    socklen_t size = 0;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        cr_assert_eq(address_parse(good[i], &address, &size).code, 0, "%s", good[i]);
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        cr_assert_neq(address_parse(bad[i], &address, &size).code, 0, "%s", bad[i]);
    }
}
