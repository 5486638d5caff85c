/* Decides how a segment looks to the kernel. The only file that speaks netlink. Never touches a
 * device whose name is not derived from a network's id.
 *
 * The happy path: bridge made → VXLAN end made in it → flood list compared and corrected → alias
 * with the generation written last, so that an interrupted ensure is seen as unfinished.
 * What can go wrong: a device that is there but different (made anew), the kernel refusing (the
 * caller tries again), a dump that was interrupted (FAILURE_BUSY). */
#include "node-agent/host_net.h"

#include "base/check.h"
#include "host/log.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <stdio.h>
#include <string.h>

enum {
    VXLAN_PORT = 4789, /* RFC 7348 §5. */
    ALIAS_SIZE = 96,
    PACE_BYTES =
        125000000, /* A second: a gigabit. The same for all: nobody has asked for another. */
    PACE_BURST = 512 * 1024,
    GEN_MODE_NONE = 1, /* IN6_ADDR_GEN_MODE_NONE: no link-local address. */
};

static RESULT net_open(struct nl_sock **socket_out)
{
    struct nl_sock *netlink = nl_socket_alloc();
    if (netlink == NULL) {
        return FAIL(FAILURE_NO_SPACE);
    }
    if (nl_connect(netlink, NETLINK_ROUTE) < 0) {
        nl_socket_free(netlink);
        return FAIL(FAILURE_DENIED);
    }
    CHECK(nl_socket_get_fd(netlink) >= 0);
    *socket_out = netlink;
    return OK;
}

/* Sends, waits for the kernel's answer, frees the message. */
static RESULT net_ask(struct nl_sock *netlink, struct nl_msg *message, bool complete)
{
    CHECK(message != NULL);
    if (!complete) {
        nlmsg_free(message);
        return FAIL(FAILURE_FULL);
    }
    int failed = nl_send_sync(netlink, message);
    if (failed >= 0) {
        return OK;
    }
    switch (-failed) {
    case NLE_EXIST: return FAIL(FAILURE_EXISTS);
    case NLE_NODEV:
    case NLE_OBJ_NOTFOUND: return FAIL(FAILURE_NOT_FOUND);
    case NLE_PERM: return FAIL(FAILURE_DENIED);
    case NLE_AF_NOSUPPORT: return FAIL(FAILURE_UNSUPPORTED);
    default:
        log_line(LOG_LEVEL_WARN, "netlink-refused", "said=%s", log_text(nl_geterror(failed)));
        return FAIL(FAILURE_IO);
    }
}

static struct nl_msg *link_message(int type, int flags, const char *name, uint32_t index, bool up)
{
    struct nl_msg *message = nlmsg_alloc_simple(type, flags);
    CHECK(message != NULL);
    struct ifinfomsg about = { .ifi_family = AF_UNSPEC, .ifi_index = (int)index };
    if (up) {
        about.ifi_flags = IFF_UP;
        about.ifi_change = IFF_UP;
    }
    CHECK(nlmsg_append(message, &about, sizeof(about), NLMSG_ALIGNTO) == 0);
    if (name != NULL && nla_put_string(message, IFLA_IFNAME, name) != 0) {
        nlmsg_free(message);
        return NULL;
    }
    return message;
}

/* No address makes itself on it; then it is switched on. In this order: a device that is up has its
 * link-local address at once. */
static RESULT quiet_and_up(struct nl_sock *netlink, uint32_t index)
{
    CHECK(index != 0);
    struct nl_msg *message = link_message(RTM_SETLINK, 0, NULL, index, false);
    CHECK(message != NULL);
    struct nlattr *families = nla_nest_start(message, IFLA_AF_SPEC);
    struct nlattr *inet6 = families == NULL ? NULL : nla_nest_start(message, AF_INET6);
    bool complete =
        inet6 != NULL && nla_put_u8(message, IFLA_INET6_ADDR_GEN_MODE, GEN_MODE_NONE) == 0;
    if (complete) {
        (void)nla_nest_end(message, inet6);
        (void)nla_nest_end(message, families);
    }
    struct result result = net_ask(netlink, message, complete);
    if (result.code != 0 && result.code != FAILURE_UNSUPPORTED) { /* A kernel without IPv6. */
        return result;
    }
    message = link_message(RTM_SETLINK, 0, NULL, index, true);
    CHECK(message != NULL);
    return net_ask(netlink, message, true);
}

static RESULT make_bridge(struct nl_sock *netlink, const char *name)
{
    CHECK(name[0] == 'u');
    struct nl_msg *message = link_message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, name, 0, false);
    CHECK(message != NULL);
    bool complete = nla_put_u32(message, IFLA_MTU, NETWORK_MTU) == 0;
    struct nlattr *info = nla_nest_start(message, IFLA_LINKINFO);
    complete = complete && info != NULL && nla_put_string(message, IFLA_INFO_KIND, "bridge") == 0;
    struct nlattr *data = complete ? nla_nest_start(message, IFLA_INFO_DATA) : NULL;
    complete = data != NULL && nla_put_u32(message, IFLA_BR_STP_STATE, 0) == 0 &&
               nla_put_u32(message, IFLA_BR_FORWARD_DELAY, 0) == 0 &&
               nla_put_u8(message, IFLA_BR_MCAST_SNOOPING, 0) == 0;
    if (complete) {
        (void)nla_nest_end(message, data);
        (void)nla_nest_end(message, info);
    }
    return net_ask(netlink, message, complete);
}

static RESULT make_vxlan(
    struct nl_sock *netlink, const char *name, const struct host_segment *segment, uint32_t bridge)
{
    CHECK(network_vni_valid(segment->vni));
    CHECK(bridge != 0);
    struct nl_msg *message = link_message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, name, 0, false);
    CHECK(message != NULL);
    bool complete = nla_put_u32(message, IFLA_MTU, NETWORK_MTU) == 0 &&
                    nla_put_u32(message, IFLA_MASTER, bridge) == 0;
    struct nlattr *info = nla_nest_start(message, IFLA_LINKINFO);
    complete = complete && info != NULL && nla_put_string(message, IFLA_INFO_KIND, "vxlan") == 0;
    struct nlattr *data = complete ? nla_nest_start(message, IFLA_INFO_DATA) : NULL;
    complete = data != NULL && nla_put_u32(message, IFLA_VXLAN_ID, segment->vni) == 0 &&
               nla_put_u32(message, IFLA_VXLAN_LOCAL, htonl(segment->underlay)) == 0 &&
               nla_put_u16(message, IFLA_VXLAN_PORT, htons(VXLAN_PORT)) == 0 &&
               nla_put_u8(message, IFLA_VXLAN_LEARNING, 0) == 0;
    if (complete) {
        (void)nla_nest_end(message, data);
        (void)nla_nest_end(message, info);
    }
    return net_ask(netlink, message, complete);
}

static RESULT delete_link(struct nl_sock *netlink, const char *name)
{
    uint64_t id = 0;
    uint32_t nic = 0;
    enum network_name_kind kind = network_name_parse(name, &id, &nic);
    CHECK(kind == NETWORK_NAME_BRIDGE || kind == NETWORK_NAME_VXLAN);
    struct nl_msg *message = link_message(RTM_DELLINK, 0, name, 0, false);
    CHECK(message != NULL);
    struct result result = net_ask(netlink, message, true);
    return result.code == FAILURE_NOT_FOUND ? OK : result;
}

/* ---- What is there. ---- */

struct link_seen {
    char name[IFNAMSIZ];
    char alias[ALIAS_SIZE];
    uint32_t index;
    uint32_t master;
    uint32_t vni;
    uint32_t underlay;
    bool learning;
};

struct dump {
    void (*on_message)(void *context, struct nlmsghdr *header);
    void *context;
};

static int dump_valid(struct nl_msg *message, void *context)
{
    struct dump *dump = context;
    CHECK(dump->on_message != NULL);
    dump->on_message(dump->context, nlmsg_hdr(message));
    return NL_OK;
}

static RESULT net_dump(struct nl_sock *netlink, struct nl_msg *message, struct dump *dump)
{
    CHECK(message != NULL);
    CHECK(nl_socket_modify_cb(netlink, NL_CB_VALID, NL_CB_CUSTOM, dump_valid, dump) == 0);
    int failed = nl_send_auto(netlink, message);
    nlmsg_free(message);
    if (failed >= 0) {
        failed = nl_recvmsgs_default(netlink);
    }
    (void)nl_socket_modify_cb(netlink, NL_CB_VALID, NL_CB_DEFAULT, NULL, NULL);
    if (failed == -NLE_DUMP_INTR) {
        return FAIL(FAILURE_BUSY);
    }
    return failed < 0 ? FAIL(FAILURE_IO) : OK;
}

static void read_vxlan(struct nlattr *info, struct link_seen *seen)
{
    struct nlattr *infos[IFLA_INFO_MAX + 1] = { NULL };
    struct nlattr *data[IFLA_VXLAN_MAX + 1] = { NULL };
    CHECK(info != NULL);
    if (nla_parse_nested(infos, IFLA_INFO_MAX, info, NULL) < 0 || infos[IFLA_INFO_KIND] == NULL ||
        infos[IFLA_INFO_DATA] == NULL ||
        strcmp(nla_get_string(infos[IFLA_INFO_KIND]), "vxlan") != 0 ||
        nla_parse_nested(data, IFLA_VXLAN_MAX, infos[IFLA_INFO_DATA], NULL) < 0) {
        return;
    }
    CHECK(seen->vni == 0);
    seen->vni = data[IFLA_VXLAN_ID] == NULL ? 0 : nla_get_u32(data[IFLA_VXLAN_ID]);
    seen->underlay =
        data[IFLA_VXLAN_LOCAL] == NULL ? 0 : ntohl(nla_get_u32(data[IFLA_VXLAN_LOCAL]));
    seen->learning =
        data[IFLA_VXLAN_LEARNING] == NULL || nla_get_u8(data[IFLA_VXLAN_LEARNING]) != 0;
}

static bool read_link(struct nlmsghdr *header, struct link_seen *seen_out)
{
    struct nlattr *attributes[IFLA_MAX + 1] = { NULL };
    const struct ifinfomsg *about = nlmsg_data(header);
    CHECK(about != NULL);
    if (header->nlmsg_type != RTM_NEWLINK ||
        nlmsg_parse(header, sizeof(*about), attributes, IFLA_MAX, NULL) < 0 ||
        attributes[IFLA_IFNAME] == NULL) {
        return false;
    }
    struct link_seen seen = { .index = (uint32_t)about->ifi_index };
    (void)nla_strlcpy(seen.name, attributes[IFLA_IFNAME], sizeof(seen.name));
    if (attributes[IFLA_IFALIAS] != NULL) {
        (void)nla_strlcpy(seen.alias, attributes[IFLA_IFALIAS], sizeof(seen.alias));
    }
    if (attributes[IFLA_MASTER] != NULL) {
        seen.master = nla_get_u32(attributes[IFLA_MASTER]);
    }
    if (attributes[IFLA_LINKINFO] != NULL) {
        read_vxlan(attributes[IFLA_LINKINFO], &seen);
    }
    CHECK(seen.index != 0);
    *seen_out = seen;
    return true;
}

/* By name; index 0: not there. */
struct finding {
    const char *name;
    struct link_seen seen;
};

static void find_one(void *context, struct nlmsghdr *header)
{
    struct finding *finding = context;
    struct link_seen seen;
    CHECK(finding->name != NULL);
    if (read_link(header, &seen) && strcmp(seen.name, finding->name) == 0) {
        finding->seen = seen;
    }
}

static RESULT find_link(struct nl_sock *netlink, const char *name, struct link_seen *seen_out)
{
    struct finding finding = { .name = name };
    struct dump dump = { find_one, &finding };
    struct nl_msg *message = link_message(RTM_GETLINK, NLM_F_DUMP, NULL, 0, false);
    CHECK(message != NULL);
    TRY(net_dump(netlink, message, &dump));
    *seen_out = finding.seen;
    CHECK(seen_out->index == 0 || strcmp(seen_out->name, name) == 0);
    return OK;
}

/* ---- The flood list. ---- */

struct flood {
    uint32_t index; /* Of the VXLAN end. */
    uint32_t count;
    uint32_t peers[LIMIT_SEGMENT_PEERS];
};

static void read_flood(void *context, struct nlmsghdr *header)
{
    struct flood *flood = context;
    static const uint8_t zero[NETWORK_MAC_SIZE];
    struct nlattr *attributes[NDA_MAX + 1] = { NULL };
    const struct ndmsg *about = nlmsg_data(header);
    CHECK(flood->index != 0);
    if (header->nlmsg_type != RTM_NEWNEIGH || about->ndm_ifindex != (int)flood->index ||
        nlmsg_parse(header, sizeof(*about), attributes, NDA_MAX, NULL) < 0 ||
        attributes[NDA_DST] == NULL || attributes[NDA_LLADDR] == NULL ||
        nla_len(attributes[NDA_DST]) != 4 || nla_len(attributes[NDA_LLADDR]) != NETWORK_MAC_SIZE ||
        memcmp(nla_data(attributes[NDA_LLADDR]), zero, sizeof(zero)) != 0) {
        return;
    }
    if (flood->count < LIMIT_SEGMENT_PEERS) {
        flood->peers[flood->count++] = ntohl(nla_get_u32(attributes[NDA_DST]));
    }
}

static RESULT change_flood(struct nl_sock *netlink, uint32_t index, uint32_t peer, bool add)
{
    static const uint8_t zero[NETWORK_MAC_SIZE];
    CHECK(index != 0);
    CHECK(peer != 0);
    struct nl_msg *message = nlmsg_alloc_simple(
        add ? RTM_NEWNEIGH : RTM_DELNEIGH, add ? NLM_F_CREATE | NLM_F_APPEND : 0);
    CHECK(message != NULL);
    struct ndmsg about = {
        .ndm_family = AF_BRIDGE,
        .ndm_ifindex = (int)index,
        .ndm_state = NUD_NOARP | NUD_PERMANENT,
        .ndm_flags = NTF_SELF,
    };
    bool complete = nlmsg_append(message, &about, sizeof(about), NLMSG_ALIGNTO) == 0 &&
                    nla_put(message, NDA_LLADDR, sizeof(zero), zero) == 0 &&
                    nla_put_u32(message, NDA_DST, htonl(peer)) == 0;
    return net_ask(netlink, message, complete);
}

static bool holds(const uint32_t *peers, uint32_t count, uint32_t peer)
{
    CHECK(count <= LIMIT_SEGMENT_PEERS);
    for (uint32_t i = 0; i < count; i++) {
        if (peers[i] == peer) {
            return true;
        }
    }
    return false;
}

static RESULT correct_flood(
    struct nl_sock *netlink, uint32_t index, const struct host_segment *segment)
{
    struct flood flood = { .index = index };
    struct dump dump = { read_flood, &flood };
    struct nl_msg *message = nlmsg_alloc_simple(RTM_GETNEIGH, NLM_F_DUMP);
    CHECK(message != NULL);
    struct ndmsg about = { .ndm_family = AF_BRIDGE };
    CHECK(nlmsg_append(message, &about, sizeof(about), NLMSG_ALIGNTO) == 0);
    TRY(net_dump(netlink, message, &dump));
    for (uint32_t i = 0; i < flood.count; i++) {
        if (!holds(segment->peers, segment->peers_count, flood.peers[i])) {
            TRY(change_flood(netlink, index, flood.peers[i], false));
        }
    }
    for (uint32_t i = 0; i < segment->peers_count; i++) {
        bool self = segment->peers[i] == segment->underlay;
        if (!self && !holds(flood.peers, flood.count, segment->peers[i])) {
            TRY(change_flood(netlink, index, segment->peers[i], true));
        }
    }
    return OK;
}

/* ---- Ensure and drop. ---- */

static RESULT write_alias(
    struct nl_sock *netlink, uint32_t bridge, const struct host_segment *segment)
{
    char alias[ALIAS_SIZE];
    int size = snprintf(
        alias,
        sizeof(alias),
        "udatsu vni=%" PRIu32 " generation=%" PRIu64,
        segment->vni,
        segment->generation);
    CHECK(size > 0);
    CHECK(size < ALIAS_SIZE);
    struct nl_msg *message = link_message(RTM_SETLINK, 0, NULL, bridge, false);
    CHECK(message != NULL);
    bool complete = nla_put_string(message, IFLA_IFALIAS, alias) == 0;
    return net_ask(netlink, message, complete);
}

static RESULT ensure(struct nl_sock *netlink, const struct host_segment *segment)
{
    char bridge_name[NETWORK_NAME];
    char vxlan_name[NETWORK_NAME];
    network_bridge_name(segment->network, bridge_name);
    network_vxlan_name(segment->network, vxlan_name);
    struct link_seen bridge;
    TRY(find_link(netlink, bridge_name, &bridge));
    if (bridge.index == 0) {
        TRY(make_bridge(netlink, bridge_name));
        TRY(find_link(netlink, bridge_name, &bridge));
    }
    struct link_seen vxlan;
    TRY(find_link(netlink, vxlan_name, &vxlan));
    bool right = vxlan.index != 0 && vxlan.vni == segment->vni &&
                 vxlan.underlay == segment->underlay && vxlan.master == bridge.index &&
                 !vxlan.learning;
    if (!right) {
        TRY(delete_link(netlink, vxlan_name));
        TRY(make_vxlan(netlink, vxlan_name, segment, bridge.index));
        TRY(find_link(netlink, vxlan_name, &vxlan));
    }
    if (bridge.index == 0 || vxlan.index == 0) {
        return FAIL(FAILURE_BUSY); /* Somebody removed what was just made. */
    }
    TRY(quiet_and_up(netlink, bridge.index));
    TRY(quiet_and_up(netlink, vxlan.index));
    TRY(correct_flood(netlink, vxlan.index, segment));
    return write_alias(netlink, bridge.index, segment);
}

RESULT host_net_ensure(const struct host_segment *segment)
{
    CHECK(isolation_id_valid(segment->network));
    CHECK(segment->peers_count <= LIMIT_SEGMENT_PEERS);
    struct nl_sock *netlink = NULL;
    TRY(net_open(&netlink));
    struct result result = ensure(netlink, segment);
    nl_socket_free(netlink);
    return result;
}

RESULT host_net_drop(uint64_t network)
{
    CHECK(isolation_id_valid(network));
    char name[NETWORK_NAME];
    struct nl_sock *netlink = NULL;
    TRY(net_open(&netlink));
    network_vxlan_name(network, name);
    struct result result = delete_link(netlink, name);
    network_bridge_name(network, name);
    struct result second = delete_link(netlink, name);
    nl_socket_free(netlink);
    return result.code != 0 ? result : second;
}

/* ---- Pace. ---- */

RESULT host_net_pace(const char *tap)
{
    static const struct tc_tbf_qopt pace = {
        .rate = { .linklayer = TC_LINKLAYER_ETHERNET, .rate = PACE_BYTES },
        .limit = PACE_BYTES / 20 + PACE_BURST, /* 50 ms of it, and the burst. */
    };
    uint64_t id = 0;
    uint32_t nic = 0;
    struct link_seen seen;
    struct nl_sock *netlink = NULL;
    CHECK(network_name_parse(tap, &id, &nic) == NETWORK_NAME_TAP);
    TRY(net_open(&netlink));
    struct result result = find_link(netlink, tap, &seen);
    if (result.code != 0 || seen.index == 0) {
        nl_socket_free(netlink);
        return result.code != 0 ? result : FAIL(FAILURE_NOT_FOUND);
    }
    struct nl_msg *message = nlmsg_alloc_simple(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE);
    CHECK(message != NULL);
    struct tcmsg about = { .tcm_ifindex = (int)seen.index, .tcm_parent = TC_H_ROOT };
    bool complete = nlmsg_append(message, &about, sizeof(about), NLMSG_ALIGNTO) == 0 &&
                    nla_put_string(message, TCA_KIND, "tbf") == 0;
    struct nlattr *options = complete ? nla_nest_start(message, TCA_OPTIONS) : NULL;
    complete = options != NULL && nla_put(message, TCA_TBF_PARMS, sizeof(pace), &pace) == 0 &&
               nla_put_u32(message, TCA_TBF_BURST, PACE_BURST) == 0;
    if (complete) {
        (void)nla_nest_end(message, options);
    }
    result = net_ask(netlink, message, complete);
    nl_socket_free(netlink);
    return result;
}

/* ---- List. ---- */

struct listing {
    struct host_segment *segments;
    uint32_t size;
    uint32_t count;
};

static void list_one(void *context, struct nlmsghdr *header)
{
    struct listing *listing = context;
    struct link_seen seen;
    uint64_t id = 0;
    uint32_t nic = 0;
    CHECK(listing->count <= listing->size);
    if (listing->count == listing->size || !read_link(header, &seen) ||
        network_name_parse(seen.name, &id, &nic) != NETWORK_NAME_BRIDGE) {
        return;
    }
    struct host_segment *segment = &listing->segments[listing->count++];
    *segment = (struct host_segment){ .network = id };
    if (sscanf(
            seen.alias,
            "udatsu vni=%" SCNu32 " generation=%" SCNu64,
            &segment->vni,
            &segment->generation) != 2) {
        segment->vni = 0;
        segment->generation = 0;
    }
}

RESULT host_net_list(struct host_segment *segments, uint32_t size, uint32_t *count_out)
{
    CHECK(segments != NULL);
    CHECK(count_out != NULL);
    struct listing listing = { segments, size, 0 };
    struct dump dump = { list_one, &listing };
    struct nl_sock *netlink = NULL;
    TRY(net_open(&netlink));
    struct nl_msg *message = link_message(RTM_GETLINK, NLM_F_DUMP, NULL, 0, false);
    CHECK(message != NULL);
    struct result result = net_dump(netlink, message, &dump);
    nl_socket_free(netlink);
    TRY(result);
    *count_out = listing.count;
    return OK;
}
