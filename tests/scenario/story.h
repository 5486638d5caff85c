/* The language of stories: one line, one keyword, one or more clauses between " ; ".
 *
 *     given   tenant a quota instances=10 ; node n1 vcpus=8 memory=8GiB
 *     when    a creates instance a/web -> accepted
 *     then    instance a/web is starting ; tenant a held instances=1
 *     always  ledger = inventory
 *
 * given comes before when. What a person does says after "->" what it is answered. always holds
 * after every clause of when and then. A word that is not known is an error, never a comment. */
#ifndef TESTS_SCENARIO_STORY_H
#define TESTS_SCENARIO_STORY_H

#include "tests/scenario/say.h"

enum { STORY_WORDS = 24, STORY_LINE = 512, STORY_HANDLES = 8192 };

enum story_end {
    STORY_TRUE = 0,
    STORY_UNTRUE = 1, /* Something is not as it is told. */
    STORY_WRONG = 2,  /* It is not a story. */
};

struct words {
    char *list[STORY_WORDS];
    uint32_t count;
    uint32_t at;
};

struct story {
    struct desk *desk; /* NULL until the first given that needs one. */
    struct desk_conf conf;
    const char *path;
    uint32_t line;
    enum story_end end;
    char why[512];
    bool began; /* A when was told: nothing is given any more. */
    bool ledger;
    bool leaves;
    bool digests;
    uint32_t clauses;
    uint32_t checks;
    uint32_t leaves_before;          /* Leaves when the first when came. */
    uint64_t handles[STORY_HANDLES]; /* Writes asked since then. */
    uint32_t handles_count;
    uint64_t first; /* The first handle of the last thing that a person did. */
    uint64_t last;
};

/* Both keep the first thing said and return false. */
bool story_untrue(struct story *story, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
bool story_wrong(struct story *story, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
enum story_end story_tell(struct story *story, char *text);

/* ---- Words ---- */
const char *word_next(struct words *words); /* "" at the end. */
bool word_is(struct words *words, const char *word);
/* "key=value" of this key is next: its value. NULL: it is not. */
const char *word_value(struct words *words, const char *key);
/* A number with an optional unit (KiB MiB GiB TiB, %, ms s m h); wrong if it is none. */
bool word_number(struct story *story, const char *text, uint64_t *number_out);
/* "tenant/name" in two; wrong if it is not. The text is cut. */
bool word_path(struct story *story, char *text, const char **tenant_out, const char **name_out);
bool word_amounts(struct story *story, struct words *words, struct quota_amounts *amounts);
/* The desk, opened now if need be. */
struct desk *story_desk(struct story *story);

/* ---- Clauses: each in its own file. False: story->why says it. ---- */
bool story_given(struct story *story, struct words *words);
bool story_when(struct story *story, struct words *words, struct words *expected, bool expects);
bool story_then(struct story *story, struct words *words);
/* Answers of handles first … last are as these words say. */
bool story_answered(struct story *story, struct words *expected);
bool story_always(struct story *story);

#endif
