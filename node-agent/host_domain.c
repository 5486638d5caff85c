/* Decides nothing about guests: does what a verb said, to domains of ours only. Together with
 * host_domain_thread.c and host_domain_test.c the only file that speaks to libvirt.
 *
 * The happy path: a pool thread borrows the connection → finds the domain, and that it is ours →
 * one call.
 * What can go wrong: libvirt is away (FAILURE_CLOSED, the outcome unknown); a domain that is not
 * ours has one of our names (it counts as existing, and is left alone). */
#include "node-agent/host_domain_inner.h"

#include "base/check.h"
#include "host/log.h"

#include <libvirt/virterror.h>
#include <stdlib.h>
#include <string.h>

/* ---- Words. ---- */

/* Every other call into libvirt forgets the last error: this one comes first. */
RESULT host_domain_failure(virConnectPtr connection)
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

RESULT host_domain_borrow(struct host_domains *domains, virConnectPtr *connection_out)
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

void host_domain_give_back(virConnectPtr connection)
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
        return none ? FAIL(FAILURE_NOT_FOUND) : host_domain_failure(connection);
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

/* One that has just ended is nobody's. */
static bool is_stranger(const struct host_domains *domains, virDomainPtr domain)
{
    uint64_t instance = 0;
    struct host_xml_metadata metadata;
    CHECK(domain != NULL);
    return !is_ours(domains, domain, &instance, &metadata) && !host_domain_is_test(domain) &&
           virDomainIsActive(domain) == 1;
}

RESULT host_domains_list(
    struct host_domains *domains,
    struct host_domain_seen *seen,
    uint32_t size,
    uint32_t *count_out,
    uint32_t *strangers_out)
{
    virConnectPtr connection = NULL;
    TRY(host_domain_borrow(domains, &connection));
    virDomainPtr *list = NULL;
    int all = virConnectListAllDomains(connection, &list, VIR_CONNECT_LIST_DOMAINS_ACTIVE);
    if (all < 0) {
        struct result result = host_domain_failure(connection);
        host_domain_give_back(connection);
        return result;
    }
    uint32_t count = 0;
    uint32_t strangers = 0;
    for (int i = 0; i < all; i++) {
        CHECK(list[i] != NULL);
        if (count < size && see(domains, list[i], &seen[count])) {
            count++;
        } else if (is_stranger(domains, list[i])) {
            strangers++;
        }
        (void)virDomainFree(list[i]);
    }
    free(list);
    /* A connection that broke in between made domains look foreign. */
    bool alive = virConnectIsAlive(connection) == 1;
    host_domain_give_back(connection);
    if (!alive) {
        return FAIL(FAILURE_CLOSED);
    }
    CHECK(count <= size);
    *count_out = count;
    *strangers_out = strangers;
    return OK;
}

RESULT host_domain_create(struct host_domains *domains, uint64_t instance, const char *xml)
{
    virConnectPtr connection = NULL;
    CHECK(xml != NULL);
    TRY(host_domain_borrow(domains, &connection));
    virDomainPtr domain = NULL;
    struct result result = find(domains, connection, instance, &domain);
    if (result.code == 0 || result.code == FAILURE_DENIED) {
        result = FAIL(FAILURE_EXISTS); /* INV-VM-1 */
    } else if (result.code == FAILURE_NOT_FOUND) {
        CHECK(domain == NULL);
        /* libvirt itself refuses a second domain of one UUID, so that a race ends here too. */
        domain = virDomainCreateXML(connection, xml, VIR_DOMAIN_START_PAUSED);
        result = domain != NULL ? OK : host_domain_failure(connection);
    }
    if (domain != NULL) {
        (void)virDomainFree(domain);
    }
    host_domain_give_back(connection);
    return result;
}

enum action { ACTION_LIMIT, ACTION_RESUME, ACTION_ASK_STOP, ACTION_DESTROY };

int host_domain_limit_one(virDomainPtr domain, uint64_t memory_bytes)
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
    case ACTION_LIMIT: return host_domain_limit_one(domain, memory_bytes);
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
    TRY(host_domain_borrow(domains, &connection));
    virDomainPtr domain = NULL;
    struct result result = find(domains, connection, instance, &domain);
    if (result.code == 0) {
        CHECK(domain != NULL);
        result = act(domain, action, memory_bytes) == 0 ? OK : host_domain_failure(connection);
        (void)virDomainFree(domain);
    }
    host_domain_give_back(connection);
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
    while (place < HOST_DOMAIN_DESTROYING && domains->destroying[place] != 0 &&
           domains->destroying[place] != instance) {
        place++;
    }
    if (place < HOST_DOMAIN_DESTROYING) {
        domains->destroying[place] = instance;
    }
    uv_mutex_unlock(&domains->lock);
}

bool host_domain_unmark(struct host_domains *domains, uint64_t instance)
{
    CHECK(instance != 0);
    for (uint32_t i = 0; i < HOST_DOMAIN_DESTROYING; i++) {
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
        (void)host_domain_unmark(domains, instance);
        uv_mutex_unlock(&domains->lock);
    }
    return result;
}
