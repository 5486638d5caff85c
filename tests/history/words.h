/* The words of a history, both ways. A text that is none of them gives the enum's END. */
#ifndef HISTORY_WORDS_H
#define HISTORY_WORDS_H

#include "tests/history/history.h"

/* The text as it can be printed anywhere: itself if it is clean and fits; else with every byte that
 * is not ASCII, or is a control character, as \xNN, and cut off at the end with ~. */
void words_clean(const char *text, char *room, size_t size);

const char *words_f(enum history_f f);
const char *words_kind(enum history_kind kind);
const char *words_outcome(enum history_outcome outcome);
const char *words_refusal(enum history_refusal refusal);
const char *words_stage(enum history_stage stage);
enum history_f words_f_of(const char *text);
enum history_kind words_kind_of(const char *text);
enum history_outcome words_outcome_of(const char *text);
enum history_refusal words_refusal_of(const char *text);
enum history_stage words_stage_of(const char *text);

#endif
