/* The store of the simulator: controller/store.h in memory, with the crash semantics of the real
 * one. Rows and index are of one moment; what was not flushed is gone after a crash; a full disk
 * fails the flush and makes the store unfit until it is reopened. Directories are names. */
#ifndef TESTS_SIM_SIM_STORE_H
#define TESTS_SIM_SIM_STORE_H

#include "controller/store.h"

enum {
    SIM_STORE_DIRECTORIES = 128, /* Databases and checkpoints of all machines together. */
    SIM_STORE_BATCH = 1 << 20,   /* Operations of an open batch: a fetched snapshot is one. */
};

/* The process or the machine dies: frees the store; what was not durable is gone. */
void sim_store_crash(struct store *store);
/* RocksDB flushed of its own accord: durable, but store_flushed_index does not know. */
void sim_store_flush_unasked(struct store *store);
/* The disk beneath this directory is full, or has room again. */
void sim_store_full(const char *directory, bool full);
/* The next flush of this store fails with FAILURE_IO: a background error. */
void sim_store_break(struct store *store);
/* The files of a checkpoint arrive on another machine. False: there is no such checkpoint. */
bool sim_store_copy(const char *from, const char *to);
/* One value of a checkpoint changes on its way. False: it has no row. */
bool sim_store_damage(const char *directory);
/* Every directory whose name begins so is gone; those beneath `from` are there again beneath `to`,
 * as they are durable now. None of them is open. */
void sim_store_drop(const char *prefix);
void sim_store_save(const char *from, const char *to);
/* Forgets every directory; no store is open. */
void sim_store_reset(void);

#endif
