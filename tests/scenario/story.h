/* The language of stories: one line, one keyword, one or more clauses between " ; ".
 *
 *     given   tenant a quota instances=10 ; node n1 vcpus=8 memory=8GiB
 *     when    a creates instance a/web -> accepted
 *     then    instance a/web is running ; tenant a used instances=1
 *     always  ledger = inventory
 *     not on lab: its nodes have sizes of their own
 *
 * given comes before when. What a person does says after "->" what it is answered. What is told
 * with `then` is so now, or comes about while nothing else is done. always holds after every clause
 * of when and then. A word that is not known is an error, never a comment. */
#ifndef TESTS_SCENARIO_STORY_H
#define TESTS_SCENARIO_STORY_H

#include "tests/scenario/stage.h"

enum { STORY_WORDS = 24, STORY_LINE = 512, STORY_WHY = 640 };

enum story_end {
    STORY_TRUE = 0,
    STORY_UNTRUE = 1,    /* Something is not as it is told. */
    STORY_WRONG = 2,     /* It is not a story, or not one that can be told here. */
    STORY_ELSEWHERE = 3, /* It says itself that it is not told here, and why. */
};

struct words {
    char *list[STORY_WORDS];
    uint32_t count;
    uint32_t at;
};

struct story {
    struct stage *stage; /* NULL until the first given that needs one. */
    struct stage_conf conf;
    const char *path;
    uint32_t line;
    enum story_end end;
    char why[STORY_WHY];
    bool began;   /* A when was told: nothing is given any more. */
    bool by_hand; /* Nodes do nothing by themselves. */
    bool ledger;
    bool leaves;
    bool digests;
    uint32_t clauses;
    uint32_t checks;
    uint32_t deeds_before; /* Deeds when the first when came. */
    uint32_t first;        /* The first deed of the last thing that a person did; 0: none. */
    uint32_t last;
};

/* Both keep the first thing said and return false. */
bool story_untrue(struct story *story, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
bool story_wrong(struct story *story, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
enum story_end story_tell(struct story *story, char *text);

/* ---- story_words.c ---- */
const char *word_next(struct words *words); /* "" at the end. */
bool word_is(struct words *words, const char *word);
/* Those words, all of them, are next. */
bool words_are(struct words *words, const char *first, const char *second, const char *third);
/* "key=value" of this key is next: its value. NULL: it is not. */
const char *word_value(struct words *words, const char *key);
/* A number with an optional unit (KiB MiB GiB TiB, %, ms s m h); wrong if it is none. */
bool word_number(struct story *story, const char *text, uint64_t *number_out);
/* "tenant/name" in two; wrong if it is not. The text is cut. */
bool word_path(struct story *story, char *text, const char **tenant_out, const char **name_out);
bool word_amounts(struct story *story, struct words *words, struct quota_amounts *amounts);
bool words_split(struct story *story, char *text, struct words *words);
/* The stage, opened now if need be; NULL: there is none like that here. */
struct stage *story_stage(struct story *story);

/* ---- Clauses: each in its own file. False: story->why says it. ---- */
bool story_given(struct story *story, struct words *words);
bool story_when(struct story *story, struct words *words, struct words *expected, bool expects);
/* What people do; story_deed.c. */
bool story_deed(struct story *story, struct words *words, const char *person);
/* Deeds first … last were answered as these words say. */
bool story_answered(struct story *story, struct words *expected);
/* Once, and with all the patience that the stage has. */
bool story_then(struct story *story, struct words *words);
bool story_comes_true(struct story *story, struct words *words);
bool story_always_told(struct story *story, const char *clause);
bool story_always(struct story *story);

#endif
