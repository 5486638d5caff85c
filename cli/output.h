/* From an answer to standard output, in one of seven forms. */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include "cli/json.h"
#include "cli/settings.h"
#include "cli/verbs.h"

/* `items` is a list of objects; all these columns are printed, and they may be NULL only for forms
 * that need none. */
bool output_list(
    FILE *out, enum output_format format, const struct column *columns, const struct json_t *items);
/* One object in full. */
bool output_one(
    FILE *out,
    enum output_format format,
    const struct column *columns,
    const struct json_t *object);
/* The whole cell: its own lines, then members and alarms as tables. */
bool output_cluster(FILE *out, enum output_format format, const struct json_t *object);
/* 536870912 → "512 MiB"; what is not a whole number of the unit gets one decimal. */
void output_bytes(uint64_t bytes, char *room, size_t size);
/* Milliseconds since 1970 → RFC 3339, UTC; a time that no calendar holds stays a number. `size`
 * ≥ 40. */
void output_time(uint64_t ms, char *room, size_t size);

#endif
