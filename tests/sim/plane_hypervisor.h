/* The inside of the fake hypervisor, for the files that are it: plane_host.c (when verbs are done,
 * what befalls guests) and plane_verb.c (what a verb does). */
#ifndef TESTS_SIM_PLANE_HYPERVISOR_H
#define TESTS_SIM_PLANE_HYPERVISOR_H

#include "tests/sim/plane_host.h"

enum { PLANE_REACHED = 128 };
enum plane_ended { PLANE_ENDED_SHUT_DOWN = 1, PLANE_ENDED_CRASHED = 2, PLANE_ENDED_BY_US = 3 };

struct segment {
    uint64_t network; /* 0: free. */
    uint32_t vni;
    uint64_t generation;
    uint64_t reaches[PLANE_REACHED / 64]; /* Bits of the first machines: they are peers. */
};

struct plane_host {
    bool up;
    bool libvirt;
    uint32_t life;    /* Of the host program. */
    uint32_t booted;  /* Its life when power came: what libvirt does since then goes on. */
    uint64_t died_us; /* The host program before this one. */
    uint32_t channel; /* To the agent; its death ends one. */
    bool heard;       /* Who asked for the verb under way hears of its end. */
    uint32_t acts;    /* Verbs under way that change something. */
    struct plane_domain domains[PLANE_DOMAINS];
    struct segment segments[PLANE_DOMAINS];
};

struct plane_host *plane_host_of(uint32_t machine);
/* NULL: it is not there. Instance 0: a free place. */
struct plane_domain *plane_domain_of(struct plane_host *host, uint64_t instance);
bool plane_segment_reaches(const struct segment *segment, uint32_t machine);
void plane_domain_end(struct plane_domain *domain);
void plane_host_tells_end(
    struct plane *plane, uint32_t machine, uint64_t instance, enum plane_ended why);
/* A start whose host program died: the domain is there, and nobody lets it go on. */
void plane_verb_cut_short(struct plane *plane, uint32_t machine, const Wire__Assignment *order);
void plane_verb_act(
    struct plane *plane, uint32_t machine, const Wire__Verb *verb, Wire__VerbTold *told);

#endif
