/* Decides a network's range, the order of its addresses, and what a guest may send.
 * Never touches a kernel, never keeps who has which address: that is in the rows. */
#include "isolation/network.h"

#include "base/check.h"

#include <string.h>

enum { ADDRESS_BITS = 32, HOSTS_SKIPPED = 2 };

/* A decimal number up to `most`, without leading zeros; moves the cursor past it. */
static bool decimal_parse(const char **cursor, uint32_t most, uint32_t *value_out)
{
    const char *at = *cursor;
    uint32_t value = 0;
    uint32_t digits = 0;
    while (*at >= '0' && *at <= '9' && digits < 4) {
        value = value * 10U + (uint32_t)(*at - '0');
        at++;
        digits++;
    }
    bool padded = digits > 1 && **cursor == '0';
    if (digits == 0 || padded || value > most) {
        return false;
    }
    *cursor = at;
    *value_out = value;
    return true;
}

static bool dotted_parse(const char **cursor, uint32_t *address_out)
{
    uint32_t address = 0;
    for (uint32_t i = 0; i < 4; i++) {
        uint32_t octet = 0;
        if (i > 0) {
            if (**cursor != '.') {
                return false;
            }
            (*cursor)++;
        }
        if (!decimal_parse(cursor, 255, &octet)) {
            return false;
        }
        address = (address << 8) | octet;
    }
    *address_out = address;
    return true;
}

/* Appends a decimal number of at most three digits; returns the place after it. */
static char *decimal_format(char *at, uint32_t value)
{
    CHECK(value <= 999);
    if (value >= 100) {
        *at++ = (char)('0' + value / 100);
    }
    if (value >= 10) {
        *at++ = (char)('0' + value / 10 % 10);
    }
    *at++ = (char)('0' + value % 10);
    *at = '\0';
    return at;
}

static char *dotted_format(char *at, uint32_t address)
{
    for (uint32_t i = 0; i < 4; i++) {
        if (i > 0) {
            *at++ = '.';
        }
        at = decimal_format(at, (address >> (24 - 8 * i)) & 0xffU);
    }
    return at;
}

static uint32_t host_mask(uint32_t prefix)
{
    CHECK(prefix >= NETWORK_PREFIX_MIN);
    CHECK(prefix <= NETWORK_PREFIX_MAX);
    return UINT32_MAX >> prefix;
}

bool network_cidr_valid(struct network_cidr cidr)
{
    if (cidr.prefix < NETWORK_PREFIX_MIN || cidr.prefix > NETWORK_PREFIX_MAX) {
        return false;
    }
    if ((cidr.base & host_mask(cidr.prefix)) != 0) {
        return false;
    }
    uint32_t first = cidr.base >> 24; /* RFC 6890: this network, loopback, multicast, reserved. */
    bool link_local = cidr.base >> 16 == 0xa9feU;
    return first != 0 && first != 127 && first < 224 && !link_local;
}

bool network_cidr_parse(const char *text, struct network_cidr *cidr_out)
{
    CHECK(text != NULL);
    struct network_cidr cidr = { 0 };
    const char *cursor = text;
    if (!dotted_parse(&cursor, &cidr.base) || *cursor != '/') {
        return false;
    }
    cursor++;
    if (!decimal_parse(&cursor, ADDRESS_BITS, &cidr.prefix) || *cursor != '\0') {
        return false;
    }
    if (!network_cidr_valid(cidr)) {
        return false;
    }
    *cidr_out = cidr;
    return true;
}

void network_cidr_format(struct network_cidr cidr, char out[static NETWORK_CIDR_TEXT])
{
    CHECK(network_cidr_valid(cidr));
    char *at = dotted_format(out, cidr.base);
    *at++ = '/';
    at = decimal_format(at, cidr.prefix);
    CHECK(at < out + NETWORK_CIDR_TEXT);
}

bool network_address_parse(const char *text, uint32_t *address_out)
{
    CHECK(text != NULL);
    uint32_t address = 0;
    const char *cursor = text;
    if (!dotted_parse(&cursor, &address) || *cursor != '\0') {
        return false;
    }
    *address_out = address;
    return true;
}

void network_address_format(uint32_t address, char out[static NETWORK_ADDRESS_TEXT])
{
    const char *end = dotted_format(out, address);
    CHECK(end < out + NETWORK_ADDRESS_TEXT);
}

uint32_t network_address_count(struct network_cidr cidr)
{
    CHECK(network_cidr_valid(cidr));
    return host_mask(cidr.prefix) - HOSTS_SKIPPED; /* Without .0, .1 and the last. */
}

uint32_t network_address_at(struct network_cidr cidr, uint32_t index)
{
    CHECK(index < network_address_count(cidr));
    uint32_t address = cidr.base + HOSTS_SKIPPED + index;
    CHECK((address & ~host_mask(cidr.prefix)) == cidr.base);
    return address;
}

bool network_address_index(struct network_cidr cidr, uint32_t address, uint32_t *index_out)
{
    uint32_t count = network_address_count(cidr);
    uint32_t first = network_address_at(cidr, 0);
    if (address < first || address - first >= count) {
        return false;
    }
    *index_out = address - first;
    CHECK(network_address_at(cidr, *index_out) == address);
    return true;
}

void network_nic_make(
    uint64_t instance,
    uint32_t nic,
    uint64_t network,
    uint32_t address,
    uint32_t prefix,
    struct network_nic *nic_out)
{
    CHECK(prefix >= NETWORK_PREFIX_MIN);
    CHECK(prefix <= NETWORK_PREFIX_MAX);
    memset(nic_out, 0, sizeof *nic_out);
    network_mac(instance, nic, nic_out->mac);
    network_tap_name(instance, nic, nic_out->tap);
    network_bridge_name(network, nic_out->bridge);
    nic_out->address = address;
    nic_out->prefix = prefix;
}

bool network_nic_valid(const struct network_nic *nic, uint64_t instance, uint32_t index)
{
    uint64_t id = 0;
    uint32_t at = 0;
    uint8_t mac[NETWORK_MAC_SIZE];
    if (!isolation_id_valid(instance) || index >= LIMIT_INSTANCE_NETWORKS) {
        return false;
    }
    if (memchr(nic->tap, '\0', sizeof nic->tap) == NULL ||
        memchr(nic->bridge, '\0', sizeof nic->bridge) == NULL) {
        return false;
    }
    if (network_name_parse(nic->tap, &id, &at) != NETWORK_NAME_TAP || id != instance ||
        at != index) {
        return false;
    }
    if (network_name_parse(nic->bridge, &id, &at) != NETWORK_NAME_BRIDGE) {
        return false;
    }
    network_mac(instance, index, mac);
    if (memcmp(mac, nic->mac, sizeof mac) != 0) {
        return false;
    }
    if (nic->prefix < NETWORK_PREFIX_MIN || nic->prefix > NETWORK_PREFIX_MAX) {
        return false;
    }
    struct network_cidr cidr = { nic->address & ~host_mask(nic->prefix), nic->prefix };
    return network_cidr_valid(cidr) && network_address_index(cidr, nic->address, &at);
}

uint32_t network_rules(
    const struct network_nic *nic, struct network_rule out[static NETWORK_RULES_MAX])
{
    CHECK(nic->address != 0);
    CHECK((nic->mac[0] & 1U) == 0); /* Unicast. */
    static const struct network_rule rules[] = {
        { "foreign-mac", NETWORK_IF_MAC_FOREIGN, NETWORK_DROP },
        { "arp",
          NETWORK_IF_ARP | NETWORK_IF_ARP_IPV4 | NETWORK_IF_ARP_MAC | NETWORK_IF_ARP_ADDRESS,
          NETWORK_ACCEPT },
        { "dhcp", NETWORK_IF_IPV4 | NETWORK_IF_UDP_TO_DHCP, NETWORK_DROP },
        { "ipv4", NETWORK_IF_IPV4 | NETWORK_IF_SOURCE_ADDRESS, NETWORK_ACCEPT },
        { "rest", 0, NETWORK_DROP }, /* INV-NET-2 */
    };
    _Static_assert(COUNT_OF(rules) <= NETWORK_RULES_MAX, "the rules fit their room");
    memcpy(out, rules, sizeof rules);
    CHECK(out[COUNT_OF(rules) - 1].conditions == 0);
    CHECK(out[COUNT_OF(rules) - 1].verdict == NETWORK_DROP); /* INV-NET-2 */
    return COUNT_OF(rules);
}
