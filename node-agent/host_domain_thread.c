/* Decides when libvirt is there: keeps the connection, hears of guests that ended, and tells the
 * loop. Never acts on a domain.
 *
 * The happy path: the thread connects → on_up(true) → lifecycle events are copied into a ring and
 * the loop is woken.
 * What can go wrong: libvirtd dies or hangs (keepalive closes the connection in about 4 s, blocked
 * calls return, on_up(false), reconnect with back-off); the ring overflows (the loop is told to
 * observe anew). */
#include "node-agent/host_domain_inner.h"

#include "base/check.h"
#include "host/log.h"

#include <libvirt/virterror.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    KEEPALIVE_SECONDS = 2,
    KEEPALIVE_COUNT = 2,
    WAKE_MS = 500,
    RECONNECT_MS = 100,
    RECONNECT_MS_MAX = 2000,
};

/* ---- The thread. ---- */

static int on_lifecycle(
    virConnectPtr connection, virDomainPtr domain, int event, int detail, void *context)
{
    struct host_domains *domains = context;
    uint64_t instance = 0;
    const char *name = virDomainGetName(domain);
    CHECK(connection != NULL);
    if (event != VIR_DOMAIN_EVENT_STOPPED || name == NULL ||
        !id_parse(ID_INSTANCE, name, &instance) || id_cell(instance) != domains->cell) {
        return 0;
    }
    uv_mutex_lock(&domains->lock);
    bool ours = host_domain_unmark(domains, instance);
    uint32_t why = detail == VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN ? 1 : 2;
    if (domains->ring_count < HOST_DOMAIN_RING) {
        domains->ring[domains->ring_count++] =
            (struct host_domain_ended){ .instance = instance, .why = ours ? 3 : why };
    } else {
        domains->lost = true;
    }
    uv_mutex_unlock(&domains->lock);
    CHECK(uv_async_send(&domains->wake) == 0);
    return 0;
}

static void on_closed(virConnectPtr connection, int reason, void *context)
{
    struct host_domains *domains = context;
    CHECK(connection != NULL);
    domains->closed = true;
    log_line(LOG_LEVEL_WARN, "libvirt-closed", "reason=%d", reason);
}

static void on_wake(int timer, void *context)
{
    (void)timer; /* Only so that the loop below looks around. */
    (void)context;
}

static void publish(struct host_domains *domains, virConnectPtr connection)
{
    uv_mutex_lock(&domains->lock);
    CHECK(connection == NULL || domains->connection == NULL);
    domains->connection = connection;
    domains->up = connection != NULL;
    domains->lost = domains->lost || connection != NULL;
    if (connection != NULL) {
        memset(domains->destroying, 0, sizeof(domains->destroying));
    }
    uv_mutex_unlock(&domains->lock);
    CHECK(uv_async_send(&domains->wake) == 0);
}

/* Connects and listens; NULL when libvirtd is not there. */
static virConnectPtr connect_once(struct host_domains *domains)
{
    virConnectPtr connection = virConnectOpen(domains->uri);
    if (connection == NULL) {
        return NULL;
    }
    domains->closed = false;
    bool ready = virConnectSetKeepAlive(connection, KEEPALIVE_SECONDS, KEEPALIVE_COUNT) == 0 &&
                 virConnectRegisterCloseCallback(connection, on_closed, domains, NULL) == 0 &&
                 virConnectDomainEventRegisterAny(
                     connection,
                     NULL,
                     VIR_DOMAIN_EVENT_ID_LIFECYCLE,
                     VIR_DOMAIN_EVENT_CALLBACK(on_lifecycle),
                     domains,
                     NULL) >= 0;
    if (!ready) {
        (void)virConnectClose(connection);
        return NULL;
    }
    CHECK(!domains->closed);
    return connection;
}

static void wait_a_little(struct host_domains *domains, uint64_t wait_ms)
{
    CHECK(wait_ms <= RECONNECT_MS_MAX);
    uv_mutex_lock(&domains->lock);
    (void)uv_cond_timedwait(&domains->pause, &domains->lock, wait_ms * 1000000);
    uv_mutex_unlock(&domains->lock);
}

static void serve(struct host_domains *domains, virConnectPtr connection)
{
    CHECK(connection != NULL);
    publish(domains, connection);
    while (!domains->closed) {
        if (virEventRunDefaultImpl() != 0) {
            break;
        }
    }
    publish(domains, NULL);
    (void)virConnectUnregisterCloseCallback(connection, on_closed);
    (void)virConnectClose(connection);
}

static void run(void *context)
{
    struct host_domains *domains = context;
    CHECK(virEventAddTimeout(WAKE_MS, on_wake, NULL, NULL) >= 0);
    uint64_t wait_ms = RECONNECT_MS;
    for (;;) {
        virConnectPtr connection = connect_once(domains);
        if (connection != NULL) {
            log_line(LOG_LEVEL_INFO, "libvirt-connected", "uri=%s", domains->uri);
            serve(domains, connection);
            wait_ms = RECONNECT_MS;
        } else {
            if (wait_ms == RECONNECT_MS) {
                const virError *error = virGetLastError();
                const char *said = error == NULL || error->message == NULL ? "" : error->message;
                log_line(LOG_LEVEL_WARN, "libvirt-away", "said=%s", log_text(said));
            }
            wait_ms = wait_ms * 2 > RECONNECT_MS_MAX ? RECONNECT_MS_MAX : wait_ms * 2;
        }
        wait_a_little(domains, wait_ms);
    }
}

/* ---- The loop's side. ---- */

static void quiet(void *context, virErrorPtr error)
{
    (void)context; /* Each caller looks at the last error itself. */
    CHECK(error != NULL);
}

static void on_async(uv_async_t *wake)
{
    struct host_domains *domains = wake->data;
    struct host_domain_ended ended[HOST_DOMAIN_RING];
    CHECK(domains != NULL);
    uv_mutex_lock(&domains->lock);
    uint32_t count = domains->ring_count;
    CHECK(count <= HOST_DOMAIN_RING);
    memcpy(ended, domains->ring, count * sizeof(ended[0]));
    domains->ring_count = 0;
    bool up = domains->up;
    bool went = domains->up_told && (!up || domains->lost);
    bool came = up && domains->lost;
    domains->lost = false;
    domains->up_told = up;
    uv_mutex_unlock(&domains->lock);
    for (uint32_t i = 0; i < count; i++) {
        domains->hooks.on_ended(domains->hooks.context, ended[i].instance, ended[i].why);
    }
    if (went && !came) {
        domains->hooks.on_up(domains->hooks.context, false);
    }
    if (came) {
        domains->hooks.on_up(domains->hooks.context, true);
    }
}

RESULT host_domains_open(
    uv_loop_t *loop,
    const char *socket_path,
    uint16_t cell,
    const struct host_domain_hooks *hooks,
    struct host_domains **domains_out)
{
    CHECK(socket_path[0] == '/');
    CHECK(hooks->on_up != NULL);
    CHECK(hooks->on_ended != NULL);
    struct host_domains *domains = calloc(1, sizeof(*domains));
    if (domains == NULL) {
        return FAIL(FAILURE_NO_SPACE);
    }
    domains->hooks = *hooks;
    domains->cell = cell;
    int used =
        snprintf(domains->uri, sizeof(domains->uri), "qemu+unix:///system?socket=%s", socket_path);
    virSetErrorFunc(NULL, quiet);
    bool ready = used > 0 && (size_t)used < sizeof(domains->uri) && virInitialize() == 0 &&
                 virEventRegisterDefaultImpl() == 0 && uv_mutex_init(&domains->lock) == 0 &&
                 uv_cond_init(&domains->pause) == 0 &&
                 uv_async_init(loop, &domains->wake, on_async) == 0;
    domains->wake.data = domains;
    if (!ready || uv_thread_create(&domains->thread, run, domains) != 0) {
        return FAIL(FAILURE_UNSUPPORTED); /* The caller exits; nothing is given back. */
    }
    *domains_out = domains;
    return OK;
}
