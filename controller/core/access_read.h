/* "Who can do what?": every principal of the cell, page by page. */
#ifndef CONTROLLER_CORE_ACCESS_READ_H
#define CONTROLLER_CORE_ACCESS_READ_H

#include "controller/core/apply.h"
#include "controller/core/views.h"

void access_read(
    const struct view_live *live,
    const struct apply *seen,
    const Wire__AccessRead *what,
    struct outcome *outcome,
    Wire__Answer *answer);

#endif
