/* Tables for a terminal: columns as wide as their widest cell, counted in character cells, so that
 * Japanese text lines up. Text is made harmless: no control character reaches the terminal. */
#ifndef CLI_GRID_H
#define CLI_GRID_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum {
    GRID_COLUMNS = 24,   /* The widest view of the table has 15. */
    GRID_CELL = 512,     /* Bytes of one cell. */
    GRID_ROWS = 1 << 20, /* A cell's instances at most. */
};

struct grid;

/* NULL only when memory is out. */
struct grid *grid_new(uint32_t columns);
void grid_free(struct grid *grid);
/* The next cell, row by row; false when memory or rows are out. */
bool grid_put(struct grid *grid, const char *text);
bool grid_print(FILE *out, const struct grid *grid);
/* Columns that a terminal gives to this text; what it cannot show counts as one. */
uint32_t grid_width(const char *text);

#endif
