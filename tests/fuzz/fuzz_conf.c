/* The two files that describe a machine. What is taken is written as YAML by hand and read again:
 * the same, field by field; and it keeps the promises that parent counts on. */
#include "tests/fuzz/fuzz.h"

#include "base/check.h"
#include "base/id.h"
#include "base/limits.h"
#include "host/conf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum kind { KIND_MACHINE, KIND_IDENTITY, KINDS };

enum { TEXT_MAX = 256 * 1024 };

static char written[TEXT_MAX];
static size_t written_size;

const ProtobufCMessageDescriptor *fuzz_type(uint8_t kind)
{
    (void)kind;
    return NULL;
}

/* A file that holds these bytes, by its name. */
static const char *file_of(struct slice bytes)
{
    static int fd = -1;
    static char path[64];
    if (fd < 0) {
        fd = memfd_create("fuzz-conf", MFD_CLOEXEC);
        CHECK(fd >= 0);
        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    }
    int cut = ftruncate(fd, 0);
    CHECK(cut == 0);
    ssize_t done = pwrite(fd, bytes.data, bytes.size, 0);
    CHECK(done == (ssize_t)bytes.size);
    return path;
}

static void put(const char *text)
{
    size_t size = strlen(text);
    CHECK(written_size + size < sizeof(written));
    memcpy(written + written_size, text, size);
    written_size += size;
}

/* A code point of a text that libyaml gave: it is well-formed UTF-8. */
static uint32_t point_of(const char **at)
{
    const uint8_t *c = (const uint8_t *)*at;
    unsigned int more = c[0] >= 0xf0 ? 3 : (c[0] >= 0xe0 ? 2 : (c[0] >= 0xc0 ? 1 : 0));
    uint32_t point = more == 0 ? c[0] : c[0] & (0x3fU >> more);
    for (unsigned int i = 1; i <= more; i++) {
        point = point << 6 | (c[i] & 0x3fU);
    }
    *at += more + 1;
    return point;
}

/* "key: "text"" with everything but plain ASCII escaped; nothing for what is not there. */
static void put_text(const char *key, const char *text)
{
    char escape[16];
    if (text == NULL) {
        return;
    }
    put(key);
    put(": \"");
    while (*text != '\0') {
        uint32_t point = point_of(&text);
        bool plain = point >= ' ' && point < 0x7f && point != '"' && point != '\\';
        (void)snprintf(escape, sizeof(escape), plain ? "%c" : "\\U%08x", point);
        put(escape);
    }
    put("\"\n");
}

static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static void write_machine(const struct conf *conf)
{
    written_size = 0;
    put(conf->kind == CONF_KIND_NODE ? "kind: node\n" : "kind: controller\n");
    put_text("name", conf->name);
    put_text("data", conf->data);
    put_text("run", conf->run);
    put_text("programs", conf->programs);
    put_text("api", conf->api);
    put_text("link", conf->link);
    put_text("underlay", conf->underlay);
    put_text("cgroup", conf->cgroup);
    put(conf->users_count > 0 ? "users:\n" : "");
    for (uint32_t i = 0; i < conf->users_count; i++) {
        put_text("- program", conf->users[i].program);
        put_text("  user", conf->users[i].user);
    }
    put(conf->settings_count > 0 ? "settings:\n" : "");
    for (uint32_t i = 0; i < conf->settings_count; i++) {
        put_text("- program", conf->settings[i].program);
        put_text("  name", conf->settings[i].name);
        put_text("  value", conf->settings[i].value);
    }
}

static bool same_machine(const struct conf *a, const struct conf *b)
{
    bool same = a->kind == b->kind && same_text(a->name, b->name) && same_text(a->data, b->data) &&
                same_text(a->run, b->run) && same_text(a->programs, b->programs) &&
                same_text(a->api, b->api) && same_text(a->link, b->link) &&
                same_text(a->underlay, b->underlay) && same_text(a->cgroup, b->cgroup) &&
                a->users_count == b->users_count && a->settings_count == b->settings_count;
    for (uint32_t i = 0; i < a->users_count && same; i++) {
        same = same_text(a->users[i].program, b->users[i].program) &&
               same_text(a->users[i].user, b->users[i].user);
    }
    for (uint32_t i = 0; i < a->settings_count && same; i++) {
        same = same_text(a->settings[i].program, b->settings[i].program) &&
               same_text(a->settings[i].name, b->settings[i].name) &&
               same_text(a->settings[i].value, b->settings[i].value);
    }
    return same;
}

static void hold_machine(struct slice bytes)
{
    char error[CONF_ERROR_MAX];
    struct conf *conf = NULL;
    struct conf *again = NULL;
    if (conf_load(file_of(bytes), &conf, error).code != 0) {
        MUST(error[0] != '\0' && strlen(error) < CONF_ERROR_MAX && strchr(error, '\n') == NULL);
        return;
    }
    bool node = conf->kind == CONF_KIND_NODE;
    MUST(text_is_name(conf->name) && conf->data[0] == '/' && conf->run[0] == '/');
    MUST(
        node ? conf->underlay != NULL && conf->api == NULL && conf->link == NULL
             : conf->api != NULL && conf->link != NULL);
    MUST(conf->users_count <= CONF_USERS_MAX && conf->settings_count <= CONF_SETTINGS_MAX);
    write_machine(conf);
    MUST(conf_load(file_of(slice_of(written, written_size)), &again, error).code == 0);
    MUST(same_machine(conf, again));
    conf_free(again);
    conf_free(conf);
}

static void write_identity(const struct conf_identity *identity)
{
    char line[64];
    written_size = 0;
    (void)snprintf(line, sizeof(line), "cell: %u\n", (unsigned int)identity->cell);
    put(line);
    put_text("id", identity->id);
    put(identity->first ? "first: true\n" : "");
    put("controllers:\n");
    for (uint32_t i = 0; i < identity->controllers_count; i++) {
        put_text("- id", identity->controllers[i].id);
        put_text("  name", identity->controllers[i].name);
        put_text("  link", identity->controllers[i].link);
        put_text("  api", identity->controllers[i].api);
    }
}

static bool same_identity(const struct conf_identity *a, const struct conf_identity *b)
{
    bool same = a->cell == b->cell && same_text(a->id, b->id) && a->first == b->first &&
                a->controllers_count == b->controllers_count;
    for (uint32_t i = 0; i < a->controllers_count && same; i++) {
        same = same_text(a->controllers[i].id, b->controllers[i].id) &&
               same_text(a->controllers[i].name, b->controllers[i].name) &&
               same_text(a->controllers[i].link, b->controllers[i].link) &&
               same_text(a->controllers[i].api, b->controllers[i].api);
    }
    return same;
}

static void hold_identity(struct slice bytes)
{
    char error[CONF_ERROR_MAX];
    struct conf_identity *identity = NULL;
    struct conf_identity *again = NULL;
    uint64_t id = 0;
    if (conf_identity_load(file_of(bytes), &identity, error).code != 0) {
        MUST(error[0] != '\0' && strlen(error) < CONF_ERROR_MAX && strchr(error, '\n') == NULL);
        return;
    }
    MUST(id_parse(ID_CONTROLLER, identity->id, &id) || id_parse(ID_NODE, identity->id, &id));
    MUST(id_cell(id) == identity->cell && identity->controllers_count >= 1);
    for (uint32_t i = 0; i < identity->controllers_count; i++) {
        MUST(id_parse(ID_CONTROLLER, identity->controllers[i].id, &id));
        MUST(id_cell(id) == identity->cell);
        MUST(strlen(identity->controllers[i].link) < LIMIT_ADDRESS);
    }
    write_identity(identity);
    MUST(conf_identity_load(file_of(slice_of(written, written_size)), &again, error).code == 0);
    MUST(same_identity(identity, again));
    conf_identity_free(again);
    conf_identity_free(identity);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = slice_of(data, size);
    struct fuzz_part part;
    while (fuzz_part_next(&rest, &part)) {
        if (part.kind % KINDS == KIND_MACHINE) {
            hold_machine(part.bytes);
        } else {
            hold_identity(part.bytes);
        }
    }
    return 0;
}

size_t fuzz_seed(uint32_t number, uint8_t room[static FUZZ_INPUT_MAX])
{
    static const char *const texts[] = {
        "kind: controller\nname: c1\ndata: /var/lib/u\nrun: /run/u\napi: 10.0.0.1:7443\n"
        "link: 10.0.0.1:7444\nusers:\n- program: api\n  user: \"0\"\nsettings:\n"
        "- program: engine\n  name: nodes\n  value: 'x'\n",
        "kind: node\nname: n1\ndata: /d\nrun: /r\nunderlay: 10.1.0.1\nprograms: /usr/bin\n",
        "kind: node\nname: n1\ndata: /d\nrun: /r\nunderlay: u\napi: a\n",
        "kind: node\nname: n1\ndata: /d\nrun: /r\n",
        "kind: node\nname: n1\ndata: /d\nrun: /r\nunderlay: u\nlink: a\n",
        "kind: controller\nname: c1\ndata: /d\nrun: /r\napi: a\n",
        "kind: controller\nname: c1\ndata: /d\nrun: /r\nlink: a\n",
        "kind: controller\nname: C1\ndata: /d\nrun: /r\n",
        "kind: controller\nname: c1\ndata: d\nrun: /r\n",
        "kind: controller\nname: c1\ndata: /d\nrun: r\n",
        "kind: other\n",
        "name: \"\\u00e9\\U0001f600\\x07\"\n",
        "",
        "- a\n",
        "a: &b c\nd: *b\n",
        "cell: 1\nid: 00010002-0000-8000-8000-000000000003\nfirst: true\ncontrollers:\n"
        "- id: 00010002-0000-8000-8000-000000000003\n  name: c1\n  link: a:1\n  api: a:2\n",
        "cell: 1\nid: 00010003-0000-8000-8000-000000000007\ncontrollers:\n"
        "- id: 00020002-0000-8000-8000-000000000003\n  name: c1\n  link: a:1\n  api: a:2\n",
        "cell: 0\nid: x\ncontrollers:\n- id: x\n  name: c1\n  link: a\n  api: a\n",
        "cell: 2\nid: 00010003-0000-8000-8000-000000000007\ncontrollers:\n"
        "- id: 00010002-0000-8000-8000-000000000003\n  name: c1\n  link: a\n  api: a\n",
        "cell: 1\nid: x\ncontrollers:\n- id: x\n  name: c1\n  link: a\n  api: a\n",
        "cell: 1\nid: 00010003-0000-8000-8000-000000000007\ncontrollers:\n"
        "- id: 00010003-0000-8000-8000-000000000003\n  name: c1\n  link: a\n  api: a\n",
        "cell: 1\nid: 00010003-0000-8000-8000-000000000007\ncontrollers:\n"
        "- id: 00010002-0000-8000-8000-000000000003\n  name: c1\n  api: a\n  link: "
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n",
        "cell: 1\nid: 00010003-0000-8000-8000-000000000007\ncontrollers:\n"
        "- id: 00010002-0000-8000-8000-000000000003\n  name: c1\n  link: a\n  api: "
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n",
    };
    size_t used = 0;
    if (number < COUNT_OF(texts) * KINDS) {
        (void)fuzz_part_put(
            room,
            FUZZ_INPUT_MAX,
            &used,
            (uint8_t)(number % KINDS),
            slice_text(texts[number / KINDS]));
    }
    return used;
}
