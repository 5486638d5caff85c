/* Reads the lines of tale.h. Decides nothing; a line that it does not understand ends the test. */
#include "tests/history/tale.h"

#include "base/check.h"
#include "tests/history/words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ELEMENTS = 64, LINE = 512 };

struct tale {
    struct history history; /* First: tale_free has only this. */
    void *memory;
};

struct history *tale_new(void)
{
    static const struct history_limits limits = {
        .events = 4096, .sights = 8192, .touches = 16384, .elements = 65536, .names = 4096
    };
    struct tale *tale = calloc(1, sizeof(*tale));
    CHECK(tale != NULL);
    tale->memory = calloc(1, history_memory(&limits));
    CHECK(tale->memory != NULL);
    history_init(&tale->history, &limits, tale->memory);
    return &tale->history;
}

void tale_free(struct history *history)
{
    struct tale *tale = (struct tale *)history;
    free(tale->memory);
    free(tale);
}

struct line {
    struct history_asked asked;
    struct history_told told;
    struct history_sight sight;
    bool sees;
    char object[HISTORY_NAME];
    char account[HISTORY_NAME];
    char key[HISTORY_NAME];
};

static uint64_t number(const char *text)
{
    return strtoull(text, NULL, 10);
}

static uint32_t numbers(const char *text, uint64_t *room, uint32_t most)
{
    uint32_t count = 0;
    while (*text != '\0' && *text != '+') {
        char *end = NULL;
        CHECK(count < most);
        room[count++] = strtoull(text, &end, 10);
        CHECK(end != text);
        text = *end == ',' ? end + 1 : end;
    }
    return count;
}

static void amounts(const char *text, uint64_t *room)
{
    uint32_t count = numbers(text, room, HISTORY_AMOUNTS);
    CHECK(count == HISTORY_AMOUNTS);
}

static enum history_kind kind_of(const char *object)
{
    if (object[0] == 'q') {
        return HISTORY_VALUE;
    }
    return object[0] == 'n' ? HISTORY_NETWORK : HISTORY_INSTANCE;
}

/* Words that belong to the event itself. */
static bool word_of_event(struct line *line, const char *word, const char *value)
{
    const struct {
        const char *word;
        uint64_t *place;
    } known[] = {
        { "id", &line->told.id },         { "op", &line->told.operation },
        { "rev", &line->sight.revision }, { "epoch", &line->sight.epoch },
        { "value", &line->asked.value },  { "match", &line->asked.match },
    };
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        if (strcmp(word, known[i].word) == 0) {
            *known[i].place = number(value);
            return true;
        }
    }
    if (strcmp(word, "done") == 0) {
        line->told.done = true;
    } else if (strcmp(word, "key") == 0) {
        (void)snprintf(line->key, sizeof(line->key), "%s", value);
    } else if (strcmp(word, "account") == 0) {
        (void)snprintf(line->account, sizeof(line->account), "%s", value);
    } else if (strcmp(word, "amounts") == 0) {
        amounts(value, line->asked.amounts);
    } else if (strcmp(word, "charged") == 0) {
        amounts(value, line->told.charged);
    } else if (strcmp(word, "inventory") == 0) {
        amounts(value, line->told.inventory);
        line->told.summed = true;
    } else {
        return false;
    }
    return true;
}

/* Words that are added to an event which stands already. */
static void word_of_list(
    struct history *history, uint32_t event, const char *word, const char *value)
{
    char list[HISTORY_NAME];
    uint64_t elements[ELEMENTS];
    const char *colon = strchr(value, ':');
    if (strcmp(word, "whole") == 0) {
        history_whole(history, event);
        return;
    }
    CHECK(colon != NULL && (size_t)(colon - value) < sizeof(list));
    memcpy(list, value, (size_t)(colon - value));
    list[colon - value] = '\0';
    const char *rest = colon + 1;
    if (strcmp(word, "append") == 0) {
        history_add_append(history, event, list, number(rest));
    } else if (strcmp(word, "newest") == 0) {
        history_add_newest(history, event, list, number(rest));
    } else if (strcmp(word, "sight") == 0 || strcmp(word, "other") == 0) {
        char stage[16];
        const char *id = strchr(rest, ':');
        CHECK(id != NULL && (size_t)(id - rest) < sizeof(stage));
        memcpy(stage, rest, (size_t)(id - rest));
        stage[id - rest] = '\0';
        bool other = strcmp(word, "other") == 0;
        struct history_sight sight = { .kind = other ? HISTORY_NETWORK : kind_of(list),
                                       .stage = words_stage_of(stage),
                                       .id = number(id + 1),
                                       .epoch = HISTORY_UNTOLD,
                                       .revision = HISTORY_UNTOLD };
        history_add_sight(history, event, list, &sight);
    } else {
        const char *slash = strchr(rest, '/');
        struct history_read read = { .after = slash == NULL ? 0 : number(rest),
                                     .elements = elements,
                                     .more = strchr(rest, '+') != NULL,
                                     .final = strcmp(word, "final") == 0 };
        read.count = numbers(slash == NULL ? rest : slash + 1, elements, ELEMENTS);
        CHECK(read.final || strcmp(word, "seen") == 0);
        history_add_read(history, event, list, &read);
    }
}

static void said_take(struct line *line, const char *said)
{
    enum history_outcome outcome = words_outcome_of(said);
    enum history_stage stage = words_stage_of(said);
    line->told.outcome = outcome;
    if (line->asked.f == HISTORY_READ && stage != HISTORY_STAGE_END) {
        line->told.outcome = HISTORY_OK;
        line->sees = true;
        line->sight.stage = stage;
    } else if (outcome == HISTORY_OUTCOME_END) {
        line->told.outcome = HISTORY_FAIL;
        line->told.refusal = words_refusal_of(said);
        CHECK(line->told.refusal != HISTORY_REFUSAL_END);
    }
    line->sees = line->sees || (line->asked.f == HISTORY_READ && outcome == HISTORY_OK);
}

static void head_take(struct line *line, char *text, char **rest_out)
{
    char *word[6];
    for (size_t i = 0; i < COUNT_OF(word); i++) {
        word[i] = strtok_r(i == 0 ? text : NULL, " ", rest_out);
        CHECK(word[i] != NULL);
    }
    line->asked.client = (uint32_t)number(word[0]);
    line->asked.at_ns = number(word[1]);
    line->told.at_ns = strcmp(word[2], "-") == 0 ? HISTORY_OPEN : number(word[2]);
    line->asked.f = words_f_of(word[3]);
    (void)snprintf(
        line->object, sizeof(line->object), "%s", strcmp(word[4], "-") == 0 ? "" : word[4]);
    line->asked.kind = kind_of(word[4]);
    line->sight.kind = line->asked.kind;
    line->sight.epoch = HISTORY_UNTOLD;
    line->sight.revision = HISTORY_UNTOLD;
    CHECK(line->asked.f != HISTORY_F_END);
    said_take(line, word[5]);
}

static void tell_line(struct history *history, const char *text)
{
    char copy[LINE];
    char again[LINE];
    char *rest = NULL;
    struct line line;
    memset(&line, 0, sizeof(line));
    CHECK(strlen(text) < sizeof(copy));
    (void)snprintf(copy, sizeof(copy), "%s", text);
    head_take(&line, copy, &rest);
    (void)snprintf(again, sizeof(again), "%s", rest == NULL ? "" : rest);
    for (char *word = strtok_r(NULL, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
        char *equals = strchr(word, '=');
        CHECK(equals != NULL);
        *equals = '\0';
        (void)word_of_event(&line, word, equals + 1); /* The others come below. */
    }
    line.asked.object = line.object;
    line.asked.account = line.account;
    line.asked.key = line.key;
    line.sight.id = line.told.id;
    line.sight.value = line.asked.value;
    uint32_t event = history_invoke(history, &line.asked);
    history_return(history, event, &line.told);
    if (line.sees) {
        history_add_sight(history, event, line.object, &line.sight);
    }
    rest = NULL;
    for (char *word = strtok_r(again, " ", &rest); word != NULL;
         word = strtok_r(NULL, " ", &rest)) {
        char *equals = strchr(word, '=');
        *equals = '\0';
        if (!word_of_event(&line, word, equals + 1)) {
            word_of_list(history, event, word, equals + 1);
        }
    }
}

void tale_tell(struct history *history, const char *lines)
{
    char line[LINE];
    while (*lines != '\0') {
        const char *end = strchr(lines, '\n');
        size_t size = end == NULL ? strlen(lines) : (size_t)(end - lines);
        CHECK(size < sizeof(line));
        memcpy(line, lines, size);
        line[size] = '\0';
        if (size > 0) {
            tell_line(history, line);
        }
        lines += size + (end == NULL ? 0 : 1);
    }
}
