/* Decides how the table is looked up. Never holds a row of it. */
#include "cli/verbs.h"

#include "base/check.h"

#include <string.h>

const char *verbs_noun(const char *word)
{
    static const char *const aliases[][2] = {
        { "vm", "instance" },
        { "vms", "instance" },
        { "instances", "instance" },
        { "operation", "op" },
        { "ops", "op" },
        { "operations", "op" },
        { "nodes", "node" },
        { "tenants", "tenant" },
        { "controllers", "controller" },
        { "networks", "network" },
        { "images", "image" },
        { "users", "user" },
        { "events", "event" },
        { "alarms", "alarm" },
        { "contexts", "context" },
        { "projects", "project" },
        { "--version", "version" },
    };
    CHECK(word != NULL);
    for (size_t i = 0; i < COUNT_OF(aliases); i++) {
        if (strcmp(word, aliases[i][0]) == 0) {
            CHECK(verbs_has_noun(aliases[i][1]));
            return aliases[i][1];
        }
    }
    return word;
}

bool verbs_has_noun(const char *noun)
{
    CHECK(noun != NULL);
    for (const struct verb *verb = verbs; verb->noun != NULL; verb++) {
        if (strcmp(verb->noun, noun) == 0) {
            return true;
        }
    }
    return false;
}

const struct verb *verbs_find(const char *noun, const char *word)
{
    CHECK(noun != NULL);
    CHECK(word != NULL);
    for (const struct verb *verb = verbs; verb->noun != NULL; verb++) {
        if (strcmp(verb->noun, noun) == 0 && strcmp(verb->verb, word) == 0) {
            return verb;
        }
    }
    return NULL;
}

static const struct flag *flag_named(const struct flag *flags, const char *name, size_t size)
{
    CHECK(flags != NULL);
    for (const struct flag *flag = flags; flag->name != NULL; flag++) {
        if (strlen(flag->name) == size && memcmp(flag->name, name, size) == 0) {
            return flag;
        }
    }
    return NULL;
}

const struct flag *verbs_flag(const struct verb *verb, const char *name, size_t size)
{
    CHECK(name != NULL);
    const struct flag *own = verb == NULL ? NULL : flag_named(verb->flags, name, size);
    return own != NULL ? own : flag_named(global_flags, name, size);
}

const struct flag *verbs_letter(const struct verb *verb, char letter)
{
    CHECK(letter != '\0');
    for (const struct flag *flag = global_flags; flag->name != NULL; flag++) {
        if (flag->letter == letter) {
            return flag;
        }
    }
    for (const struct flag *flag = verb == NULL ? global_flags : verb->flags; flag->name != NULL;
         flag++) {
        if (flag->letter == letter) {
            return flag;
        }
    }
    return NULL;
}

/* The index-th piece of `text` between separators. */
static bool piece(const char *text, char separator, uint32_t index, char *room, size_t size)
{
    CHECK(text != NULL);
    CHECK(size > 1);
    for (uint32_t at = 0; *text != '\0'; at++) {
        const char *end = strchr(text, separator);
        size_t length = end == NULL ? strlen(text) : (size_t)(end - text);
        if (at == index) {
            CHECK(length > 0);
            CHECK(length < size); /* The table is ours. */
            memcpy(room, text, length);
            room[length] = '\0';
            return true;
        }
        text += length + (end == NULL ? 0U : 1U);
    }
    return false;
}

bool verbs_operand(
    const struct verb *verb, uint32_t index, char *room, size_t size, bool *optional_out)
{
    CHECK(verb != NULL);
    CHECK(optional_out != NULL);
    if (!piece(verb->operands, ' ', index, room, size)) {
        return false;
    }
    bool optional = room[0] == '[';
    if (optional) {
        size_t length = strlen(room);
        CHECK(room[length - 1] == ']');
        memmove(room, room + 1, length - 2);
        room[length - 2] = '\0';
    }
    *optional_out = optional;
    return true;
}

bool verbs_choice(const char *choices, uint32_t index, char *room, size_t size)
{
    return piece(choices, '|', index, room, size);
}
