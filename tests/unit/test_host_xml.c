/* What host derives: XML, rules and descriptions, and everything it would not make. */
#include "base/check.h"
#include "node-agent/host_console.h"
#include "node-agent/host_image.h"
#include "node-agent/host_machine.h"
#include "node-agent/host_rules.h"
#include "node-agent/host_verbs.h"
#include "node-agent/host_xml.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CELL = 1 };

static uint8_t digest[SHA256_SIZE] = { 1 };
static uint8_t mac[NETWORK_MAC_SIZE];
static Wire__Nic nic;
static Wire__Nic *nics[] = { &nic };
static uint32_t vnis[] = { 4100 };
static Wire__Assignment assignment;
static Wire__StartInstance start;
static struct host host;

/* A start order that host accepts; each test breaks it in one place. */
static void sound(void)
{
    static const struct host_virtualization emulated = { .type = DOMAIN_TCG, .fallback = "told" };
    host = (struct host){ .cell = CELL, .virtualization = &emulated, .underlay = 0x0a630065 };
    memcpy(host.image_directory, "/images", sizeof("/images"));
    memcpy(host.console_directory, "/consoles", sizeof("/consoles"));
    wire__assignment__init(&assignment);
    wire__start_instance__init(&start);
    wire__nic__init(&nic);
    assignment.instance = id_make(CELL, 20);
    assignment.tenant = id_make(CELL, 3);
    assignment.generation = 5;
    assignment.epoch = 2;
    assignment.boots = 9;
    assignment.desired = WIRE__DESIRED__DESIRED_RUNNING;
    assignment.vcpus = 2;
    assignment.memory_bytes = UINT64_C(128) << 20;
    assignment.kernel_sha256 = (ProtobufCBinaryData){ sizeof(digest), digest };
    assignment.initramfs_sha256 = (ProtobufCBinaryData){ sizeof(digest), digest };
    network_mac(assignment.instance, 0, mac);
    nic.network = id_make(CELL, 7);
    nic.mac = (ProtobufCBinaryData){ sizeof(mac), mac };
    nic.address = 0x0a050002;
    nic.prefix = 24;
    assignment.n_nics = 1;
    assignment.nics = nics;
    start.assignment = &assignment;
    start.n_vnis = 1;
    start.vnis = vnis;
}

static bool accepted(void)
{
    struct domain domain;
    return host_describe(&host, &start, &domain).code == 0;
}

Test(describe, a_sound_order_describes_one_machine)
{
    struct domain domain;
    sound();
    cr_assert_eq(host_describe(&host, &start, &domain).code, 0);
    cr_assert_str_eq(domain.uuid, "00010009-0000-8000-8000-000000000014");
    cr_assert_str_eq(domain.serial_log, "/consoles/00010009-0000-8000-8000-000000000014.log");
    cr_assert_eq(domain.uid, (uint32_t)DOMAIN_UID_BASE + 3);
    cr_assert_eq(domain.uid, domain.gid);
    cr_assert_not_null(strstr(domain.cmdline, "udatsu.nic0=52:54:"));
    cr_assert_not_null(strstr(domain.cmdline, "10.5.0.2/24"));
    cr_assert_eq(strlen(domain.kernel), strlen("/images/") + 64);
}

Test(describe, an_order_that_is_wrong_in_one_place_is_refused)
{
    sound();
    cr_assert(accepted());
    mac[5] ^= 1;
    cr_assert_not(accepted(), "another instance's MAC");
    sound();
    assignment.instance = id_make(CELL + 1, 20);
    cr_assert_not(accepted(), "another cell's instance");
    sound();
    nic.address = 0x0a0500ff;
    cr_assert_not(accepted(), "the broadcast address");
    sound();
    vnis[0] = 5;
    cr_assert_not(accepted(), "a VNI of the provider");
    vnis[0] = 4100;
    start.n_vnis = 0;
    cr_assert_not(accepted(), "a nic without a VNI");
    sound();
    assignment.kernel_sha256.len = 31;
    cr_assert_not(accepted(), "a short digest");
    sound();
    assignment.memory_bytes = 1;
    cr_assert_not(accepted(), "too little memory");
    sound();
    assignment.vcpus = LIMIT_VCPUS + 1;
    cr_assert_not(accepted(), "too many vcpus");
    sound();
    assignment.tenant = 0;
    cr_assert_not(accepted(), "no tenant");
    sound();
    start.assignment = NULL;
    cr_assert_not(accepted(), "no assignment");
}

Test(xml, it_holds_what_the_machine_has_and_nothing_else)
{
    char xml[HOST_XML_SIZE];
    struct domain domain;
    sound();
    cr_assert_eq(host_describe(&host, &start, &domain).code, 0);
    cr_assert(host_xml_write(&domain, xml, sizeof(xml)));
    static const char *const has[] = {
        "<domain type='qemu'>",
        "<name>00010009-0000-8000-8000-000000000014</name>",
        "machine='q35'",
        "qemu64",
        "<memory unit='b'>134217728</memory>",
        "generation='5' epoch='2' boots='9'",
        "<controller type='usb' model='none'/>",
        "<memballoon model='none'/>",
        "append='on'",
        "model='dac' relabel='no'><label>+200003:+200003</label>",
    };
    for (uint32_t i = 0; i < COUNT_OF(has); i++) {
        cr_assert_not_null(strstr(xml, has[i]), "%s", has[i]);
    }
    static const char *const lacks[] = { "<disk",      "<hostdev", "<graphics", "<video",
                                         "filesystem", "<tpm",     "<vsock",    "qemu:commandline",
                                         "<bandwidth", "memtune" };
    for (uint32_t i = 0; i < COUNT_OF(lacks); i++) {
        cr_assert_null(strstr(xml, lacks[i]), "%s", lacks[i]);
    }
    domain.type = DOMAIN_KVM;
    cr_assert(host_xml_write(&domain, xml, sizeof(xml)));
    cr_assert_not_null(strstr(xml, "host-passthrough"));
}

Test(xml, an_unsound_machine_or_a_small_room_gives_none)
{
    char xml[HOST_XML_SIZE];
    struct domain domain;
    sound();
    cr_assert_eq(host_describe(&host, &start, &domain).code, 0);
    cr_assert_not(host_xml_write(&domain, xml, 200));
    domain.uid = 0; /* INV-SEC-2 */
    cr_assert_not(host_xml_write(&domain, xml, sizeof(xml)));
    sound();
    cr_assert_eq(host_describe(&host, &start, &domain).code, 0);
    memcpy(domain.cmdline, "quiet'/><x y='", sizeof("quiet'/><x y='"));
    cr_assert_not(host_xml_write(&domain, xml, sizeof(xml)));
}

Test(xml, metadata_is_read_back_exactly_or_not_at_all)
{
    struct host_xml_metadata metadata = { 0 };
    cr_assert(host_xml_read_metadata(
        "<instance generation=\"5\" epoch='2' boots=\"18446744073709551615\"/>", &metadata));
    cr_assert_eq(metadata.generation, 5U);
    cr_assert_eq(metadata.epoch, 2U);
    cr_assert_eq(metadata.boots, UINT64_MAX);
    static const char *const bad[] = {
        "",
        "<instance generation='5' epoch='2'/>",
        "<instance generation='5' epoch='2' boots=''/>",
        "<instance generation='5' epoch='2' boots='-1'/>",
        "<instance generation='5' epoch='2' boots='1x'/>",
        "<instance generation='5' epoch='2' boots='18446744073709551616'/>",
        "<instance generation='5' generation='6' epoch='2' boots='1'/>",
        "<instance xgeneration='5' epoch='2' boots='1'/>",
        "<instance generation='5\" epoch='2' boots='1'/>",
    };
    for (uint32_t i = 0; i < COUNT_OF(bad); i++) {
        cr_assert_not(host_xml_read_metadata(bad[i], &metadata), "%s", bad[i]);
    }
}

static struct network_nic sample_nic(void)
{
    struct network_nic made;
    network_nic_make(id_make(CELL, 20), 0, id_make(CELL, 7), 0x0a050002, 24, &made);
    return made;
}

Test(rules, a_tap_s_chain_ends_with_a_drop_and_is_entered_last) /* INV-NET-12 */
{
    static char json[HOST_RULES_SIZE];
    struct network_nic made = sample_nic();
    cr_assert(host_rules_tap(&made, json, sizeof(json)));
    const char *drop = strstr(json, "\"comment\":\"rest\",\"expr\":[{\"counter\":null},{\"drop\"");
    const char *element = strstr(json, "{\"add\":{\"element\"");
    cr_assert_not_null(drop);
    cr_assert_not_null(element);
    cr_assert_lt(drop, element);
    cr_assert_not_null(strstr(json, "\"right\":\"52:54:"));
    cr_assert_not_null(strstr(json, "\"right\":\"10.5.0.2\""));
    cr_assert_not(host_rules_tap(&made, json, 300));
    cr_assert(host_rules_drop(made.tap, json, sizeof(json)));
}

Test(rules, taps_without_a_chain_and_the_machine_itself_are_cut_off) /* INV-NET-12 */
{
    static char json[HOST_RULES_SIZE];
    cr_assert(host_rules_base(0x0a630065, json, sizeof(json)));
    const char *map = strstr(json, "@taps");
    const char *rest = strstr(json, "\"right\":\"ut*\"");
    cr_assert_not_null(map);
    cr_assert_not_null(rest);
    cr_assert_lt(map, rest, "a tap with rules never reaches the drop");
    cr_assert_not_null(strstr(json, "\"hook\":\"input\""));
    cr_assert_not_null(strstr(json, "\"hook\":\"output\""));
    cr_assert_not(host_rules_base(0x0a630065, json, 100));
}

Test(rules, segments_are_heard_on_the_underlay_and_nowhere_else) /* INV-NET-13 */
{
    static char json[HOST_RULES_SIZE];
    cr_assert(host_rules_base(0x0a630065, json, sizeof(json)));
    const char *chain = strstr(json, "\"name\":\"segments\"");
    cr_assert_not_null(chain);
    cr_assert_not_null(strstr(chain, "\"right\":4789"));
    cr_assert_not_null(strstr(chain, "\"right\":\"10.99.0.101\""));
    cr_assert_not_null(strstr(chain, "[\"daddr\",\"iif\"]"));
}

/* What nft answers, cut to what is read. */
static void listing(
    char *room, size_t size, const struct network_nic *made, int32_t skip, bool more)
{
    struct network_rule rules[NETWORK_RULES_MAX];
    uint32_t count = network_rules(made, rules);
    size_t used = (size_t)snprintf(room, size, "{\"nftables\": [{\"chain\": {\"handle\": 3}}");
    for (uint32_t i = 0; i < count + (more ? 1 : 0); i++) {
        if ((int32_t)i != skip) {
            used += (size_t)snprintf(
                room + used,
                size - used,
                ", {\"rule\": {\"handle\": %u, \"comment\": \"%s\", \"expr\": []}}",
                i + 4,
                i < count ? rules[i].name : "rest");
        }
    }
}

Test(rules, what_reads_back_is_compared_rule_by_rule)
{
    char room[4096];
    struct network_nic made = sample_nic();
    struct network_rule rules[NETWORK_RULES_MAX];
    int32_t count = (int32_t)network_rules(&made, rules);
    listing(room, sizeof(room), &made, -1, false);
    cr_assert(host_rules_match(&made, room));
    for (int32_t skip = 0; skip < count; skip++) {
        listing(room, sizeof(room), &made, skip, false);
        cr_assert_not(host_rules_match(&made, room), "without rule %d", skip);
    }
    listing(room, sizeof(room), &made, -1, true);
    cr_assert_not(host_rules_match(&made, room), "one rule more");
    cr_assert_not(host_rules_match(&made, ""));
}

Test(rules, only_our_taps_are_found_in_a_listing)
{
    char tap[NETWORK_NAME];
    char room[512];
    struct network_nic made = sample_nic();
    (void)snprintf(
        room,
        sizeof(room),
        "{\"name\": \"from-taps\"}, {\"name\": \"ut\"}, {\"name\": \"%s\"}, {\"name\": \"eth0\"},"
        " {\"name\": \"a-name-longer-than-any-interface\"}",
        made.tap);
    const char *at = host_rules_next_tap(room, tap);
    cr_assert_not_null(at);
    cr_assert_str_eq(tap, made.tap);
    cr_assert_null(host_rules_next_tap(at, tap));
}

/* ---- Files. ---- */

static char directory[] = "/tmp/udatsu-host-XXXXXX";

static void write_file(const char *name, const char *text)
{
    char path[256];
    (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
    FILE *file = fopen(path, "w");
    cr_assert_not_null(file);
    cr_assert_geq(fputs(text, file), 0);
    cr_assert_eq(fclose(file), 0);
}

static void remove_file(const char *name)
{
    char path[256];
    (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
    cr_assert_eq(unlink(path), 0);
}

Test(image, only_a_file_that_is_what_its_name_says_is_an_image) /* INV-VM-6 */
{
    /* SHA-256 of "abc" (FIPS 180-4, example 1). */
    static const char abc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    static uint8_t abc_digest[SHA256_SIZE];
    struct host_images images = { 0 };
    sha256_of(slice_text("abc"), abc_digest);
    cr_assert_not_null(mkdtemp(directory));
    cr_assert_eq(host_image_verify(directory, abc_digest).code, FAILURE_NOT_FOUND);
    write_file(abc, "abc");
    cr_assert_eq(host_image_verify(directory, abc_digest).code, 0);
    write_file("notes.txt", "abc");
    cr_assert_eq(host_images_survey(&images, directory).code, 0);
    cr_assert_eq(images.count, 1U);
    write_file(abc, "abd");
    cr_assert_eq(host_image_verify(directory, abc_digest).code, FAILURE_CORRUPT);
    cr_assert_eq(host_images_survey(&images, directory).code, 0);
    cr_assert_eq(images.count, 0U, "a changed file is read again");
    remove_file(abc);
    char link_path[256];
    (void)snprintf(link_path, sizeof(link_path), "%s/%s", directory, abc);
    write_file("elsewhere", "abc");
    cr_assert_eq(symlink("elsewhere", link_path), 0);
    cr_assert_eq(host_image_verify(directory, abc_digest).code, FAILURE_DENIED, "a link");
    remove_file(abc);
    remove_file("elsewhere");
    remove_file("notes.txt");
    cr_assert_eq(rmdir(directory), 0);
}

Test(console, it_is_read_in_parts_listed_and_removed)
{
    static uint8_t room[LIMIT_CONSOLE];
    uint64_t instance = id_make(CELL, 20);
    char name[128];
    char uuid[ID_TEXT_SIZE];
    size_t used = 0;
    uint64_t offset = 0;
    uint64_t size = 0;
    uint64_t found[4];
    uint32_t count = 0;
    cr_assert_not_null(mkdtemp(directory));
    id_format(ID_INSTANCE, instance, uuid);
    (void)snprintf(name, sizeof(name), "%s.log", uuid);
    cr_assert_eq(
        host_console_read(directory, instance, 0, room, &used, &offset, &size).code,
        FAILURE_NOT_FOUND);
    write_file(name, "hello, console");
    write_file("foreign.log", "x");
    cr_assert_eq(host_console_read(directory, instance, 7, room, &used, &offset, &size).code, 0);
    cr_assert_eq(used, 7U);
    cr_assert_eq(memcmp(room, "console", 7), 0);
    cr_assert_eq(size, 14U);
    cr_assert_eq(host_console_read(directory, instance, 99, room, &used, &offset, &size).code, 0);
    cr_assert_eq(offset, 0U, "beyond the end: what is there");
    cr_assert_eq(host_console_list(directory, found, 4, &count).code, 0);
    cr_assert_eq(count, 1U);
    cr_assert_eq(found[0], instance);
    cr_assert_eq(host_console_remove(directory, instance).code, 0);
    cr_assert_eq(host_console_remove(directory, instance).code, 0, "twice");
    cr_assert_eq(host_console_list(directory, found, 4, &count).code, 0);
    cr_assert_eq(count, 0U);
    remove_file("foreign.log");
    cr_assert_eq(rmdir(directory), 0);
}

Test(machine, its_size_is_measured_unless_the_configuration_says_it)
{
    sound();
    host_machine_measure(&host, 0, 0);
    cr_assert_geq(host.vcpus, 1U);
    cr_assert_gt(host.memory_bytes, 0U);
    host_machine_measure(&host, 3, 2048);
    cr_assert_eq(host.vcpus, 3U);
    cr_assert_eq(host.memory_bytes, UINT64_C(2048) << 20);
}
