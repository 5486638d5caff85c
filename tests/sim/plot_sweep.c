/* A sweep as a picture: one number of each trial over the first swept parameter; the median of all
 * seeds as a line, their range as a band, each trial as a dot; a line for each combination of the
 * other parameters. Decides where things are drawn; never what they are. */
#include "base/check.h"
#include "tests/sim/svg.h"
#include "tests/sim/trial_out.h"

#include <stdlib.h>
#include <string.h>

enum { WIDTH = 860, HEIGHT = 520, LEFT = 84, RIGHT = 28, TOP = 84, BOTTOM = 72, SERIES = 6 };
static const char grey[] = "#666666";
static const char faint[] = "#dddddd";
static const char *const colours[SERIES] = { "#1f5fa8", "#c8102e", "#2e7d32",
                                             "#d98200", "#6a3d9a", "#444444" };

struct frame {
    FILE *file;
    const struct trial_points *points;
    bool numeric;
    double x[TRIAL_SWEEP_VALUES];
    uint32_t order[TRIAL_SWEEP_VALUES]; /* Of the values, from left to right. */
    double x_least;
    double x_most;
    double y_most;
    const char *unit;
};

static double x_of(const struct frame *frame, double x)
{
    double span = frame->x_most - frame->x_least;
    return LEFT + 24 + (span > 0 ? (x - frame->x_least) / span : 0.5) * (WIDTH - LEFT - RIGHT - 48);
}

static double y_of(const struct frame *frame, double y)
{
    return HEIGHT - BOTTOM - y / frame->y_most * (HEIGHT - TOP - BOTTOM);
}

static void frame_fill(struct frame *frame)
{
    const struct trial_sweep *sweep = &frame->points->sweeps[0];
    frame->numeric = true;
    frame->unit = "";
    for (uint32_t i = 0; i < sweep->count && frame->numeric; i++) {
        const char *unit = "";
        frame->numeric = trial_number(sweep->texts[i], &frame->x[i], &unit) &&
                         (i == 0 || strcmp(unit, frame->unit) == 0);
        frame->unit = unit;
    }
    for (uint32_t i = 0; i < sweep->count; i++) {
        frame->x[i] = frame->numeric ? frame->x[i] : (double)i;
    }
    for (uint32_t i = 0; i < sweep->count; i++) { /* A list may be in any order. */
        uint32_t at = i;
        for (; at > 0 && frame->x[frame->order[at - 1]] > frame->x[i]; at--) {
            frame->order[at] = frame->order[at - 1];
        }
        frame->order[at] = i;
    }
    frame->x_least = frame->x[frame->order[0]];
    frame->x_most = frame->x[frame->order[sweep->count - 1]];
    for (uint32_t i = 0; i < frame->points->points_count; i++) {
        double y = frame->points->points[i].y;
        frame->y_most = y > frame->y_most ? y : frame->y_most;
    }
    frame->y_most = frame->y_most > 0 ? frame->y_most * 1.05 : 1;
}

static void axes(const struct frame *frame)
{
    const struct trial_sweep *sweep = &frame->points->sweeps[0];
    char room[96];
    double step = svg_step(frame->y_most, 6);
    for (double y = 0; y <= frame->y_most; y += step) {
        svg_number(y, room);
        svg_line(frame->file, LEFT, y_of(frame, y), WIDTH - RIGHT, y_of(frame, y), faint, 1);
        svg_text(frame->file, LEFT - 8, y_of(frame, y) + 4, 12, SVG_END, grey, room);
    }
    uint32_t every = (sweep->count + 15) / 16;
    for (uint32_t k = 0; k < sweep->count; k += every) {
        uint32_t i = frame->order[k];
        double x = x_of(frame, frame->x[i]);
        svg_line(frame->file, x, HEIGHT - BOTTOM, x, HEIGHT - BOTTOM + 5, grey, 1);
        svg_text(frame->file, x, HEIGHT - BOTTOM + 20, 12, SVG_MIDDLE, grey, sweep->texts[i]);
    }
    svg_line(frame->file, LEFT, TOP, LEFT, HEIGHT - BOTTOM, grey, 1);
    svg_line(frame->file, LEFT, HEIGHT - BOTTOM, WIDTH - RIGHT, HEIGHT - BOTTOM, grey, 1);
    svg_text_upwards(
        frame->file, 24, (TOP + HEIGHT - BOTTOM) / 2.0, 13, "#222222", frame->points->y_title);
    (void)snprintf(
        room,
        sizeof(room),
        "%s%s%s%s",
        sweep->name,
        frame->numeric && frame->unit[0] != '\0' ? " (" : "",
        frame->numeric ? frame->unit : "",
        frame->numeric && frame->unit[0] != '\0' ? ")" : "");
    svg_text(
        frame->file, (LEFT + WIDTH - RIGHT) / 2.0, HEIGHT - 24, 13, SVG_MIDDLE, "#222222", room);
}

/* Which line a point belongs to: the values of all sweeps but the first. */
static uint32_t series_of(const struct trial_points *points, const struct trial_point *point)
{
    uint32_t series = 0;
    for (uint32_t i = 1; i < points->sweeps_count; i++) {
        series = series * points->sweeps[i].count + point->at[i];
    }
    return series;
}

static uint32_t series_count(const struct trial_points *points)
{
    uint32_t count = 1;
    for (uint32_t i = 1; i < points->sweeps_count; i++) {
        count *= points->sweeps[i].count;
    }
    return count;
}

static int by_value(const void *a, const void *b)
{
    double one = *(const double *)a;
    double other = *(const double *)b;
    return one < other ? -1 : one > other ? 1 : 0;
}

struct column {
    uint32_t count;
    double least;
    double median;
    double most;
};

static struct column column_of(
    const struct trial_points *points, uint32_t series, uint32_t at, double *scratch)
{
    struct column column = { .count = 0 };
    for (uint32_t i = 0; i < points->points_count; i++) {
        const struct trial_point *point = &points->points[i];
        if (point->at[0] == at && series_of(points, point) == series) {
            scratch[column.count++] = point->y;
        }
    }
    if (column.count > 0) {
        uint32_t middle = column.count / 2;
        qsort(scratch, column.count, sizeof(*scratch), by_value);
        column.least = scratch[0];
        column.most = scratch[column.count - 1];
        column.median =
            column.count % 2 == 1 ? scratch[middle] : (scratch[middle - 1] + scratch[middle]) / 2;
    }
    return column;
}

static void draw_series(
    const struct frame *frame, uint32_t series, const char *colour, double *scratch)
{
    const struct trial_points *points = frame->points;
    uint32_t count = points->sweeps[0].count;
    struct column columns[TRIAL_SWEEP_VALUES];
    for (uint32_t i = 0; i < count; i++) {
        columns[i] = column_of(points, series, i, scratch);
    }
    svg_path_begin(frame->file);
    for (uint32_t k = 0; k < count; k++) {
        uint32_t i = frame->order[k];
        if (columns[i].count > 0) {
            svg_path_point(frame->file, x_of(frame, frame->x[i]), y_of(frame, columns[i].most));
        }
    }
    for (uint32_t k = count; k > 0; k--) {
        uint32_t i = frame->order[k - 1];
        if (columns[i].count > 0) {
            svg_path_point(frame->file, x_of(frame, frame->x[i]), y_of(frame, columns[i].least));
        }
    }
    svg_path_end_filled(frame->file, colour, 0.15);
    svg_path_begin(frame->file);
    for (uint32_t k = 0; k < count; k++) {
        uint32_t i = frame->order[k];
        if (columns[i].count > 0) {
            svg_path_point(frame->file, x_of(frame, frame->x[i]), y_of(frame, columns[i].median));
        }
    }
    svg_path_end(frame->file, colour, 2.2);
    for (uint32_t i = 0; i < points->points_count; i++) {
        const struct trial_point *point = &points->points[i];
        if (series_of(points, point) == series) {
            double x = x_of(frame, frame->x[point->at[0]]);
            svg_dot(frame->file, x, y_of(frame, point->y), 2.6, colour, 0.7);
        }
    }
}

static void legend(const struct frame *frame, uint32_t series, const char *colour)
{
    const struct trial_points *points = frame->points;
    char text[160] = "";
    size_t used = 0;
    uint32_t rest = series;
    for (uint32_t i = points->sweeps_count; i > 1; i--) {
        const struct trial_sweep *sweep = &points->sweeps[i - 1];
        used += (size_t)snprintf(
            text + used,
            sizeof(text) - used,
            "%s%s = %s",
            used > 0 ? ", " : "",
            sweep->name,
            sweep->texts[rest % sweep->count]);
        rest /= sweep->count;
        CHECK(used < sizeof(text));
    }
    double x = LEFT + (double)(series % 3) * 250;
    double y = 54 + (double)(series / 3) * 16;
    svg_rect(frame->file, x, y - 8, 18, 4, colour, 1);
    svg_text(frame->file, x + 24, y, 12, SVG_START, grey, text);
}

bool plot_sweep(const struct trial_points *points, FILE *file)
{
    struct frame frame = { .file = file, .points = points };
    uint32_t lines = series_count(points);
    double *scratch = calloc(points->points_count + 1, sizeof(*scratch));
    CHECK(scratch != NULL && points->sweeps_count > 0);
    if (lines > SERIES) {
        free(scratch);
        return false;
    }
    frame_fill(&frame);
    svg_begin(file, WIDTH, HEIGHT, points->title);
    svg_text(file, LEFT, 24, 16, SVG_START, "#111111", points->title);
    svg_text(
        file, WIDTH - RIGHT, 24, 12, SVG_END, grey, "line: median; band: range; dots: each seed");
    axes(&frame);
    for (uint32_t i = 0; i < lines; i++) {
        draw_series(&frame, i, colours[i], scratch);
        if (points->sweeps_count > 1) {
            legend(&frame, i, colours[i]);
        }
    }
    svg_end(file);
    free(scratch);
    return ferror(file) == 0;
}
