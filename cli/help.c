/* Decides how the table is explained to a person. Never knows a verb that the table does not. */
#include "cli/help.h"

#include "base/check.h"
#include "cli/grid.h"
#include "cli/words.h"

#include <string.h>

static void flag_form(const struct flag *flag, char *room, size_t size)
{
    char letter[8] = "";
    CHECK(flag->name != NULL);
    if (flag->letter != 0) {
        (void)snprintf(letter, sizeof(letter), "-%c, ", flag->letter);
    }
    bool value = flag->type != FLAG_SWITCH;
    int length = snprintf(
        room, size, "  %s--%s%s%s", letter, flag->name, value ? " " : "", value ? flag->value : "");
    CHECK(length > 0 && (size_t)length < size);
}

static bool put_flags(struct grid *grid, const struct flag *flags)
{
    char form[GRID_CELL];
    char text[GRID_CELL];
    bool good = true;
    CHECK(flags != NULL);
    for (const struct flag *flag = flags; flag->name != NULL && good; flag++) {
        flag_form(flag, form, sizeof(form));
        (void)snprintf(
            text,
            sizeof(text),
            "%s%s%s",
            say(flag->en, flag->ja),
            flag->required ? " " : "",
            flag->required ? say("(required)", "(必須)") : "");
        good = grid_put(grid, form) && grid_put(grid, text);
    }
    return good;
}

static bool print_flags(FILE *out, const char *title, const struct flag *flags)
{
    CHECK(title != NULL);
    if (flags->name == NULL) {
        return true;
    }
    struct grid *grid = grid_new(2);
    bool good = grid != NULL && fprintf(out, "\n%s\n", title) > 0 && put_flags(grid, flags) &&
                grid_print(out, grid);
    grid_free(grid);
    return good;
}

static bool print_columns(FILE *out, const struct column *columns)
{
    if (columns == NULL) {
        return true;
    }
    bool good = fprintf(out, "\n%s\n ", say("Columns", "列")) > 0;
    for (; columns->path != NULL && good; columns++) {
        CHECK(columns->path[0] != '\0');
        good = fprintf(out, " %s", columns->path) > 0;
    }
    return good && fputc('\n', out) != EOF;
}

static bool print_verb(FILE *out, const struct verb *verb)
{
    CHECK(verb->noun != NULL);
    bool good = fprintf(
                    out,
                    "%s: udatsu %s%s%s%s%s [FLAGS]\n  %s\n",
                    say("usage", "使い方"),
                    verb->noun,
                    *verb->verb == '\0' ? "" : " ",
                    verb->verb,
                    *verb->operands == '\0' ? "" : " ",
                    verb->operands,
                    say(verb->en, verb->ja)) > 0;
    return good && print_flags(out, say("Flags", "フラグ"), verb->flags) &&
           print_columns(out, verb->columns) &&
           print_flags(out, say("Global flags", "共通フラグ"), global_flags);
}

static bool put_rows(struct grid *grid, const char *noun)
{
    char form[GRID_CELL];
    bool good = true;
    CHECK(grid != NULL);
    for (const struct verb *verb = verbs; verb->noun != NULL && good; verb++) {
        if (noun != NULL && strcmp(noun, verb->noun) != 0) {
            continue;
        }
        (void)snprintf(
            form,
            sizeof(form),
            "  %s%s%s%s%s",
            verb->noun,
            *verb->verb == '\0' ? "" : " ",
            verb->verb,
            *verb->operands == '\0' ? "" : " ",
            verb->operands);
        good = grid_put(grid, form) && grid_put(grid, say(verb->en, verb->ja));
    }
    return good;
}

static bool print_rows(FILE *out, const char *noun)
{
    struct grid *grid = grid_new(2);
    CHECK(noun == NULL || verbs_has_noun(noun));
    bool good = grid != NULL && put_rows(grid, noun) && grid_print(out, grid);
    grid_free(grid);
    return good;
}

static bool print_statuses(FILE *out)
{
    CHECK(out != NULL);
    return fputs(
               say("\nExit status: 0 done, 1 failed, 2 usage, 3 denied, 4 not found, 5 conflict,\n"
                   "6 wait timed out, 7 proof negative, 8 inconclusive, 9 integrity, "
                   "69 unreachable.\n",
                   "\n終了状態: 0 成功、1 失敗、2 使い方、3 拒否、4 ない、5 競合、\n"
                   "6 待ち時間切れ、7 証明は否、8 判定不能、9 完全性違反、69 到達不能。\n"),
               out) != EOF;
}

bool help_print(FILE *out, const char *noun, const struct verb *verb)
{
    CHECK(out != NULL);
    if (verb != NULL) {
        return print_verb(out, verb);
    }
    CHECK(noun == NULL || verbs_has_noun(noun));
    bool good = fprintf(
                    out,
                    "%s: udatsu %s [NAME] [FLAGS]\n\n",
                    say("usage", "使い方"),
                    noun == NULL ? "NOUN VERB" : noun) > 0;
    good = good && print_rows(out, noun);
    good =
        good && (noun != NULL || print_flags(out, say("Global flags", "共通フラグ"), global_flags));
    return good && print_statuses(out);
}
