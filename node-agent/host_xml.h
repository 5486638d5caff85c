/* The one place where XML is written: a typed, valid domain in, libvirt's text out; and the one
 * place where our metadata is read back. Never takes text from anyone. */
#ifndef NODE_AGENT_HOST_XML_H
#define NODE_AGENT_HOST_XML_H

#include "isolation/domain.h"

enum { HOST_XML_SIZE = 8192 };

/* Namespace of the metadata element. */
extern const char HOST_XML_NAMESPACE[];

/* The node's own test machine: no name of it can be an instance's. */
extern const char HOST_XML_TEST_NAME[];
extern const char HOST_XML_TEST_NAMESPACE[];

/* False when the domain is not sound (domain_valid) or does not fit: nothing is written then. */
bool host_xml_write(const struct domain *domain, char *room, size_t size);

/* The same for the test machine, which has no network and ends where another would restart.
 * domain_machine_valid decides. */
bool host_xml_write_test(const struct domain *machine, char *room, size_t size);

struct host_xml_metadata {
    uint64_t generation;
    uint64_t epoch;
    uint64_t boots;
};
/* From the element as libvirt gives it back. False, and nothing is written, unless each attribute
 * is there once as a plain decimal number. */
bool host_xml_read_metadata(const char *element, struct host_xml_metadata *metadata_out);

#endif
