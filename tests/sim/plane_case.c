/* A case: the least of what a seed does that still fails, as a file that replays it. Decides how it
 * is written, and that only what could have been written so is read. */
#include "base/check.h"
#include "tests/sim/plane_fault.h"
#include "tests/sim/plane_seed.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE = 256 };
enum { INSTANCES_MOST = 4096, REQUESTS_MOST = 4000000, FILL_MOST = 100 };
enum { LIFE_MOST_MS = 1000000000, THINK_MOST_MS = 1000000000, MARGIN = 64 };

static void seed_line(const struct plane_life *life, char line[static LINE])
{
    (void)snprintf(line, LINE, "seed %" PRIu64 "\n", life->seed);
}

static void cell_line(const struct plane_conf *conf, char line[static LINE])
{
    (void)snprintf(
        line,
        LINE,
        "cell %u %u %u %u %u %u %" PRIu64 " %" PRIu64 " %" PRIu64 "\n",
        conf->controllers,
        conf->nodes,
        conf->tenants,
        conf->clients,
        conf->instances,
        conf->requests,
        conf->life_ms,
        conf->fill,
        conf->think_ms);
}

static void without_line(uint32_t fault, char line[static LINE])
{
    (void)snprintf(line, LINE, "without %u %s\n", fault, plane_fault_name((enum plane_fault)fault));
}

static void keep_line(uint32_t id, char line[static LINE])
{
    (void)snprintf(line, LINE, "keep %u %s\n", id, plane_inject_name(id));
}

void plane_case_write(
    const struct plane_life *life, const struct plane_kept *kept, const char *what, FILE *file)
{
    char line[LINE];
    (void)fprintf(file, "# %s\n", what);
    seed_line(life, line);
    (void)fputs(line, file);
    cell_line(&life->conf, line);
    (void)fputs(line, file);
    if (life->unrecoverable) {
        (void)fputs("unrecoverable\n", file);
    }
    for (uint32_t i = 0; i < PLANE_FAULTS; i++) {
        if (kept->off[i]) {
            without_line(i, line);
            (void)fputs(line, file);
        }
    }
    for (uint32_t i = 0; i < kept->count; i++) {
        keep_line(kept->ids[i], line);
        (void)fputs(line, file);
    }
}

/* ---- Reading ---- */

struct reading {
    struct plane_life *life;
    struct plane_kept *kept;
    bool seed;
    bool cell;
    const char *wrong;
};

static bool wrong(struct reading *reading, const char *what)
{
    reading->wrong = what;
    return false;
}

/* A cell that a seed can live with: what is out of these bounds ends in a CHECK, or never. */
static bool cell_fits(const struct plane_conf *conf)
{
    uint64_t least = 2 * (UINT64_C(0) + conf->controllers + conf->nodes) + conf->tenants +
                     conf->clients + MARGIN;
    return conf->controllers >= 1 && conf->controllers <= PLANE_CONTROLLERS && conf->nodes >= 1 &&
           conf->nodes <= PLANE_NODES && conf->tenants >= 1 && conf->tenants <= PLANE_TENANTS &&
           conf->clients >= 1 && conf->clients < PLANE_CLIENTS && conf->instances >= 1 &&
           conf->instances <= INSTANCES_MOST && conf->requests >= least &&
           conf->requests <= REQUESTS_MOST && conf->life_ms >= 1 && conf->life_ms <= LIFE_MOST_MS &&
           conf->fill <= FILL_MOST && conf->think_ms >= 1 && conf->think_ms <= THINK_MOST_MS;
}

static bool cell_read(struct reading *reading, const char *line, char same[static LINE])
{
    struct plane_conf *conf = &reading->life->conf;
    bool read = sscanf(
                    line,
                    "cell %u %u %u %u %u %u %" SCNu64 " %" SCNu64 " %" SCNu64,
                    &conf->controllers,
                    &conf->nodes,
                    &conf->tenants,
                    &conf->clients,
                    &conf->instances,
                    &conf->requests,
                    &conf->life_ms,
                    &conf->fill,
                    &conf->think_ms) == 9;
    if (!read || reading->cell) {
        return wrong(reading, read ? "a second cell" : "not a line of a case");
    }
    if (!cell_fits(conf)) {
        return wrong(reading, "a cell that cannot be: a number of it is out of its bounds");
    }
    reading->cell = true;
    cell_line(conf, same);
    return true;
}

static bool keep_read(struct reading *reading, const char *line, char same[static LINE])
{
    struct plane_kept *kept = reading->kept;
    uint32_t id = 0;
    if (sscanf(line, "keep %u", &id) != 1 || kept->count == PLANE_INJECTED) {
        return wrong(reading, "not a line of a case, or too many of them");
    }
    if (kept->count > 0 && kept->ids[kept->count - 1] >= id) {
        return wrong(reading, "what is kept ascends, each once");
    }
    if (plane_inject_name(id)[0] == '\0') {
        return wrong(reading, "nothing has this number");
    }
    kept->ids[kept->count++] = id;
    keep_line(id, same);
    return true;
}

/* Line by line: what is understood is written anew, and must be what stands there. */
static bool line_read(struct reading *reading, const char *line)
{
    char same[LINE] = "";
    uint32_t fault = 0;
    bool understood = false;
    if (strncmp(line, "seed ", 5) == 0) {
        understood = sscanf(line, "seed %" SCNu64, &reading->life->seed) == 1;
        if (reading->seed) {
            return wrong(reading, "a second seed");
        }
        reading->seed = understood;
        seed_line(reading->life, same);
    } else if (strncmp(line, "cell ", 5) == 0) {
        understood = cell_read(reading, line, same);
    } else if (strncmp(line, "keep ", 5) == 0) {
        understood = keep_read(reading, line, same);
    } else if (strcmp(line, "unrecoverable\n") == 0) {
        reading->life->unrecoverable = true;
        return true;
    } else if (sscanf(line, "without %u", &fault) == 1 && fault < PLANE_FAULTS) {
        understood = !reading->kept->off[fault];
        reading->kept->off[fault] = true;
        without_line(fault, same);
    }
    bool whole = understood && strcmp(same, line) == 0;
    return whole || reading->wrong != NULL ? whole
                                           : wrong(reading, "not a line as --shrink writes it");
}

bool plane_case_read(const char *path, struct plane_life *life, struct plane_kept *kept)
{
    char line[LINE + 16];
    FILE *file = fopen(path, "re");
    uint32_t number = 0;
    if (file == NULL) {
        (void)fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return false;
    }
    *kept = (struct plane_kept){ .only = true };
    struct reading reading = { .life = life, .kept = kept };
    bool good = true;
    while (good && fgets(line, sizeof(line), file) != NULL) {
        number++;
        good = (line[0] == '#' && strchr(line, '\n') != NULL) || line_read(&reading, line);
    }
    if (good && (ferror(file) != 0 || !reading.seed || !reading.cell)) {
        good =
            wrong(&reading, ferror(file) != 0 ? "cannot be read" : "a case has a seed and a cell");
    }
    if (!good) {
        (void)fprintf(
            stderr,
            "%s:%u: %s\n",
            path,
            number,
            reading.wrong == NULL ? "too long" : reading.wrong);
    }
    (void)fclose(file); /* Nothing was written. */
    life->kept = kept;
    return good;
}
