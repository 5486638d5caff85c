/* What people say to a desk: requests in one call each. Decides nothing; an argument that is NULL
 * or 0 is left out of the request. */
#ifndef TESTS_SCENARIO_SAY_H
#define TESTS_SCENARIO_SAY_H

#include "tests/scenario/desk.h"

#define SAY_MIB (UINT64_C(1) << 20)
#define SAY_GIB (UINT64_C(1) << 30)

struct say_instance {
    const char *tenant;
    const char *name;
    uint32_t vcpus;        /* 0: one. */
    uint64_t memory_bytes; /* 0: 64 MiB. */
    const char *network;
    const char *spread;
    const char *image; /* NULL: "linux". */
    bool stopped;
    Wire__OnFailure on_failure;
    uint32_t max_attempts;
    Wire__Where where;
};

/* The digests of the two files of the desk's only image; every node has them. */
ProtobufCBinaryData say_kernel(void);
ProtobufCBinaryData say_initramfs(void);

struct quota_amounts say_amounts(
    uint64_t vcpus, uint64_t memory_bytes, uint64_t instances, uint64_t networks);

const Wire__Answer *say_tenant(
    struct desk *desk,
    Wire__Identity who,
    const char *name,
    const struct quota_amounts *floor,
    const struct quota_amounts *cap);
const Wire__Answer *say_tenant_delete(struct desk *desk, Wire__Identity who, const char *name);
const Wire__Answer *say_quota(
    struct desk *desk,
    Wire__Identity who,
    const char *tenant,
    const struct quota_amounts *floor,
    const struct quota_amounts *cap);
const Wire__Answer *say_project(
    struct desk *desk, Wire__Identity who, const char *tenant, const char *name, bool gone);
const Wire__Answer *say_user(
    struct desk *desk, Wire__Identity who, const char *name, Wire__Role role, const char *tenant);
const Wire__Answer *say_revoke(struct desk *desk, Wire__Identity who, const char *name);
const Wire__Answer *say_image(struct desk *desk, Wire__Identity who, const char *name);
const Wire__Answer *say_image_delete(struct desk *desk, Wire__Identity who, const char *name);
const Wire__Answer *say_network(
    struct desk *desk, Wire__Identity who, const char *tenant, const char *name, const char *cidr);
const Wire__Answer *say_network_delete(
    struct desk *desk, Wire__Identity who, const char *tenant, const char *name);
const Wire__Answer *say_create(
    struct desk *desk, Wire__Identity who, const struct say_instance *wish);
const Wire__Answer *say_start(
    struct desk *desk, Wire__Identity who, const char *tenant, const char *name);
const Wire__Answer *say_stop(
    struct desk *desk, Wire__Identity who, const char *tenant, const char *name);
const Wire__Answer *say_reboot(
    struct desk *desk, Wire__Identity who, const char *tenant, const char *name);
const Wire__Answer *say_delete(
    struct desk *desk, Wire__Identity who, const char *tenant, const char *name);
/* The operator makes a token and the machine joins with it. */
const Wire__Answer *say_join(
    struct desk *desk, Wire__Kind kind, const char *name, const char *rack);
const Wire__Answer *say_token(
    struct desk *desk, Wire__Kind kind, const char *name, const char *rack, uint8_t secret);
const Wire__Answer *say_join_with(
    struct desk *desk, Wire__Kind kind, uint8_t secret, const char *csr);
const Wire__Answer *say_get(
    struct desk *desk, Wire__Identity who, Wire__Kind kind, const char *tenant, const char *name);
const Wire__Answer *say_list(
    struct desk *desk, Wire__Identity who, Wire__Kind kind, const char *tenant);
const Wire__Answer *say_status(struct desk *desk, Wire__Identity who, bool stale);
const Wire__Answer *say_events(struct desk *desk, Wire__Identity who, uint64_t after, bool stale);

#endif
