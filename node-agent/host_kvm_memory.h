/* What self-tests said since this machine booted: a small text file, so that a new start of host
 * tests nothing twice. Void when the machine booted, or its kernel, its QEMU or its device for KVM
 * became another. */
#ifndef NODE_AGENT_HOST_KVM_MEMORY_H
#define NODE_AGENT_HOST_KVM_MEMORY_H

#include "node-agent/host_self_test.h"

enum {
    KVM_MEMORY_KEY = 256,
    KVM_MEMORY_FAILED = 8, /* Kernels that did not boot; no more are tried in one boot. */
};

struct kvm_memory {
    char key[KVM_MEMORY_KEY]; /* One word. */
    bool boots;               /* Some kernel did: the last word on this machine. */
    uint32_t failed_count;
    uint8_t failed[KVM_MEMORY_FAILED][SHA256_SIZE];
    char said[SELF_TEST_SAID]; /* Of the last that failed. */
};

/* The word for this machine as it is now. False: it could not be asked. */
bool kvm_memory_key(const char *device, const char *qemu, char out[static KVM_MEMORY_KEY]);
/* Keeps the key; everything else is empty unless the file is sound and has the same key. */
void kvm_memory_load(const char *path, struct kvm_memory *memory);
RESULT kvm_memory_save(const char *path, const struct kvm_memory *memory);
bool kvm_memory_has_failed(
    const struct kvm_memory *memory, const uint8_t kernel[static SHA256_SIZE]);
/* False: full. */
bool kvm_memory_failed(
    struct kvm_memory *memory, const uint8_t kernel[static SHA256_SIZE], const char *said);

#endif
