/* What the host_domain files share: the connection, and what its thread tells the loop. */
#ifndef NODE_AGENT_HOST_DOMAIN_INNER_H
#define NODE_AGENT_HOST_DOMAIN_INNER_H

#include "node-agent/host_domain.h"

#include <libvirt/libvirt.h>

enum {
    HOST_DOMAIN_RING = 256,
    HOST_DOMAIN_DESTROYING = 32, /* Destroy calls in flight: more than the pool has threads. */
};

struct host_domain_ended {
    uint64_t instance;
    uint32_t why;
};

struct host_domains {
    struct host_domain_hooks hooks;
    uint16_t cell;
    char uri[320];
    uv_thread_t thread;
    uv_async_t wake;

    uv_mutex_t lock; /* Of everything below. */
    uv_cond_t pause;
    virConnectPtr connection; /* NULL: away. */
    bool up;                  /* As last said by the thread … */
    bool up_told;             /* … and as last told to the hooks (the loop's). */
    bool lost;                /* Events were lost or the connection came anew: observe. */
    uint32_t ring_count;
    struct host_domain_ended ring[HOST_DOMAIN_RING];
    uint64_t destroying[HOST_DOMAIN_DESTROYING];

    bool closed; /* The thread's alone. */
};

/* Under the lock. Was the end of this instance our doing? It is asked once. */
bool host_domain_unmark(struct host_domains *domains, uint64_t instance);

/* FAILURE_CLOSED: away. What was borrowed is given back. */
RESULT host_domain_borrow(struct host_domains *domains, virConnectPtr *connection_out);
void host_domain_give_back(virConnectPtr connection);
/* What libvirt's last error was; it is logged. Every other call into libvirt forgets it. */
RESULT host_domain_failure(virConnectPtr connection);
/* Live; libvirt's own 0 or -1. */
int host_domain_limit_one(virDomainPtr domain, uint64_t memory_bytes);
/* The node's own test machine, which is nobody's instance and no stranger. */
bool host_domain_is_test(virDomainPtr domain);

#endif
