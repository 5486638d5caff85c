/* The hard constraints, each with a name that answers carry. A node passes all of them or it is not
 * chosen; preferences are in score.h. */
#ifndef SCHEDULER_FILTER_H
#define SCHEDULER_FILTER_H

#include "scheduler/view.h"

/* In the order in which they are asked: the first one that fails is the one that is named. */
enum constraint {
    CONSTRAINT_NONE = 0,
    CONSTRAINT_ALIVE = 1,   /* The node is heard. */
    CONSTRAINT_OPEN = 2,    /* It takes new instances. */
    CONSTRAINT_IMAGE = 3,   /* It has verified the image's files. */
    CONSTRAINT_VCPU = 4,    /* Free vcpus, after overcommit. */
    CONSTRAINT_MEMORY = 5,  /* Free memory. */
    CONSTRAINT_RESERVE = 6, /* It would fit, but only by eating the management reserve. */
    CONSTRAINTS_END
};

/* What is to be placed. Borrowed pointers live as long as the call. */
struct place_request {
    uint32_t vcpus;      /* At least 1. */
    uint32_t memory_mib; /* At least 1; a guest's memory is whole MiB. */
    /* Node slots that have verified the image, view_set_words long; NULL: no image is needed. */
    const uint64_t *image_nodes;
    /* How many of the same spread group each rack has, VIEW_RACKS_MAX or fewer entries; NULL: no
     * group. A rack index at or above the count has none. */
    const uint32_t *group_in_rack;
    uint32_t group_racks;
};

/* The first constraint that turns this node away, or CONSTRAINT_NONE. apply asks this of the node
 * that the leader chose. A slot that holds no node is turned away as not alive. */
enum constraint filter_node(
    const struct scheduler_view *view, const struct place_request *request, uint32_t slot);

/* "alive", "open", "image-present", "capacity-vcpu", "capacity-memory", "management-reserve". */
const char *constraint_name(enum constraint constraint);

#endif
