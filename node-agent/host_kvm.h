/* Whether this node's guests get KVM: believed only after a real kernel booted under it. */
#ifndef NODE_AGENT_HOST_KVM_H
#define NODE_AGENT_HOST_KVM_H

#include "node-agent/host_kvm_memory.h"
#include "node-agent/host_verbs.h"

enum { HOST_KVM_TESTS = 12 }; /* In one life of this process, those that could not be made too. */

struct host_kvm {
    struct host *host;
    uv_loop_t *loop;
    bool wanted;     /* A test would change something. */
    bool libvirt_up; /* As last heard. */
    bool sweep_due;  /* A test's machine may be left over. */
    bool busy;       /* The work is a pool thread's, and so is all below it. */
    char directory[DOMAIN_PATH];
    struct kvm_memory memory;
    uint32_t tests;

    /* What was said: each is written before it is published and never again. */
    struct host_virtualization published[HOST_KVM_TESTS + 1];
    uint32_t published_count;

    uv_work_t work;
    uint32_t images_count; /* Not looked at yet. */
    uint8_t images[LIMIT_NODE_IMAGES][SHA256_SIZE];
    uint32_t looked_count; /* Looked at: no kernel, or tested. */
    uint8_t looked[LIMIT_NODE_IMAGES][SHA256_SIZE];
    bool swept;
    uint32_t image; /* Of images: the one that was tested; images_count: none was a kernel. */
    struct self_test_told told;
};

/* Before the process is confined: opens the device, reads what is remembered, and publishes what
 * counts until a test says otherwise. `setting`: "auto" or "tcg". `directory`: for its files, ""
 * for no test. False: the setting is neither, or the directory cannot be made. */
bool host_kvm_begin(
    struct host_kvm *kvm,
    struct host *host,
    uv_loop_t *loop,
    const char *setting,
    const char *directory,
    const char *device);
/* On the loop. A test begins as soon as there are libvirt and a kernel; nothing waits for it. */
void host_kvm_on_libvirt(struct host_kvm *kvm, bool up);
void host_kvm_on_survey(struct host_kvm *kvm, const Wire__NodeHello *survey);

#endif
