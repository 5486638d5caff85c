/* Decides whether a described machine is one that we would make. Never writes XML, never opens a
 * path: the node's host program does both, only for what passed here. */
#include "isolation/domain.h"

#include "base/check.h"

#include <string.h>

enum { UID_END = 1 << 30 }; /* Stays far below the reserved ids near 2^31 and 2^32. */
#define MIB UINT64_C(1048576)

/* True when the room holds a terminated text of at least one character. */
static bool text_held(const char *room, size_t size)
{
    return room[0] != '\0' && memchr(room, '\0', size) != NULL;
}

static bool path_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '/' ||
           c == '.' || c == '-' || c == '_';
}

/* Absolute, made of plain characters, no empty or dotted component. */
static bool path_valid(const char room[static DOMAIN_PATH])
{
    if (!text_held(room, DOMAIN_PATH) || room[0] != '/') {
        return false;
    }
    for (size_t i = 0; room[i] != '\0'; i++) {
        if (!path_char(room[i])) {
            return false;
        }
        bool component_ends_here = room[i] == '/' && (room[i + 1] == '/' || room[i + 1] == '\0');
        bool component_dotted = room[i] == '/' && room[i + 1] == '.';
        if (component_ends_here || component_dotted) {
            return false;
        }
    }
    return true;
}

/* Printable ASCII without what XML, a shell or a kernel would read as something else. */
static bool cmdline_valid(const char room[static DOMAIN_CMDLINE])
{
    if (!text_held(room, DOMAIN_CMDLINE)) {
        return false;
    }
    for (size_t i = 0; room[i] != '\0'; i++) {
        if (room[i] < ' ' || room[i] > '~' || strchr("<>&\"'\\`$", room[i]) != NULL) {
            return false;
        }
    }
    return true;
}

static bool nics_valid(const struct domain *domain)
{
    if (domain->nic_count > LIMIT_INSTANCE_NETWORKS) {
        return false;
    }
    for (uint32_t i = 0; i < domain->nic_count; i++) {
        if (!network_nic_valid(&domain->nics[i], domain->instance, i)) {
            return false;
        }
        for (uint32_t j = 0; j < i; j++) { /* Two nics in one network would bridge themselves. */
            if (strcmp(domain->nics[i].bridge, domain->nics[j].bridge) == 0) {
                return false;
            }
        }
    }
    return true;
}

static bool memory_valid(uint64_t bytes)
{
    return bytes >= LIMIT_MEMORY_BYTES_MIN && bytes <= LIMIT_MEMORY_BYTES_MAX && bytes % MIB == 0;
}

static bool owner_valid(const struct domain *domain)
{
    uint32_t uid = 0;
    if (!domain_owner(domain->tenant, &uid)) {
        return false;
    }
    return domain->uid == uid && domain->gid == uid; /* INV-SEC-2 */
}

static bool uuid_valid(const struct domain *domain)
{
    char text[ID_TEXT_SIZE];
    id_format(ID_INSTANCE, domain->instance, text);
    return memcmp(text, domain->uuid, sizeof text) == 0;
}

enum domain_fault domain_machine_valid(const struct domain *domain)
{
    CHECK(domain != NULL);
    if (domain->type != DOMAIN_KVM && domain->type != DOMAIN_TCG) {
        return DOMAIN_FAULT_TYPE;
    }
    if (domain->vcpus < 1 || domain->vcpus > LIMIT_VCPUS) {
        return DOMAIN_FAULT_VCPUS;
    }
    if (!memory_valid(domain->memory_bytes)) {
        return DOMAIN_FAULT_MEMORY;
    }
    if (!path_valid(domain->kernel) || !path_valid(domain->initrd) ||
        !path_valid(domain->serial_log)) {
        return DOMAIN_FAULT_PATH;
    }
    if (!cmdline_valid(domain->cmdline)) {
        return DOMAIN_FAULT_CMDLINE;
    }
    return DOMAIN_SOUND;
}

enum domain_fault domain_valid(const struct domain *domain)
{
    CHECK(domain != NULL);
    bool ids = isolation_id_valid(domain->instance) && isolation_id_valid(domain->tenant) &&
               id_cell(domain->instance) == id_cell(domain->tenant);
    if (!ids) {
        return DOMAIN_FAULT_ID;
    }
    if (!uuid_valid(domain)) {
        return DOMAIN_FAULT_UUID;
    }
    enum domain_fault machine = domain_machine_valid(domain);
    if (machine != DOMAIN_SOUND) {
        return machine;
    }
    if (!nics_valid(domain)) {
        return DOMAIN_FAULT_NIC;
    }
    if (!owner_valid(domain)) {
        return DOMAIN_FAULT_OWNER;
    }
    if (domain->generation == 0 || domain->epoch == 0) {
        return DOMAIN_FAULT_GENERATION;
    }
    return DOMAIN_SOUND;
}

const char *domain_fault_name(enum domain_fault fault)
{
    static const char *const names[] = {
        [DOMAIN_SOUND] = "sound",
        [DOMAIN_FAULT_ID] = "id",
        [DOMAIN_FAULT_UUID] = "uuid",
        [DOMAIN_FAULT_TYPE] = "type",
        [DOMAIN_FAULT_VCPUS] = "vcpus",
        [DOMAIN_FAULT_MEMORY] = "memory",
        [DOMAIN_FAULT_PATH] = "path",
        [DOMAIN_FAULT_CMDLINE] = "cmdline",
        [DOMAIN_FAULT_NIC] = "nic",
        [DOMAIN_FAULT_OWNER] = "owner",
        [DOMAIN_FAULT_GENERATION] = "generation",
    };
    _Static_assert(COUNT_OF(names) == DOMAIN_FAULTS_END, "every fault has its name");
    CHECK(fault < DOMAIN_FAULTS_END);
    return names[fault];
}

bool domain_owner(uint64_t tenant, uint32_t *uid_out)
{
    if (!isolation_id_valid(tenant) || id_sequence(tenant) >= UID_END - DOMAIN_UID_BASE) {
        return false;
    }
    uint32_t uid = DOMAIN_UID_BASE + (uint32_t)id_sequence(tenant);
    CHECK(uid > DOMAIN_UID_BASE); /* INV-SEC-2: never root, never a person of the machine. */
    CHECK(uid < UID_END);
    *uid_out = uid;
    return true;
}

struct writer {
    char *room;
    size_t size;
    size_t used;
    bool overflowed;
};

static void writer_text(struct writer *writer, const char *text)
{
    size_t length = strlen(text);
    /* Never so while a guest has four nics; kept for the day when it has more. */
    if (writer->overflowed || length >= writer->size - writer->used) {
        writer->overflowed = true;
        return;
    }
    memcpy(writer->room + writer->used, text, length + 1);
    writer->used += length;
    CHECK(writer->used < writer->size);
}

bool domain_cmdline(const struct network_nic *nics, uint32_t count, char out[static DOMAIN_CMDLINE])
{
    CHECK(count <= LIMIT_INSTANCE_NETWORKS);
    struct writer writer = { .room = out, .size = DOMAIN_CMDLINE };
    /* A kernel that holds its first ticks against its own count takes a starved processor for a
     * broken timer, and then waits for ever in a mode that has none. Our machines' timer works. */
    writer_text(&writer, "console=ttyS0 panic=-1 quiet no_timer_check");
    for (uint32_t i = 0; i < count; i++) {
        char mac[NETWORK_MAC_TEXT];
        char address[NETWORK_ADDRESS_TEXT];
        const char index[] = { (char)('0' + i), '\0' };
        CHECK(nics[i].prefix >= NETWORK_PREFIX_MIN);
        CHECK(nics[i].prefix <= NETWORK_PREFIX_MAX);
        const char prefix[] = { (char)('0' + nics[i].prefix / 10),
                                (char)('0' + nics[i].prefix % 10),
                                '\0' };
        network_mac_format(nics[i].mac, mac);
        network_address_format(nics[i].address, address);
        writer_text(&writer, " udatsu.nic");
        writer_text(&writer, index);
        writer_text(&writer, "=");
        writer_text(&writer, mac);
        writer_text(&writer, ",");
        writer_text(&writer, address);
        writer_text(&writer, "/");
        writer_text(&writer, prefix);
    }
    return !writer.overflowed;
}
