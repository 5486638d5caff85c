/* Decides how JSON becomes trees and text. Never decides what a member means.
 * The only includer of jansson.h in cli/. */
#include "cli/json.h"

#include "base/check.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { DOC_PATH = 128 }; /* Our own tables' paths are far shorter. */

struct json_t *doc_parse(const char *text, size_t size)
{
    CHECK(text != NULL || size == 0);
    if (size == 0) {
        return NULL;
    }
    return json_loadb(text, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
}

struct json_t *doc_load(const char *path, size_t size_max)
{
    CHECK(path != NULL);
    CHECK(size_max > 0);
    FILE *file = fopen(path, "rbe");
    if (file == NULL) {
        return NULL;
    }
    char *text = malloc(size_max + 1);
    size_t size = text == NULL ? 0 : fread(text, 1, size_max + 1, file);
    bool whole = text != NULL && !ferror(file) && size <= size_max;
    (void)fclose(file); /* Only read. */
    struct json_t *doc = whole ? doc_parse(text, size) : NULL;
    free(text);
    return doc;
}

void doc_free(struct json_t *doc)
{
    json_decref(doc);
}

struct json_t *doc_share(struct json_t *doc)
{
    return json_incref(doc);
}

struct json_t *doc_object(void)
{
    return json_object();
}

struct json_t *doc_list(void)
{
    return json_array();
}

struct json_t *doc_of_text(const char *text)
{
    CHECK(text != NULL);
    return json_string(text);
}

struct json_t *doc_of_number(uint64_t number)
{
    /* JSON numbers of ours are at most 2^63 - 1; past it nothing of ours counts. */
    return number > (uint64_t)INT64_MAX ? NULL : json_integer((json_int_t)number);
}

struct json_t *doc_of_bool(bool truth)
{
    return json_boolean(truth);
}

bool doc_set(struct json_t *object, const char *path, struct json_t *child)
{
    CHECK(path != NULL);
    CHECK(strlen(path) < DOC_PATH);
    const char *dot = strchr(path, '.');
    if (object == NULL || child == NULL) {
        json_decref(child);
        return false;
    }
    if (dot == NULL) {
        return json_object_set_new(object, path, child) == 0;
    }
    char key[DOC_PATH];
    memcpy(key, path, (size_t)(dot - path));
    key[dot - path] = '\0';
    json_t *inner = json_object_get(object, key);
    if (inner == NULL) {
        inner = json_object();
        if (json_object_set_new(object, key, inner) != 0) {
            json_decref(child);
            return false;
        }
    }
    CHECK(strchr(dot + 1, '.') == NULL); /* Our bodies are two levels deep. */
    return json_object_set_new(inner, dot + 1, child) == 0;
}

bool doc_append(struct json_t *list, struct json_t *child)
{
    if (list == NULL || child == NULL) {
        json_decref(child);
        return false;
    }
    return json_array_append_new(list, child) == 0;
}

enum doc_kind doc_kind(const struct json_t *doc)
{
    CHECK(doc != NULL);
    switch (json_typeof(doc)) {
    case JSON_OBJECT: return DOC_OBJECT;
    case JSON_ARRAY: return DOC_LIST;
    case JSON_STRING: return DOC_TEXT;
    case JSON_INTEGER:
    case JSON_REAL: return DOC_NUMBER;
    case JSON_TRUE:
    case JSON_FALSE: return DOC_BOOL;
    case JSON_NULL: return DOC_NULL;
    }
    UNREACHABLE();
}

struct json_t *doc_get(const struct json_t *object, const char *key)
{
    CHECK(key != NULL);
    return json_object_get(object, key);
}

struct json_t *doc_path(const struct json_t *doc, const char *path)
{
    CHECK(path != NULL);
    CHECK(strlen(path) < DOC_PATH);
    char room[DOC_PATH];
    memcpy(room, path, strlen(path) + 1);
    char *save = NULL;
    json_t *found = NULL;
    for (char *key = strtok_r(room, ".", &save); key != NULL; key = strtok_r(NULL, ".", &save)) {
        bool index = key[0] >= '0' && key[0] <= '9';
        found = index ? json_array_get(doc, strtoul(key, NULL, 10)) : json_object_get(doc, key);
        doc = found;
    }
    return found;
}

size_t doc_count(const struct json_t *doc)
{
    return json_is_array(doc) ? json_array_size(doc) : json_object_size(doc);
}

struct json_t *doc_at(const struct json_t *list, size_t index)
{
    return json_array_get(list, index);
}

const char *doc_text(const struct json_t *doc)
{
    return json_string_value(doc);
}

bool doc_number(const struct json_t *doc, uint64_t *number_out)
{
    if (!json_is_integer(doc) || json_integer_value(doc) < 0) {
        return false;
    }
    *number_out = (uint64_t)json_integer_value(doc);
    return true;
}

bool doc_true(const struct json_t *doc)
{
    return json_is_true(doc);
}

void *doc_first(struct json_t *object)
{
    return json_object_iter(object);
}

void *doc_next(struct json_t *object, void *member)
{
    return json_object_iter_next(object, member);
}

const char *doc_member_key(void *member)
{
    return json_object_iter_key(member);
}

struct json_t *doc_member_value(void *member)
{
    return json_object_iter_value(member);
}

static void words_put(char *room, size_t size, size_t *used, const char *text)
{
    CHECK(*used < size);
    size_t length = strlen(text);
    size_t fits = size - 1 - *used;
    if (length > fits) {
        length = fits;
        while (length > 0 && ((unsigned char)text[length] & 0xc0U) == 0x80U) {
            length--; /* Not inside a character. */
        }
    }
    memcpy(room + *used, text, length);
    *used += length;
    room[*used] = '\0';
}

static void words_scalar(const json_t *doc, char *room, size_t size, size_t *used)
{
    char number[32];
    switch (json_typeof(doc)) {
    case JSON_STRING: words_put(room, size, used, json_string_value(doc)); return;
    case JSON_TRUE: words_put(room, size, used, "true"); return;
    case JSON_FALSE: words_put(room, size, used, "false"); return;
    case JSON_INTEGER:
        (void)snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(doc));
        words_put(room, size, used, number);
        return;
    case JSON_REAL:
        (void)snprintf(number, sizeof(number), "%g", json_real_value(doc));
        words_put(room, size, used, number);
        return;
    case JSON_NULL: return;
    case JSON_OBJECT:
    case JSON_ARRAY: words_put(room, size, used, "…"); return;
    }
}

void doc_words(const struct json_t *doc, char *room, size_t size)
{
    CHECK(room != NULL);
    CHECK(size > 8);
    size_t used = 0;
    room[0] = '\0';
    if (doc == NULL) {
        return;
    }
    if (!json_is_array(doc)) {
        words_scalar(doc, room, size, &used);
        return;
    }
    for (size_t i = 0; i < json_array_size(doc); i++) {
        words_put(room, size, &used, i == 0 ? "" : ",");
        words_scalar(json_array_get(doc, i), room, size, &used);
    }
}

char *doc_dump(const struct json_t *doc)
{
    CHECK(doc != NULL);
    return json_dumps(doc, JSON_COMPACT | JSON_ENCODE_ANY);
}

bool doc_print(FILE *out, const struct json_t *doc, bool pretty)
{
    CHECK(out != NULL);
    CHECK(doc != NULL);
    size_t flags = JSON_ENCODE_ANY | (pretty ? JSON_INDENT(2) : JSON_COMPACT);
    return json_dumpf(doc, out, flags) == 0 && fputc('\n', out) != EOF;
}
