/* The closed verbs, done one at a time by a pool thread. A verb names numbers; every name, path,
 * rule and description is derived here. */
#ifndef NODE_AGENT_HOST_VERBS_H
#define NODE_AGENT_HOST_VERBS_H

#include "base/arena.h"
#include "node-agent/host_domain.h"
#include "node-agent/host_image.h"

#include <frame.pb-c.h>

enum {
    HOST_ARENA_BYTES = 512 * 1024, /* Observe's answer for a full node, and one console read. */
    HOST_OVERHEAD_MIB = 160,       /* QEMU beside its guest's memory (measured: 120 under TCG). */
};

/* What guests that start now are given, and why; never written once it is published. */
struct host_virtualization {
    enum domain_type type;
    char fallback[LIMIT_REASON]; /* Why not KVM; "" with KVM. */
};

/* Set at start, then only read, but for `images`: Survey's own memory (one Survey at a time), and
 * `virtualization`: host_kvm.c's, who puts another in its place. */
struct host {
    struct host_domains *domains;
    char image_directory[DOMAIN_PATH];
    char console_directory[DOMAIN_PATH];
    uint32_t underlay; /* IPv4, host order. */
    uint16_t cell;
    uint64_t vcpus;        /* For guests. */
    uint64_t memory_bytes; /* For guests. */
    _Atomic(const struct host_virtualization *) virtualization;
    struct host_images images;
};

/* Blocks. Fills told but for its handle; what it points to lives in the arena. */
void host_perform(
    struct host *host, const Wire__Verb *verb, struct arena *arena, Wire__VerbTold *told);

/* The typed machine that this order describes, on this host; a failure when it is not one that we
 * would make. Pure; for host_perform and its tests. */
RESULT host_describe(
    const struct host *host, const Wire__StartInstance *start, struct domain *domain_out);

#endif
