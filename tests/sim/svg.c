/* SVG as text. Numbers are written with a point, whatever the locale: it is never set. */
#include "tests/sim/svg.h"
#include "base/check.h"

#include <string.h>

static const char font[] = "font-family=\"Helvetica,Arial,sans-serif\"";

static void escaped(FILE *file, const char *text)
{
    for (; *text != '\0'; text++) {
        switch (*text) {
        case '<': (void)fputs("&lt;", file); break;
        case '>': (void)fputs("&gt;", file); break;
        case '&': (void)fputs("&amp;", file); break;
        case '"': (void)fputs("&quot;", file); break;
        default:
            if (strncmp(text, "\xef\xbf\xbe", 3) == 0 || strncmp(text, "\xef\xbf\xbf", 3) == 0) {
                text += 2; /* U+FFFE, U+FFFF: XML holds neither. */
            } else if ((unsigned char)*text >= 0x20) {
                (void)fputc(*text, file);
            }
            break;
        }
    }
}

void svg_begin(FILE *file, int width, int height, const char *title)
{
    CHECK(width > 0 && height > 0);
    (void)fprintf(
        file,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        "<svg xmlns=\"http://www.w3.org/2000/svg\" version=\"1.1\" width=\"%d\" height=\"%d\" "
        "viewBox=\"0 0 %d %d\">\n<title>",
        width,
        height,
        width,
        height);
    escaped(file, title);
    (void)fputs("</title>\n", file);
    svg_rect(file, 0, 0, width, height, "#ffffff", 1);
}

void svg_end(FILE *file)
{
    (void)fputs("</svg>\n", file);
}

void svg_line(
    FILE *file, double x1, double y1, double x2, double y2, const char *colour, double width)
{
    (void)fprintf(
        file,
        "<line x1=\"%.2f\" y1=\"%.2f\" x2=\"%.2f\" y2=\"%.2f\" stroke=\"%s\" "
        "stroke-width=\"%.2f\"/>\n",
        x1,
        y1,
        x2,
        y2,
        colour,
        width);
}

void svg_rect(
    FILE *file, double x, double y, double width, double height, const char *colour, double opacity)
{
    (void)fprintf(
        file,
        "<rect x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\" fill=\"%s\" "
        "fill-opacity=\"%.2f\"/>\n",
        x,
        y,
        width,
        height,
        colour,
        opacity);
}

void svg_dot(FILE *file, double x, double y, double radius, const char *colour, double opacity)
{
    (void)fprintf(
        file,
        "<circle cx=\"%.2f\" cy=\"%.2f\" r=\"%.2f\" fill=\"%s\" fill-opacity=\"%.2f\"/>\n",
        x,
        y,
        radius,
        colour,
        opacity);
}

void svg_path_begin(FILE *file)
{
    (void)fputs("<polyline points=\"", file);
}

void svg_path_point(FILE *file, double x, double y)
{
    (void)fprintf(file, "%.2f,%.2f ", x, y);
}

void svg_path_end(FILE *file, const char *colour, double width)
{
    (void)fprintf(
        file,
        "\" fill=\"none\" stroke=\"%s\" stroke-width=\"%.2f\" stroke-linejoin=\"round\"/>\n",
        colour,
        width);
}

void svg_path_end_filled(FILE *file, const char *colour, double opacity)
{
    (void)fprintf(
        file, "\" fill=\"%s\" fill-opacity=\"%.2f\" stroke=\"none\"/>\n", colour, opacity);
}

void svg_text(
    FILE *file,
    double x,
    double y,
    int size,
    enum svg_anchor anchor,
    const char *colour,
    const char *text)
{
    static const char *const anchors[] = { "", "start", "middle", "end" };
    (void)fprintf(
        file,
        "<text x=\"%.2f\" y=\"%.2f\" %s font-size=\"%d\" text-anchor=\"%s\" fill=\"%s\">",
        x,
        y,
        font,
        size,
        anchors[anchor],
        colour);
    escaped(file, text);
    (void)fputs("</text>\n", file);
}

void svg_text_upwards(
    FILE *file, double x, double y, int size, const char *colour, const char *text)
{
    (void)fprintf(
        file,
        "<text transform=\"translate(%.2f,%.2f) rotate(-90)\" %s font-size=\"%d\" "
        "text-anchor=\"middle\" fill=\"%s\">",
        x,
        y,
        font,
        size,
        colour);
    escaped(file, text);
    (void)fputs("</text>\n", file);
}

double svg_step(double most, int wanted)
{
    static const double steps[] = { 1, 2, 5, 10 };
    double scale = 1e-6;
    CHECK(wanted > 0);
    for (int power = 0; power < 18; power++) {
        for (size_t i = 0; i + 1 < COUNT_OF(steps); i++) {
            if (most / (scale * steps[i]) <= wanted) {
                return scale * steps[i];
            }
        }
        scale *= 10;
    }
    return most / wanted;
}

void svg_number(double number, char room[static 24])
{
    if (number >= 1e6) {
        (void)snprintf(room, 24, "%.4gM", number / 1e6);
    } else if (number >= 1e4) {
        (void)snprintf(room, 24, "%.4gk", number / 1e3);
    } else {
        (void)snprintf(room, 24, "%.6g", number);
    }
}
