/* Decides the words for each finding of the verifier. Never decides a finding. */
#include "audit/verify.h"
#include "base/check.h"

struct words {
    const char *name;
    const char *sentence;
};

static const struct words all[] = {
    [AUDIT_SOUND] = { "sound", "The export proves what it claims." },
    [AUDIT_BAD_LINE] = { "bad-line", "This line is not part of an export, or not in this place." },
    [AUDIT_BAD_LEAF] = { "bad-leaf", "The bytes of this leaf are not a leaf." },
    [AUDIT_LEAF_HASH] = { "leaf-hash", "The leaf was changed: it is not what its hash is of." },
    [AUDIT_LEAF_ORDER] = { "leaf-order", "A leaf is missing, was added, or is out of order here." },
    [AUDIT_LEAF_CHAIN] = { "leaf-chain", "The leaf does not follow its tenant's previous leaf." },
    [AUDIT_LEAF_FOREIGN] = { "leaf-foreign", "The export of one tenant speaks of another." },
    [AUDIT_CHECKPOINT_FORM] = { "checkpoint-form", "This is not a checkpoint." },
    [AUDIT_CHECKPOINT_KEY] = { "checkpoint-key", "No given key has signed this checkpoint." },
    [AUDIT_CHECKPOINT_SIGNATURE] = { "checkpoint-signature",
                                     "The checkpoint's signature does not hold." },
    [AUDIT_CHECKPOINT_ORIGIN] = { "checkpoint-origin", "The checkpoint is another cell's." },
    [AUDIT_CHECKPOINT_ORDER] = { "checkpoint-order", "The checkpoint is older than the last one." },
    [AUDIT_CHECKPOINT_SIZE] = { "checkpoint-size",
                                "The checkpoint signs another number of leaves than there are." },
    [AUDIT_CHECKPOINT_ROOT] = { "checkpoint-root",
                                "The leaves are not those that the checkpoint signs." },
    [AUDIT_CHECKPOINT_MAP] = { "checkpoint-map",
                               "The checkpoint signs another tenant map than the leaves make." },
    [AUDIT_TENANT_INCOMPLETE] = { "tenant-incomplete",
                                  "The tenant's leaves are not all that the signed map counts." },
    [AUDIT_TENANT_UNPROVEN] = { "tenant-unproven",
                                "The proof is missing that the tenant's leaves are all." },
    [AUDIT_BAD_PROOF] = { "bad-proof", "A proof in the export does not hold, or is missing." },
    [AUDIT_TOO_MANY_TENANTS] = { "too-many-tenants", "More tenants than there is room for." },
    [AUDIT_UNSIGNED] = { "unsigned", "There is no checkpoint: nothing is proven." },
};

static const struct words *words_of(enum audit_finding finding)
{
    size_t at = (size_t)finding;
    CHECK(at >= AUDIT_SOUND && at < COUNT_OF(all));
    CHECK(all[at].name != NULL && all[at].sentence != NULL);
    return &all[at];
}

const char *audit_finding_words(enum audit_finding finding)
{
    return words_of(finding)->sentence;
}

const char *audit_finding_name(enum audit_finding finding)
{
    return words_of(finding)->name;
}
