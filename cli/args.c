/* Decides which verb a command line means and refuses what the table does not know.
 * Never reads a file or the environment, never talks to anyone. */
#include "cli/args.h"

#include "base/check.h"
#include "cli/nearest.h"
#include "cli/words.h"

#include <stdio.h>
#include <string.h>

static bool refuse(struct invocation *invocation, const char *en, const char *ja, const char *what)
{
    CHECK(what != NULL);
    int length = snprintf(invocation->message, ARGS_MESSAGE, "%s: %.120s", say(en, ja), what);
    CHECK(length > 0);
    return false;
}

/* The word that is not known, and the known one that was probably meant. */
static bool refuse_unknown(
    struct invocation *invocation,
    const char *sentence,
    const char *word,
    const char *dashes,
    const struct nearest *nearest)
{
    CHECK(word != NULL);
    bool close = nearest->best != NULL;
    (void)snprintf(
        invocation->message,
        ARGS_MESSAGE,
        "%s: %.100s%s%s%s%s",
        sentence,
        word,
        close ? say("; did you mean ", "。もしかして: ") : "",
        close ? dashes : "",
        close ? nearest->best : "",
        close ? say("?", "") : "");
    return false;
}

static bool unknown_noun(struct invocation *invocation, const char *word)
{
    struct nearest nearest;
    nearest_begin(&nearest, word, strlen(word));
    for (const struct verb *verb = verbs; verb->noun != NULL; verb++) {
        nearest_offer(&nearest, verb->noun);
    }
    CHECK(!verbs_has_noun(word));
    return refuse_unknown(invocation, say("unknown noun", "知らない名詞"), word, "", &nearest);
}

static bool unknown_verb(struct invocation *invocation, const char *noun, const char *word)
{
    struct nearest nearest;
    nearest_begin(&nearest, word, strlen(word));
    for (const struct verb *verb = verbs; verb->noun != NULL; verb++) {
        if (strcmp(verb->noun, noun) == 0) {
            nearest_offer(&nearest, verb->verb);
        }
    }
    CHECK(verbs_find(noun, word) == NULL);
    return refuse_unknown(invocation, say("unknown verb", "知らない動詞"), word, "", &nearest);
}

static bool unknown_flag(struct invocation *invocation, const char *word)
{
    const struct flag *const lists[] = { invocation->verb == NULL ? global_flags
                                                                  : invocation->verb->flags,
                                         global_flags };
    struct nearest nearest;
    const char *name = word[1] == '-' ? word + 2 : word + 1;
    nearest_begin(&nearest, name, strcspn(name, "="));
    for (size_t i = 0; i < COUNT_OF(lists); i++) {
        for (const struct flag *flag = lists[i]; flag->name != NULL; flag++) {
            nearest_offer(&nearest, flag->name);
        }
    }
    CHECK(word[0] == '-');
    return refuse_unknown(invocation, say("unknown flag", "知らないフラグ"), word, "--", &nearest);
}

static bool value_put(struct invocation *invocation, const struct flag *flag, const char *text)
{
    CHECK(flag != NULL);
    CHECK(text != NULL);
    if (!flag->many && args_given(invocation, flag->name)) {
        return refuse(invocation, "flag given twice", "同じフラグが2回", flag->name);
    }
    if (invocation->values_count == ARGS_VALUES_MAX) {
        return refuse(invocation, "too many flags", "フラグが多すぎる", flag->name);
    }
    if (flag->type == FLAG_CHOICE && !args_choice(flag->value, text)) {
        invocation->values_count = 0;
        (void)snprintf(
            invocation->message,
            ARGS_MESSAGE,
            "--%s: %s %s (%.60s)",
            flag->name,
            say("must be one of", "次のいずれか:"),
            flag->value,
            text);
        return false;
    }
    invocation->values[invocation->values_count] =
        (struct args_value){ .flag = flag, .text = text };
    invocation->values_count++;
    return true;
}

/* One flag at argv[*at]; moves *at past its value. */
static bool take_flag(struct invocation *invocation, int argc, char **argv, int *at)
{
    const char *word = argv[*at];
    CHECK(word[0] == '-');
    const struct flag *flag = NULL;
    const char *equals = NULL;
    if (word[1] == '-') {
        equals = strchr(word, '=');
        size_t size = equals == NULL ? strlen(word + 2) : (size_t)(equals - word - 2);
        flag = verbs_flag(invocation->verb, word + 2, size);
    } else if (word[2] == '\0') {
        flag = verbs_letter(invocation->verb, word[1]);
    }
    if (flag == NULL) {
        return unknown_flag(invocation, word);
    }
    if (flag->type == FLAG_SWITCH) {
        if (equals != NULL) {
            return refuse(invocation, "this flag takes no value", "値を取らないフラグ", word);
        }
        invocation->help = invocation->help || strcmp(flag->name, "help") == 0;
        return value_put(invocation, flag, "");
    }
    if (equals != NULL) {
        return value_put(invocation, flag, equals + 1);
    }
    if (*at + 1 >= argc) {
        return refuse(invocation, "this flag needs a value", "値が要るフラグ", word);
    }
    *at += 1;
    return value_put(invocation, flag, argv[*at]);
}

/* Global flags may stand before the noun, so the noun and verb are found first: words that are
 * neither flags nor values of global flags. */
static bool find_verb(struct invocation *invocation, int argc, char **argv, int used[static 2])
{
    const char *words[2] = { NULL, NULL };
    uint32_t count = 0;
    used[0] = used[1] = 0;
    for (int i = 1; i < argc && count < 2; i++) {
        const char *word = argv[i];
        if (word[0] == '-' && word[1] != '\0' && verbs_noun(word) == word) {
            const struct flag *flag = NULL;
            if (word[1] == '-' && strchr(word, '=') == NULL) {
                flag = verbs_flag(NULL, word + 2, strlen(word + 2));
            } else if (word[1] != '-' && word[2] == '\0') {
                flag = verbs_letter(NULL, word[1]);
            }
            i += flag != NULL && flag->type != FLAG_SWITCH ? 1 : 0;
            continue;
        }
        words[count] = word;
        used[count] = i;
        count++;
    }
    if (count == 0) {
        invocation->help = true;
        return true;
    }
    const char *noun = verbs_noun(words[0]);
    if (!verbs_has_noun(noun)) {
        return unknown_noun(invocation, words[0]);
    }
    invocation->noun = noun;
    invocation->verb = verbs_find(noun, "");
    if (invocation->verb != NULL) {
        used[1] = 0;
        return true;
    }
    if (words[1] != NULL) {
        invocation->verb = verbs_find(noun, words[1]);
        if (invocation->verb == NULL) {
            return unknown_verb(invocation, noun, words[1]);
        }
    }
    return true;
}

/* All flags that are required and not there, in one message: nobody wants them one by one. */
static bool flags_complete(struct invocation *invocation)
{
    char missing[160] = "";
    CHECK(invocation->verb != NULL);
    for (const struct flag *flag = invocation->verb->flags; flag->name != NULL; flag++) {
        size_t used = strlen(missing);
        CHECK(used < sizeof(missing));
        if (flag->required && !args_given(invocation, flag->name)) {
            (void)snprintf(
                missing + used,
                sizeof(missing) - used,
                "%s--%s %s",
                used == 0 ? "" : ", ",
                flag->name,
                flag->value);
        }
    }
    return missing[0] == '\0' || refuse(invocation, "missing", "足りないフラグ", missing);
}

/* Everything that the table calls required is there. */
static bool complete(struct invocation *invocation)
{
    const struct verb *verb = invocation->verb;
    CHECK(verb != NULL);
    char name[32];
    bool optional = false;
    for (uint32_t i = 0; verbs_operand(verb, i, name, sizeof(name), &optional); i++) {
        CHECK(i < ARGS_OPERANDS_MAX);
        if (i >= invocation->operands_count && !optional) {
            return refuse(invocation, "missing operand", "足りない引数", name);
        }
    }
    return flags_complete(invocation);
}

static bool take_operand(struct invocation *invocation, const char *word)
{
    char name[32];
    bool optional = false;
    CHECK(word != NULL);
    CHECK(invocation->operands_count <= ARGS_OPERANDS_MAX);
    if (invocation->verb == NULL ||
        !verbs_operand(
            invocation->verb, invocation->operands_count, name, sizeof(name), &optional)) {
        return refuse(invocation, "one word too many", "余分な語", word);
    }
    if (*word == '\0') {
        return refuse(invocation, "empty operand", "空の引数", name);
    }
    invocation->operands[invocation->operands_count] = word;
    invocation->operands_count++;
    return true;
}

bool args_parse(int argc, char **argv, struct invocation *invocation_out)
{
    CHECK(argc >= 1);
    CHECK(argv != NULL);
    int used[2];
    struct invocation *invocation = invocation_out;
    memset(invocation, 0, sizeof(*invocation));
    if (!find_verb(invocation, argc, argv, used)) {
        return false;
    }
    bool flags_end = false;
    for (int i = 1; i < argc; i++) {
        if (i == used[0] || i == used[1]) {
            continue;
        }
        if (!flags_end && strcmp(argv[i], "--") == 0) {
            flags_end = true;
            continue;
        }
        bool flag = !flags_end && argv[i][0] == '-' && argv[i][1] != '\0';
        if (flag ? !take_flag(invocation, argc, argv, &i) : !take_operand(invocation, argv[i])) {
            return false;
        }
    }
    if (invocation->help) {
        return true;
    }
    if (invocation->verb == NULL) {
        return refuse(invocation, "missing verb after", "動詞がない", invocation->noun);
    }
    return complete(invocation);
}

const char *args_text(const struct invocation *invocation, const char *name)
{
    CHECK(name != NULL);
    CHECK(invocation->values_count <= ARGS_VALUES_MAX);
    for (uint32_t i = invocation->values_count; i > 0; i--) {
        if (strcmp(invocation->values[i - 1].flag->name, name) == 0) {
            return invocation->values[i - 1].text;
        }
    }
    return NULL;
}

bool args_given(const struct invocation *invocation, const char *name)
{
    return args_text(invocation, name) != NULL;
}

const char *args_operand(const struct invocation *invocation, const char *name)
{
    CHECK(invocation->verb != NULL);
    char found[32];
    bool optional = false;
    for (uint32_t i = 0; verbs_operand(invocation->verb, i, found, sizeof(found), &optional); i++) {
        CHECK(i < ARGS_OPERANDS_MAX);
        if (strcmp(found, name) == 0) {
            return i < invocation->operands_count ? invocation->operands[i] : NULL;
        }
    }
    return NULL;
}
