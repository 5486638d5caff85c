/* What the target of the verifier and its first inputs share: the lines of the export in hand. */
#ifndef TESTS_FUZZ_FUZZ_EXPORT_H
#define TESTS_FUZZ_FUZZ_EXPORT_H

#include "tests/fuzz/fuzz.h"

#include "audit/export.h"

enum { LINES_MAX = 48 };

enum kind { KIND_SCRIPT, KIND_LEAF, KIND_MAP, KIND_GROWTH, KIND_PROOF, KINDS };

/* One step of a life: a leaf of a tenant, or a checkpoint, true or not. */
enum step { STEP_LEAF = 0, STEP_CHECKPOINT = 6, STEP_LIE = 7, STEPS = 8 };

struct line {
    size_t size;
    char text[AUDIT_LINE_MAX];
};

extern struct line lines[LINES_MAX];
extern uint32_t lines_count;

/* The true export of a life. False: it has no checkpoint that proves anything. */
bool write_export(struct slice script);

#endif
