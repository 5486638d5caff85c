/* Rows as bytes: what is mirrored, digested and restored (wire/row.proto), field by field. */
#ifndef CONTROLLER_CORE_ROWS_H
#define CONTROLLER_CORE_ROWS_H

#include "base/arena.h"
#include "base/result.h"
#include "base/slice.h"
#include "controller/core/state.h"

enum { ROW_FORMAT = 2, ROW_BYTES_MAX = 16 * 1024 };

/* Encodes into the scratch, which has room for ROW_BYTES_MAX. */
struct slice rows_encode(enum state_table table, const void *row, struct arena *scratch);

/* Restore: puts one row back, with its names. Rows come in key order, table by table.
 * FAILURE_CORRUPT when the bytes are not a row; FAILURE_FULL when the table cannot hold it. */
RESULT rows_restore(
    struct state *state,
    enum state_table table,
    uint64_t id,
    struct slice bytes,
    struct arena *scratch);

#endif
