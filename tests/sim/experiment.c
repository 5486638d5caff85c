/* Decides how a file becomes lines, parameters their values, and what may be said together; what is
 * not said has the simulator's usual size. What a line may say is in experiment_lines.c. Refuses
 * what it does not know, with file and line, why, and what next. */
#include "tests/sim/experiment.h"
#include "base/check.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_MAX = 1 << 20, DEFAULT_SECONDS = 120 };

struct reader {
    const char *path;
    struct experiment *experiment;
    struct experiment_value values[EXPERIMENT_VALUES]; /* The caller's first, then the file's. */
    uint32_t count;
    uint32_t said; /* Lines that may come once, by their place among the kinds. */
    bool recorded; /* The file at hand holds faults and nothing else. */
    char *why;
};

bool experiment_refuse(
    const struct experiment_line *line, const char *what, const char *why, const char *next)
{
    (void)snprintf(
        line->why,
        EXPERIMENT_WHY,
        "%s:%u: %s: %s. Next: %s.",
        line->path,
        line->number,
        what,
        why,
        next);
    return false;
}

bool experiment_refuse_word(
    const struct experiment_line *line, const char *word, const char *why, const char *next)
{
    char what[96];
    (void)snprintf(what, sizeof(what), "\"%.60s\" is not understood", word);
    return experiment_refuse(line, what, why, next);
}

static bool set(struct reader *reader, const struct experiment_line *line)
{
    const char *equals = line->count == 2 ? strchr(line->words[1], '=') : NULL;
    size_t size = equals == NULL ? 0 : (size_t)(equals - line->words[1]);
    struct experiment_value value = { .used = false };
    if (size == 0 || size >= sizeof(value.name) || strlen(equals + 1) == 0 ||
        strlen(equals + 1) >= sizeof(value.text)) {
        return experiment_refuse(
            line,
            "a parameter is NAME=VALUE",
            "names have up to 15 characters, values up to 23",
            "write for instance: set k=5s");
    }
    (void)snprintf(value.name, sizeof(value.name), "%.*s", (int)size, line->words[1]);
    (void)snprintf(value.text, sizeof(value.text), "%s", equals + 1);
    for (uint32_t i = 0; i < reader->count; i++) {
        if (strcmp(reader->values[i].name, value.name) == 0) {
            return true; /* A sweep's value comes first. */
        }
    }
    if (reader->count == EXPERIMENT_VALUES) {
        return experiment_refuse(line, "too many parameters", "8 are the bound", "use fewer");
    }
    reader->values[reader->count++] = value;
    return true;
}

static bool recorded(struct reader *reader, const struct experiment_line *line);

/* ---- Files ---- */

/* $name and ${name} become their texts. */
static bool substitute(
    struct reader *reader, const struct experiment_line *line, const char *from, char *to)
{
    size_t used = 0;
    while (*from != '\0' && used + 1 < EXPERIMENT_LINE) {
        if (*from != '$') {
            to[used++] = *from++;
            continue;
        }
        bool braces = from[1] == '{';
        const char *name = from + (braces ? 2 : 1);
        size_t size = 0;
        while (isalnum((unsigned char)name[size]) || name[size] == '_') {
            size++;
        }
        uint32_t at = 0;
        while (at < reader->count && (strlen(reader->values[at].name) != size ||
                                      strncmp(reader->values[at].name, name, size) != 0)) {
            at++;
        }
        if (size == 0 || at == reader->count || (braces && name[size] != '}')) {
            return experiment_refuse_word(
                line,
                from,
                "this parameter has no value",
                "give it one: --sweep k=2s..30s, or a line `set k=5s` above");
        }
        int wrote = snprintf(to + used, EXPERIMENT_LINE - used, "%s", reader->values[at].text);
        CHECK(wrote > 0);
        reader->values[at].used = true;
        used += (size_t)wrote;
        from = name + size + (braces ? 1 : 0);
    }
    if (*from != '\0' || used + 1 >= EXPERIMENT_LINE) {
        return experiment_refuse(
            line, "the line is too long", "1023 bytes are the bound", "split it");
    }
    to[used] = '\0';
    return true;
}

static bool once(struct reader *reader, const struct experiment_line *line, uint32_t kind)
{
    CHECK(kind < 32);
    bool first = (reader->said & 1U << kind) == 0;
    reader->said |= 1U << kind;
    return first ? true
                 : experiment_refuse_word(
                       line,
                       line->words[0],
                       "it was said above already",
                       "write all of it in one line");
}

static bool dispatch(struct reader *reader, const struct experiment_line *line)
{
    enum { FAULTS_KIND = 31 };
    const char *word = line->words[0];
    if (!reader->recorded && strcmp(word, "set") == 0) {
        return set(reader, line);
    }
    if (!reader->recorded && strcmp(word, "faults") == 0) {
        return once(reader, line, FAULTS_KIND) && recorded(reader, line);
    }
    const struct experiment_kind *kind = experiment_kind_at(0);
    for (uint32_t i = 0; kind != NULL; kind = experiment_kind_at(++i)) {
        if (strcmp(kind->word, word) == 0 && (!reader->recorded || strcmp(word, "fault") == 0)) {
            return (!kind->once || once(reader, line, i)) && kind->read(reader->experiment, line);
        }
    }
    return experiment_refuse_word(
        line,
        word,
        reader->recorded
            ? "a recorded schedule has fault lines only"
            : "lines begin with topology, duration, seeds, workload, trace, weather, swarm, cost, "
              "policy, fault, faults or set",
        "write one of these; # begins a comment");
}

static bool one_line(struct reader *reader, uint32_t number, const char *text, size_t size)
{
    static const char blanks[] = " \t\r";
    char raw[EXPERIMENT_LINE];
    char made[EXPERIMENT_LINE];
    struct experiment_line line = { .path = reader->path, .number = number, .why = reader->why };
    if (size >= sizeof(raw) || memchr(text, '\0', size) != NULL) {
        return experiment_refuse(
            &line, "the line is too long", "1023 bytes are the bound", "split it");
    }
    (void)snprintf(raw, sizeof(raw), "%.*s", (int)size, text);
    raw[strcspn(raw, "#")] = '\0';
    if (!substitute(reader, &line, raw, made)) {
        return false;
    }
    for (char *at = made + strspn(made, blanks); *at != '\0'; at += strspn(at, blanks)) {
        if (line.count == EXPERIMENT_LINE_WORDS) {
            return experiment_refuse(
                &line, "too many words", "24 are the bound", "write a second line");
        }
        line.words[line.count++] = at;
        at += strcspn(at, blanks);
        if (*at != '\0') {
            *at++ = '\0';
        }
    }
    return line.count == 0 || dispatch(reader, &line);
}

static bool all_lines(struct reader *reader, const char *text)
{
    uint32_t number = 0;
    while (*text != '\0') {
        size_t size = strcspn(text, "\n");
        if (!one_line(reader, ++number, text, size)) {
            return false;
        }
        text += size + (text[size] == '\n' ? 1 : 0);
    }
    return true;
}

/* Owned by the caller; NULL: why says so. */
static char *file_text(const char *path, char why[static EXPERIMENT_WHY])
{
    FILE *file = fopen(path, "re");
    char *text = file == NULL ? NULL : calloc(1, FILE_MAX + 1);
    size_t size = text == NULL ? 0 : fread(text, 1, FILE_MAX, file);
    bool whole = text != NULL && ferror(file) == 0 && size < FILE_MAX && strlen(text) == size;
    if (!whole) {
        (void)snprintf(
            why,
            EXPERIMENT_WHY,
            "%s: cannot be read as text: %s. Next: name a text file of less than a megabyte.",
            path,
            file == NULL ? strerror(errno) : "too large, or no text");
        free(text);
        text = NULL;
    }
    if (file != NULL) {
        (void)fclose(file); /* Nothing was written. */
    }
    return text;
}

/* A schedule that the recorder of real histories wrote: its lines are lines of ours. */
static bool recorded(struct reader *reader, const struct experiment_line *line)
{
    char path[EXPERIMENT_PATH];
    const char *outer = reader->path;
    if (line->count != 2 || !experiment_beside(line, path)) {
        return experiment_refuse(
            line,
            "a schedule is one file",
            "its lines are fault lines",
            "write faults FILE.faults");
    }
    char *text = file_text(path, reader->why);
    if (text == NULL) {
        return false;
    }
    reader->path = path;
    reader->recorded = true;
    bool sound = all_lines(reader, text);
    reader->recorded = false;
    reader->path = outer;
    free(text);
    return sound;
}

/* ---- What lines say of one another ---- */

static bool exists(const struct experiment *experiment, uint32_t machine)
{
    return machine == PLANE_NONE ||
           (plane_is_node(machine) ? machine - PLANE_CONTROLLERS < experiment->conf.nodes
                                   : machine < experiment->conf.controllers);
}

static bool together(const struct reader *reader)
{
    const struct experiment *out = reader->experiment;
    for (uint32_t i = 0; i < out->faults_count; i++) {
        const struct experiment_fault *it = &out->faults[i];
        struct experiment_line line = { reader->path, it->line, 0, { NULL }, reader->why };
        if (!exists(out, it->target.machine) || !exists(out, it->other)) {
            return experiment_refuse_word(
                &line, it->words, "the topology has no such machine", "name one that is there");
        }
    }
    struct experiment_line whole = { reader->path, 0, 0, { NULL }, reader->why };
    if (out->trace[0] != '\0' && out->mix_sum > 0) {
        return experiment_refuse(
            &whole, "a trace and a mix", "the trace says what is asked", "leave one of them out");
    }
    return true;
}

bool experiment_parse(
    const char *path,
    const char *text,
    struct experiment_value *values,
    uint32_t count,
    struct experiment *experiment_out,
    char why_out[static EXPERIMENT_WHY])
{
    struct reader reader = {
        .path = path, .experiment = experiment_out, .count = count, .why = why_out
    };
    CHECK(count <= EXPERIMENT_VALUES);
    memset(experiment_out, 0, sizeof(*experiment_out));
    experiment_out->seed_first = 1;
    experiment_out->seed_last = 1;
    experiment_out->placement = policy_at(0);
    experiment_out->conf = (struct plane_conf){
        .controllers = 3, .nodes = 3, .tenants = 2, .clients = 8, .instances = 8, .think_ms = 1000
    };
    if (count > 0) {
        memcpy(reader.values, values, count * sizeof(*values));
    }
    bool sound = all_lines(&reader, text) && together(&reader);
    if (experiment_out->duration_ms == 0 && experiment_out->trace[0] == '\0') {
        experiment_out->duration_ms = DEFAULT_SECONDS * 1000;
    }
    for (uint32_t i = 0; i < count; i++) {
        values[i].used = reader.values[i].used;
    }
    return sound;
}

bool experiment_read(
    const char *path,
    struct experiment_value *values,
    uint32_t count,
    struct experiment *experiment_out,
    char why_out[static EXPERIMENT_WHY])
{
    char *text = file_text(path, why_out);
    bool sound =
        text != NULL && experiment_parse(path, text, values, count, experiment_out, why_out);
    free(text);
    return sound;
}
