/* Decides how a leaf is shown to a person. Never decides whether it is true: `audit verify` does.
 */
#include "audit/fold.h"
#include "cli/leaf.h"

#include "base/check.h"
#include "base/id.h"
#include "base/reject.h"
#include "cli/base64.h"
#include "cli/output.h"
#include "wire/wire.h"

#include <audit.pb-c.h>
#include <string.h>

_Static_assert((int)WIRE__KIND__KIND_TOKEN == (int)ID_TOKEN, "kinds of ids and of rows agree");

/* The kind's own id form; "cell" for the plane itself, "" for nobody. */
static struct json_t *id_doc(Wire__Kind kind, uint64_t id)
{
    char text[ID_TEXT_SIZE] = "";
    CHECK(kind >= WIRE__KIND__KIND_UNSET);
    bool plain = kind == WIRE__KIND__KIND_UNSET || id >> 48 == 0 || id << 16 == 0;
    if (kind == WIRE__KIND__KIND_CELL) {
        return doc_of_text("cell");
    }
    if (!plain && (int)kind < (int)ID_KINDS_END) {
        id_format((enum id_kind)kind, id, text);
    }
    return doc_of_text(text);
}

static struct json_t *time_doc(uint64_t ms)
{
    char text[40];
    output_time(ms, text, sizeof(text));
    CHECK(text[0] != '\0');
    return doc_of_text(text);
}

static struct json_t *outcome_doc(uint32_t reject)
{
    CHECK(REJECT_NONE == 0);
    if (reject == REJECT_NONE) {
        return doc_of_text("done");
    }
    return doc_of_text(reject < REJECTS_END ? reject_name((enum reject)reject) : "refused");
}

static bool add_fold(struct json_t *doc, const Wire__Fold *fold)
{
    CHECK(doc != NULL);
    if (fold == NULL) {
        return true;
    }
    return doc_set(doc, "fold.count", doc_of_number(fold->count)) &&
           doc_set(doc, "fold.door", doc_of_text(fold->door == DOOR_API ? "api" : "link")) &&
           doc_set(doc, "fold.overflow", doc_of_bool(fold->overflow));
}

static bool fill(struct json_t *doc, const Wire__Leaf *leaf)
{
    char hex[2 * 64 + 1];
    CHECK(leaf != NULL);
    if (doc == NULL || leaf->argument_digest.len > 64) {
        return false;
    }
    hex_encode(slice_of(leaf->argument_digest.data, leaf->argument_digest.len), hex);
    return doc_set(doc, "seq", doc_of_number(leaf->seq)) &&
           doc_set(doc, "wall_at", time_doc(leaf->wall_ms)) &&
           doc_set(doc, "log_time_ms", doc_of_number(leaf->log_time_ms)) &&
           doc_set(doc, "tenant", id_doc(WIRE__KIND__KIND_TENANT, leaf->tenant)) &&
           doc_set(doc, "tenant_seq", doc_of_number(leaf->tenant_seq)) &&
           doc_set(doc, "actor", id_doc(leaf->actor_kind, leaf->actor)) &&
           doc_set(doc, "operation", doc_of_text(leaf->operation)) &&
           doc_set(doc, "resource", id_doc(leaf->resource_kind, leaf->resource)) &&
           doc_set(doc, "outcome", outcome_doc(leaf->reject)) &&
           doc_set(doc, "reason", doc_of_text(leaf->reason)) &&
           doc_set(doc, "argument_digest", doc_of_text(hex)) &&
           doc_set(doc, "index", doc_of_number(leaf->index)) && add_fold(doc, leaf->fold);
}

struct json_t *leaf_doc(struct slice bytes)
{
    _Alignas(16) uint8_t memory[8 * 1024];
    struct arena arena;
    Wire__Leaf *leaf = NULL;
    CHECK(bytes.data != NULL || bytes.size == 0);
    arena_init(&arena, memory, sizeof(memory));
    if (wire_decode(&wire__leaf__descriptor, bytes, &arena, &leaf).code != 0) {
        return NULL;
    }
    struct json_t *doc = doc_object();
    if (!fill(doc, leaf)) {
        doc_free(doc);
        return NULL;
    }
    CHECK(doc_count(doc) > 0);
    return doc;
}

bool leaf_seq(struct slice bytes, uint64_t *seq_out)
{
    _Alignas(16) uint8_t memory[8 * 1024];
    struct arena arena;
    Wire__Leaf *leaf = NULL;
    CHECK(seq_out != NULL);
    arena_init(&arena, memory, sizeof(memory));
    if (wire_decode(&wire__leaf__descriptor, bytes, &arena, &leaf).code != 0) {
        return false;
    }
    CHECK(leaf != NULL);
    *seq_out = leaf->seq;
    return true;
}
