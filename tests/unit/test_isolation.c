/* Names and back, addresses in order, rules as a guest meets them, and machines we would not make.
 */
#include "base/check.h"
#include "base/prng.h"
#include "isolation/domain.h"
#include "isolation/network.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>

static struct network_cidr cidr_of(const char *text)
{
    struct network_cidr cidr = { 0 };
    cr_assert(network_cidr_parse(text, &cidr), "%s", text);
    return cidr;
}

static uint32_t address_of(const char *text)
{
    uint32_t address = 0;
    cr_assert(network_address_parse(text, &address), "%s", text);
    return address;
}

Test(cidr, exactly_one_text_for_each_range)
{
    static const char *const good[] = { "10.1.0.0/16",      "10.1.2.0/24", "192.168.1.8/29",
                                        "223.255.255.0/24", "1.0.0.0/16",  "172.16.128.0/17" };
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        char text[NETWORK_CIDR_TEXT];
        network_cidr_format(cidr_of(good[i]), text);
        cr_assert_str_eq(text, good[i]);
    }
}

Test(cidr, everything_else_is_refused_and_nothing_is_written)
{
    static const char *const bad[] = {
        "",
        "10.1.0.0",
        "10.1.0.0/",
        "10.1.0.0/15",
        "10.1.0.0/30",
        "10.1.0/24",
        "10.1.0.0.0/24",
        "10.1.0.1/24",
        "10.01.0.0/24",
        "10.1.0.0/024",
        "256.1.0.0/24",
        "10.1.0.0/24 ",
        " 10.1.0.0/24",
        "10.1.0.0/-4",
        "10.1.0.0/2x",
        "0.1.0.0/16",
        "127.0.0.0/24",
        "169.254.0.0/16",
        "224.0.0.0/24",
        "255.255.255.0/24",
        "10..0.0/24",
        "10.1.0.0/4294967320",
        "1000.1.0.0/24",
        "::/24",
        "10.1.0.0x24",
        "00.1.0.0/16",
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct network_cidr cidr = { 7, 7 };
        cr_assert_not(network_cidr_parse(bad[i], &cidr), "%s", bad[i]);
        cr_assert_eq(cidr.base, 7);
    }
}

Test(addresses, exactly_four_numbers_make_one)
{
    static const char *const bad[] = { "",         "1.2.3",    "1.2.3.4.5", "1.2.3.256",
                                       "1.2.3.4 ", "1.2.3.04", "1,2.3.4",   "a.b.c.d",
                                       "1.2.3.",   ".1.2.3",   "1.2.3.4/5" };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        uint32_t address = 7;
        cr_assert_not(network_address_parse(bad[i], &address), "%s", bad[i]);
        cr_assert_eq(address, 7);
    }
    char text[NETWORK_ADDRESS_TEXT];
    network_address_format(address_of("255.100.10.0"), text);
    cr_assert_str_eq(text, "255.100.10.0");
}

Test(nic, one_of_another_instance_or_place_is_refused)
{
    struct network_nic nic;
    network_nic_make(id_make(1, 42), 1, id_make(1, 7), address_of("10.1.0.11"), 24, &nic);
    cr_assert(network_nic_valid(&nic, id_make(1, 42), 1));
    cr_assert_not(network_nic_valid(&nic, id_make(1, 42), 0));
    cr_assert_not(network_nic_valid(&nic, id_make(1, 43), 1));
    cr_assert_not(network_nic_valid(&nic, 0, 1));
    cr_assert_not(network_nic_valid(&nic, id_make(1, 42), LIMIT_INSTANCE_NETWORKS));
    network_nic_make(id_make(1, 42), 0, id_make(1, 7), address_of("10.1.0.11"), 24, &nic);
    cr_assert(network_nic_valid(&nic, id_make(1, 42), 0));
    network_bridge_name(id_make(1, 42), nic.tap); /* Of ours, but no tap. */
    cr_assert_not(network_nic_valid(&nic, id_make(1, 42), 0));
    network_nic_make(id_make(1, 42), 1, id_make(1, 7), address_of("10.1.0.11"), 29, &nic);
    cr_assert(network_nic_valid(&nic, id_make(1, 42), 1));
    network_nic_make(id_make(1, 42), 1, id_make(1, 7), address_of("10.1.0.11"), 16, &nic);
    cr_assert(network_nic_valid(&nic, id_make(1, 42), 1));
    nic.prefix = 24;
    nic.address = address_of("127.0.0.5");
    cr_assert_not(network_nic_valid(&nic, id_make(1, 42), 1));
    nic.address = address_of("10.1.0.255");
    cr_assert_not(network_nic_valid(&nic, id_make(1, 42), 1));
}

Test(addresses, guests_get_all_but_the_network_the_first_and_the_last)
{
    struct network_cidr cidr = cidr_of("10.1.2.8/29");
    cr_assert_eq(network_address_count(cidr), 5);
    cr_assert_eq(network_address_at(cidr, 0), address_of("10.1.2.10"));
    cr_assert_eq(network_address_at(cidr, 4), address_of("10.1.2.14"));
    uint32_t index = 9;
    cr_assert_not(network_address_index(cidr, address_of("10.1.2.8"), &index));
    cr_assert_not(network_address_index(cidr, address_of("10.1.2.9"), &index));
    cr_assert_not(network_address_index(cidr, address_of("10.1.2.15"), &index));
    cr_assert_eq(index, 9);
    cr_assert(network_address_index(cidr, address_of("10.1.2.14"), &index));
    cr_assert_eq(index, 4);
    cr_assert_eq(network_address_count(cidr_of("10.1.0.0/16")), 65533);
}

Test(addresses, every_address_of_a_range_is_allocated_once)
{
    struct network_cidr cidr = cidr_of("10.1.0.0/16");
    uint32_t before = cidr.base + 1;
    for (uint32_t i = 0; i < network_address_count(cidr); i++) {
        uint32_t address = network_address_at(cidr, i);
        uint32_t index = UINT32_MAX;
        cr_assert_eq(address, before + 1);
        cr_assert(network_address_index(cidr, address, &index));
        cr_assert_eq(index, i);
        before = address;
    }
    cr_assert_eq(before, cidr.base + 65534);
}

Test(addresses, an_address_outside_the_range_crashes, .signal = SIGABRT)
{
    (void)network_address_at(cidr_of("10.1.2.8/29"), 5);
}

Test(names, every_name_leads_back_to_its_id)
{
    struct prng prng;
    prng_seed(&prng, 5);
    for (uint32_t i = 0; i < 20000; i++) {
        uint16_t cell = (uint16_t)(1 + prng_below(&prng, UINT16_MAX));
        uint64_t id = id_make(cell, 1 + prng_below(&prng, (UINT64_C(1) << 44) - 1));
        uint32_t nic = (uint32_t)prng_below(&prng, LIMIT_INSTANCE_NETWORKS);
        char name[NETWORK_NAME];
        uint64_t back = 0;
        uint32_t back_nic = 9;
        network_tap_name(id, nic, name);
        cr_assert_eq(network_name_parse(name, &back, &back_nic), NETWORK_NAME_TAP);
        cr_assert_eq(back, id);
        cr_assert_eq(back_nic, nic);
        network_bridge_name(id, name);
        cr_assert_eq(network_name_parse(name, &back, &back_nic), NETWORK_NAME_BRIDGE);
        cr_assert_eq(back, id);
        network_vxlan_name(id, name);
        cr_assert_eq(strlen(name), 15);
        cr_assert_eq(network_name_parse(name, &back, &back_nic), NETWORK_NAME_VXLAN);
        cr_assert_eq(back, id);
        uint8_t mac[NETWORK_MAC_SIZE];
        uint64_t sequence = 0;
        network_mac(id, nic, mac);
        cr_assert(network_mac_parse(mac, &sequence, &back_nic));
        cr_assert_eq(sequence, id_sequence(id)); /* So no two nics of a cell share one. */
        cr_assert_eq(back_nic, nic);
    }
}

Test(names, what_is_not_ours_is_foreign)
{
    static const char *const foreign[] = {
        "",
        "eth0",
        "br100",
        "virbr0",
        "ub",
        "ub0000000000000",
        "uz0040000000002",
        "ub004000000000i",
        "ubz00000000000a",
        "UB0040000000002",
        "ut0000000000001",
        "ub00000000000001",
        "ubzzzzzzzzzzzzz",
        "utzzzzzzzzzzzzz",
    };
    uint64_t id = 7;
    uint32_t nic = 7;
    for (size_t i = 0; i < COUNT_OF(foreign); i++) {
        cr_assert_eq(
            network_name_parse(foreign[i], &id, &nic), NETWORK_NAME_FOREIGN, "%s", foreign[i]);
        cr_assert_eq(id, 7);
    }
    char name[NETWORK_NAME];
    network_bridge_name(id_make(1, 42), name);
    name[0] = 'v';
    cr_assert_eq(network_name_parse(name, &id, &nic), NETWORK_NAME_FOREIGN);
    static const uint8_t strange[][NETWORK_MAC_SIZE] = { { 0x53, 0x54, 0, 0, 0, 9 },
                                                         { 0x50, 0x54, 0, 0, 0, 9 },
                                                         { 0x52, 0x54, 0, 0, 0, 1 } };
    for (size_t i = 0; i < COUNT_OF(strange); i++) {
        cr_assert_not(network_mac_parse(strange[i], &id, &nic));
    }
}

Test(names, macs_look_like_those_of_virtual_machines)
{
    uint8_t mac[NETWORK_MAC_SIZE];
    char text[NETWORK_MAC_TEXT];
    network_mac(id_make(1, 42), 1, mac);
    network_mac_format(mac, text);
    cr_assert_str_eq(text, "52:54:00:00:00:a9");
}

Test(names, ids_that_cannot_be_named_are_told)
{
    cr_assert(isolation_id_valid(id_make(1, (UINT64_C(1) << 44) - 1)));
    cr_assert_not(isolation_id_valid(id_make(1, UINT64_C(1) << 44)));
    cr_assert_not(isolation_id_valid(0));
    cr_assert_not(isolation_id_valid(5)); /* No cell. */
}

Test(names, naming_what_cannot_be_named_crashes, .signal = SIGABRT)
{
    char name[NETWORK_NAME];
    network_bridge_name(5, name);
}

Test(vni, attempts_differ_and_stay_in_range_even_when_sequences_wrap)
{
    uint64_t late = id_make(1, (UINT64_C(1) << 24) * 3 + 11); /* INV-NET-1 */
    uint32_t first = network_vni(late, 0);
    for (uint32_t attempt = 1; attempt <= LIMIT_NETWORKS; attempt++) {
        uint32_t vni = network_vni(late, attempt);
        cr_assert(network_vni_valid(vni));
        cr_assert_neq(vni, first);
    }
    cr_assert_eq(network_vni(id_make(1, 5), 0), 4101);
    cr_assert_eq(network_vni(id_make(1, 5), 1), 4102);
    cr_assert(network_vni_valid(4096));
    cr_assert(network_vni_valid((1U << 24) - 1));
    cr_assert_not(network_vni_valid(4095));
    cr_assert_not(network_vni_valid(1U << 24));
    uint64_t wrapped = id_make(1, 5 + NETWORK_VNI_END - NETWORK_VNI_FIRST);
    cr_assert_eq(network_vni(wrapped, 0), 4101); /* Hence the attempt: apply asks who has it. */
    cr_assert_neq(network_vni(wrapped, 1), 4101);
}

/* ---- The rules, as a frame meets them. ---- */
struct frame {
    const uint8_t *source;
    uint32_t ether_type;
    const uint8_t *arp_mac;
    uint32_t arp_hardware; /* 1: Ethernet. */
    uint32_t address;      /* Of the ARP sender or of the IPv4 source. */
    uint32_t udp_port;     /* Destination; 0: not UDP. */
};

static bool holds(const struct network_nic *nic, enum network_condition one, const struct frame *f)
{
    bool arp = f->ether_type == 0x0806;
    bool ipv4 = f->ether_type == 0x0800;
    switch (one) {
    case NETWORK_IF_MAC_FOREIGN: return memcmp(f->source, nic->mac, 6) != 0;
    case NETWORK_IF_ARP: return arp;
    case NETWORK_IF_ARP_IPV4: return arp && f->arp_hardware == 1;
    case NETWORK_IF_ARP_MAC: return arp && memcmp(f->arp_mac, nic->mac, 6) == 0;
    case NETWORK_IF_ARP_ADDRESS: return arp && f->address == nic->address;
    case NETWORK_IF_IPV4: return ipv4;
    case NETWORK_IF_SOURCE_ADDRESS: return ipv4 && f->address == nic->address;
    case NETWORK_IF_UDP_TO_DHCP: return ipv4 && (f->udp_port == 67 || f->udp_port == 68);
    }
    cr_assert_fail("a condition that the test does not know");
    return false;
}

static bool passes_with(
    const struct network_nic *nic,
    const struct network_rule *rules,
    uint32_t count,
    const struct frame *f)
{
    for (uint32_t i = 0; i < count; i++) {
        bool match = true;
        for (uint32_t bit = 0; bit < 32; bit++) {
            if ((rules[i].conditions >> bit & 1U) != 0) {
                match = match && holds(nic, (enum network_condition)(1U << bit), f);
            }
        }
        if (match) {
            return rules[i].verdict == NETWORK_ACCEPT;
        }
    }
    return true; /* A bridge lets through what no rule decides. */
}

Test(rules, a_guest_sends_as_itself_or_not_at_all)
{
    struct network_nic nic; /* INV-NET-2 */
    network_nic_make(id_make(1, 42), 0, id_make(1, 7), address_of("10.1.0.11"), 24, &nic);
    static const uint8_t other[NETWORK_MAC_SIZE] = { 0x52, 0x54, 0, 0, 0, 0x66 };
    const uint32_t mine = nic.address;
    const struct {
        const char *name;
        struct frame frame;
        bool passes;
    } cases[] = {
        { "own IPv4", { nic.mac, 0x0800, NULL, 0, mine, 80 }, true },
        { "own ARP", { nic.mac, 0x0806, nic.mac, 1, mine, 0 }, true },
        { "forged IP", { nic.mac, 0x0800, NULL, 0, mine + 1, 80 }, false },
        { "no IP yet", { nic.mac, 0x0800, NULL, 0, 0, 67 }, false },
        { "forged MAC", { other, 0x0800, NULL, 0, mine, 80 }, false },
        { "forged ARP address", { nic.mac, 0x0806, nic.mac, 1, mine + 66, 0 }, false },
        { "forged ARP MAC", { nic.mac, 0x0806, other, 1, mine, 0 }, false },
        { "strange ARP", { nic.mac, 0x0806, nic.mac, 6, mine, 0 }, false },
        { "own ARP, forged MAC", { other, 0x0806, nic.mac, 1, mine, 0 }, false },
        { "IPv6", { nic.mac, 0x86dd, NULL, 0, 0, 0 }, false },
        { "VLAN tag", { nic.mac, 0x8100, NULL, 0, mine, 0 }, false },
        { "spanning tree", { nic.mac, 0x0027, NULL, 0, 0, 0 }, false },
        { "DHCP request", { nic.mac, 0x0800, NULL, 0, mine, 67 }, false },
        { "DHCP offer", { nic.mac, 0x0800, NULL, 0, mine, 68 }, false },
    };
    struct network_rule rules[NETWORK_RULES_MAX];
    uint32_t count = network_rules(&nic, rules);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        cr_assert_eq(
            passes_with(&nic, rules, count, &cases[i].frame), cases[i].passes, "%s", cases[i].name);
        cr_assert(passes_with(&nic, rules, 0, &cases[i].frame)); /* The guard off: all pass. */
    }
    for (uint32_t without = 0; without < count; without++) { /* Each rule is needed by some case. */
        struct network_rule fewer[NETWORK_RULES_MAX];
        uint32_t kept = 0;
        for (uint32_t i = 0; i < count; i++) {
            if (i != without) {
                fewer[kept++] = rules[i];
            }
        }
        uint32_t wrong = 0;
        for (size_t i = 0; i < COUNT_OF(cases); i++) {
            wrong += passes_with(&nic, fewer, kept, &cases[i].frame) != cases[i].passes;
        }
        cr_assert_gt(wrong, 0, "%s", rules[without].name);
    }
}

/* ---- Machines. ---- */
static struct domain sound_domain(void)
{
    struct domain domain = {
        .instance = id_make(1, 42),
        .tenant = id_make(1, 9),
        .type = DOMAIN_TCG,
        .vcpus = 1,
        .memory_bytes = UINT64_C(96) << 20,
        .kernel = "/var/lib/udatsu/images/ab12",
        .initrd = "/var/lib/udatsu/images/cd34",
        .serial_log = "/var/lib/udatsu/console/42.log",
        .nic_count = 2,
        .uid = DOMAIN_UID_BASE + 9,
        .gid = DOMAIN_UID_BASE + 9,
        .generation = 1,
        .epoch = 1,
    };
    id_format(ID_INSTANCE, domain.instance, domain.uuid);
    network_nic_make(
        domain.instance, 0, id_make(1, 7), address_of("10.1.0.2"), 24, &domain.nics[0]);
    network_nic_make(
        domain.instance, 1, id_make(1, 8), address_of("10.2.0.9"), 16, &domain.nics[1]);
    cr_assert(domain_cmdline(domain.nics, domain.nic_count, domain.cmdline));
    return domain;
}

Test(domain, a_sound_machine_is_accepted)
{
    struct domain domain = sound_domain();
    cr_assert_eq(domain_valid(&domain), DOMAIN_SOUND);
    cr_assert_str_eq(
        domain.cmdline,
        "console=ttyS0 panic=-1 quiet no_timer_check udatsu.nic0=52:54:00:00:00:a8,10.1.0.2/24"
        " udatsu.nic1=52:54:00:00:00:a9,10.2.0.9/16");
    memcpy(domain.kernel, "/az/AZ/09/a-b_c.d", 18);
    domain.nic_count = 0;
    cr_assert_eq(domain_valid(&domain), DOMAIN_SOUND);
}

#define REFUSES(fault, change)                                       \
    do {                                                             \
        struct domain domain = sound_domain();                       \
        change;                                                      \
        cr_assert_eq(domain_valid(&domain), (fault), "%s", #change); \
        cr_assert_gt(strlen(domain_fault_name(fault)), 1);           \
    } while (0)

Test(domain, the_bounds_themselves_are_sound)
{
    struct domain domain = sound_domain();
    domain.vcpus = LIMIT_VCPUS;
    domain.memory_bytes = LIMIT_MEMORY_BYTES_MIN;
    domain.cmdline[3] = '~';
    domain.nic_count = LIMIT_INSTANCE_NETWORKS;
    for (uint32_t i = 0; i < LIMIT_INSTANCE_NETWORKS; i++) {
        uint32_t address = address_of("10.1.0.2");
        network_nic_make(domain.instance, i, id_make(1, 20 + i), address, 24, &domain.nics[i]);
    }
    cr_assert_eq(domain_valid(&domain), DOMAIN_SOUND);
    domain.memory_bytes = LIMIT_MEMORY_BYTES_MAX;
    cr_assert_eq(domain_valid(&domain), DOMAIN_SOUND);
}

Test(domain, each_rule_refuses_what_it_is_there_for)
{
    REFUSES(DOMAIN_FAULT_ID, domain.instance = 0);
    REFUSES(DOMAIN_FAULT_ID, domain.tenant = id_make(2, 9)); /* Another cell's. */
    REFUSES(DOMAIN_FAULT_UUID, domain.uuid[0] = 'f');
    REFUSES(DOMAIN_FAULT_TYPE, domain.type = (enum domain_type)0);
    REFUSES(DOMAIN_FAULT_VCPUS, domain.vcpus = 0);
    REFUSES(DOMAIN_FAULT_VCPUS, domain.vcpus = LIMIT_VCPUS + 1);
    REFUSES(DOMAIN_FAULT_MEMORY, domain.memory_bytes = LIMIT_MEMORY_BYTES_MIN - 1);
    REFUSES(DOMAIN_FAULT_MEMORY, domain.memory_bytes += 1);
    REFUSES(DOMAIN_FAULT_MEMORY, domain.memory_bytes = LIMIT_MEMORY_BYTES_MAX * 2);
    REFUSES(DOMAIN_FAULT_CMDLINE, domain.cmdline[0] = '\0');
    REFUSES(DOMAIN_FAULT_CMDLINE, domain.cmdline[3] = '\n');
    REFUSES(DOMAIN_FAULT_CMDLINE, domain.cmdline[3] = '<');
    REFUSES(DOMAIN_FAULT_CMDLINE, memset(domain.cmdline, 'a', sizeof domain.cmdline));
    REFUSES(DOMAIN_FAULT_NIC, domain.nic_count = LIMIT_INSTANCE_NETWORKS + 1);
    REFUSES(DOMAIN_FAULT_NIC, domain.nics[1] = domain.nics[0]);
    REFUSES(DOMAIN_FAULT_NIC, domain.nics[0].mac[5]++);
    REFUSES(DOMAIN_FAULT_NIC, domain.nics[0].address = address_of("10.1.0.1"));
    REFUSES(DOMAIN_FAULT_NIC, domain.nics[0].prefix = 30);
    REFUSES(DOMAIN_FAULT_NIC, memcpy(domain.nics[0].tap, "eth0", 5));
    REFUSES(DOMAIN_FAULT_NIC, memcpy(domain.nics[0].bridge, "br0", 4));
    REFUSES(DOMAIN_FAULT_NIC, memset(domain.nics[0].tap, 'u', sizeof domain.nics[0].tap));
    REFUSES(DOMAIN_FAULT_NIC, network_bridge_name(id_make(1, 7), domain.nics[1].bridge));
    REFUSES(DOMAIN_FAULT_GENERATION, domain.generation = 0);
    REFUSES(DOMAIN_FAULT_GENERATION, domain.epoch = 0);
}

Test(domain, paths_that_leave_their_directory_are_refused)
{
    static const char *const bad[] = { "",       "images/x", "/",     "/a/",  "/a//b", "/a/../b",
                                       "/a/./b", "/a b",     "/a\"b", "/a&b", "/.x" };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        REFUSES(DOMAIN_FAULT_PATH, memcpy(domain.kernel, bad[i], strlen(bad[i]) + 1));
        REFUSES(DOMAIN_FAULT_PATH, memcpy(domain.initrd, bad[i], strlen(bad[i]) + 1));
        REFUSES(DOMAIN_FAULT_PATH, memcpy(domain.serial_log, bad[i], strlen(bad[i]) + 1));
    }
    REFUSES(DOMAIN_FAULT_PATH, memset(domain.kernel, 'a', sizeof domain.kernel));
}

Test(domain, a_guest_never_runs_as_root_or_as_another_tenants_user)
{
    REFUSES(DOMAIN_FAULT_OWNER, domain.uid = 0); /* INV-SEC-2 */
    REFUSES(DOMAIN_FAULT_OWNER, domain.gid = 0);
    REFUSES(DOMAIN_FAULT_OWNER, domain.uid = DOMAIN_UID_BASE + 10);
    uint32_t uid = 7;
    cr_assert_not(domain_owner(id_make(1, UINT64_C(1) << 30), &uid));
    cr_assert_not(domain_owner(id_make(1, (UINT64_C(1) << 30) - DOMAIN_UID_BASE), &uid));
    cr_assert_not(domain_owner(0, &uid));
    cr_assert_eq(uid, 7);
    cr_assert(domain_owner(id_make(1, 1), &uid));
    cr_assert_eq(uid, 200001);
    REFUSES(DOMAIN_FAULT_OWNER, domain.tenant = id_make(1, UINT64_C(1) << 31));
}
