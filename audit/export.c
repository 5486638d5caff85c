/* Decides how an export is written down, line by line. Never decides whether it is true. */
#include "audit/export.h"

#include "audit/leaf.h"
#include "audit/text.h"
#include "base/check.h"
#include "base/id.h"

#include <string.h>

static const char header_word[] = "{\"udatsu_audit\":1,\"origin\":\"";
static const char scope_word[] = "\",\"scope\":\"";
static const char leaf_word[] = "{\"leaf\":\"";
static const char hash_word[] = "\",\"hash\":\"";
static const char checkpoint_word[] = "{\"checkpoint\":\"";
static const char map_word[] = "{\"tenant_map\":\"";
static const char consistency_word[] = "{\"consistency\":\"";
static const char end_word[] = "\"}";

static struct text_writer over(char *room)
{
    CHECK(room != NULL);
    return (struct text_writer){ .room = room, .size = AUDIT_LINE_MAX };
}

static size_t finish(struct text_writer *writer)
{
    text_put_words(writer, end_word);
    text_put_words(writer, "\n");
    CHECK(writer->used <= AUDIT_LINE_MAX);
    return writer->full ? 0 : writer->used;
}

size_t audit_export_header(
    const char *origin, struct audit_scope scope, char room[static AUDIT_LINE_MAX])
{
    CHECK(strlen(origin) < AUDIT_ORIGIN_MAX);
    CHECK(!scope.all || scope.tenant == 0);
    char tenant[ID_TEXT_SIZE] = "";
    if (scope.tenant != 0) {
        id_format(ID_TENANT, scope.tenant, tenant);
    }
    struct text_writer writer = over(room);
    text_put_words(&writer, header_word);
    text_put_words(&writer, origin);
    text_put_words(&writer, scope_word);
    text_put_words(&writer, scope.all ? "all" : (scope.tenant == 0 ? "provider" : tenant));
    return finish(&writer);
}

size_t audit_export_leaf(struct slice leaf, char room[static AUDIT_LINE_MAX])
{
    CHECK(leaf.size > 0 && leaf.size <= AUDIT_LEAF_MAX);
    uint8_t hash[AUDIT_HASH];
    audit_leaf_hash(leaf, hash);
    struct text_writer writer = over(room);
    text_put_words(&writer, leaf_word);
    text_put_base64(&writer, leaf);
    text_put_words(&writer, hash_word);
    text_put_base64(&writer, slice_of(hash, sizeof(hash)));
    size_t used = finish(&writer);
    CHECK(used > 0);
    return used;
}

/* A note's only control character is the line end, and it needs no other escape. */
size_t audit_export_checkpoint(struct slice note, char room[static AUDIT_LINE_MAX])
{
    CHECK(note.data != NULL || note.size == 0);
    if (note.size == 0 || note.size > AUDIT_NOTE_MAX) {
        return 0;
    }
    struct text_writer writer = over(room);
    text_put_words(&writer, checkpoint_word);
    for (size_t i = 0; i < note.size; i++) {
        uint8_t byte = note.data[i];
        if (byte == '"' || byte == '\\' || byte == 0x7f || (byte < ' ' && byte != '\n')) {
            return 0;
        }
        text_put(&writer, byte == '\n' ? slice_text("\\n") : slice_of(&byte, 1));
    }
    return finish(&writer);
}

static size_t write_proof(const char *word, struct slice proof, char *room)
{
    CHECK(proof.size > 0 && proof.size <= AUDIT_PROOF_MAX);
    struct text_writer writer = over(room);
    text_put_words(&writer, word);
    text_put_base64(&writer, proof);
    size_t used = finish(&writer);
    CHECK(used > 0);
    return used;
}

size_t audit_export_tenant_map(struct slice proof, char room[static AUDIT_LINE_MAX])
{
    return write_proof(map_word, proof, room);
}

size_t audit_export_consistency(struct slice proof, char room[static AUDIT_LINE_MAX])
{
    return write_proof(consistency_word, proof, room);
}

/* Takes the word away from the front. */
static bool take_word(struct slice *rest, const char *word)
{
    size_t size = strlen(word);
    CHECK(size > 0);
    if (rest->size < size || memcmp(rest->data, word, size) != 0) {
        return false;
    }
    *rest = slice_of(rest->data + size, rest->size - size);
    return true;
}

/* Takes what stands before the closing quote; leaves the quote. */
static bool take_value(struct slice *rest, struct slice *value_out)
{
    CHECK(value_out != NULL);
    struct slice after = *rest;
    if (!text_cut(&after, '"', value_out)) {
        return false;
    }
    *rest = slice_of(rest->data + value_out->size, rest->size - value_out->size);
    CHECK(rest->data[0] == '"');
    return true;
}

static bool read_scope(struct slice text, struct audit_scope *scope_out)
{
    CHECK(scope_out != NULL);
    struct audit_scope scope = { .all = slice_equal(text, slice_text("all")) };
    if (!scope.all && !slice_equal(text, slice_text("provider"))) {
        char id[AUDIT_SCOPE_MAX];
        if (!text_copy(id, sizeof(id), text) || !id_parse(ID_TENANT, id, &scope.tenant)) {
            return false;
        }
    }
    *scope_out = scope;
    return true;
}

static bool read_header(struct slice rest, struct audit_export_line *line)
{
    struct slice origin = SLICE_EMPTY;
    struct slice scope = SLICE_EMPTY;
    CHECK(line->kind == AUDIT_LINE_HEADER);
    return take_value(&rest, &origin) && take_word(&rest, scope_word) &&
           take_value(&rest, &scope) && slice_equal(rest, slice_text(end_word)) &&
           text_copy(line->origin, sizeof(line->origin), origin) && read_scope(scope, &line->scope);
}

static bool read_bytes(struct slice text, struct audit_export_line *line)
{
    size_t used = 0;
    if (!text_base64(text, line->room, sizeof(line->room), &used) || used == 0) {
        return false;
    }
    line->bytes = slice_of(line->room, used);
    CHECK(line->bytes.size <= AUDIT_LINE_MAX);
    return true;
}

static bool read_leaf(struct slice rest, struct audit_export_line *line)
{
    struct slice leaf = SLICE_EMPTY;
    struct slice hash = SLICE_EMPTY;
    size_t used = 0;
    CHECK(line->kind == AUDIT_LINE_LEAF);
    return take_value(&rest, &leaf) && take_word(&rest, hash_word) && take_value(&rest, &hash) &&
           slice_equal(rest, slice_text(end_word)) && read_bytes(leaf, line) &&
           line->bytes.size <= AUDIT_LEAF_MAX &&
           text_base64(hash, line->hash, sizeof(line->hash), &used) && used == AUDIT_HASH;
}

static bool read_proof(struct slice rest, struct audit_export_line *line)
{
    struct slice proof = SLICE_EMPTY;
    CHECK(line->kind == AUDIT_LINE_TENANT_MAP || line->kind == AUDIT_LINE_CONSISTENCY);
    return take_value(&rest, &proof) && slice_equal(rest, slice_text(end_word)) &&
           read_bytes(proof, line) && line->bytes.size <= AUDIT_PROOF_MAX;
}

static bool read_checkpoint(struct slice rest, struct audit_export_line *line)
{
    struct slice note = SLICE_EMPTY;
    CHECK(line->kind == AUDIT_LINE_CHECKPOINT);
    if (!take_value(&rest, &note) || !slice_equal(rest, slice_text(end_word))) {
        return false;
    }
    size_t used = 0;
    for (size_t i = 0; i < note.size; i++) {
        uint8_t byte = note.data[i];
        if (byte == '\\') {
            i++;
            if (i == note.size || note.data[i] != 'n') {
                return false;
            }
            byte = '\n';
        } else if (byte < ' ' || byte == 0x7f) {
            return false;
        }
        CHECK(used < sizeof(line->room));
        line->room[used++] = byte;
    }
    line->bytes = slice_of(line->room, used);
    return used > 0 && used <= AUDIT_NOTE_MAX;
}

bool audit_export_read(struct slice line, struct audit_export_line *line_out)
{
    CHECK(line_out != NULL);
    struct slice rest = line;
    line_out->bytes = SLICE_EMPTY;
    if (line.size == 0 || line.size > AUDIT_LINE_MAX) {
        return false;
    }
    if (take_word(&rest, leaf_word)) {
        line_out->kind = AUDIT_LINE_LEAF;
        return read_leaf(rest, line_out);
    }
    if (take_word(&rest, checkpoint_word)) {
        line_out->kind = AUDIT_LINE_CHECKPOINT;
        return read_checkpoint(rest, line_out);
    }
    if (take_word(&rest, map_word)) {
        line_out->kind = AUDIT_LINE_TENANT_MAP;
        return read_proof(rest, line_out);
    }
    if (take_word(&rest, consistency_word)) {
        line_out->kind = AUDIT_LINE_CONSISTENCY;
        return read_proof(rest, line_out);
    }
    line_out->kind = AUDIT_LINE_HEADER;
    return take_word(&rest, header_word) && read_header(rest, line_out);
}
