/* What the log of leaves must say, whoever wrote it: each change of an instance has its leaf, each
 * acknowledged write exactly one, and each signed note is of the leaves before it. Keeps what was
 * seen while the seed runs, and judges at its end. */
#include "audit/note.h"
#include "base/check.h"
#include "base/reject.h"
#include "controller/core/state.h"
#include "tests/sim/plane_check.h"
#include "tests/sim/plane_people.h"

#include <stdlib.h>
#include <string.h>

struct change {
    uint64_t resource;
    uint64_t after; /* It happened behind this index, */
    uint64_t until; /* and no later than at this one. */
    uint32_t word;  /* Of its leaf. */
};

struct note_seen {
    uint64_t size;
    uint8_t root[AUDIT_HASH];
};

/* A list that grows. */
struct list {
    uint8_t *items; /* Owned. */
    size_t size;    /* Of one. */
    uint64_t count;
    uint64_t capacity;
};

static struct list leaves = { .size = sizeof(struct plane_leaf) }; /* By sequence. */
static struct list changes = { .size = sizeof(struct change) };
static struct list notes = { .size = sizeof(struct note_seen) };

static void *list_at(const struct list *list, uint64_t at)
{
    CHECK(at < list->count);
    return list->items + at * list->size;
}

static void *list_add(struct list *list)
{
    if (list->count == list->capacity) {
        list->capacity = list->capacity * 2 + 64;
        list->items = realloc(list->items, list->capacity * list->size);
        CHECK(list->items != NULL);
    }
    void *item = list->items + list->count++ * list->size;
    memset(item, 0, list->size);
    return item;
}

void plane_audit_over(void)
{
    free(leaves.items);
    free(changes.items);
    free(notes.items);
}

uint64_t plane_leaves_seen(void)
{
    return leaves.count;
}

const struct plane_leaf *plane_leaf_seen(uint64_t seq)
{
    return list_at(&leaves, seq);
}

void plane_audit_leaf(
    struct plane *plane,
    uint64_t seq,
    const Wire__Leaf *leaf,
    const uint8_t hash[static AUDIT_HASH])
{
    if (seq != leaves.count) {
        return; /* Seen of another controller; plane_leaves.c holds them to be equal. */
    }
    if (leaf->fold != NULL) {
        plane_refused_said(plane, leaf);
    }
    struct plane_leaf *seen = list_add(&leaves);
    seen->index = leaf->index;
    seen->resource = leaf->resource;
    seen->actor = leaf->actor;
    seen->tenant = leaf->tenant;
    seen->actor_kind = leaf->actor_kind;
    seen->word = plane_said_word(plane, leaf->operation);
    seen->reject = leaf->reject;
    seen->count = leaf->fold == NULL ? 1 : leaf->fold->count;
    memcpy(seen->hash, hash, sizeof(seen->hash));
}

void plane_audit_change(uint64_t resource, uint64_t after, uint64_t until, uint32_t word)
{
    CHECK(until > after);
    struct change *change = list_add(&changes);
    *change = (struct change){ resource, after, until, word };
}

static uint64_t newest_note(void)
{
    return notes.count == 0 ? 0 : ((struct note_seen *)list_at(&notes, notes.count - 1))->size;
}

void plane_audit_note(struct plane *plane, const struct cell_row *cell)
{
    struct audit_checkpoint said;
    const char *end = strstr(cell->checkpoint_note, "\n\n");
    if (cell->checkpoint_size <= newest_note()) {
        return;
    }
    size_t size = end == NULL ? 0 : (size_t)(end - cell->checkpoint_note) + 1;
    if (end == NULL || !audit_checkpoint_parse(slice_of(cell->checkpoint_note, size), &said)) {
        plane_fail(plane, "NOTE of %llu is none", (unsigned long long)cell->checkpoint_size);
    }
    if (said.size != cell->checkpoint_size) { /* INV-AUD-3 */
        plane_fail(
            plane,
            "NOTE signs %llu leaves, and is kept as of %llu",
            (unsigned long long)said.size,
            (unsigned long long)cell->checkpoint_size);
    }
    struct note_seen *note = list_add(&notes);
    note->size = said.size;
    memcpy(note->root, said.root, AUDIT_HASH);
}

bool plane_audit_forge(enum plane_forged what)
{
    if (notes.count == 0 || leaves.count == 0) {
        return false;
    }
    if (what == AUDIT_NOTE) {
        ((struct note_seen *)list_at(&notes, notes.count - 1))->root[0] ^= 1;
    } else if (what == AUDIT_CHANGE) {
        plane_audit_change(UINT64_MAX, 0, 1, PLANE_ANY_WORD);
    }
    for (uint64_t seq = 0; what == AUDIT_ACTOR && seq < leaves.count; seq++) {
        struct plane_leaf *leaf = list_at(&leaves, seq);
        if (leaf->reject != REJECT_NONE && leaf->actor_kind == WIRE__KIND__KIND_USER) {
            leaf->tenant ^= 1;
            return true;
        }
    }
    for (uint64_t seq = 0; what == AUDIT_WRITE && seq < leaves.count; seq++) {
        struct plane_leaf *leaf = list_at(&leaves, seq);
        if (leaf->reject == REJECT_NONE && leaf->actor == plane_users[0]) {
            leaf->reject = REJECT_DENIED;
            return true;
        }
    }
    return what == AUDIT_NOTE || what == AUDIT_CHANGE;
}

/* ---- At the end ---- */

static void check_notes(struct plane *plane)
{
    struct audit_frontier tree = { .size = 0 };
    uint64_t at = 0;
    for (uint64_t seq = 0; seq < leaves.count && at < notes.count; seq++) {
        uint8_t root[AUDIT_HASH];
        const struct note_seen *note = list_at(&notes, at);
        audit_append(&tree, ((struct plane_leaf *)list_at(&leaves, seq))->hash);
        if (tree.size != note->size) {
            continue;
        }
        audit_root(&tree, root);
        plane_checked(plane, PLANE_CHECK_NOTE);
        if (memcmp(root, note->root, sizeof(root)) != 0) { /* INV-AUD-3 */
            plane_fail(
                plane, "NOTE of %llu leaves has another root", (unsigned long long)tree.size);
        }
        at++;
    }
}

static uint64_t index_of(uint64_t seq)
{
    return ((struct plane_leaf *)list_at(&leaves, seq))->index;
}

/* The first leaf of an index greater than this one. */
static uint64_t leaf_after(uint64_t index)
{
    uint64_t low = 0;
    uint64_t high = leaves.count;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (index_of(middle) > index) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

static void check_changes(struct plane *plane, uint64_t newest)
{
    for (uint64_t i = 0; i < changes.count; i++) {
        const struct change *change = list_at(&changes, i);
        bool there = change->until > newest; /* Its leaf may not be in any mirror yet. */
        for (uint64_t seq = leaf_after(change->after);
             seq < leaves.count && index_of(seq) <= change->until && !there;
             seq++) {
            const struct plane_leaf *leaf = list_at(&leaves, seq);
            there = leaf->reject == REJECT_NONE && leaf->resource == change->resource &&
                    (change->word == PLANE_ANY_WORD || change->word == leaf->word);
        }
        plane_checked(plane, PLANE_CHECK_LEAF_OF_CHANGE);
        if (!there) { /* INV-AUD-1 */
            plane_fail(
                plane,
                "UNSEEN %llx changed in %llu..%llu, and no leaf says so",
                (unsigned long long)change->resource,
                (unsigned long long)change->after + 1,
                (unsigned long long)change->until);
        }
    }
}

/* What somebody did to something. `resource` 0: writes whose end nobody knows, on whatever it was.
 */
struct deed {
    uint64_t principal;
    uint64_t resource;
    enum plane_act act;
    uint64_t
        operation; /* One of them: who asks again with the same key is answered with it again. */
    uint32_t acknowledged;
    uint32_t leaves;
};

static int deed_order(const void *one, const void *two)
{
    const struct deed *a = one;
    const struct deed *b = two;
    if (a->principal != b->principal) {
        return a->principal < b->principal ? -1 : 1;
    }
    if (a->resource != b->resource) {
        return a->resource < b->resource ? -1 : 1;
    }
    return (a->act > b->act) - (a->act < b->act);
}

static int operation_order(const void *one, const void *two)
{
    const struct deed *a = one;
    const struct deed *b = two;
    int order = deed_order(one, two);
    return order != 0                    ? order
           : a->operation < b->operation ? -1
           : a->operation > b->operation ? 1
                                         : 0;
}

/* Each once, in order; how many. */
static size_t deeds_made(struct deed *deeds, uint64_t newest)
{
    size_t count = 0;
    size_t kept = 0;
    for (uint32_t i = 1; i <= plane_requests_count; i++) {
        const struct plane_request *request = &plane_requests[i];
        bool done = request->state == PLANE_ACKNOWLEDGED;
        bool counts = done ? request->index <= newest : request->unsure;
        bool writes = request->act != PLANE_ACT_READ && request->act != PLANE_ACT_JOIN;
        if (writes && counts && (!done || (request->resource != 0 && request->operation != 0))) {
            deeds[count++] = (struct deed){ .principal = request->principal,
                                            .resource = done ? request->resource : 0,
                                            .act = plane_people_known ? request->act : 0,
                                            .operation = done ? request->operation : 0,
                                            .acknowledged = done ? 1 : 0 };
        }
    }
    if (count == 0) {
        return 0;
    }
    qsort(deeds, count, sizeof(*deeds), operation_order);
    for (size_t i = 1; i < count; i++) {
        if (deed_order(&deeds[kept], &deeds[i]) == 0) {
            bool again = deeds[kept].operation == deeds[i].operation;
            deeds[kept].acknowledged += again ? 0 : deeds[i].acknowledged;
            deeds[kept].operation = deeds[i].operation;
        } else {
            deeds[++kept] = deeds[i];
        }
    }
    return kept + 1;
}

static struct deed *deed_of(
    struct deed *deeds, size_t count, uint64_t principal, uint64_t resource, enum plane_act act)
{
    struct deed key = { .principal = principal, .resource = resource, .act = act };
    return count == 0 ? NULL : bsearch(&key, deeds, count, sizeof(*deeds), deed_order);
}

/* As many leaves as were acknowledged; more only where somebody's write has an unknown end. */
static void check_writes(struct plane *plane, uint64_t newest)
{
    struct deed *deeds = plane_zeroed(plane_requests_count + 1, sizeof(*deeds));
    size_t count = deeds_made(deeds, newest);
    for (uint64_t seq = 0; seq < leaves.count; seq++) {
        const struct plane_leaf *leaf = list_at(&leaves, seq);
        struct deed *deed =
            leaf->reject == REJECT_NONE && leaf->resource != 0
                ? deed_of(deeds, count, leaf->actor, leaf->resource, plane_said_act(leaf->word))
                : NULL;
        if (deed != NULL) {
            deed->leaves++;
        }
    }
    for (size_t i = 0; i < count; i++) {
        const struct deed *deed = &deeds[i];
        bool more = deed_of(deeds, count, deed->principal, 0, deed->act) != NULL;
        bool sound = deed->resource == 0 || deed->leaves == deed->acknowledged ||
                     (more && deed->leaves > deed->acknowledged);
        plane_checked(plane, PLANE_CHECK_LEAF_OF_WRITE);
        if (!sound) { /* INV-IDEM-1 INV-AUD-1 */
            plane_fail(
                plane,
                "LEAVES %u %s by %llx of %llx, %u writes were acknowledged",
                deed->leaves,
                plane_act_name(deed->act),
                (unsigned long long)deed->principal,
                (unsigned long long)deed->resource,
                deed->acknowledged);
        }
    }
    free(deeds);
}

void plane_audit_end(struct plane *plane)
{
    uint64_t newest = leaves.count == 0 ? 0 : index_of(leaves.count - 1);
    check_notes(plane);
    check_changes(plane, newest);
    check_writes(plane, newest);
    plane_said_end(plane);
}
