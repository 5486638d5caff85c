/* A drawing as SVG 1.1 text: lines, rectangles, texts, polylines. Decides how they are written, and
 * that no text can break out of its element. Never decides where anything goes. */
#ifndef TESTS_SIM_SVG_H
#define TESTS_SIM_SVG_H

#include <stdint.h>
#include <stdio.h>

enum svg_anchor { SVG_START = 1, SVG_MIDDLE, SVG_END };

void svg_begin(FILE *file, int width, int height, const char *title);
void svg_end(FILE *file);
void svg_line(
    FILE *file, double x1, double y1, double x2, double y2, const char *colour, double width);
void svg_rect(
    FILE *file,
    double x,
    double y,
    double width,
    double height,
    const char *colour,
    double opacity);
void svg_dot(FILE *file, double x, double y, double radius, const char *colour, double opacity);
/* A path: begin, its points, end. `filled`: an area without an edge. */
void svg_path_begin(FILE *file);
void svg_path_point(FILE *file, double x, double y);
void svg_path_end(FILE *file, const char *colour, double width);
void svg_path_end_filled(FILE *file, const char *colour, double opacity);
void svg_text(
    FILE *file,
    double x,
    double y,
    int size,
    enum svg_anchor anchor,
    const char *colour,
    const char *text);
void svg_text_upwards(
    FILE *file, double x, double y, int size, const char *colour, const char *text);

/* A step of 1, 2 or 5 times a power of ten, so that 0 … most has about `wanted` of them. */
double svg_step(double most, int wanted);
/* "12", "0.5", "1.2k": as short as it can be read. */
void svg_number(double number, char room[static 24]);

#endif
