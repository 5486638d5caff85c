/* A tenant's network as data: its range, the order of its addresses, and the names, numbers and
 * rules that keep one tenant's frames from every other's. Nothing here touches a kernel; the node's
 * host program turns it into netlink and nft in one place.
 *
 * Every name is made from an id and back, so that a node can tell what is ours from what is not,
 * without a list. Ids whose sequence is 2^44 or more cannot be named (17 million million objects):
 * isolation_id_valid is asked of every id that came from another process. */
#ifndef ISOLATION_NETWORK_H
#define ISOLATION_NETWORK_H

#include "base/id.h"
#include "base/limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    NETWORK_PREFIX_MIN = 16, /* 65,533 guests: more is several networks. */
    NETWORK_PREFIX_MAX = 29, /* 5 guests. */
    NETWORK_CIDR_TEXT = 19,  /* "255.255.255.255/32" and the terminator. */
    NETWORK_ADDRESS_TEXT = 16,
    NETWORK_MAC_SIZE = 6,
    NETWORK_MAC_TEXT = 18,
    NETWORK_NAME = 16,        /* IFNAMSIZ: 15 characters and the terminator. */
    NETWORK_VNI_FIRST = 4096, /* Below: kept for the provider. */
    NETWORK_VNI_END = 1 << 24,
    NETWORK_MTU = 1500, /* Of the tenant; the underlay carries 50 bytes more. */
    NETWORK_RULES_MAX = 8,
};

bool isolation_id_valid(uint64_t id);

/* ---- Range and addresses; IPv4 in host order. ---- */
struct network_cidr {
    uint32_t base;
    uint32_t prefix;
};
/* Exactly "a.b.c.d/p": no leading zeros, no host bits, /16 … /29, unicast outside 0/8, 127/8 and
 * 169.254/16. False, and nothing is written, otherwise. */
bool network_cidr_parse(const char *text, struct network_cidr *cidr_out);
bool network_cidr_valid(struct network_cidr cidr);
void network_cidr_format(struct network_cidr cidr, char out[static NETWORK_CIDR_TEXT]);
bool network_address_parse(const char *text, uint32_t *address_out);
void network_address_format(uint32_t address, char out[static NETWORK_ADDRESS_TEXT]);

/* Addresses for guests: all but the network, the first (a later gateway's) and the broadcast. */
uint32_t network_address_count(struct network_cidr cidr);
/* The index-th address in the order of allocation: .2, .3, … */
uint32_t network_address_at(struct network_cidr cidr, uint32_t index);
/* False: not a guest's address in this range. */
bool network_address_index(struct network_cidr cidr, uint32_t address, uint32_t *index_out);

/* ---- Names and numbers derived from ids. ---- */

/* 52:54:… locally administered, unicast, unique within the cell for every instance and nic ever;
 * two cells may use the same, and no segment spans cells. */
void network_mac(uint64_t instance, uint32_t nic, uint8_t out[static NETWORK_MAC_SIZE]);
/* The other way; false for a MAC that we would not have made. */
bool network_mac_parse(
    const uint8_t mac[static NETWORK_MAC_SIZE], uint64_t *sequence_out, uint32_t *nic_out);
void network_mac_format(
    const uint8_t mac[static NETWORK_MAC_SIZE], char out[static NETWORK_MAC_TEXT]);

/* The VNI to try at this attempt. Sequences outlive the 24 bits, so a VNI is *kept in the network's
 * row* and apply takes the first attempt that no live network has; the first LIMIT_NETWORKS + 1
 * attempts all differ, so one of them is free. INV-NET-1: no two live networks share a VNI. */
uint32_t network_vni(uint64_t network, uint32_t attempt);
bool network_vni_valid(uint32_t vni);

/* Interface names: "ub…" bridge, "ux…" VXLAN end, "ut…" tap; then the id in base 32. */
void network_bridge_name(uint64_t network, char out[static NETWORK_NAME]);
void network_vxlan_name(uint64_t network, char out[static NETWORK_NAME]);
void network_tap_name(uint64_t instance, uint32_t nic, char out[static NETWORK_NAME]);

enum network_name_kind {
    NETWORK_NAME_FOREIGN = 0, /* Not ours: never touch it. */
    NETWORK_NAME_BRIDGE = 1,
    NETWORK_NAME_VXLAN = 2,
    NETWORK_NAME_TAP = 3,
};
/* What an interface is, by name alone. nic_out is 0 unless it is a tap. Nothing is written for a
 * foreign one. */
enum network_name_kind network_name_parse(const char *name, uint64_t *id_out, uint32_t *nic_out);

/* ---- What a guest may send. ---- */
struct network_nic {
    uint8_t mac[NETWORK_MAC_SIZE];
    uint32_t address;
    uint32_t prefix;
    char tap[NETWORK_NAME];
    char bridge[NETWORK_NAME];
};
/* Fills a nic of an instance. All ids valid, nic < LIMIT_INSTANCE_NETWORKS. */
void network_nic_make(
    uint64_t instance,
    uint32_t nic,
    uint64_t network,
    uint32_t address,
    uint32_t prefix,
    struct network_nic *nic_out);
/* The nic is what network_nic_make makes for this instance and nic index, and the address is a
 * guest's in its range. */
bool network_nic_valid(const struct network_nic *nic, uint64_t instance, uint32_t index);

/* One rule matches when all of its conditions hold; the first rule that matches decides. */
enum network_condition {
    NETWORK_IF_MAC_FOREIGN = 1 << 0,    /* ether saddr is not `mac`. */
    NETWORK_IF_ARP = 1 << 1,            /* ether type arp. */
    NETWORK_IF_ARP_IPV4 = 1 << 2,       /* arp htype 1, ptype ip, hlen 6, plen 4. */
    NETWORK_IF_ARP_MAC = 1 << 3,        /* arp saddr ether is `mac`. */
    NETWORK_IF_ARP_ADDRESS = 1 << 4,    /* arp saddr ip is `address`. */
    NETWORK_IF_IPV4 = 1 << 5,           /* ether type ip. */
    NETWORK_IF_SOURCE_ADDRESS = 1 << 6, /* ip saddr is `address`. */
    NETWORK_IF_UDP_TO_DHCP = 1 << 7,    /* udp dport 67 or 68. */
};
enum network_verdict { NETWORK_ACCEPT = 1, NETWORK_DROP = 2 };
struct network_rule {
    const char *name; /* Of its counter: "foreign-mac" … */
    uint32_t conditions;
    enum network_verdict verdict;
};
/* The rules for frames that come from this nic's tap, in order; the last one drops everything. IPv6
 * is not assigned to anybody yet, so it is dropped with the rest, as are VLAN tags, DHCP either way
 * and every other protocol (INV-NET-2). Installed before the tap exists. How many. */
uint32_t network_rules(
    const struct network_nic *nic, struct network_rule out[static NETWORK_RULES_MAX]);

#endif
