/* Decides what a start order describes: all names, paths and numbers of the machine. Never accepts
 * a MAC, an owner or a path that it would not have derived itself. */
#include "base/check.h"
#include "node-agent/host_console.h"
#include "node-agent/host_verbs.h"

#include <string.h>

static RESULT describe_nics(
    const Wire__StartInstance *start, const Wire__Assignment *order, struct domain *domain)
{
    if (order->n_nics > LIMIT_INSTANCE_NETWORKS || start->n_vnis != order->n_nics) {
        return FAIL(FAILURE_BAD_INPUT);
    }
    for (uint32_t i = 0; i < order->n_nics; i++) {
        const Wire__Nic *nic = order->nics[i];
        struct network_nic *made = &domain->nics[i];
        if (!isolation_id_valid(nic->network) || nic->prefix < NETWORK_PREFIX_MIN ||
            nic->prefix > NETWORK_PREFIX_MAX || !network_vni_valid(start->vnis[i])) {
            return FAIL(FAILURE_BAD_INPUT);
        }
        network_nic_make(order->instance, i, nic->network, nic->address, nic->prefix, made);
        if (nic->mac.len != NETWORK_MAC_SIZE ||
            memcmp(nic->mac.data, made->mac, NETWORK_MAC_SIZE) != 0) {
            return FAIL(FAILURE_BAD_INPUT);
        }
    }
    domain->nic_count = (uint32_t)order->n_nics;
    CHECK(domain->nic_count <= LIMIT_INSTANCE_NETWORKS);
    return OK;
}

RESULT host_describe(
    const struct host *host, const Wire__StartInstance *start, struct domain *domain_out)
{
    const Wire__Assignment *order = start->assignment;
    CHECK(host->image_directory[0] == '/');
    CHECK(host->console_directory[0] == '/');
    if (order == NULL || !isolation_id_valid(order->instance) ||
        id_cell(order->instance) != host->cell || !isolation_id_valid(order->tenant) ||
        order->kernel_sha256.len != SHA256_SIZE || order->initramfs_sha256.len != SHA256_SIZE) {
        return FAIL(FAILURE_BAD_INPUT);
    }
    struct domain domain = {
        .instance = order->instance,
        .tenant = order->tenant,
        .type = host->virtualization->type, /* INV-VM-7 */
        .vcpus = order->vcpus,
        .memory_bytes = order->memory_bytes,
        .generation = order->generation,
        .epoch = order->epoch,
        .boots = order->boots,
    };
    id_format(ID_INSTANCE, order->instance, domain.uuid);
    TRY(describe_nics(start, order, &domain));
    bool fits =
        host_image_path(
            host->image_directory, order->kernel_sha256.data, domain.kernel, DOMAIN_PATH) &&
        host_image_path(
            host->image_directory, order->initramfs_sha256.data, domain.initrd, DOMAIN_PATH) &&
        host_console_path(
            host->console_directory, order->instance, domain.serial_log, DOMAIN_PATH) &&
        domain_cmdline(domain.nics, domain.nic_count, domain.cmdline) &&
        domain_owner(order->tenant, &domain.uid);
    domain.gid = domain.uid;
    if (!fits || domain_valid(&domain) != DOMAIN_SOUND) {
        return FAIL(FAILURE_BAD_INPUT);
    }
    CHECK(domain.uid != 0); /* INV-SEC-2 */
    *domain_out = domain;
    return OK;
}
