/* Domains of ours, through libvirt's unix socket. Ours: the name is an instance's UUID of our cell,
 * the UUID is the same, and it carries our metadata. No other is ever touched or told of. */
#ifndef NODE_AGENT_HOST_DOMAIN_H
#define NODE_AGENT_HOST_DOMAIN_H

#include "base/result.h"
#include "node-agent/host_xml.h"

#include <uv.h>

struct host_domains;

/* Called on the loop's thread. */
struct host_domain_hooks {
    void *context;
    /* The connection came or went. After it came, what is there has to be observed anew. */
    void (*on_up)(void *context, bool up);
    /* why: 1 shut down, 2 crashed or killed, 3 destroyed by us. */
    void (*on_ended)(void *context, uint64_t instance, uint32_t why);
};

struct host_domain_seen {
    uint64_t instance;
    bool running;
    bool paused;
    struct host_xml_metadata metadata;
};

/* Starts the one thread that hears events and keeps the connection. It lives as long as the
 * process; `domains_out` is never freed. */
RESULT host_domains_open(
    uv_loop_t *loop,
    const char *socket_path,
    uint16_t cell,
    const struct host_domain_hooks *hooks,
    struct host_domains **domains_out);

/* All of these block: pool threads only. FAILURE_CLOSED: libvirt is away, the outcome unknown. */
/* `strangers_out`: running domains that are not ours; they are counted and left alone. */
RESULT host_domains_list(
    struct host_domains *domains,
    struct host_domain_seen *seen,
    uint32_t size,
    uint32_t *count_out,
    uint32_t *strangers_out);
/* Made, not running. FAILURE_EXISTS when there is one already (INV-VM-1). */
RESULT host_domain_create(struct host_domains *domains, uint64_t instance, const char *xml);
RESULT host_domain_limit(struct host_domains *domains, uint64_t instance, uint64_t memory_bytes);
RESULT host_domain_resume(struct host_domains *domains, uint64_t instance);
RESULT host_domain_ask_stop(struct host_domains *domains, uint64_t instance);
RESULT host_domain_destroy(struct host_domains *domains, uint64_t instance);

/* The one test machine (host_self_test.h). libvirt ends it by itself when this process goes away.
 * Running when OK; else `said_out` has libvirt's own words and nothing is left. FAILURE_EXISTS when
 * a domain of that name is there, ours or not. */
RESULT host_domain_test_start(
    struct host_domains *domains,
    const char *xml,
    uint64_t memory_bytes,
    char *said_out,
    size_t size);
RESULT host_domain_test_running(struct host_domains *domains, bool *running_out);
/* OK too when there is none; FAILURE_DENIED when the one of that name is not ours. */
RESULT host_domain_test_end(struct host_domains *domains);

#endif
