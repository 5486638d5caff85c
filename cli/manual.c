/* Decides how the table becomes a manual page and shell completion: for machines that show text, so
 * in English, whatever the language of the moment. */
#include "base/check.h"
#include "cli/help.h"

#include <string.h>

static bool first_of_noun(const struct verb *verb)
{
    CHECK(verb->noun != NULL);
    return verb == verbs || strcmp(verb->noun, (verb - 1)->noun) != 0;
}

/* ---- Completion ---- */

static bool put_verbs_of(FILE *out, const char *noun)
{
    bool good = true;
    CHECK(verbs_has_noun(noun));
    for (const struct verb *verb = verbs; verb->noun != NULL && good; verb++) {
        if (strcmp(verb->noun, noun) == 0 && *verb->verb != '\0') {
            good = fprintf(out, "%s ", verb->verb) > 0;
        }
    }
    return good;
}

static bool put_nouns(FILE *out)
{
    bool good = true;
    CHECK(out != NULL);
    for (const struct verb *verb = verbs; verb->noun != NULL && good; verb++) {
        good = !first_of_noun(verb) || fprintf(out, "%s ", verb->noun) > 0;
    }
    return good;
}

static bool put_flag_names(FILE *out, const struct flag *flags)
{
    bool good = true;
    CHECK(flags != NULL);
    for (const struct flag *flag = flags; flag->name != NULL && good; flag++) {
        good = fprintf(out, "--%s ", flag->name) > 0;
    }
    return good;
}

static bool bash_cases(FILE *out)
{
    bool good = true;
    CHECK(out != NULL);
    for (const struct verb *verb = verbs; verb->noun != NULL && good; verb++) {
        if (first_of_noun(verb)) {
            good = fprintf(out, "  '%s ') words='", verb->noun) > 0 &&
                   put_verbs_of(out, verb->noun) && fputs("' ;;\n", out) != EOF;
        }
        good = good && fprintf(out, "  '%s %s') words='", verb->noun, verb->verb) > 0 &&
               put_flag_names(out, verb->flags) && put_flag_names(out, global_flags) &&
               fputs("' ;;\n", out) != EOF;
    }
    return good;
}

static bool completion_bash(FILE *out)
{
    CHECK(out != NULL);
    return fputs(
               "_udatsu() {\n"
               " local word=${COMP_WORDS[COMP_CWORD]} words= key=\n"
               " case $COMP_CWORD in\n"
               " 1) key=' ' ;;\n"
               " 2) key=\"${COMP_WORDS[1]} \" ;;\n"
               " *) key=\"${COMP_WORDS[1]} ${COMP_WORDS[2]}\" ;;\n"
               " esac\n"
               " case $key in\n"
               "  ' ') words='",
               out) != EOF &&
           put_nouns(out) && fputs("' ;;\n", out) != EOF && bash_cases(out) &&
           fputs(
               " esac\n"
               " mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n"
               "}\n"
               "complete -o default -F _udatsu udatsu\n",
               out) != EOF;
}

static bool completion_fish(FILE *out)
{
    CHECK(out != NULL);
    bool good = fputs("complete -c udatsu -f -n __fish_use_subcommand -a '", out) != EOF &&
                put_nouns(out) && fputs("'\n", out) != EOF;
    for (const struct verb *verb = verbs; verb->noun != NULL && good; verb++) {
        if (first_of_noun(verb) && *verb->verb != '\0') {
            good = fprintf(
                       out,
                       "complete -c udatsu -f -n '__fish_seen_subcommand_from %s' -a '",
                       verb->noun) > 0 &&
                   put_verbs_of(out, verb->noun) && fputs("'\n", out) != EOF;
        }
    }
    return good;
}

bool help_completion(FILE *out, const char *shell)
{
    CHECK(shell != NULL);
    if (strcmp(shell, "fish") == 0) {
        return completion_fish(out);
    }
    bool zsh = strcmp(shell, "zsh") == 0;
    CHECK(zsh || strcmp(shell, "bash") == 0);
    if (zsh && fputs("autoload -U +X bashcompinit && bashcompinit\n", out) == EOF) {
        return false;
    }
    return completion_bash(out);
}

/* ---- Manual ---- */

/* A word with what roff would take for a command made harmless. */
static bool put_word(FILE *out, const char *text)
{
    CHECK(text != NULL);
    bool good = *text == '.' || *text == '\'' ? fputs("\\&", out) != EOF : true;
    for (; *text != '\0' && good; text++) {
        good = *text == '\\'  ? fputs("\\e", out) != EOF
               : *text == '-' ? fputs("\\-", out) != EOF
                              : fputc(*text, out) != EOF;
    }
    return good;
}

static bool man_flags(FILE *out, const struct flag *flags)
{
    bool good = true;
    CHECK(flags != NULL);
    for (const struct flag *flag = flags; flag->name != NULL && good; flag++) {
        good = fprintf(out, ".It Fl Fl %s", flag->name) > 0;
        if (good && flag->type != FLAG_SWITCH) {
            good =
                fputs(" Ar \"", out) != EOF && put_word(out, flag->value) && fputc('"', out) != EOF;
        }
        good = good && fputc('\n', out) != EOF && put_word(out, flag->en) &&
               fputs(flag->required ? " (required).\n" : ".\n", out) != EOF;
    }
    return good;
}

static bool man_verbs(FILE *out)
{
    bool good = fputs(".Sh COMMANDS\n", out) != EOF;
    CHECK(out != NULL);
    for (const struct verb *verb = verbs; verb->noun != NULL && good; verb++) {
        good = fprintf(out, ".Ss udatsu %s %s ", verb->noun, verb->verb) > 0 &&
               put_word(out, verb->operands) && fputc('\n', out) != EOF &&
               put_word(out, verb->en) && fputs(".\n", out) != EOF;
        if (good && verb->flags->name != NULL) {
            good = fputs(".Bl -tag -width Ds\n", out) != EOF && man_flags(out, verb->flags) &&
                   fputs(".El\n", out) != EOF;
        }
    }
    return good;
}

bool help_man(FILE *out)
{
    CHECK(out != NULL);
    return fputs(
               ".Dd $Mdocdate$\n.Dt UDATSU 1\n.Os\n.Sh NAME\n.Nm udatsu\n"
               ".Nd control a multi-tenant lab cloud\n.Sh SYNOPSIS\n.Nm\n.Ar noun verb\n"
               ".Op Ar name\n.Op Ar flags\n.Sh DESCRIPTION\n"
               "Answers go to standard output, everything else to standard error.\n"
               "A flag wins over the environment, that over the context, that over the default.\n"
               "Flags may stand anywhere.\n.Bl -tag -width Ds\n",
               out) != EOF &&
           man_flags(out, global_flags) && fputs(".El\n", out) != EOF && man_verbs(out) &&
           fputs(
               ".Sh ENVIRONMENT\n"
               ".Ev UDATSU_ENDPOINTS , UDATSU_CA , UDATSU_CERT , UDATSU_KEY , UDATSU_TENANT ,\n"
               ".Ev UDATSU_OUTPUT , UDATSU_CONTEXT .\n"
               ".Sh FILES\n.Pa ~/.config/udatsu/config\n"
               ".Sh EXIT STATUS\n"
               "0 done, 1 failed, 2 usage, 3 denied, 4 not found, 5 conflict, 6 wait timed out,\n"
               "7 proof negative, 8 inconclusive, 9 integrity, 69 unreachable.\n",
               out) != EOF;
}
