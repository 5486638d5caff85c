/* The words of a history, as they stand in files and in sentences. Decides nothing else. */
#include "tests/history/words.h"
#include "base/check.h"
#include "base/slice.h"

#include <string.h>

void words_clean(const char *text, char *room, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    size_t used = 0;
    CHECK(size > 5);
    if (text_copy(room, size, slice_text(text))) {
        return;
    }
    for (const uint8_t *at = (const uint8_t *)text; *at != 0; at++) {
        bool plain = *at >= 0x20 && *at < 0x7f;
        if (used + (plain ? 1 : 4) + 2 > size) {
            room[used++] = '~';
            break;
        }
        if (plain) {
            room[used++] = (char)*at;
        } else {
            room[used++] = '\\';
            room[used++] = 'x';
            room[used++] = digits[*at >> 4];
            room[used++] = digits[*at & 15];
        }
    }
    room[used] = '\0';
}

static const char *const fs[HISTORY_F_END] = { NULL,     "create", "delete", "start", "stop",
                                               "reboot", "set",    "read",   "list",  "account" };
static const char *const kinds[HISTORY_KIND_END] = { NULL, "instance", "network", "value" };
static const char *const outcomes[HISTORY_OUTCOME_END] = { NULL, "info", "ok", "fail" };
static const char *const refusals[HISTORY_REFUSAL_END] = { NULL,      "untried", "absent",
                                                           "taken",   "state",   "used",
                                                           "changed", "refused", "reused" };
static const char *const stages[HISTORY_STAGE_END] = { "there",    "absent",  "stopped",
                                                       "starting", "running", "stopping",
                                                       "deleting", "failed" };

const char *words_f(enum history_f f)
{
    CHECK(f > 0 && f < HISTORY_F_END);
    return fs[f];
}

const char *words_kind(enum history_kind kind)
{
    CHECK(kind > 0 && kind < HISTORY_KIND_END);
    return kinds[kind];
}

const char *words_outcome(enum history_outcome outcome)
{
    CHECK(outcome > 0 && outcome < HISTORY_OUTCOME_END);
    return outcomes[outcome];
}

const char *words_refusal(enum history_refusal refusal)
{
    CHECK(refusal > 0 && refusal < HISTORY_REFUSAL_END);
    return refusals[refusal];
}

const char *words_stage(enum history_stage stage)
{
    CHECK(stage < HISTORY_STAGE_END);
    return stages[stage];
}

static uint32_t find(const char *const *words, uint32_t count, const char *text)
{
    for (uint32_t i = 0; i < count; i++) {
        if (words[i] != NULL && strcmp(words[i], text) == 0) {
            return i;
        }
    }
    return count;
}

enum history_f words_f_of(const char *text)
{
    return (enum history_f)find(fs, HISTORY_F_END, text);
}

enum history_kind words_kind_of(const char *text)
{
    return (enum history_kind)find(kinds, HISTORY_KIND_END, text);
}

enum history_outcome words_outcome_of(const char *text)
{
    return (enum history_outcome)find(outcomes, HISTORY_OUTCOME_END, text);
}

enum history_refusal words_refusal_of(const char *text)
{
    return (enum history_refusal)find(refusals, HISTORY_REFUSAL_END, text);
}

enum history_stage words_stage_of(const char *text)
{
    return (enum history_stage)find(stages, HISTORY_STAGE_END, text);
}
