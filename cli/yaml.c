/* Decides how a tree is written as YAML. Never reads YAML. Texts that YAML could take for something
 * else, and all that hold more than letters, digits and . _ / : -, are quoted as in JSON. */
#include "cli/yaml.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct level {
    struct json_t *doc;
    void *member; /* Objects: who comes next. */
    size_t index; /* Lists: who comes next. */
    uint32_t indent;
    bool continues; /* The first line goes on behind "- ". */
};

static bool plain(const char *text)
{
    static const char *const words[] = {
        "true", "false", "null", "yes", "no", "on", "off", "y", "n"
    };
    CHECK(text != NULL);
    bool letter = (*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z');
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "0123456789._/-";
    if (!letter || text[strspn(text, allowed)] != '\0') {
        return false;
    }
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (strcasecmp(text, words[i]) == 0) {
            return false;
        }
    }
    return true;
}

static bool put_json(FILE *out, const struct json_t *doc)
{
    char *text = doc_dump(doc);
    CHECK(out != NULL);
    bool good = text != NULL && fputs(text, out) != EOF;
    free(text);
    return good;
}

static bool put_scalar(FILE *out, const struct json_t *doc)
{
    const char *text = doc_text(doc);
    CHECK(doc != NULL);
    if (text != NULL && plain(text)) {
        return fputs(text, out) != EOF;
    }
    return put_json(out, doc);
}

static bool put_key(FILE *out, const char *key)
{
    CHECK(key != NULL);
    if (plain(key)) {
        return fprintf(out, "%s:", key) > 0;
    }
    struct json_t *text = doc_of_text(key);
    bool good = text != NULL && put_json(out, text) && fputc(':', out) != EOF;
    doc_free(text);
    return good;
}

static bool is_tree(const struct json_t *doc)
{
    CHECK(doc != NULL);
    enum doc_kind kind = doc_kind(doc);
    return (kind == DOC_LIST || kind == DOC_OBJECT) && doc_count(doc) > 0;
}

/* The next child of a level, NULL past the last; its key when the level is an object. */
static struct json_t *step(struct level *level, const char **key_out)
{
    CHECK(level->doc != NULL);
    *key_out = NULL;
    if (doc_kind(level->doc) == DOC_LIST) {
        level->index++;
        return doc_at(level->doc, level->index - 1);
    }
    if (level->member == NULL) {
        return NULL;
    }
    struct json_t *child = doc_member_value(level->member);
    *key_out = doc_member_key(level->member);
    level->member = doc_next(level->doc, level->member);
    return child;
}

static struct level level_of(struct json_t *doc, uint32_t indent, bool continues)
{
    CHECK(is_tree(doc));
    void *first = doc_kind(doc) == DOC_OBJECT ? doc_first(doc) : NULL;
    return (struct level){ doc, first, 0, indent, continues };
}

/* One child: its key or dash, then its value, or the level that holds its own children. */
static bool put_child(
    FILE *out, struct level *level, struct json_t *child, const char *key, bool deep)
{
    CHECK(child != NULL);
    uint32_t indent = level->continues ? 0 : level->indent;
    level->continues = false;
    CHECK(indent <= 4U * YAML_DEPTH);
    bool good = fprintf(out, "%*s", (int)indent, "") >= 0;
    good = good && (key != NULL ? put_key(out, key) : fputc('-', out) != EOF);
    if (!is_tree(child)) {
        return good && fputc(' ', out) != EOF && put_scalar(out, child) && fputc('\n', out) != EOF;
    }
    if (!deep) {
        return good && fputc(' ', out) != EOF && put_json(out, child) && fputc('\n', out) != EOF;
    }
    return good && fputc(key != NULL ? '\n' : ' ', out) != EOF;
}

bool yaml_print(FILE *out, const struct json_t *doc)
{
    struct level levels[YAML_DEPTH];
    uint32_t depth = 0;
    CHECK(out != NULL);
    CHECK(doc != NULL);
    if (!is_tree(doc)) {
        return put_scalar(out, doc) && fputc('\n', out) != EOF;
    }
    /* The walk only reads; doc_share needs the writable pointer that iteration asks for. */
    struct json_t *root = doc_share((struct json_t *)(uintptr_t)doc);
    levels[depth] = level_of(root, 0, false);
    depth++;
    bool good = true;
    while (depth > 0 && good) {
        struct level *top = &levels[depth - 1];
        const char *key = NULL;
        struct json_t *child = step(top, &key);
        if (child == NULL) {
            depth--;
            continue;
        }
        bool deep = depth < YAML_DEPTH;
        good = put_child(out, top, child, key, deep);
        if (good && deep && is_tree(child)) {
            levels[depth] = level_of(child, top->indent + 2, key == NULL);
            depth++;
        }
    }
    doc_free(root);
    return good;
}
