/* Decides whether jansson read the same tree, value by value. Shares no code with the reader that
 * is judged. */
#include "tests/fuzz/tree_judge.h"

#include "base/check.h"

#include <string.h>

enum { PAIRS_MAX = 32768 };

struct pair {
    struct json *ours;
    json_t *theirs;
};
static struct pair pairs[PAIRS_MAX];

static bool same_value(const struct json *ours, const json_t *theirs)
{
    switch (json_typeof(theirs)) {
    case JSON_OBJECT: return ours->kind == KIND_OBJECT && ours->count == json_object_size(theirs);
    case JSON_ARRAY: return ours->kind == KIND_LIST && ours->count == json_array_size(theirs);
    case JSON_STRING:
        return ours->kind == KIND_TEXT && ours->size == json_string_length(theirs) &&
               strcmp(ours->text, json_string_value(theirs)) == 0;
    case JSON_INTEGER:
        return ours->kind == KIND_NUMBER && ours->number == json_integer_value(theirs);
    case JSON_REAL: return ours->kind == KIND_REAL;
    case JSON_TRUE: return ours->kind == KIND_TRUE;
    case JSON_FALSE: return ours->kind == KIND_FALSE;
    case JSON_NULL: return ours->kind == KIND_NULL;
    }
    return false;
}

/* What is in the two of a pair becomes pairs, in the order in which it came. */
static bool same_inside(struct pair both, size_t *count)
{
    size_t at = 0;
    void *entry = json_is_object(both.theirs) ? json_object_iter(both.theirs) : NULL;
    for (struct json *value = tree_first(both.ours); value != NULL; value = value->next, at++) {
        CHECK(*count < PAIRS_MAX);
        if (value->parent != both.ours || (value->key != NULL) != (entry != NULL) ||
            (entry != NULL && strcmp(value->key, json_object_iter_key(entry)) != 0)) {
            return false;
        }
        pairs[(*count)++] = (struct pair){ value,
                                           entry != NULL ? json_object_iter_value(entry)
                                                         : json_array_get(both.theirs, at) };
        entry = entry == NULL ? NULL : json_object_iter_next(both.theirs, entry);
    }
    return entry == NULL;
}

bool tree_same(struct json *ours, json_t *theirs)
{
    size_t count = 1;
    pairs[0] = (struct pair){ ours, theirs };
    for (size_t at = 0; at < count; at++) {
        if (!same_value(pairs[at].ours, pairs[at].theirs) || !same_inside(pairs[at], &count)) {
            return false;
        }
    }
    return true;
}

bool tree_too_deep(struct slice text)
{
    size_t depth = 0;
    bool inside = false;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        if (inside && c == '\\') {
            i++;
        } else if (c == '"') {
            inside = !inside;
        } else if (!inside && (c == '{' || c == '[') && ++depth > TREE_DEPTH_MAX) {
            return true;
        } else if (!inside && (c == '}' || c == ']')) {
            depth--;
        }
    }
    return false;
}
