/* The hardened machine as a typed description. The node's host program writes libvirt's XML from it
 * in one place; nothing else ever reaches libvirt. What is not in this struct (disks, host devices,
 * host directories, graphics, USB, TPM, vsock) a guest does not get. */
#ifndef ISOLATION_DOMAIN_H
#define ISOLATION_DOMAIN_H

#include "isolation/network.h"

enum {
    DOMAIN_PATH = 256,        /* Bytes with terminator. */
    DOMAIN_CMDLINE = 512,     /* Bytes with terminator. */
    DOMAIN_UID_BASE = 200000, /* Itself no tenant's: the node's own test of KVM runs as it. */
};

enum domain_type {
    DOMAIN_KVM = 1, /* Only after a real kernel booted under it on this machine. */
    DOMAIN_TCG = 2,
};

struct domain {
    uint64_t instance;
    uint64_t tenant;
    char uuid[ID_TEXT_SIZE]; /* Also the domain's name. */
    enum domain_type type;
    uint32_t vcpus;
    uint64_t memory_bytes;
    char kernel[DOMAIN_PATH]; /* Absolute; verified by digest before each boot. */
    char initrd[DOMAIN_PATH];
    char cmdline[DOMAIN_CMDLINE];
    char serial_log[DOMAIN_PATH];
    uint32_t nic_count;
    struct network_nic nics[LIMIT_INSTANCE_NETWORKS];
    uint32_t uid; /* Of the tenant, never 0, never another tenant's: domain_owner. */
    uint32_t gid;
    /* Written into the domain's metadata and read back when observing. */
    uint64_t generation;
    uint64_t epoch;
    uint64_t boots;
};

/* Which rule of domain_valid is broken. */
enum domain_fault {
    DOMAIN_SOUND = 0,
    DOMAIN_FAULT_ID = 1,
    DOMAIN_FAULT_UUID = 2,
    DOMAIN_FAULT_TYPE = 3,
    DOMAIN_FAULT_VCPUS = 4,
    DOMAIN_FAULT_MEMORY = 5,
    DOMAIN_FAULT_PATH = 6, /* Not absolute, "..", or an unexpected character. */
    DOMAIN_FAULT_CMDLINE = 7,
    DOMAIN_FAULT_NIC = 8,
    DOMAIN_FAULT_OWNER = 9,
    DOMAIN_FAULT_GENERATION = 10,
    DOMAIN_FAULTS_END
};

/* The first fault, or DOMAIN_SOUND. Asked of everything before XML is written. */
enum domain_fault domain_valid(const struct domain *domain);
/* The same for a machine of the node's own, which is nobody's instance: type, size, paths and
 * command line only. */
enum domain_fault domain_machine_valid(const struct domain *domain);
const char *domain_fault_name(enum domain_fault fault);

/* The unix user of a tenant's guests: DOMAIN_UID_BASE + sequence, also the group. False for a
 * sequence that would leave the range of uids (2^30). INV-SEC-2: never shared, never root. */
bool domain_owner(uint64_t tenant, uint32_t *uid_out);

/* The kernel command line of a guest: console, panic, and one
 * "udatsu.nicN=52:54:…,10.1.0.2/24" per nic, which the guest's init reads. False: too long. */
bool domain_cmdline(
    const struct network_nic *nics, uint32_t count, char out[static DOMAIN_CMDLINE]);

#endif
