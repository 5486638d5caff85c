/* Whether one key was one request, and was answered like one. Never looks at what was done. */
#ifndef HISTORY_KEYS_H
#define HISTORY_KEYS_H

#include "tests/history/merge.h"

/* Says in the verdict, which is clean before, what is not; counts what was compared. INV-IDEM-1 */
void keys_check(
    const struct history *history, const struct merge *merge, struct history_verdict *verdict);

#endif
