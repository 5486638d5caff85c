/* What the files of the lab's stage share: real processes, real guests, asked through the
 * operator's own command. The lab runs already (UDATSU_LAB_STATE is its directory); one serves all
 * stories. */
#ifndef TESTS_SCENARIO_STAGE_LAB_H
#define TESTS_SCENARIO_STAGE_LAB_H

#include "cli/json.h"
#include "tests/scenario/stage.h"

enum {
    LAB_ARGS = 48,
    LAB_SAID = 4 * 1024 * 1024, /* The longest answer that is read. */
    LAB_PEOPLE = 8,
    LAB_NODES = 3,
    LAB_TENANTS = 16,  /* Ids: one that was made anew has another. */
    LAB_AT_ONCE = 64,  /* Processes that ask at the same time. */
    LAB_WAIT_MS = 250, /* Between two looks. */
    LAB_LOOKS = 240,   /* A minute of them, and what asking takes. */
    LAB_TIME_MAX = 60 * 1000,
};

/* A command line under construction; the words are copied. */
struct lab_line {
    char room[4096];
    uint32_t used;
    char *words[LAB_ARGS];
    uint32_t count;
};

struct lab_deed {
    struct told told;
    char name[STAGE_NAME]; /* Of the object. */
};

struct lab_node {
    char name[STAGE_NAME];
    struct quota_amounts before; /* What was placed there already. */
    bool cut;
    bool dark;
};

struct stage {
    char state[STAGE_TEXT]; /* The lab's directory. */
    char tag[16];           /* Behind the names of this story's tenants and people. */
    char image[STAGE_NAME];
    char people[LAB_PEOPLE][STAGE_NAME];
    uint32_t people_count;
    char tenants[LAB_TENANTS][STAGE_OPERATION]; /* Ids. */
    uint32_t tenants_count;
    char names[LAB_PEOPLE][STAGE_NAME]; /* Tenants, as the story calls them. */
    uint32_t names_count;
    struct lab_node nodes[LAB_NODES];
    uint32_t nodes_count;
    bool dead; /* The controllers have no power. */
    bool begun;
    uint64_t index_before;
    uint64_t elections_before;
    uint64_t next_leaf;
    char wrong[STAGE_TEXT];
    uint32_t deeds;
    uint32_t leaves_count;
    struct seen_leaf leaves[STAGE_LEAVES];
    struct lab_deed done[STAGE_DEEDS];
};

/* ---- stage_lab_run.c ---- */
void lab_word(struct lab_line *line, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* As this person of the story; "root" is the operator. */
void lab_line_begin(const struct stage *stage, const char *who, struct lab_line *line);
/* One process whose words are kept. */
struct lab_process {
    int pid;
    int out; /* memfd */
    int err;
};
void lab_start(const struct lab_line *line, struct lab_process *process);
/* Its exit status; what it said is owned by the caller until the next call. */
int lab_finish(struct lab_process *process, const char **out, const char **err);
int lab_run(const struct lab_line *line, const char **out, const char **err);
/* What the operator's command answers as JSON; NULL: it is not there (exit 4). Asked again while
 * nobody answers; after that the stage itself is wrong. Freed by the caller. */
struct json_t *lab_json(struct stage *stage, struct lab_line *line);
/* deploy/lab's hand in the machine room: world.sh. False: it did not happen. */
bool lab_world(struct stage *stage, const char *verb, const char *subject, const char **out);
void lab_pause(uint64_t ms);
const char *lab_text(const struct json_t *doc, const char *path);
uint64_t lab_number(const struct json_t *doc, const char *path);

/* ---- stage_lab.c ---- */
bool lab_because(char why[static STAGE_TEXT], const char *reason);
struct lab_node *lab_node(const struct stage *stage, const char *name);
/* The story's own name for a tenant or a person, made unique; root stays root. */
void lab_name(const struct stage *stage, const char *name, char out[static STAGE_NAME]);

/* ---- stage_lab_see.c ---- */
void lab_node_amounts(struct stage *stage, const char *name, struct quota_amounts *placed_out);
bool lab_healthy(struct stage *stage, char why[static STAGE_TEXT]);

#endif
