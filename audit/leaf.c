/* Decides how a leaf is numbered, chained and written. Never decides what is worth a leaf. */
#include "audit/leaf.h"

#include "base/check.h"
#include "wire/wire.h"

#include <string.h>

static bool hash_or_empty(const ProtobufCBinaryData *bytes)
{
    return bytes->len == 0 || (bytes->len == AUDIT_HASH && bytes->data != NULL);
}

/* Fixed words of ours: printable ASCII. No person's text can pass for them. */
static bool word_valid(const char *word)
{
    CHECK(word != NULL);
    size_t size = 0;
    while (size <= AUDIT_WORD_MAX && word[size] >= ' ' && word[size] <= '~') {
        size++;
    }
    return size <= AUDIT_WORD_MAX && word[size] == '\0';
}

static bool fold_valid(const Wire__Fold *fold)
{
    return fold->count > 0 && fold->first_ms <= fold->last_ms &&
           hash_or_empty(&fold->sample_digest);
}

bool audit_leaf_valid(const Wire__Leaf *leaf)
{
    CHECK(leaf != NULL);
    if (leaf->format != AUDIT_FORMAT || leaf->tenant_seq > leaf->seq) {
        return false;
    }
    /* The first leaf of a tenant has no previous one, and every other has. */
    size_t prev_size = leaf->tenant_seq == 0 ? 0 : AUDIT_HASH;
    if (leaf->tenant_prev.len != prev_size || !hash_or_empty(&leaf->argument_digest)) {
        return false;
    }
    if (leaf->operation[0] == '\0' || !word_valid(leaf->operation) || !word_valid(leaf->reason)) {
        return false;
    }
    return leaf->fold == NULL || fold_valid(leaf->fold);
}

void audit_record(
    struct audit_frontier *frontier,
    struct audit_chain *chain,
    Wire__Leaf *leaf,
    struct audit_leaf *leaf_out)
{
    CHECK(chain->count <= frontier->size);
    uint8_t previous[AUDIT_HASH];
    memcpy(previous, chain->last, sizeof(previous));
    leaf->format = AUDIT_FORMAT;
    leaf->seq = frontier->size;
    leaf->tenant_seq = chain->count;
    leaf->tenant_prev = (ProtobufCBinaryData){ chain->count == 0 ? 0 : sizeof(previous), previous };
    CHECK(audit_leaf_valid(leaf));
    memset(leaf_out, 0, sizeof(*leaf_out));
    bool fits = wire_encode_into(leaf, leaf_out->bytes, sizeof(leaf_out->bytes), &leaf_out->size);
    CHECK(fits);
    audit_leaf_hash(slice_of(leaf_out->bytes, leaf_out->size), leaf_out->hash);
    audit_append(frontier, leaf_out->hash);
    memcpy(chain->last, leaf_out->hash, AUDIT_HASH);
    chain->count++;
    leaf->tenant_prev = (ProtobufCBinaryData){ 0, NULL }; /* It pointed into this frame. */
    CHECK(frontier->size == leaf->seq + 1);               /* INV-AUD-1 */
    CHECK(chain->count == leaf->tenant_seq + 1);          /* INV-AUD-1 */
}
