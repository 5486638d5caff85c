/* Decides the names and numbers that are derived from ids: MACs, VNIs, interface names, and which
 * of them are ours. Never asks the kernel what exists.
 *
 * An interface name has 15 characters: "u", a letter for its kind, and 13 digits of base 32, which
 * are 65 bits. A tap needs cell (16), sequence and nic index (2): so sequences of instances stay
 * below 2^44, which a cell that makes a million objects a second reaches after half a year and any
 * real one never; the same bound lets a MAC carry sequence and nic index in its 46 free bits. */
#include "base/check.h"
#include "isolation/network.h"

#include <string.h>

enum {
    SEQUENCE_BITS = 44,
    NIC_BITS = 2,
    NAME_DIGITS = 13,
    DIGIT_BITS = 5,
};
_Static_assert(LIMIT_INSTANCE_NETWORKS <= 1 << NIC_BITS, "a nic index fits its bits");
_Static_assert(16 + SEQUENCE_BITS + NIC_BITS <= NAME_DIGITS * DIGIT_BITS, "an id fits a name");
_Static_assert(2 + NAME_DIGITS + 1 == NETWORK_NAME, "a name fits IFNAMSIZ");
_Static_assert(LIMIT_NETWORKS < NETWORK_VNI_END - NETWORK_VNI_FIRST, "a VNI is always free");

/* Crockford's base 32 in lower case: no i, l, o, u. */
static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";

/* XORed in, so that a MAC begins with the well-known 52:54 of virtual machines. */
static const uint8_t mac_mask[2] = { 0x50, 0x54 };

bool isolation_id_valid(uint64_t id)
{
    uint64_t sequence = id_sequence(id);
    return id_cell(id) != 0 && sequence != 0 && sequence >> SEQUENCE_BITS == 0;
}

void network_mac(uint64_t instance, uint32_t nic, uint8_t out[static NETWORK_MAC_SIZE])
{
    CHECK(isolation_id_valid(instance));
    CHECK(nic < LIMIT_INSTANCE_NETWORKS);
    uint64_t bits = (id_sequence(instance) << NIC_BITS) | nic;
    /* Two low bits of the first octet: locally administered, unicast (IEEE 802 §8.2). */
    out[0] = (uint8_t)((((bits >> 40) << 2) | 2U) ^ mac_mask[0]);
    for (uint32_t i = 1; i < NETWORK_MAC_SIZE; i++) {
        out[i] = (uint8_t)(bits >> (40 - 8 * i));
    }
    out[1] = (uint8_t)(out[1] ^ mac_mask[1]);
    CHECK((out[0] & 3U) == 2U);
}

bool network_mac_parse(
    const uint8_t mac[static NETWORK_MAC_SIZE], uint64_t *sequence_out, uint32_t *nic_out)
{
    if ((mac[0] & 3U) != 2U) {
        return false;
    }
    uint64_t bits = (uint64_t)((uint8_t)(mac[0] ^ mac_mask[0]) >> 2) << 40;
    bits |= (uint64_t)(uint8_t)(mac[1] ^ mac_mask[1]) << 32;
    for (uint32_t i = 2; i < NETWORK_MAC_SIZE; i++) {
        bits |= (uint64_t)mac[i] << (40 - 8 * i);
    }
    if (bits >> NIC_BITS == 0) {
        return false;
    }
    *sequence_out = bits >> NIC_BITS;
    *nic_out = (uint32_t)bits & ((1U << NIC_BITS) - 1U);
    CHECK(*sequence_out >> SEQUENCE_BITS == 0);
    return true;
}

void network_mac_format(
    const uint8_t mac[static NETWORK_MAC_SIZE], char out[static NETWORK_MAC_TEXT])
{
    static const char hex[] = "0123456789abcdef";
    for (uint32_t i = 0; i < NETWORK_MAC_SIZE; i++) {
        out[3 * i] = hex[mac[i] >> 4];
        out[3 * i + 1] = hex[mac[i] & 0xfU];
        out[3 * i + 2] = i + 1 < NETWORK_MAC_SIZE ? ':' : '\0';
    }
    CHECK(strlen(out) == NETWORK_MAC_TEXT - 1);
}

uint32_t network_vni(uint64_t network, uint32_t attempt)
{
    CHECK(isolation_id_valid(network));
    CHECK(attempt <= LIMIT_NETWORKS);
    uint64_t room = NETWORK_VNI_END - NETWORK_VNI_FIRST;
    uint32_t vni = (uint32_t)(NETWORK_VNI_FIRST + (id_sequence(network) + attempt) % room);
    CHECK(network_vni_valid(vni));
    return vni;
}

bool network_vni_valid(uint32_t vni)
{
    return vni >= NETWORK_VNI_FIRST && vni < NETWORK_VNI_END;
}

static void name_make(char kind, uint64_t bits, char out[static NETWORK_NAME])
{
    out[0] = 'u';
    out[1] = kind;
    for (uint32_t i = 0; i < NAME_DIGITS; i++) {
        out[NETWORK_NAME - 2 - i] = digits[bits & 31U];
        bits >>= DIGIT_BITS;
    }
    CHECK(bits == 0);
    out[NETWORK_NAME - 1] = '\0';
}

void network_bridge_name(uint64_t network, char out[static NETWORK_NAME])
{
    CHECK(isolation_id_valid(network));
    name_make('b', network, out);
}

void network_vxlan_name(uint64_t network, char out[static NETWORK_NAME])
{
    CHECK(isolation_id_valid(network));
    name_make('x', network, out);
}

void network_tap_name(uint64_t instance, uint32_t nic, char out[static NETWORK_NAME])
{
    CHECK(isolation_id_valid(instance));
    CHECK(nic < LIMIT_INSTANCE_NETWORKS);
    uint64_t bits = ((uint64_t)id_cell(instance) << SEQUENCE_BITS) | id_sequence(instance);
    name_make('t', (bits << NIC_BITS) | nic, out);
}

/* 13 digits of base 32 that fit 64 bits. */
static bool name_bits(const char *text, uint64_t *bits_out)
{
    uint64_t bits = 0;
    for (uint32_t i = 0; i < NAME_DIGITS; i++) {
        const char *found = text[i] == '\0' ? NULL : strchr(digits, text[i]);
        if (found == NULL || bits >> (64 - DIGIT_BITS) != 0) {
            return false;
        }
        bits = (bits << DIGIT_BITS) | (uint64_t)(found - digits);
    }
    *bits_out = bits;
    return true;
}

static uint64_t tap_id(uint64_t bits)
{
    uint64_t cell = bits >> (SEQUENCE_BITS + NIC_BITS);
    uint64_t sequence = (bits >> NIC_BITS) & ((UINT64_C(1) << SEQUENCE_BITS) - 1);
    if (cell == 0 || cell > UINT16_MAX || sequence == 0) {
        return 0;
    }
    return id_make((uint16_t)cell, sequence);
}

enum network_name_kind network_name_parse(const char *name, uint64_t *id_out, uint32_t *nic_out)
{
    CHECK(name != NULL);
    uint64_t bits = 0;
    if (strlen(name) != NETWORK_NAME - 1 || name[0] != 'u' || !name_bits(name + 2, &bits)) {
        return NETWORK_NAME_FOREIGN;
    }
    enum network_name_kind kind = NETWORK_NAME_FOREIGN;
    uint64_t id = bits;
    uint32_t nic = 0;
    if (name[1] == 'b') {
        kind = NETWORK_NAME_BRIDGE;
    } else if (name[1] == 'x') {
        kind = NETWORK_NAME_VXLAN;
    } else if (name[1] == 't') {
        kind = NETWORK_NAME_TAP;
        id = tap_id(bits);
        nic = (uint32_t)bits & ((1U << NIC_BITS) - 1U);
    }
    if (kind == NETWORK_NAME_FOREIGN || !isolation_id_valid(id)) {
        return NETWORK_NAME_FOREIGN;
    }
    *id_out = id;
    *nic_out = nic;
    return kind;
}
