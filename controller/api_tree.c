/* Decides which bytes are JSON. Never decides which JSON is a request, nor how a refusal reads.
 *
 * No recursion: the values themselves, each with its parent, are the stack. No bound is checked for
 * texts: each is shorter than what stands for it in the input. */
#include "controller/api_tree.h"

#include "base/check.h"

#include <stdio.h>
#include <string.h>

struct reader {
    const uint8_t *at;
    const uint8_t *end;
    char *text;        /* Where the next text is written. */
    struct json *next; /* Where the next value is written. */
    struct json *full;
    bool doubt;
};

static void skip_space(struct reader *reader)
{
    while (reader->at < reader->end && (*reader->at == ' ' || *reader->at == '\n' ||
                                        *reader->at == '\r' || *reader->at == '\t')) {
        reader->at++;
    }
}

static bool take_char(struct reader *reader, uint8_t wanted)
{
    if (reader->at == reader->end || *reader->at != wanted) {
        return false;
    }
    reader->at++;
    return true;
}

/* ---- Texts ---- */

/* The bytes of the well-formed code point at the front; 0: there is none (RFC 3629, 4.). */
static size_t point_size(const uint8_t *at, size_t left)
{
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    uint8_t lead = at[0];
    size_t size = lead >= 0xf0 ? 4 : (lead >= 0xe0 ? 3 : 2);
    if (lead < 0xc2 || lead > 0xf4 || left < size) {
        return 0;
    }
    uint32_t point = lead & (0x7fU >> size);
    for (size_t i = 1; i < size; i++) {
        if ((at[i] & 0xc0) != 0x80) {
            return 0;
        }
        point = (point << 6) | (at[i] & 0x3fU);
    }
    bool surrogate = point >= 0xd800 && point <= 0xdfff;
    return point < least[size] || point > 0x10ffff || surrogate ? 0 : size;
}

/* The four hex digits behind \u. */
static bool take_unit(struct reader *reader, uint32_t *unit_out)
{
    uint32_t unit = 0;
    if (reader->end - reader->at < 4) {
        return false;
    }
    for (size_t i = 0; i < 4; i++) {
        uint32_t c = *reader->at++;
        uint32_t lower = c | 0x20;
        if (c >= '0' && c <= '9') {
            unit = unit * 16 + (c - '0');
        } else if (lower >= 'a' && lower <= 'f') {
            unit = unit * 16 + (lower - 'a' + 10);
        } else {
            return false;
        }
    }
    *unit_out = unit;
    return true;
}

static void put_point(struct reader *reader, uint32_t point)
{
    CHECK(point > 0 && point <= 0x10ffff);
    if (point < 0x80) {
        *reader->text++ = (char)point;
        return;
    }
    size_t size = point < 0x800 ? 2 : (point < 0x10000 ? 3 : 4);
    static const uint8_t lead[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
    for (size_t i = size - 1; i > 0; i--) {
        reader->text[i] = (char)(0x80 | (point & 0x3f));
        point >>= 6;
    }
    reader->text[0] = (char)(lead[size] | point);
    reader->text += size;
}

static bool take_point(struct reader *reader)
{
    uint32_t point = 0;
    uint32_t low = 0;
    if (!take_unit(reader, &point) || point == 0 || (point >= 0xdc00 && point <= 0xdfff)) {
        return false;
    }
    if (point >= 0xd800 && point <= 0xdbff) {
        if (!take_char(reader, '\\') || !take_char(reader, 'u') || !take_unit(reader, &low) ||
            low < 0xdc00 || low > 0xdfff) {
            return false;
        }
        point = ((point - 0xd800) << 10) + (low - 0xdc00) + 0x10000;
    }
    put_point(reader, point);
    return true;
}

static bool take_escape(struct reader *reader)
{
    static const char names[] = "\"\\/bfnrt";
    static const char means[] = "\"\\/\b\f\n\r\t";
    if (reader->at == reader->end || *reader->at == '\0') {
        return false;
    }
    uint8_t c = *reader->at++;
    if (c == 'u') {
        return take_point(reader);
    }
    const char *found = strchr(names, c);
    if (found == NULL) {
        return false;
    }
    *reader->text++ = means[found - names];
    return true;
}

static char *take_text(struct reader *reader, uint32_t *size_out)
{
    char *from = reader->text;
    if (!take_char(reader, '"')) {
        return NULL;
    }
    while (reader->at < reader->end && *reader->at != '"') {
        uint8_t c = *reader->at;
        if (c >= 0x80) {
            size_t size = point_size(reader->at, (size_t)(reader->end - reader->at));
            memcpy(reader->text, reader->at, size);
            reader->text += size;
            reader->at += size;
            if (size == 0) {
                return NULL;
            }
        } else if (c == '\\') {
            reader->at++;
            if (!take_escape(reader)) {
                return NULL;
            }
        } else if (c < 0x20) {
            return NULL;
        } else {
            *reader->text++ = (char)c;
            reader->at++;
        }
    }
    if (!take_char(reader, '"')) {
        return NULL;
    }
    *size_out = (uint32_t)(reader->text - from);
    *reader->text++ = '\0';
    return from;
}

/* ---- Values ---- */

static bool take_word(struct reader *reader, const char *word)
{
    size_t size = strlen(word);
    if ((size_t)(reader->end - reader->at) < size || memcmp(reader->at, word, size) != 0) {
        return false;
    }
    reader->at += size;
    return true;
}

static bool is_digit(const struct reader *reader, const uint8_t *at)
{
    return at < reader->end && *at >= '0' && *at <= '9';
}

/* What follows the whole part of a real number; jansson looks at it closer. */
static bool take_real(struct reader *reader, struct json *value)
{
    while (reader->at < reader->end && memchr("0123456789.eE+-", *reader->at, 15) != NULL) {
        reader->at++;
    }
    value->kind = KIND_REAL;
    reader->doubt = true;
    return true;
}

static bool take_number(struct reader *reader, struct json *value)
{
    bool negative = take_char(reader, '-');
    const uint8_t *from = reader->at;
    while (is_digit(reader, reader->at)) {
        reader->at++;
    }
    size_t digits = (size_t)(reader->at - from);
    if (digits == 0 || (digits > 1 && from[0] == '0')) {
        return false;
    }
    if (reader->at < reader->end && memchr(".eE", *reader->at, 3) != NULL) {
        return take_real(reader, value);
    }
    int64_t number = 0; /* Below zero, where there is one more of them. */
    for (size_t i = 0; i < digits; i++) {
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_sub_overflow(number, from[i] - '0', &number)) {
            return false;
        }
    }
    if (!negative && __builtin_sub_overflow(0, number, &number)) {
        return false;
    }
    value->kind = KIND_NUMBER;
    value->number = number;
    return true;
}

static bool take_kind(struct reader *reader, struct json *value)
{
    switch (*reader->at) {
    case '"':
        value->kind = KIND_TEXT;
        value->text = take_text(reader, &value->size);
        return value->text != NULL;
    case '{': value->kind = KIND_OBJECT; return take_char(reader, '{');
    case '[': value->kind = KIND_LIST; return take_char(reader, '[');
    case 't': value->kind = KIND_TRUE; return take_word(reader, "true");
    case 'f': value->kind = KIND_FALSE; return take_word(reader, "false");
    case 'n': value->kind = KIND_NULL; return take_word(reader, "null");
    default: return take_number(reader, value);
    }
}

/* A text or a number, or the beginning of an object or a list. */
static struct json *take_value(struct reader *reader)
{
    skip_space(reader);
    if (reader->at == reader->end || reader->next == reader->full) {
        return NULL;
    }
    struct json *value = reader->next++;
    memset(value, 0, sizeof(*value));
    return take_kind(reader, value) ? value : NULL;
}

static bool key_is_new(struct reader *reader, struct json *object, const char *key, uint32_t size)
{
    if (object->count >= TREE_CROWDED) {
        reader->doubt = true;
        return true;
    }
    for (const struct json *at = tree_first(object); at != NULL; at = at->next) {
        if (at->key_size == size && memcmp(at->key, key, size) == 0) {
            return false;
        }
    }
    return true;
}

/* One more of an open object or list. */
static struct json *take_inside(struct reader *reader, struct json *open)
{
    const char *key = NULL;
    uint32_t key_size = 0;
    if (open->kind == KIND_OBJECT) {
        skip_space(reader);
        key = take_text(reader, &key_size);
        if (key == NULL || !key_is_new(reader, open, key, key_size)) {
            return NULL;
        }
        skip_space(reader);
        if (!take_char(reader, ':')) {
            return NULL;
        }
    }
    struct json *value = take_value(reader);
    if (value == NULL) {
        return NULL;
    }
    value->parent = open;
    value->key = key;
    value->key_size = key_size;
    if (open->count > 0) {
        open->last->next = value;
    }
    CHECK(open->count > 0 || value == open + 1); /* tree_first knows it. */
    open->last = value;
    open->count++;
    return value;
}

static bool holds_others(const struct json *value)
{
    return value->kind == KIND_OBJECT || value->kind == KIND_LIST;
}

static struct json *take_document(struct reader *reader)
{
    struct json *document = take_value(reader);
    if (document == NULL || !holds_others(document)) {
        return NULL;
    }
    uint32_t depth = 1;
    for (struct json *open = document; open != NULL;) {
        skip_space(reader);
        if (take_char(reader, open->kind == KIND_OBJECT ? '}' : ']')) {
            open = open->parent;
            depth--;
            continue;
        }
        if (open->count > 0 && !take_char(reader, ',')) {
            return NULL;
        }
        struct json *value = take_inside(reader, open);
        if (value == NULL) {
            return NULL;
        }
        if (holds_others(value)) {
            if (depth == TREE_DEPTH_MAX) {
                return NULL;
            }
            depth++;
            open = value;
        }
    }
    CHECK(depth == 0);
    skip_space(reader);
    return reader->at == reader->end ? document : NULL;
}

struct json *tree_read(struct slice text, struct arena *memory, bool *doubt_out)
{
    CHECK(text.size < UINT32_MAX);
    CHECK(memory->used % _Alignof(struct json) == 0);
    size_t left = memory->size - memory->used;
    size_t texts = (text.size + 1 + 15) & ~(size_t)15;
    if (left < texts) {
        return NULL;
    }
    uint8_t *room = memory->memory + memory->used;
    struct reader reader = { .at = text.data, .end = text.data + text.size };
    reader.text = (char *)room;
    reader.next = (struct json *)(void *)(room + texts);
    reader.full = reader.next + (left - texts) / sizeof(struct json);
    struct json *document = take_document(&reader);
    CHECK((uint8_t *)reader.text <= room + texts);
    if (document != NULL) {
        memory->used = ((size_t)((uint8_t *)reader.next - memory->memory) + 15) & ~(size_t)15;
        memory->used = memory->used < memory->size ? memory->used : memory->size;
        *doubt_out = reader.doubt;
    }
    return document;
}

/* ---- The tree ---- */

struct json *tree_first(struct json *value)
{
    return holds_others(value) && value->count > 0 ? value + 1 : NULL;
}

struct json *tree_member(struct json *object, const char *key)
{
    CHECK(object->kind == KIND_OBJECT);
    for (struct json *at = tree_first(object); at != NULL; at = at->next) {
        if (strcmp(at->key, key) == 0) {
            return at;
        }
    }
    return NULL;
}

/* RFC 6901: '~' and '/' inside a key are written ~0 and ~1. */
static size_t pointer_join(char *room, size_t size, size_t used, const char *key)
{
    if (used + 1 < size) {
        room[used++] = '/';
    }
    for (; *key != '\0' && used + 2 < size; key++) {
        if (*key == '~' || *key == '/') {
            room[used++] = '~';
            room[used++] = *key == '~' ? '0' : '1';
        } else {
            room[used++] = *key;
        }
    }
    return used;
}

void tree_pointer(const struct json *value, char *room, size_t size)
{
    CHECK(size > 0);
    const struct json *way[TREE_DEPTH_MAX + 1];
    size_t depth = 0;
    size_t used = 0;
    for (; value->parent != NULL; value = value->parent) {
        CHECK(depth <= TREE_DEPTH_MAX);
        way[depth++] = value;
    }
    while (depth > 0) {
        const struct json *step = way[--depth];
        char number[16];
        uint32_t before = 0;
        for (const struct json *at = step->parent + 1; step->key == NULL && at != step;
             at = at->next) {
            before++;
        }
        int digits = snprintf(number, sizeof(number), "%u", before);
        CHECK(digits > 0);
        used = pointer_join(room, size, used, step->key == NULL ? number : step->key);
    }
    CHECK(used < size);
    room[used] = '\0';
}
