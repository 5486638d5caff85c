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
    uint32_t lines[EXPERIMENT_VALUES];                 /* That set them; 0: none did. */
    uint32_t count;
    bool says;     /* Anything at all. */
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
        "%.200s:%u: %s: %s. Next: %s.",
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
    uint32_t at = 0;
    while (at < reader->count && strcmp(reader->values[at].name, value.name) != 0) {
        at++;
    }
    if (at < reader->count && reader->lines[at] > 0) {
        return experiment_refuse(
            line, value.name, "it was set above already", "leave one of the two lines out");
    }
    if (at == EXPERIMENT_VALUES) {
        return experiment_refuse(line, "too many parameters", "8 are the bound", "use fewer");
    }
    reader->lines[at] = line->number;
    if (at == reader->count) { /* Else a sweep's value comes first. */
        reader->values[reader->count++] = value;
    }
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
            char word[32];
            (void)snprintf(word, sizeof(word), "%.*s", (int)(name - from + (int)size), from);
            return experiment_refuse_word(
                line,
                word,
                "this parameter has no value here",
                "give it one: --sweep k=2s..30s, or a line `set k=5s` above this line");
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
    reader->says = true;
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
    if (reader->recorded) { /* What else the file holds is nobody's business. */
        return experiment_refuse(
            line,
            "this is no fault line",
            "a recorded schedule has fault lines only",
            "name the schedule that the recorder wrote");
    }
    return experiment_refuse_word(
        line,
        word,
        "lines begin with topology, duration, seeds, workload, trace, weather, swarm, cost, "
        "policy, fault, faults or set",
        "write one of these; # begins a comment");
}

/* What an editor leaves unseen is named, never passed over. */
static bool plain(const struct experiment_line *line, const char *text, size_t size)
{
    if (line->number == 1 && size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
        return experiment_refuse(
            line,
            "it begins with a byte order mark",
            "that is no text here",
            "save it without one");
    }
    return memchr(text, '\r', size) == NULL ? true
                                            : experiment_refuse(
                                                  line,
                                                  "a carriage return is in this line",
                                                  "lines end with a line feed only",
                                                  "save the file with Unix line ends");
}

/* clients=1 clients=2: nobody knows which is meant. */
static bool each_once(const struct experiment_line *line)
{
    for (uint32_t i = 1; i < line->count; i++) {
        size_t size = strcspn(line->words[i], "=");
        bool key = line->words[i][size] == '=';
        for (uint32_t k = 1; key && k < i; k++) {
            if (strncmp(line->words[k], line->words[i], size + 1) == 0) {
                return experiment_refuse(
                    line, line->words[i], "this line said it already", "say it once");
            }
        }
    }
    return true;
}

static bool one_line(struct reader *reader, uint32_t number, const char *text, size_t size)
{
    static const char blanks[] = " \t";
    char raw[EXPERIMENT_LINE];
    char made[EXPERIMENT_LINE];
    struct experiment_line line = { .path = reader->path, .number = number, .why = reader->why };
    if (!plain(&line, text, size)) {
        return false;
    }
    if (size >= sizeof(raw)) {
        return experiment_refuse(
            &line, "the line is too long", "1023 bytes are the bound", "split it");
    }
    (void)snprintf(raw, sizeof(raw), "%.*s", (int)size, text);
    raw[strcspn(raw, "#")] = '\0';
    if (reader->recorded) {
        memcpy(made, raw, sizeof(made));
    } else if (!substitute(reader, &line, raw, made)) {
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
    return line.count == 0 || (each_once(&line) && dispatch(reader, &line));
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

static char *no_text(const char *path, const char *what, char why[static EXPERIMENT_WHY])
{
    (void)snprintf(
        why,
        EXPERIMENT_WHY,
        "%.200s: cannot be read as text: %s. Next: name a text file of less than a megabyte.",
        path,
        what);
    return NULL;
}

char *experiment_text(const char *path, char why_out[static EXPERIMENT_WHY])
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return no_text(path, strerror(errno), why_out);
    }
    char *text = calloc(1, FILE_MAX + 1);
    CHECK(text != NULL);
    size_t size = fread(text, 1, FILE_MAX, file);
    int failed = ferror(file) == 0 ? 0 : errno;
    (void)fclose(file); /* Nothing was written. */
    char what[64] = "";
    if (failed != 0 || size == FILE_MAX) {
        (void)snprintf(
            what, sizeof(what), "%s", failed != 0 ? strerror(failed) : "it is too large");
    } else if (strlen(text) != size) {
        uint32_t line = 1;
        for (const char *at = text; *at != '\0'; at++) {
            line += *at == '\n' ? 1 : 0;
        }
        (void)snprintf(what, sizeof(what), "a zero byte is in line %u", line);
    }
    if (what[0] != '\0') {
        free(text);
        return no_text(path, what, why_out);
    }
    return text;
}

/* A schedule that the recorder of real histories wrote: its lines are lines of ours. */
static bool recorded(struct reader *reader, const struct experiment_line *line)
{
    char *path = reader->experiment->schedule;
    const char *outer = reader->path;
    if (line->count != 2 || !experiment_beside(line, path)) {
        return experiment_refuse(
            line,
            "a schedule is one file",
            "its lines are fault lines",
            "write faults FILE.faults");
    }
    if (!experiment_regular(path, reader->why)) {
        return false;
    }
    char *text = experiment_text(path, reader->why);
    if (text == NULL) {
        return false;
    }
    uint32_t before = reader->experiment->faults_count;
    reader->path = path;
    reader->recorded = true;
    bool sound = all_lines(reader, text);
    for (uint32_t i = before; i < reader->experiment->faults_count; i++) {
        reader->experiment->faults[i].recorded = true;
    }
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

static bool fault_fits(const struct reader *reader, const struct experiment_fault *it)
{
    const struct experiment *out = reader->experiment;
    const char *path = it->recorded ? out->schedule : reader->path;
    struct experiment_line line = { path, it->line, 0, { NULL }, reader->why };
    if (!exists(out, it->target.machine) || !exists(out, it->other)) {
        return experiment_refuse(
            &line, it->words, "the topology has no such machine", "name one that is there");
    }
    bool late = !it->recorded && out->duration_ms > 0 && it->at_ms >= out->duration_ms;
    return late ? experiment_refuse(
                      &line,
                      it->words,
                      "it would never strike: the duration ends before",
                      "let it strike earlier, or the workload last longer")
                : true;
}

static bool together(const struct reader *reader)
{
    const struct experiment *out = reader->experiment;
    for (uint32_t i = 0; i < out->faults_count; i++) {
        if (!fault_fits(reader, &out->faults[i])) {
            return false;
        }
    }
    struct experiment_line line = { reader->path, out->trace_line, 0, { NULL }, reader->why };
    if (out->trace[0] != '\0' && out->mix_sum > 0) {
        return experiment_refuse(
            &line, "a trace and a mix", "the trace says what is asked", "leave one of them out");
    }
    for (uint32_t i = 0; i < reader->count; i++) {
        line.number = reader->lines[i];
        if (line.number > 0 && !reader->values[i].used) {
            return experiment_refuse(
                &line,
                reader->values[i].name,
                "no line below names this parameter",
                "write $NAME where it belongs, or leave this line out");
        }
    }
    line.number = 1;
    return reader->says ? true
                        : experiment_refuse(
                              &line,
                              "the file says nothing",
                              "what is not said has its usual size, but somebody must mean it",
                              "write at least: duration 120s");
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
    bool sound = all_lines(&reader, text);
    if (experiment_out->duration_ms == 0 && experiment_out->trace[0] == '\0') {
        experiment_out->duration_ms = DEFAULT_SECONDS * 1000;
    }
    sound = sound && together(&reader);
    for (uint32_t i = 0; i < count; i++) {
        values[i].used = reader.values[i].used;
    }
    return sound;
}
