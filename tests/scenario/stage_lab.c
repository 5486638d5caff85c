/* The stage of real processes and real guests: how people come to it and what they do there. Each
 * story has tenants and people of its own names; nodes are the lab's. */
#include "tests/scenario/stage_lab.h"

#include "base/check.h"
#include "base/slice.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define FIRST_OPERATOR "operator" /* As a cell calls the one that its first controller makes. */

bool lab_because(char why[static STAGE_TEXT], const char *reason)
{
    (void)snprintf(why, STAGE_TEXT, "%s", reason);
    return false;
}

const char *stage_runner(void)
{
    return "lab";
}

const char *stage_last_words(void)
{
    return NULL;
}

struct stage *stage_open(const struct stage_conf *conf, const char **why_out)
{
    struct stage *stage = calloc(1, sizeof(*stage));
    const char *state = getenv("UDATSU_LAB_STATE");
    char why[STAGE_TEXT] = "";
    struct timespec now;
    CHECK(stage != NULL && clock_gettime(CLOCK_REALTIME, &now) == 0);
    *why_out = "its cell was made before the story";
    if (conf->reserve_percent + conf->vcpu_ratio + conf->idempotency_limit +
            conf->requests_per_second !=
        0) {
        free(stage);
        return NULL;
    }
    *why_out = "UDATSU_LAB_STATE names no lab";
    if (state == NULL || !text_copy(stage->state, sizeof(stage->state), slice_text(state))) {
        free(stage);
        return NULL;
    }
    for (uint32_t looks = 0; !lab_healthy(stage, why); looks++) {
        *why_out = "the lab is not well";
        if (!stage_goes_on(stage, looks)) {
            free(stage);
            return NULL;
        }
    }
    uint32_t tag = ((uint32_t)now.tv_sec << 12) ^ (uint32_t)(now.tv_nsec >> 10);
    (void)snprintf(stage->tag, sizeof(stage->tag), "%08x", (unsigned int)tag);
    return stage;
}

void lab_name(const struct stage *stage, const char *name, char out[static STAGE_NAME])
{
    bool root = strcmp(name, "root") == 0;
    (void)snprintf(out, STAGE_NAME, "%.40s%s%s", name, root ? "" : "-", root ? "" : stage->tag);
}

/* ---- Given ---- */

bool stage_node(
    struct stage *stage,
    const char *name,
    const char *rack,
    const struct quota_amounts *size,
    char why[static STAGE_TEXT])
{
    char wanted[STAGE_NAME];
    if (rack[0] != '\0' || size->of[QUOTA_VCPUS] != 0 || size->of[QUOTA_MEMORY_BYTES] != 0) {
        return lab_because(why, "its nodes have racks and sizes of their own");
    }
    (void)snprintf(wanted, sizeof(wanted), "n%u", (unsigned int)(stage->nodes_count + 1));
    if (stage->nodes_count == LAB_NODES || strcmp(name, wanted) != 0) {
        return lab_because(why, "it has n1, n2 and n3, in this order");
    }
    struct lab_node *node = &stage->nodes[stage->nodes_count++];
    (void)text_copy(node->name, sizeof(node->name), slice_text(name));
    lab_node_amounts(stage, name, &node->before);
    /* Only these nodes hold the image, so that nothing of the story runs anywhere else. */
    (void)snprintf(
        stage->image, sizeof(stage->image), "story-%u", (unsigned int)stage->nodes_count);
    return true;
}

struct lab_node *lab_node(const struct stage *stage, const char *name)
{
    for (uint32_t i = 0; i < stage->nodes_count; i++) {
        if (strcmp(stage->nodes[i].name, name) == 0) {
            return (struct lab_node *)(uintptr_t)&stage->nodes[i];
        }
    }
    return NULL;
}

bool stage_person(
    struct stage *stage, const char *name, const char *tenant, char why[static STAGE_TEXT])
{
    struct lab_line line;
    char own[STAGE_NAME];
    char of[STAGE_NAME] = "";
    const char *out = "";
    const char *err = "";
    lab_name(stage, name, own);
    lab_line_begin(stage, "root", &line);
    if (tenant != NULL) {
        lab_name(stage, tenant, of);
        lab_word(&line, "--tenant");
        lab_word(&line, "%s", of);
    }
    lab_word(&line, "user");
    lab_word(&line, "create");
    lab_word(&line, "%s", own);
    lab_word(&line, "--role");
    lab_word(&line, "%s", tenant == NULL ? "auditor" : "tenant");
    if (stage->people_count == LAB_PEOPLE || lab_run(&line, &out, &err) != 0) {
        return lab_because(why, err);
    }
    (void)text_copy(
        stage->people[stage->people_count++], sizeof(stage->people[0]), slice_text(name));
    return lab_world(stage, "enroll", own, NULL) || lab_because(why, stage->wrong);
}

bool stage_is_person(const struct stage *stage, const char *name)
{
    bool is = strcmp(name, "root") == 0;
    for (uint32_t i = 0; i < stage->people_count; i++) {
        is = is || strcmp(stage->people[i], name) == 0;
    }
    return is;
}

bool stage_is_node(const struct stage *stage, const char *name)
{
    return lab_node(stage, name) != NULL;
}

bool stage_by_hand(struct stage *stage, char why[static STAGE_TEXT])
{
    CHECK(stage->state[0] != '\0');
    return lab_because(why, "nodes of the lab speak for themselves");
}

bool stage_hand(struct stage *stage, const struct hand *hand, char why[static STAGE_TEXT])
{
    CHECK(hand->word != 0);
    return stage_by_hand(stage, why);
}

/* ---- Deeds ---- */

static void amounts_word(struct lab_line *line, const char *flag, const struct quota_amounts *of)
{
    lab_word(line, "--%s", flag);
    lab_word(
        line,
        "vcpus=%llu,memory=%lluM,instances=%llu,networks=%llu",
        (unsigned long long)of->of[QUOTA_VCPUS],
        (unsigned long long)(of->of[QUOTA_MEMORY_BYTES] >> 20),
        (unsigned long long)of->of[QUOTA_INSTANCES],
        (unsigned long long)of->of[QUOTA_NETWORKS]);
}

static void flag_word(struct lab_line *line, const char *flag, const char *value)
{
    if (value != NULL) {
        lab_word(line, "--%s", flag);
        lab_word(line, "%s", value);
    }
}

static void create_words(const struct stage *stage, const struct deed *deed, struct lab_line *line)
{
    flag_word(line, "image", stage->image);
    lab_word(line, "--vcpus");
    lab_word(line, "%llu", (unsigned long long)deed->size.of[QUOTA_VCPUS]);
    lab_word(line, "--memory");
    lab_word(line, "%lluM", (unsigned long long)(deed->size.of[QUOTA_MEMORY_BYTES] >> 20));
    flag_word(line, "network", deed->network);
    flag_word(line, "spread", deed->spread);
    flag_word(line, "on-failure", deed->stop_on_failure ? "stop" : NULL);
    flag_word(line, "where", deed->elsewhere ? "elsewhere" : NULL);
    if (deed->stopped) {
        lab_word(line, "--stopped");
    }
    if (deed->attempts != 0) {
        lab_word(line, "--max-attempts");
        lab_word(line, "%u", (unsigned int)deed->attempts);
    }
}

static void limit_words(const struct deed *deed, struct lab_line *line)
{
    if (deed->has_cap || deed->verb == DEED_CREATE) {
        amounts_word(line, "cap", &deed->cap);
    }
    if (deed->has_floor) {
        amounts_word(line, "floor", &deed->floor);
    }
}

/* Noun, verb and name, as people type them. False: nobody types that. */
static bool deed_words(const struct stage *stage, const struct deed *deed, struct lab_line *line)
{
    static const char *const nouns[] = { "",        "instance", "network", "tenant",
                                         "project", "user",     "cluster" };
    static const char *const verbs[] = { "",       "create", "start",  "stop", "reboot",
                                         "delete", "set",    "revoke", "show" };
    char own[STAGE_NAME] = "";
    bool limit = deed->verb == DEED_LIMIT;
    if (deed->noun == DEED_STATUS) {
        lab_word(line, "cluster");
        lab_word(line, "status");
        return deed->verb == DEED_READ;
    }
    lab_word(line, "%s", limit ? "quota" : nouns[deed->noun]);
    lab_word(line, "%s", verbs[deed->verb]);
    if (deed->noun == DEED_TENANT || limit) {
        lab_name(stage, deed->tenant, own);
        lab_word(line, "%s", own);
        limit_words(deed, line);
        flag_word(line, "project", limit && deed->noun == DEED_PROJECT ? deed->name : NULL);
        return true;
    }
    if (deed->noun == DEED_USER) {
        bool first = strcmp(deed->name, "root") == 0;
        lab_name(stage, deed->name, own);
        lab_word(line, "%s", first ? FIRST_OPERATOR : own);
        return true;
    }
    lab_word(line, "%s", deed->name);
    if (deed->noun == DEED_PROJECT) {
        limit_words(deed, line);
        return true;
    }
    flag_word(line, "project", deed->project);
    flag_word(line, "cidr", deed->verb == DEED_CREATE ? deed->cidr : NULL);
    if (deed->noun == DEED_INSTANCE && deed->verb == DEED_CREATE) {
        create_words(stage, deed, line);
    }
    return true;
}

static bool deed_line(const struct stage *stage, const struct deed *deed, struct lab_line *line)
{
    char own[STAGE_NAME];
    lab_line_begin(stage, deed->who, line);
    flag_word(line, "idempotency-key", deed->verb == DEED_READ ? NULL : deed->key);
    if (deed->tenant != NULL && deed->noun != DEED_TENANT) {
        lab_name(stage, deed->tenant, own);
        flag_word(line, "tenant", own);
    }
    if (!deed_words(stage, deed, line)) {
        return false;
    }
    if (deed->if_match != NULL && deed->if_match[0] == 'r') {
        flag_word(line, "revision", deed->if_match + 1);
    }
    return true;
}

/* "udatsu: SENTENCE (code)" and "  why: dimension=… limit=… usage=…". */
static void refusal_read(const char *err, struct told *told)
{
    const char *end = strchr(err, '\n');
    const char *open = NULL;
    for (const char *at = err; end != NULL && at < end; at++) {
        open = *at == '(' ? at : open;
    }
    told->what = TOLD_REFUSED;
    (void)snprintf(
        told->detail, sizeof(told->detail), "%.*s", end == NULL ? 0 : (int)(end - err), err);
    if (open != NULL && end[-1] == ')') {
        (void)snprintf(told->code, sizeof(told->code), "%.*s", (int)(end - open - 2), open + 1);
    }
    const char *why = strstr(err, "why: ");
    const char *at = why == NULL ? NULL : strstr(why, "dimension=");
    if (at != NULL) {
        (void)sscanf(at, "dimension=%63s", told->dimension);
    }
    at = why == NULL ? NULL : strstr(why, "limit=");
    told->limit = at == NULL ? 0 : strtoull(at + 6, NULL, 10);
    at = why == NULL ? NULL : strstr(why, "usage=");
    told->usage = at == NULL ? 0 : strtoull(at + 6, NULL, 10);
}

static void deed_over(struct stage *stage, const struct deed *deed, struct lab_process *process)
{
    const char *out = "";
    const char *err = "";
    int status = lab_finish(process, &out, &err);
    CHECK(stage->deeds < STAGE_DEEDS);
    struct lab_deed *done = &stage->done[stage->deeds++];
    *done = (struct lab_deed){ .told.write = deed->verb != DEED_READ };
    (void)text_copy(
        done->name, sizeof(done->name), slice_text(deed->name == NULL ? "" : deed->name));
    if (status != 0) {
        refusal_read(err, &done->told);
        return;
    }
    struct json_t *doc = doc_parse(out, strlen(out));
    done->told.what = TOLD_ACCEPTED;
    (void)text_copy(
        done->told.operation, sizeof(done->told.operation), slice_text(lab_text(doc, "id")));
    if (deed->noun == DEED_TENANT && deed->verb == DEED_CREATE) {
        CHECK(stage->tenants_count < LAB_TENANTS && stage->names_count < LAB_PEOPLE);
        (void)text_copy(
            stage->tenants[stage->tenants_count++],
            sizeof(stage->tenants[0]),
            slice_text(lab_text(doc, "resource")));
        (void)text_copy(
            stage->names[stage->names_count++], sizeof(stage->names[0]), slice_text(deed->tenant));
    }
    doc_free(doc);
}

bool stage_do(
    struct stage *stage, const struct deed *deed, uint32_t many, char why[static STAGE_TEXT])
{
    static struct lab_line line;
    struct lab_process processes[LAB_AT_ONCE];
    char names[LAB_AT_ONCE][STAGE_NAME];
    struct deed one = *deed;
    uint32_t all = many == 0 ? 1 : many;
    if (stage->dead) {
        return lab_because(why, "nobody is there to be asked");
    }
    for (uint32_t begun = 0; begun < all;) {
        uint32_t batch = all - begun < LAB_AT_ONCE ? all - begun : LAB_AT_ONCE;
        for (uint32_t i = 0; i < batch; i++) {
            (void)snprintf(
                names[i],
                STAGE_NAME,
                "%.40s-%u",
                deed->name == NULL ? "" : deed->name,
                begun + i + 1);
            one.name = many == 0 ? deed->name : names[i];
            if (!deed_line(stage, &one, &line)) {
                return lab_because(why, "nobody does that");
            }
            lab_start(&line, &processes[i]);
        }
        for (uint32_t i = 0; i < batch; i++) {
            one.name = many == 0 ? deed->name : names[i];
            deed_over(stage, &one, &processes[i]);
        }
        begun += batch;
    }
    return true;
}

uint32_t stage_deeds(const struct stage *stage)
{
    return stage->deeds;
}

void stage_told(const struct stage *stage, uint32_t number, struct told *told_out)
{
    CHECK(number >= 1 && number <= stage->deeds);
    *told_out = stage->done[number - 1].told;
}
