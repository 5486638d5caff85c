/* Decides how a typed rule looks to nft. Every word in it is ours: names derived from ids, numbers,
 * addresses. Never contains a text from anyone, so nothing needs escaping. */
#include "node-agent/host_rules.h"

#include "base/check.h"
#include "node-agent/host_text.h"

#include <string.h>

#define TABLE    "\"family\":\"bridge\",\"table\":\"udatsu\""
#define IP_TABLE "\"family\":\"ip\",\"table\":\"udatsu\""

/* Before Debian's own bridge chains, and before the bridge learns a forged MAC. */
enum { PRIORITY = -300 };

static void add_base_chain(struct host_text *json, const char *name, const char *hook)
{
    CHECK(name != NULL);
    CHECK(hook != NULL);
    host_text_add(
        json,
        ",{\"add\":{\"chain\":{" TABLE ",\"name\":\"%s\",\"type\":\"filter\",\"hook\":\"%s\","
        "\"prio\":%d,\"policy\":\"accept\"}}},{\"flush\":{\"chain\":{" TABLE ",\"name\":\"%s\"}}}",
        name,
        hook,
        PRIORITY,
        name);
}

static void add_drop(struct host_text *json, const char *chain, const char *key, const char *wild)
{
    CHECK(chain != NULL);
    CHECK(wild[strlen(wild) - 1] == '*');
    host_text_add(
        json,
        ",{\"add\":{\"rule\":{" TABLE ",\"chain\":\"%s\",\"expr\":[{\"match\":{\"op\":\"==\","
        "\"left\":{\"meta\":{\"key\":\"%s\"}},\"right\":\"%s\"}},{\"counter\":null},"
        "{\"drop\":null}]}}}",
        chain,
        key,
        wild);
}

/* The kernel takes a segment's frames on every address and interface that the machine has. They are
 * heard only where they belong: sent to the underlay's address, and on the interface that has it.
 * Whoever else reaches this machine would speak inside of the tenants' networks. INV-NET-13 */
static void add_underlay(struct host_text *json, uint32_t underlay)
{
    char address[NETWORK_ADDRESS_TEXT];
    static const char segments[] = "{\"match\":{\"op\":\"==\",\"left\":{\"payload\":{\"protocol\":"
                                   "\"udp\",\"field\":\"dport\"}},\"right\":4789}}";
    network_address_format(underlay, address);
    host_text_add(
        json,
        ",{\"add\":{\"table\":{\"family\":\"ip\",\"name\":\"udatsu\"}}},"
        "{\"add\":{\"chain\":{" IP_TABLE ",\"name\":\"segments\",\"type\":\"filter\","
        "\"hook\":\"input\",\"prio\":%d,\"policy\":\"accept\"}}},"
        "{\"flush\":{\"chain\":{" IP_TABLE ",\"name\":\"segments\"}}}",
        PRIORITY);
    host_text_add(
        json,
        ",{\"add\":{\"rule\":{" IP_TABLE ",\"chain\":\"segments\",\"expr\":[%s,{\"match\":{\"op\":"
        "\"!=\",\"left\":{\"payload\":{\"protocol\":\"ip\",\"field\":\"daddr\"}},\"right\":\"%s\"}}"
        ","
        "{\"counter\":null},{\"drop\":null}]}}}",
        segments,
        address);
    host_text_add(
        json,
        ",{\"add\":{\"rule\":{" IP_TABLE ",\"chain\":\"segments\",\"expr\":[%s,{\"match\":{\"op\":"
        "\"!=\",\"left\":{\"fib\":{\"result\":\"type\",\"flags\":[\"daddr\",\"iif\"]}},"
        "\"right\":\"local\"}},{\"counter\":null},{\"drop\":null}]}}}",
        segments);
}

/* Ports are named, not bridges: not every kernel has nft's bridge expressions. */
bool host_rules_base(uint32_t underlay, char *room, size_t size)
{
    struct host_text json;
    CHECK(underlay != 0);
    host_text_start(&json, room, size);
    host_text_add(
        &json,
        "{\"nftables\":[{\"add\":{\"table\":{\"family\":\"bridge\",\"name\":\"udatsu\"}}},"
        "{\"add\":{\"map\":{" TABLE
        ",\"name\":\"taps\",\"type\":\"ifname\",\"map\":\"verdict\"}}}");
    add_base_chain(&json, "from-taps", "prerouting");
    host_text_add(
        &json,
        ",{\"add\":{\"rule\":{" TABLE ",\"chain\":\"from-taps\",\"expr\":[{\"vmap\":{\"key\":"
        "{\"meta\":{\"key\":\"iifname\"}},\"data\":\"@taps\"}}]}}}");
    add_drop(&json, "from-taps", "iifname", "ut*");
    add_base_chain(&json, "to-machine", "input");
    add_drop(&json, "to-machine", "iifname", "ut*");
    add_drop(&json, "to-machine", "iifname", "ux*");
    add_base_chain(&json, "from-machine", "output");
    add_drop(&json, "from-machine", "oifname", "ut*");
    add_drop(&json, "from-machine", "oifname", "ux*");
    add_underlay(&json, underlay);
    host_text_add(&json, "]}\n");
    CHECK(json.full || json.used > 0);
    return !json.full;
}

static void add_match(
    struct host_text *json, const char *op, const char *protocol, const char *field, const char *to)
{
    CHECK(protocol != NULL);
    host_text_add(
        json,
        "{\"match\":{\"op\":\"%s\",\"left\":{\"payload\":{\"protocol\":\"%s\",\"field\":\"%s\"}},"
        "\"right\":%s}},",
        op,
        protocol,
        field,
        to);
    CHECK(json->size > 0);
}

static void add_conditions(
    struct host_text *json, const struct network_nic *nic, uint32_t conditions)
{
    char mac[NETWORK_MAC_TEXT];
    char address[NETWORK_ADDRESS_TEXT];
    char quoted[NETWORK_MAC_TEXT + 2 + 8];
    network_mac_format(nic->mac, mac);
    network_address_format(nic->address, address);
    struct host_text mac_text;
    host_text_start(&mac_text, quoted, sizeof(quoted));
    host_text_add(&mac_text, "\"%s\"", mac);
    char quoted_address[NETWORK_ADDRESS_TEXT + 2 + 8];
    struct host_text address_text;
    host_text_start(&address_text, quoted_address, sizeof(quoted_address));
    host_text_add(&address_text, "\"%s\"", address);
    CHECK(!mac_text.full);
    CHECK(!address_text.full);
    if ((conditions & NETWORK_IF_MAC_FOREIGN) != 0) {
        add_match(json, "!=", "ether", "saddr", quoted);
    }
    if ((conditions & NETWORK_IF_ARP) != 0) {
        add_match(json, "==", "ether", "type", "\"arp\"");
    }
    if ((conditions & NETWORK_IF_ARP_IPV4) != 0) {
        add_match(json, "==", "arp", "htype", "1");
        add_match(json, "==", "arp", "ptype", "\"ip\"");
        add_match(json, "==", "arp", "hlen", "6");
        add_match(json, "==", "arp", "plen", "4");
    }
    if ((conditions & NETWORK_IF_ARP_MAC) != 0) {
        add_match(json, "==", "arp", "saddr ether", quoted);
    }
    if ((conditions & NETWORK_IF_ARP_ADDRESS) != 0) {
        add_match(json, "==", "arp", "saddr ip", quoted_address);
    }
    if ((conditions & NETWORK_IF_IPV4) != 0) {
        add_match(json, "==", "ether", "type", "\"ip\"");
    }
    if ((conditions & NETWORK_IF_SOURCE_ADDRESS) != 0) {
        add_match(json, "==", "ip", "saddr", quoted_address);
    }
    if ((conditions & NETWORK_IF_UDP_TO_DHCP) != 0) {
        add_match(json, "==", "udp", "dport", "{\"set\":[67,68]}");
    }
}

bool host_rules_tap(const struct network_nic *nic, char *room, size_t size)
{
    uint64_t id = 0;
    uint32_t index = 0;
    CHECK(network_name_parse(nic->tap, &id, &index) == NETWORK_NAME_TAP);
    struct network_rule rules[NETWORK_RULES_MAX];
    uint32_t count = network_rules(nic, rules);
    CHECK(count > 0);
    CHECK(rules[count - 1].verdict == NETWORK_DROP);
    struct host_text json;
    host_text_start(&json, room, size);
    host_text_add(
        &json,
        "{\"nftables\":[{\"add\":{\"chain\":{" TABLE ",\"name\":\"%s\"}}},"
        "{\"flush\":{\"chain\":{" TABLE ",\"name\":\"%s\"}}}",
        nic->tap,
        nic->tap);
    for (uint32_t i = 0; i < count; i++) {
        host_text_add(
            &json,
            ",{\"add\":{\"rule\":{" TABLE ",\"chain\":\"%s\",\"comment\":\"%s\",\"expr\":[",
            nic->tap,
            rules[i].name);
        add_conditions(&json, nic, rules[i].conditions);
        host_text_add(
            &json,
            "{\"counter\":null},{\"%s\":null}]}}}",
            rules[i].verdict == NETWORK_ACCEPT ? "accept" : "drop");
    }
    host_text_add(
        &json,
        ",{\"add\":{\"element\":{" TABLE ",\"name\":\"taps\",\"elem\":[[\"%s\",{\"jump\":"
        "{\"target\":\"%s\"}}]]}}}]}\n",
        nic->tap,
        nic->tap);
    return !json.full;
}

bool host_rules_drop(const char *tap, char *room, size_t size)
{
    uint64_t id = 0;
    uint32_t index = 0;
    CHECK(network_name_parse(tap, &id, &index) == NETWORK_NAME_TAP);
    struct host_text json;
    host_text_start(&json, room, size);
    host_text_add(
        &json,
        "{\"nftables\":[{\"delete\":{\"element\":{" TABLE ",\"name\":\"taps\",\"elem\":[[\"%s\","
        "{\"jump\":{\"target\":\"%s\"}}]]}}},{\"flush\":{\"chain\":{" TABLE
        ",\"name\":\"%s\"}}},{\"delete\":{\"chain\":{" TABLE ",\"name\":\"%s\"}}}]}\n",
        tap,
        tap,
        tap,
        tap);
    CHECK(json.full || json.used > 0);
    return !json.full;
}

bool host_rules_match(const struct network_nic *nic, const char *listing)
{
    static const char rule_word[] = "{\"rule\": {";
    static const char comment_word[] = "\"comment\": \"";
    CHECK(listing != NULL);
    struct network_rule rules[NETWORK_RULES_MAX];
    uint32_t count = network_rules(nic, rules);
    CHECK(count <= NETWORK_RULES_MAX);
    const char *at = strstr(listing, rule_word);
    for (uint32_t i = 0; i < count; i++) {
        if (at == NULL) {
            return false;
        }
        const char *next = strstr(at + 1, rule_word);
        const char *comment = strstr(at, comment_word);
        const char *handle = strstr(at, "\"handle\": ");
        bool inside = comment != NULL && handle != NULL &&
                      (next == NULL || (comment < next && handle < next));
        if (!inside) {
            return false;
        }
        comment += sizeof(comment_word) - 1;
        size_t length = strlen(rules[i].name);
        if (strncmp(comment, rules[i].name, length) != 0 || comment[length] != '"') {
            return false;
        }
        at = next;
    }
    return at == NULL; /* And no rule more. */
}

const char *host_rules_next_tap(const char *at, char tap_out[static NETWORK_NAME])
{
    static const char name_word[] = "\"name\": \"";
    CHECK(at != NULL);
    for (at = strstr(at, name_word); at != NULL; at = strstr(at, name_word)) {
        at += sizeof(name_word) - 1;
        size_t length = strcspn(at, "\"");
        char name[NETWORK_NAME] = { 0 };
        if (length == 0 || length >= sizeof(name)) {
            continue;
        }
        memcpy(name, at, length);
        uint64_t id = 0;
        uint32_t nic = 0;
        if (network_name_parse(name, &id, &nic) == NETWORK_NAME_TAP) {
            memcpy(tap_out, name, sizeof(name));
            return at + length;
        }
    }
    return NULL;
}
