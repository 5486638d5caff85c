/* Decides the form of what is printed. Never decides what was answered, never translates a key. */
#include "cli/output.h"

#include "base/check.h"
#include "cli/columns.h"
#include "cli/words.h"
#include "cli/yaml.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

void output_bytes(uint64_t bytes, char *room, size_t size)
{
    static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB" };
    CHECK(size >= 16);
    size_t unit = 0;
    uint64_t rest = 0;
    while (bytes >= 1024 && unit + 1 < COUNT_OF(units)) {
        rest = bytes % 1024;
        bytes /= 1024;
        unit++;
    }
    CHECK(unit < COUNT_OF(units));
    uint64_t tenth = rest * 10 / 1024;
    if (tenth == 0) {
        (void)snprintf(room, size, "%" PRIu64 " %s", bytes, units[unit]);
    } else {
        (void)snprintf(room, size, "%" PRIu64 ".%" PRIu64 " %s", bytes, tenth, units[unit]);
    }
}

void output_time(uint64_t ms, char *room, size_t size)
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm parts;
    CHECK(size >= 40);
    CHECK(ms / 1000 <= (uint64_t)INT64_MAX);
    if (gmtime_r(&seconds, &parts) == NULL || parts.tm_year > 8000) {
        (void)snprintf(room, size, "%" PRIu64, ms);
        return;
    }
    size_t used = strftime(room, size, "%Y-%m-%dT%H:%M:%S", &parts);
    CHECK(used > 0);
    (void)snprintf(room + used, size - used, ".%03uZ", (unsigned int)(ms % 1000));
}

static void cell_text(
    const struct column *column, const struct json_t *object, bool people, char room[GRID_CELL])
{
    const struct json_t *value = doc_path(object, column->path);
    uint64_t number = 0;
    CHECK(column->path != NULL);
    if (column->form == COLUMN_BYTES && people && doc_number(value, &number)) {
        output_bytes(number, room, GRID_CELL);
        return;
    }
    if (column->form == COLUMN_TIME && people && doc_number(value, &number)) {
        output_time(number, room, GRID_CELL);
        return;
    }
    if (column->form == COLUMN_COUNT) {
        (void)snprintf(room, GRID_CELL, "%zu", doc_count(value));
        return;
    }
    if (people && value != NULL && doc_kind(value) == DOC_BOOL) {
        const char *word = doc_true(value) ? say("yes", "はい") : say("no", "いいえ");
        (void)snprintf(room, GRID_CELL, "%s", word);
        return;
    }
    doc_words(value, room, GRID_CELL);
    if (people && room[0] == '\0') {
        (void)snprintf(room, GRID_CELL, "-");
    }
}

static bool grid_rows(struct grid *grid, const struct column *columns, const struct json_t *items)
{
    CHECK(grid != NULL);
    bool good = true;
    char cell[GRID_CELL];
    for (const struct column *c = columns; c->path != NULL && good; c++) {
        good = grid_put(grid, say(c->en, c->ja));
    }
    for (size_t i = 0; i < doc_count(items) && good; i++) {
        for (const struct column *c = columns; c->path != NULL && good; c++) {
            cell_text(c, doc_at(items, i), true, cell);
            good = grid_put(grid, cell);
        }
    }
    return good;
}

static bool print_table(FILE *out, const struct column *columns, const struct json_t *items)
{
    uint32_t count = 0;
    while (columns[count].path != NULL) {
        count++;
    }
    CHECK(count > 0);
    struct grid *grid = grid_new(count);
    bool good = grid != NULL && grid_rows(grid, columns, items) && grid_print(out, grid);
    grid_free(grid);
    return good;
}

/* RFC 4180, and a leading =, +, - or @ is disarmed for spreadsheets. */
static bool csv_cell(FILE *out, const char *text, bool first)
{
    CHECK(text != NULL);
    bool formula = *text != '\0' && strchr("=+-@", *text) != NULL;
    bool quote = formula || strpbrk(text, ",\"\r\n") != NULL;
    bool good = first || fputc(',', out) != EOF;
    if (!quote) {
        return good && fputs(text, out) != EOF;
    }
    good = good && fputs(formula ? "\"'" : "\"", out) != EOF;
    for (; *text != '\0' && good; text++) {
        good = (*text != '"' || fputc('"', out) != EOF) && fputc(*text, out) != EOF;
    }
    return good && fputc('"', out) != EOF;
}

static bool print_csv(FILE *out, const struct column *columns, const struct json_t *items)
{
    CHECK(columns != NULL);
    bool good = true;
    char cell[GRID_CELL];
    for (const struct column *c = columns; c->path != NULL && good; c++) {
        good = csv_cell(out, c->path, c == columns); /* Keys, not words: for programs. */
    }
    good = good && fputs("\r\n", out) != EOF;
    for (size_t i = 0; i < doc_count(items) && good; i++) {
        for (const struct column *c = columns; c->path != NULL && good; c++) {
            cell_text(c, doc_at(items, i), false, cell);
            good = csv_cell(out, cell, c == columns);
        }
        good = good && fputs("\r\n", out) != EOF;
    }
    return good;
}

static bool print_name(FILE *out, const struct json_t *object)
{
    static const char *const keys[] = { "name", "resource_name", "id", "seq", "index" };
    char room[GRID_CELL];
    CHECK(object != NULL);
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        doc_words(doc_get(object, keys[i]), room, sizeof(room));
        if (room[0] != '\0') {
            return fprintf(out, "%s\n", room) > 0;
        }
    }
    return true;
}

static bool each_line(FILE *out, enum output_format format, const struct json_t *items)
{
    bool good = true;
    CHECK(format == OUTPUT_JSONL || format == OUTPUT_NAME);
    for (size_t i = 0; i < doc_count(items) && good; i++) {
        const struct json_t *item = doc_at(items, i);
        good = format == OUTPUT_NAME ? print_name(out, item) : doc_print(out, item, false);
    }
    return good;
}

bool output_list(
    FILE *out, enum output_format format, const struct column *columns, const struct json_t *items)
{
    CHECK(items != NULL);
    CHECK(doc_kind(items) == DOC_LIST);
    switch (format) {
    case OUTPUT_TABLE:
    case OUTPUT_WIDE: return print_table(out, columns, items);
    case OUTPUT_JSON: return doc_print(out, items, true);
    case OUTPUT_YAML: return yaml_print(out, items);
    case OUTPUT_CSV: return print_csv(out, columns, items);
    case OUTPUT_JSONL:
    case OUTPUT_NAME: return each_line(out, format, items);
    }
    UNREACHABLE();
}

static bool csv_members(FILE *out, const struct json_t *object)
{
    struct json_t *writable = doc_share((struct json_t *)(uintptr_t)object);
    bool good = fputs("key,value\r\n", out) != EOF;
    char cell[GRID_CELL];
    CHECK(object != NULL);
    for (void *m = doc_first(writable); m != NULL && good; m = doc_next(writable, m)) {
        doc_words(doc_member_value(m), cell, sizeof(cell));
        good = csv_cell(out, doc_member_key(m), true) && csv_cell(out, cell, false) &&
               fputs("\r\n", out) != EOF;
    }
    doc_free(writable);
    return good;
}

bool output_one(
    FILE *out, enum output_format format, const struct column *columns, const struct json_t *object)
{
    CHECK(object != NULL);
    CHECK(out != NULL);
    switch (format) {
    case OUTPUT_TABLE:
    case OUTPUT_WIDE:
    case OUTPUT_YAML: return yaml_print(out, object);
    case OUTPUT_JSON: return doc_print(out, object, true);
    case OUTPUT_JSONL: return doc_print(out, object, false);
    case OUTPUT_NAME: return print_name(out, object);
    case OUTPUT_CSV: break;
    }
    if (columns == NULL) {
        return csv_members(out, object);
    }
    struct json_t *list = doc_list();
    bool good = doc_append(list, doc_share((struct json_t *)(uintptr_t)object)) &&
                print_csv(out, columns, list);
    doc_free(list);
    return good;
}

static bool print_section(
    FILE *out,
    const char *title,
    const char *noun,
    const struct json_t *items,
    enum output_format format)
{
    struct columns columns;
    CHECK(title != NULL);
    if (doc_count(items) == 0) {
        return fprintf(out, "\n%s: -\n", title) > 0;
    }
    const struct verb *ls = verbs_find(noun, "ls");
    CHECK(ls != NULL);
    columns_usual(ls->columns, format, false, &columns);
    return fprintf(out, "\n%s\n", title) > 0 && print_table(out, columns.list, items);
}

/* The object's members without its two lists. */
static struct json_t *heads_of(const struct json_t *object)
{
    struct json_t *heads = doc_object();
    struct json_t *writable = doc_share((struct json_t *)(uintptr_t)object);
    CHECK(object != NULL);
    for (void *m = doc_first(writable); m != NULL; m = doc_next(writable, m)) {
        if (doc_kind(doc_member_value(m)) != DOC_LIST) {
            (void)doc_set(heads, doc_member_key(m), doc_share(doc_member_value(m)));
        }
    }
    doc_free(writable);
    return heads;
}

bool output_cluster(FILE *out, enum output_format format, const struct json_t *object)
{
    CHECK(object != NULL);
    if (format != OUTPUT_TABLE && format != OUTPUT_WIDE) {
        return output_one(out, format, NULL, object);
    }
    struct json_t *heads = heads_of(object);
    bool good = heads != NULL && yaml_print(out, heads);
    doc_free(heads);
    CHECK(out != NULL);
    return good &&
           print_section(
               out,
               say("Controllers", "コントローラ"),
               "controller",
               doc_get(object, "members"),
               format) &&
           print_section(out, say("Alarms", "警報"), "alarm", doc_get(object, "alarms"), format);
}
