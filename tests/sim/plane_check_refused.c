/* Refusals are counted as often as there were, and no more: the linker leads each that a door of an
 * engine notes through here, and every folded leaf is held against them. One that died with its
 * process is counted by nobody; one that was said twice must not be. Decides nothing else. */
#include "audit/leaf.h"
#include "base/check.h"
#include "base/hash.h"
#include "controller/core/engine_inner.h"
#include "tests/sim/plane_check.h"

#include <string.h>

enum { KINDS = 1 << 14 };

/* Of one person, one thing that he asked for, and one answer. */
struct refused {
    uint64_t actor;
    uint64_t operation; /* Digest of the word; 0: free. */
    uint32_t reject;
    uint64_t there;
    uint64_t said;
};

static struct refused kinds[KINDS];
static uint32_t kinds_count;
static uint64_t there_all;
static uint64_t said_all;

void plane_refused_begin(void)
{
    memset(kinds, 0, sizeof(kinds));
    kinds_count = 0;
    there_all = 0;
    said_all = 0;
}

static struct refused *refused_of(uint64_t actor, const char *operation, uint32_t reject)
{
    uint64_t word = hash_bytes((struct hash_key){ 0, 0 }, slice_text(operation)) | 1;
    uint64_t at = word ^ (actor * UINT64_C(0x9e3779b97f4a7c15) >> 32) ^ reject;
    for (;; at++) {
        struct refused *kind = &kinds[at % KINDS];
        if (kind->operation == 0) {
            CHECK(++kinds_count < KINDS);
            *kind = (struct refused){ .actor = actor, .operation = word, .reject = reject };
        }
        if (kind->actor == actor && kind->operation == word && kind->reject == reject) {
            return kind;
        }
    }
}

void plane_refused_said(struct plane *plane, const Wire__Leaf *leaf)
{
    uint64_t count = leaf->fold->count;
    said_all += count;
    plane_checked(plane, PLANE_CHECK_COUNTED);
    bool more = said_all > there_all;
    if (!leaf->fold->overflow) {
        struct refused *kind = refused_of(leaf->actor, leaf->operation, leaf->reject);
        kind->said += count;
        more = more || kind->said > kind->there;
    }
    if (more) { /* INV-AUD-5 */
        plane_fail(
            plane,
            "COUNTED %llu more refusals of %llx, %s, than there were",
            (unsigned long long)count,
            (unsigned long long)leaf->actor,
            leaf->operation);
    }
}

void plane_refused_forge(struct plane *plane)
{
    Wire__Leaf leaf = WIRE__LEAF__INIT;
    Wire__Fold fold = WIRE__FOLD__INIT;
    leaf.operation = "unknown";
    leaf.fold = &fold;
    fold.count = there_all + 1;
    plane_refused_said(plane, &leaf);
}

void __real_refusals_note(struct engine *engine, const Wire__Request *request, enum reject reject);
void __wrap_refusals_note(struct engine *engine, const Wire__Request *request, enum reject reject);

void __wrap_refusals_note(struct engine *engine, const Wire__Request *request, enum reject reject)
{
    enum access_operation operation = access_operation_of(request);
    const char *word = operation == 0 ? "unknown" : access_operation_name(operation);
    uint64_t actor = request->principal == NULL ? 0 : request->principal->id;
    refused_of(actor, word, (uint32_t)reject)->there++;
    there_all++;
    __real_refusals_note(engine, request, reject);
}
