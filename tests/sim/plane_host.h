/* The fake hypervisors, as others see them: their domains, and what can befall them. */
#ifndef TESTS_SIM_PLANE_HOST_H
#define TESTS_SIM_PLANE_HOST_H

#include "tests/sim/plane.h"

enum { PLANE_HOST_VCPUS = 16 }; /* Of every one. */

/* ---- plane_host.c ---- */
struct plane_domain {
    uint64_t instance; /* 0: free. */
    bool running;
    bool paused;
    bool leftovers;
    bool clings; /* A lie of ours: whatever the hypervisor says, it runs on. */
    uint64_t generation;
    uint64_t epoch;
    uint64_t boots;
    uint64_t since_us; /* When it was made. */
};
void plane_hosts_begin(struct plane *plane);
void plane_hosts_end(void);
void plane_host_wiped(uint32_t machine); /* After its power went: not even leftovers. */
void plane_host_power(struct plane *plane, uint32_t machine);
void plane_host_verb(struct plane *plane, uint32_t machine, const Wire__Frame *frame);
void plane_host_event(struct plane *plane, const struct plane_event *event);
void plane_host_restart(struct plane *plane, uint32_t machine);
void plane_host_libvirt(struct plane *plane, uint32_t machine);
void plane_host_guest(struct plane *plane, uint32_t machine);
void plane_host_loses(struct plane *plane, uint32_t machine);
const struct plane_domain *plane_host_domains(uint32_t machine);
bool plane_host_up(uint32_t machine);
uint64_t plane_host_memory(const struct plane *plane, uint32_t machine);
/* A domain that nobody ordered, on another node than this one; false: no place for it. */
bool plane_host_forge(struct plane *plane, uint64_t instance, uint64_t node);
/* A paused domain of nobody's, of epoch 0; false: no place for it. */
bool plane_host_forge_left(struct plane *plane, uint32_t machine, uint64_t instance);
void plane_host_agent_died(struct plane *plane, uint32_t machine);

#endif
