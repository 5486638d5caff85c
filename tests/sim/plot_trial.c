/* One trial as a picture: goodput, queue, and guests started and moved, over the same seconds, with
 * what was struck marked in each. Decides where things are drawn; never what they are. */
#include "base/check.h"
#include "tests/sim/svg.h"
#include "tests/sim/trial_out.h"

#include <string.h>

enum {
    WIDTH = 960,
    LEFT = 84,
    RIGHT = 24,
    TOP = 92,
    PANEL = 150,
    GAP = 34,
    PANELS = 3,
    BOTTOM = 64
};
enum { LABELS = 16, LABEL_ROWS = 3, KINDS = 4 };
static const char grey[] = "#666666";
static const char faint[] = "#dddddd";
static const char red[] = "#c8102e";
static const char blue[] = "#1f5fa8";
static const char green[] = "#2e7d32";
static const char amber[] = "#d98200";

struct frame {
    FILE *file;
    double seconds;
    double top;  /* Of the panel at hand. */
    double most; /* Of its y. */
};

static double x_of(const struct frame *frame, double second)
{
    return LEFT + second / frame->seconds * (WIDTH - LEFT - RIGHT);
}

static double y_of(const struct frame *frame, double value)
{
    return frame->top + PANEL - value / frame->most * PANEL;
}

static uint32_t most_of(const uint32_t *numbers, uint64_t count)
{
    uint32_t most = 0;
    for (uint64_t i = 0; i < count; i++) {
        most = numbers[i] > most ? numbers[i] : most;
    }
    return most;
}

static void axes(const struct frame *frame, const char *title, bool last)
{
    char room[24];
    double step = svg_step(frame->most, 4);
    for (double y = 0; y <= frame->most * 1.0001; y += step) {
        svg_number(y, room);
        svg_line(frame->file, LEFT, y_of(frame, y), WIDTH - RIGHT, y_of(frame, y), faint, 1);
        svg_text(frame->file, LEFT - 8, y_of(frame, y) + 4, 12, SVG_END, grey, room);
    }
    step = svg_step(frame->seconds, 12);
    for (double x = 0; x <= frame->seconds * 1.0001; x += step) {
        double bottom = frame->top + PANEL;
        svg_line(frame->file, x_of(frame, x), bottom, x_of(frame, x), bottom + 5, grey, 1);
        if (last) {
            svg_number(x, room);
            svg_text(frame->file, x_of(frame, x), bottom + 20, 12, SVG_MIDDLE, grey, room);
        }
    }
    svg_line(frame->file, LEFT, frame->top, LEFT, frame->top + PANEL, grey, 1);
    svg_line(frame->file, LEFT, frame->top + PANEL, WIDTH - RIGHT, frame->top + PANEL, grey, 1);
    svg_text_upwards(frame->file, 24, frame->top + PANEL / 2.0, 13, "#222222", title);
}

/* A step for each second: what is shown is a sum or a most of that second, and nothing between. */
static void series(
    const struct frame *frame, const uint32_t *numbers, uint64_t count, const char *colour)
{
    svg_path_begin(frame->file);
    for (uint64_t i = 0; i < count; i++) {
        double end = (double)(i + 1) < frame->seconds ? (double)(i + 1) : frame->seconds;
        svg_path_point(frame->file, x_of(frame, (double)i), y_of(frame, numbers[i]));
        svg_path_point(frame->file, x_of(frame, end), y_of(frame, numbers[i]));
    }
    svg_path_end(frame->file, colour, 1.6);
}

static void bands(const struct frame *frame, const struct trial_measures *measures)
{
    for (uint32_t i = 0; i < measures->strikes_count; i++) {
        double from = (double)measures->strikes[i].at_ms / 1000.0;
        double end = from + (double)measures->strikes[i].for_ms / 1000.0;
        end = end < frame->seconds ? end : frame->seconds;
        if (end > from) {
            double width = x_of(frame, end) - x_of(frame, from);
            svg_rect(frame->file, x_of(frame, from), frame->top, width, PANEL, red, 0.12);
        }
        svg_line(
            frame->file,
            x_of(frame, from),
            frame->top,
            x_of(frame, from),
            frame->top + PANEL,
            red,
            1);
    }
}

/* A few are named where they strike; many are counted by their words. */
static void labels(const struct frame *frame, const struct trial_measures *measures)
{
    bool few = measures->strikes_count <= LABELS;
    for (uint32_t i = 0; few && i < measures->strikes_count; i++) {
        const struct trial_strike *strike = &measures->strikes[i];
        double x = x_of(frame, (double)strike->at_ms / 1000.0);
        double y = TOP - 6 - (double)(i % LABEL_ROWS) * 12;
        bool right = x > WIDTH - 160;
        svg_line(frame->file, x, y, x, TOP, red, 0.5);
        svg_text(
            frame->file,
            right ? x - 3 : x + 3,
            y,
            10,
            right ? SVG_END : SVG_START,
            red,
            strike->words);
    }
    const struct trial_strike *kinds[KINDS] = { NULL };
    uint32_t counts[KINDS] = { 0 };
    double x = LEFT;
    for (uint32_t i = 0; !few && i < measures->strikes_count; i++) {
        size_t size = strcspn(measures->strikes[i].words, "=");
        for (uint32_t k = 0; k < KINDS; k++) {
            kinds[k] = kinds[k] == NULL ? &measures->strikes[i] : kinds[k];
            if (strncmp(kinds[k]->words, measures->strikes[i].words, size) == 0) {
                counts[k]++;
                break;
            }
        }
    }
    for (uint32_t k = 0; k < KINDS && kinds[k] != NULL; k++) {
        char text[96];
        int size = (int)strcspn(kinds[k]->words, "=");
        (void)snprintf(text, sizeof(text), "%u × %.*s", counts[k], size, kinds[k]->words);
        svg_text(frame->file, x, TOP - 8, 11, SVG_START, red, text);
        x += 200;
    }
}

static void heading(const struct trial_outcome *outcome, FILE *file)
{
    char text[768];
    size_t used = (size_t)snprintf(
        text,
        sizeof(text),
        "%.120s, seed %llu",
        outcome->experiment,
        (unsigned long long)outcome->seed);
    for (uint32_t i = 0; i < outcome->values_count && used < sizeof(text); i++) {
        used += (size_t)snprintf(
            text + used,
            sizeof(text) - used,
            ", %s = %s",
            outcome->values[i].name,
            outcome->values[i].text);
    }
    svg_text(file, LEFT, 24, 16, SVG_START, "#111111", text);
    (void)snprintf(
        text,
        sizeof(text),
        "%s; policy %s; %.1f requests/s done, p99 %.0f ms, longest unavailable %.0f ms",
        outcome->clean ? "checkers: clean" : outcome->verdict,
        outcome->policy,
        trial_measure_of(outcome->measures, TRIAL_GOODPUT),
        trial_measure_of(outcome->measures, TRIAL_P99),
        trial_measure_of(outcome->measures, TRIAL_UNAVAILABLE));
    svg_text(file, LEFT, 42, 12, SVG_START, outcome->clean ? grey : red, text);
}

bool plot_trial(const struct trial_outcome *outcome, FILE *file)
{
    const struct trial_measures *measures = outcome->measures;
    uint64_t count = (measures->duration_ms + 999) / 1000;
    count = count < TRIAL_SECONDS ? count : TRIAL_SECONDS;
    const struct {
        const char *title;
        const uint32_t *numbers;
        const uint32_t *also;
        const char *colour;
    } panels[PANELS] = {
        { "goodput (requests/s)", measures->goodput, NULL, blue },
        { "longest queue (messages)", measures->queue, NULL, amber },
        { "guests (per s)", measures->started, measures->moved, green },
    };
    struct frame frame = { .file = file, .seconds = (double)measures->duration_ms / 1000.0 };
    frame.seconds = frame.seconds > 1 ? frame.seconds : 1;
    int height = TOP + PANELS * PANEL + (PANELS - 1) * GAP + BOTTOM;
    svg_begin(file, WIDTH, height, outcome->experiment);
    heading(outcome, file);
    for (int i = 0; i < PANELS; i++) {
        frame.top = TOP + i * (PANEL + GAP);
        uint32_t most = most_of(panels[i].numbers, count);
        frame.most = most > 0 ? most * 1.05 : 1;
        axes(&frame, panels[i].title, i == PANELS - 1);
        bands(&frame, measures);
        series(&frame, panels[i].numbers, count, panels[i].colour);
        if (panels[i].also != NULL) {
            series(&frame, panels[i].also, count, blue);
            svg_text(file, WIDTH - RIGHT - 104, frame.top - 6, 12, SVG_END, green, "started");
            svg_text(file, WIDTH - RIGHT, frame.top - 6, 12, SVG_END, blue, "of these moved");
        }
    }
    frame.top = TOP;
    labels(&frame, measures);
    svg_text(
        file,
        LEFT + (WIDTH - LEFT - RIGHT) / 2.0,
        height - 14,
        13,
        SVG_MIDDLE,
        "#222222",
        "virtual time since the workload began (s); red: a fault, and how long it lasts");
    svg_end(file);
    return ferror(file) == 0;
}
