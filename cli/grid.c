/* Decides how cells line up. Never decides what is in them. */
#include "cli/grid.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include <wctype.h>

struct grid {
    uint32_t columns;
    uint32_t count; /* Cells. */
    uint32_t room;
    char **cells; /* Owned, each. */
    uint32_t widths[GRID_COLUMNS];
};

struct grid *grid_new(uint32_t columns)
{
    CHECK(columns > 0);
    CHECK(columns <= GRID_COLUMNS);
    struct grid *grid = calloc(1, sizeof(*grid));
    if (grid != NULL) {
        grid->columns = columns;
    }
    return grid;
}

void grid_free(struct grid *grid)
{
    if (grid == NULL) {
        return;
    }
    CHECK(grid->count <= grid->room);
    for (uint32_t i = 0; i < grid->count; i++) {
        free(grid->cells[i]);
    }
    free(grid->cells);
    free(grid);
}

uint32_t grid_width(const char *text)
{
    CHECK(text != NULL);
    uint32_t width = 0;
    mbstate_t state;
    memset(&state, 0, sizeof(state));
    size_t left = strlen(text);
    while (left > 0) {
        wchar_t wide = 0;
        size_t step = mbrtowc(&wide, text, left, &state);
        if (step == (size_t)-1 || step == (size_t)-2 || step == 0) {
            memset(&state, 0, sizeof(state));
            step = 1;
            wide = L'?';
        }
        int cells = wcwidth(wide);
        width += cells < 0 ? 1U : (uint32_t)cells;
        CHECK(step <= left);
        text += step;
        left -= step;
    }
    return width;
}

/* A copy in which every character that is not printable became '?'. */
static char *harmless(const char *text)
{
    size_t size = strnlen(text, GRID_CELL - 1);
    char *copy = calloc(1, size + 1);
    if (copy == NULL) {
        return NULL;
    }
    mbstate_t state;
    memset(&state, 0, sizeof(state));
    size_t used = 0;
    for (size_t at = 0; at < size;) {
        wchar_t wide = 0;
        size_t step = mbrtowc(&wide, text + at, size - at, &state);
        bool bad = step == (size_t)-1 || step == (size_t)-2 || step == 0;
        if (bad) {
            memset(&state, 0, sizeof(state));
            step = 1;
        }
        CHECK(used + step <= size);
        if (bad || !iswprint((wint_t)wide)) {
            copy[used] = '?';
            used++;
        } else {
            memcpy(copy + used, text + at, step);
            used += step;
        }
        at += step;
    }
    copy[used] = '\0';
    return copy;
}

bool grid_put(struct grid *grid, const char *text)
{
    CHECK(grid != NULL);
    CHECK(text != NULL);
    if (grid->count / grid->columns >= GRID_ROWS) {
        return false;
    }
    if (grid->count == grid->room) {
        uint32_t room = grid->room == 0 ? 64 : grid->room * 2;
        char **cells = realloc(grid->cells, (size_t)room * sizeof(*cells));
        if (cells == NULL) {
            return false;
        }
        grid->cells = cells;
        grid->room = room;
    }
    char *cell = harmless(text);
    if (cell == NULL) {
        return false;
    }
    uint32_t column = grid->count % grid->columns;
    uint32_t width = grid_width(cell);
    grid->widths[column] = width > grid->widths[column] ? width : grid->widths[column];
    grid->cells[grid->count] = cell;
    grid->count++;
    return true;
}

bool grid_print(FILE *out, const struct grid *grid)
{
    CHECK(grid->count % grid->columns == 0);
    CHECK(out != NULL);
    for (uint32_t i = 0; i < grid->count; i++) {
        uint32_t column = i % grid->columns;
        const char *cell = grid->cells[i];
        if (fputs(cell, out) == EOF) {
            return false;
        }
        bool last = column + 1 == grid->columns;
        uint32_t pad = last ? 0 : grid->widths[column] + 2 - grid_width(cell);
        for (uint32_t space = 0; space < pad; space++) {
            (void)fputc(' ', out); /* The line's end is checked. */
        }
        if (last && fputc('\n', out) == EOF) {
            return false;
        }
    }
    return true;
}
