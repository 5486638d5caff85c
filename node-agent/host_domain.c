/* Decides nothing about guests: does what a verb said, to domains of ours only. The only file that
 * speaks to libvirt.
 *
 * The happy path: the thread connects → on_up(true) → pool threads borrow the connection for one
 * call each → lifecycle events are copied into a ring and the loop is woken.
 * What can go wrong: libvirtd dies or hangs (keepalive closes the connection in about 4 s, blocked
 * calls return, on_up(false), reconnect with back-off); the ring overflows (the loop is told to
 * observe anew); a domain that is not ours has one of our names (it counts as existing, and is left
 * alone). */
#include "node-agent/host_domain.h"

#include "base/check.h"
#include "host/log.h"

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    RING = 256,
    DESTROYING = 32, /* Destroy calls in flight: more than the pool has threads. */
    KEEPALIVE_SECONDS = 2,
    KEEPALIVE_COUNT = 2,
    WAKE_MS = 500,
    RECONNECT_MS = 100,
    RECONNECT_MS_MAX = 2000,
};

struct ended {
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
    struct ended ring[RING];
    uint64_t destroying[DESTROYING];

    bool closed; /* The thread's alone. */
};

/* ---- Words. ---- */

static void quiet(void *context, virErrorPtr error)
{
    (void)context; /* Each caller looks at the last error itself. */
    CHECK(error != NULL);
}

/* Every other call into libvirt forgets the last error: this one comes first. */
static RESULT failure_of(virConnectPtr connection)
{
    const virError *error = virGetLastError();
    int code = error == NULL ? VIR_ERR_OK : error->code;
    CHECK(connection != NULL);
    log_line(
        LOG_LEVEL_WARN,
        "libvirt-refused",
        "code=%d said=%s",
        code,
        log_text(error == NULL || error->message == NULL ? "" : error->message));
    if (virConnectIsAlive(connection) != 1) {
        return FAIL(FAILURE_CLOSED);
    }
    switch (code) {
    case VIR_ERR_NO_DOMAIN: return FAIL(FAILURE_NOT_FOUND);
    case VIR_ERR_DOM_EXIST: return FAIL(FAILURE_EXISTS);
    case VIR_ERR_NO_MEMORY: return FAIL(FAILURE_NO_SPACE);
    case VIR_ERR_OPERATION_TIMEOUT:
    case VIR_ERR_AGENT_UNRESPONSIVE: return FAIL(FAILURE_TIMEOUT);
    case VIR_ERR_ACCESS_DENIED:
    case VIR_ERR_AUTH_FAILED: return FAIL(FAILURE_DENIED);
    default: return FAIL(FAILURE_IO);
    }
}

/* ---- The connection, borrowed. ---- */

static RESULT borrow(struct host_domains *domains, virConnectPtr *connection_out)
{
    uv_mutex_lock(&domains->lock);
    virConnectPtr connection = domains->connection;
    bool have = connection != NULL && virConnectRef(connection) == 0;
    uv_mutex_unlock(&domains->lock);
    if (!have) {
        return FAIL(FAILURE_CLOSED);
    }
    CHECK(connection != NULL);
    *connection_out = connection;
    return OK;
}

static void give_back(virConnectPtr connection)
{
    CHECK(connection != NULL);
    (void)virConnectClose(connection);
}

/* Whose is it? `metadata_out` is written only when it is ours. */
static bool is_ours(
    const struct host_domains *domains,
    virDomainPtr domain,
    uint64_t *instance_out,
    struct host_xml_metadata *metadata_out)
{
    char uuid[VIR_UUID_STRING_BUFLEN];
    const char *name = virDomainGetName(domain);
    uint64_t instance = 0;
    if (name == NULL || !id_parse(ID_INSTANCE, name, &instance) ||
        id_cell(instance) != domains->cell || virDomainGetUUIDString(domain, uuid) != 0 ||
        strcmp(uuid, name) != 0) {
        return false;
    }
    char *element =
        virDomainGetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT, HOST_XML_NAMESPACE, 0);
    bool ours = element != NULL && host_xml_read_metadata(element, metadata_out);
    free(element);
    if (ours) {
        CHECK(instance != 0);
        *instance_out = instance;
    }
    return ours;
}

/* The domain of this instance. FAILURE_NOT_FOUND when there is none, FAILURE_DENIED when the one
 * that has its UUID is not ours. */
static RESULT find(
    struct host_domains *domains,
    virConnectPtr connection,
    uint64_t instance,
    virDomainPtr *domain_out)
{
    char uuid[ID_TEXT_SIZE];
    CHECK(instance != 0);
    id_format(ID_INSTANCE, instance, uuid);
    virDomainPtr domain = virDomainLookupByUUIDString(connection, uuid);
    if (domain == NULL) {
        const virError *error = virGetLastError();
        bool none = error != NULL && error->code == VIR_ERR_NO_DOMAIN;
        return none ? FAIL(FAILURE_NOT_FOUND) : failure_of(connection);
    }
    uint64_t found = 0;
    struct host_xml_metadata metadata;
    if (!is_ours(domains, domain, &found, &metadata)) {
        (void)virDomainFree(domain);
        return FAIL(virConnectIsAlive(connection) == 1 ? FAILURE_DENIED : FAILURE_CLOSED);
    }
    CHECK(found == instance);
    *domain_out = domain;
    return OK;
}

/* ---- Verbs. ---- */

static bool see(
    const struct host_domains *domains, virDomainPtr domain, struct host_domain_seen *seen_out)
{
    struct host_domain_seen seen = { 0 };
    int state = 0;
    CHECK(domain != NULL);
    if (!is_ours(domains, domain, &seen.instance, &seen.metadata) ||
        virDomainGetState(domain, &state, NULL, 0) != 0) {
        return false;
    }
    switch (state) {
    case VIR_DOMAIN_RUNNING:
    case VIR_DOMAIN_BLOCKED:
    case VIR_DOMAIN_SHUTDOWN:
    case VIR_DOMAIN_PMSUSPENDED: seen.running = true; break;
    case VIR_DOMAIN_PAUSED:
    case VIR_DOMAIN_CRASHED: seen.paused = true; break;
    default: return false; /* Not there: its QEMU has ended. */
    }
    CHECK(seen.running != seen.paused);
    *seen_out = seen;
    return true;
}

RESULT host_domains_list(
    struct host_domains *domains, struct host_domain_seen *seen, uint32_t size, uint32_t *count_out)
{
    virConnectPtr connection = NULL;
    TRY(borrow(domains, &connection));
    virDomainPtr *list = NULL;
    int all = virConnectListAllDomains(connection, &list, VIR_CONNECT_LIST_DOMAINS_ACTIVE);
    if (all < 0) {
        struct result result = failure_of(connection);
        give_back(connection);
        return result;
    }
    uint32_t count = 0;
    for (int i = 0; i < all; i++) {
        CHECK(list[i] != NULL);
        if (count < size && see(domains, list[i], &seen[count])) {
            count++;
        }
        (void)virDomainFree(list[i]);
    }
    free(list);
    /* A connection that broke in between made domains look foreign. */
    bool alive = virConnectIsAlive(connection) == 1;
    give_back(connection);
    if (!alive) {
        return FAIL(FAILURE_CLOSED);
    }
    CHECK(count <= size);
    *count_out = count;
    return OK;
}

RESULT host_domain_create(struct host_domains *domains, uint64_t instance, const char *xml)
{
    virConnectPtr connection = NULL;
    CHECK(xml != NULL);
    TRY(borrow(domains, &connection));
    virDomainPtr domain = NULL;
    struct result result = find(domains, connection, instance, &domain);
    if (result.code == 0 || result.code == FAILURE_DENIED) {
        result = FAIL(FAILURE_EXISTS); /* INV-VM-1 */
    } else if (result.code == FAILURE_NOT_FOUND) {
        CHECK(domain == NULL);
        /* libvirt itself refuses a second domain of one UUID, so that a race ends here too. */
        domain = virDomainCreateXML(connection, xml, VIR_DOMAIN_START_PAUSED);
        result = domain != NULL ? OK : failure_of(connection);
    }
    if (domain != NULL) {
        (void)virDomainFree(domain);
    }
    give_back(connection);
    return result;
}

enum action { ACTION_LIMIT, ACTION_RESUME, ACTION_ASK_STOP, ACTION_DESTROY };

static int limit(virDomainPtr domain, uint64_t memory_bytes)
{
    virTypedParameterPtr parameters = NULL;
    int count = 0;
    int size = 0;
    CHECK(memory_bytes >= 1024);
    if (virTypedParamsAddULLong(
            &parameters, &count, &size, VIR_DOMAIN_MEMORY_HARD_LIMIT, memory_bytes / 1024) != 0) {
        return -1;
    }
    int failed = virDomainSetMemoryParameters(domain, parameters, count, VIR_DOMAIN_AFFECT_LIVE);
    virTypedParamsFree(parameters, count);
    CHECK(count == 1);
    return failed;
}

static int act(virDomainPtr domain, enum action action, uint64_t memory_bytes)
{
    CHECK(domain != NULL);
    switch (action) {
    case ACTION_LIMIT: return limit(domain, memory_bytes);
    case ACTION_RESUME: return virDomainResume(domain);
    case ACTION_ASK_STOP: return virDomainShutdown(domain);
    case ACTION_DESTROY: return virDomainDestroy(domain);
    }
    UNREACHABLE();
    return -1;
}

static RESULT on_domain(
    struct host_domains *domains, uint64_t instance, enum action action, uint64_t memory_bytes)
{
    virConnectPtr connection = NULL;
    TRY(borrow(domains, &connection));
    virDomainPtr domain = NULL;
    struct result result = find(domains, connection, instance, &domain);
    if (result.code == 0) {
        CHECK(domain != NULL);
        result = act(domain, action, memory_bytes) == 0 ? OK : failure_of(connection);
        (void)virDomainFree(domain);
    }
    give_back(connection);
    return result;
}

RESULT host_domain_limit(struct host_domains *domains, uint64_t instance, uint64_t memory_bytes)
{
    return on_domain(domains, instance, ACTION_LIMIT, memory_bytes);
}

RESULT host_domain_resume(struct host_domains *domains, uint64_t instance)
{
    return on_domain(domains, instance, ACTION_RESUME, 0);
}

RESULT host_domain_ask_stop(struct host_domains *domains, uint64_t instance)
{
    return on_domain(domains, instance, ACTION_ASK_STOP, 0);
}

/* Marks whose end is our doing: the event may come before the call returns. */
static void mark_destroying(struct host_domains *domains, uint64_t instance)
{
    CHECK(instance != 0);
    uv_mutex_lock(&domains->lock);
    uint32_t place = 0;
    while (place < DESTROYING && domains->destroying[place] != 0 &&
           domains->destroying[place] != instance) {
        place++;
    }
    if (place < DESTROYING) {
        domains->destroying[place] = instance;
    }
    uv_mutex_unlock(&domains->lock);
}

static bool unmark_destroying(struct host_domains *domains, uint64_t instance)
{
    CHECK(instance != 0);
    for (uint32_t i = 0; i < DESTROYING; i++) {
        if (domains->destroying[i] == instance) {
            domains->destroying[i] = 0;
            return true;
        }
    }
    return false;
}

RESULT host_domain_destroy(struct host_domains *domains, uint64_t instance)
{
    CHECK(instance != 0);
    mark_destroying(domains, instance);
    struct result result = on_domain(domains, instance, ACTION_DESTROY, 0);
    if (result.code != 0) {
        uv_mutex_lock(&domains->lock);
        (void)unmark_destroying(domains, instance);
        uv_mutex_unlock(&domains->lock);
    }
    return result;
}

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
    bool ours = unmark_destroying(domains, instance);
    uint32_t why = detail == VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN ? 1 : 2;
    if (domains->ring_count < RING) {
        domains->ring[domains->ring_count++] =
            (struct ended){ .instance = instance, .why = ours ? 3 : why };
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

static void on_async(uv_async_t *wake)
{
    struct host_domains *domains = wake->data;
    struct ended ended[RING];
    CHECK(domains != NULL);
    uv_mutex_lock(&domains->lock);
    uint32_t count = domains->ring_count;
    CHECK(count <= RING);
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
