/* Decides nothing: starts, looks at and ends the node's one test machine. Never touches a domain
 * that does not carry both the test machine's name and its metadata.
 *
 * The happy path: made, paused, and bound to this process's connection → its memory is limited as
 * a guest's is → resumed → ended by us.
 * What can go wrong: this process is killed (libvirt ends the machine with the connection);
 * libvirtd is killed too (the machine is a leftover: host_domain_test_end finds it by name). */
#include "node-agent/host_domain_inner.h"

#include "base/check.h"

#include <libvirt/virterror.h>
#include <stdlib.h>
#include <string.h>

bool host_domain_is_test(virDomainPtr domain)
{
    CHECK(domain != NULL);
    const char *name = virDomainGetName(domain);
    if (name == NULL || strcmp(name, HOST_XML_TEST_NAME) != 0) {
        return false;
    }
    char *element =
        virDomainGetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT, HOST_XML_TEST_NAMESPACE, 0);
    bool test = element != NULL;
    free(element);
    return test;
}

/* FAILURE_NOT_FOUND when there is none, FAILURE_DENIED when it is not ours. */
static RESULT find_test(virConnectPtr connection, virDomainPtr *domain_out)
{
    CHECK(connection != NULL);
    virDomainPtr domain = virDomainLookupByName(connection, HOST_XML_TEST_NAME);
    if (domain == NULL) {
        const virError *error = virGetLastError();
        bool none = error != NULL && error->code == VIR_ERR_NO_DOMAIN;
        return none ? FAIL(FAILURE_NOT_FOUND) : host_domain_failure(connection);
    }
    if (!host_domain_is_test(domain)) {
        (void)virDomainFree(domain);
        return FAIL(virConnectIsAlive(connection) == 1 ? FAILURE_DENIED : FAILURE_CLOSED);
    }
    *domain_out = domain;
    return OK;
}

/* The last words: QEMU's own come last in libvirt's. */
static void keep_said(char *said_out, size_t size)
{
    const virError *error = virGetLastError();
    const char *message = error == NULL || error->message == NULL ? "" : error->message;
    size_t length = strlen(message);
    CHECK(size > 0);
    const char *from = length < size ? message : message + (length - size + 1);
    memcpy(said_out, from, strlen(from) + 1);
}

RESULT host_domain_test_start(
    struct host_domains *domains,
    const char *xml,
    uint64_t memory_bytes,
    char *said_out,
    size_t size)
{
    virConnectPtr connection = NULL;
    CHECK(xml != NULL);
    said_out[0] = '\0';
    TRY(host_domain_borrow(domains, &connection));
    virDomainPtr domain =
        virDomainCreateXML(connection, xml, VIR_DOMAIN_START_PAUSED | VIR_DOMAIN_START_AUTODESTROY);
    bool runs = domain != NULL && host_domain_limit_one(domain, memory_bytes) == 0 &&
                virDomainResume(domain) == 0;
    struct result result = OK;
    if (!runs) {
        keep_said(said_out, size);
        result = host_domain_failure(connection);
        CHECK(result.code != 0);
    }
    if (domain != NULL) {
        if (!runs) {
            (void)virDomainDestroy(domain);
        }
        (void)virDomainFree(domain);
    }
    host_domain_give_back(connection);
    return result;
}

RESULT host_domain_test_running(struct host_domains *domains, bool *running_out)
{
    virConnectPtr connection = NULL;
    virDomainPtr domain = NULL;
    TRY(host_domain_borrow(domains, &connection));
    struct result result = find_test(connection, &domain);
    if (result.code == 0) {
        int state = 0;
        CHECK(domain != NULL);
        if (virDomainGetState(domain, &state, NULL, 0) != 0) {
            result = host_domain_failure(connection);
        }
        *running_out = result.code == 0 && state == VIR_DOMAIN_RUNNING;
        (void)virDomainFree(domain);
    }
    if (result.code == FAILURE_NOT_FOUND) {
        *running_out = false;
        result = OK;
    }
    host_domain_give_back(connection);
    return result;
}

RESULT host_domain_test_end(struct host_domains *domains)
{
    virConnectPtr connection = NULL;
    virDomainPtr domain = NULL;
    TRY(host_domain_borrow(domains, &connection));
    struct result result = find_test(connection, &domain);
    if (result.code == 0) {
        CHECK(domain != NULL);
        result = virDomainDestroy(domain) == 0 ? OK : host_domain_failure(connection);
        (void)virDomainFree(domain);
    }
    host_domain_give_back(connection);
    return result.code == FAILURE_NOT_FOUND ? OK : result;
}
