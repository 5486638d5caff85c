/* What the replicated commands mean. A level rises by command, once every controller of the cell
 * says that it understands it; until then the leader proposes nothing newer, apply refuses it, and
 * apply branches on the level wherever its meaning changed. A level never falls. */
#ifndef CONTROLLER_CORE_FEATURE_H
#define CONTROLLER_CORE_FEATURE_H

#include <command.pb-c.h>

enum {
    FEATURE_FIRST = 1, /* What genesis makes. */
    /* Wall time of entries is held to what a majority reports (INV-TIME-2); a cell whose replicas
     * disagree is judged and takes no writes; controllers tell older digests too; what is wrong on
     * a node is told. */
    FEATURE_BOUNDS = 2,
    FEATURE_LEVEL = FEATURE_BOUNDS, /* What this build understands. */
};

/* The level that a command needs. */
uint32_t feature_of(const Wire__Command *command);

#endif
