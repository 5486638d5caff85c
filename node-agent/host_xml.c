/* Decides how a sound domain looks to libvirt. Never adds a device that struct domain does not
 * name: no disk, USB, video, TPM, vsock, host directory. */
#include "node-agent/host_xml.h"

#include "base/check.h"
#include "node-agent/host_text.h"

#include <inttypes.h>
#include <string.h>

const char HOST_XML_NAMESPACE[] = "urn:udatsu:instance:1";
const char HOST_XML_TEST_NAME[] = "udatsu-self-test";
const char HOST_XML_TEST_NAMESPACE[] = "urn:udatsu:self-test:1";

/* What QEMU needs beside the guest's memory when it emulates (measured: about 120 MiB) is not part
 * of the XML: a hard limit at start needs CAP_SYS_RESOURCE, so it is set live, before resume. */

static const char *type_word(const struct domain *domain)
{
    CHECK(domain->type == DOMAIN_KVM || domain->type == DOMAIN_TCG);
    return domain->type == DOMAIN_KVM ? "kvm" : "qemu";
}

static void write_machine(struct host_text *xml, const struct domain *domain, const char *on_reboot)
{
    bool kvm = domain->type == DOMAIN_KVM;
    host_text_add(
        xml,
        "<memory unit='b'>%" PRIu64 "</memory><vcpu>%u</vcpu>",
        domain->memory_bytes,
        domain->vcpus);
    host_text_add(
        xml,
        "<os><type arch='x86_64' machine='q35'>hvm</type><kernel>%s</kernel>"
        "<initrd>%s</initrd><cmdline>%s</cmdline></os>"
        "<features><acpi/><apic/></features>",
        domain->kernel,
        domain->initrd,
        domain->cmdline);
    host_text_add(
        xml,
        "%s<clock offset='utc'/><on_poweroff>destroy</on_poweroff>"
        "<on_reboot>%s</on_reboot><on_crash>destroy</on_crash>",
        kvm ? "<cpu mode='host-passthrough' check='none' migratable='on'/>"
            : "<cpu mode='custom' match='exact' check='none'>"
              "<model fallback='forbid'>qemu64</model></cpu>",
        on_reboot);
    host_text_add(
        xml,
        "<devices><emulator>/usr/bin/qemu-system-x86_64</emulator>"
        "<controller type='usb' model='none'/>");
    CHECK(xml->size > 0);
}

static void write_end(struct host_text *xml, const struct domain *domain)
{
    CHECK(domain->uid >= DOMAIN_UID_BASE); /* INV-SEC-2: never root. */
    host_text_add(
        xml,
        "<serial type='file'><source path='%s' append='on'/><target port='0'/></serial>"
        "<memballoon model='none'/></devices>"
        "<seclabel type='static' model='dac' relabel='no'><label>+%u:+%u</label></seclabel>"
        "</domain>",
        domain->serial_log,
        domain->uid,
        domain->gid);
}

static void write_nics(struct host_text *xml, const struct domain *domain)
{
    CHECK(domain->nic_count <= LIMIT_INSTANCE_NETWORKS);
    for (uint32_t i = 0; i < domain->nic_count; i++) {
        const struct network_nic *nic = &domain->nics[i];
        char mac[NETWORK_MAC_TEXT];
        network_mac_format(nic->mac, mac);
        host_text_add(
            xml,
            "<interface type='bridge'><mac address='%s'/><source bridge='%s'/>"
            "<target dev='%s'/><model type='virtio'/><mtu size='%d'/>"
            "<driver name='qemu'/><rom enabled='no'/></interface>",
            mac,
            nic->bridge,
            nic->tap,
            NETWORK_MTU);
    }
    CHECK(xml->size > 0);
}

bool host_xml_write(const struct domain *domain, char *room, size_t size)
{
    CHECK(room != NULL);
    if (domain_valid(domain) != DOMAIN_SOUND) {
        return false;
    }
    struct host_text xml;
    host_text_start(&xml, room, size);
    host_text_add(
        &xml,
        "<domain type='%s'><name>%s</name><uuid>%s</uuid><metadata>"
        "<udatsu:instance xmlns:udatsu='%s' generation='%" PRIu64 "' epoch='%" PRIu64
        "' boots='%" PRIu64 "'/></metadata>",
        type_word(domain),
        domain->uuid,
        domain->uuid,
        HOST_XML_NAMESPACE,
        domain->generation,
        domain->epoch,
        domain->boots);
    write_machine(&xml, domain, "restart");
    write_nics(&xml, domain);
    write_end(&xml, domain);
    return !xml.full;
}

bool host_xml_write_test(const struct domain *machine, char *room, size_t size)
{
    CHECK(room != NULL);
    CHECK(machine->instance == 0); /* Nobody's. */
    CHECK(machine->nic_count == 0);
    if (domain_machine_valid(machine) != DOMAIN_SOUND) {
        return false;
    }
    struct host_text xml;
    host_text_start(&xml, room, size);
    host_text_add(
        &xml,
        "<domain type='%s'><name>%s</name><metadata><udatsu:test xmlns:udatsu='%s'/></metadata>",
        type_word(machine),
        HOST_XML_TEST_NAME,
        HOST_XML_TEST_NAMESPACE);
    write_machine(&xml, machine, "destroy");
    write_end(&xml, machine);
    return !xml.full;
}

/* The value of ` name="123"` or ` name='123'`; false unless it is there exactly once. */
static bool read_attribute(const char *element, const char *name, uint64_t *value_out)
{
    CHECK(element != NULL);
    CHECK(name != NULL);
    size_t length = strlen(name);
    const char *found = NULL;
    for (const char *at = strstr(element, name); at != NULL; at = strstr(at + 1, name)) {
        bool whole = at > element && at[-1] == ' ' && at[length] == '=' &&
                     (at[length + 1] == '"' || at[length + 1] == '\'');
        if (!whole) {
            continue;
        }
        if (found != NULL) {
            return false;
        }
        found = at + length + 1;
    }
    if (found == NULL) {
        return false;
    }
    char quote = *found++;
    uint64_t value = 0;
    const char *digit = found;
    for (; *digit >= '0' && *digit <= '9'; digit++) {
        if (__builtin_mul_overflow(value, UINT64_C(10), &value) ||
            __builtin_add_overflow(value, (uint64_t)(*digit - '0'), &value)) {
            return false;
        }
    }
    if (digit == found || *digit != quote) {
        return false;
    }
    *value_out = value;
    return true;
}

bool host_xml_read_metadata(const char *element, struct host_xml_metadata *metadata_out)
{
    CHECK(element != NULL);
    CHECK(metadata_out != NULL);
    struct host_xml_metadata metadata = { 0 };
    bool sound = read_attribute(element, "generation", &metadata.generation) &&
                 read_attribute(element, "epoch", &metadata.epoch) &&
                 read_attribute(element, "boots", &metadata.boots);
    if (!sound) {
        return false;
    }
    *metadata_out = metadata;
    return true;
}
