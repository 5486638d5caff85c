/* Which columns of a verb are printed: the table's for this form, or those that were asked for. */
#ifndef CLI_COLUMNS_H
#define CLI_COLUMNS_H

#include "cli/grid.h"
#include "cli/settings.h"
#include "cli/verbs.h"

struct columns {
    struct column list[GRID_COLUMNS + 1]; /* Ends like the table's. */
};

/* The columns of a form when none were asked for. `across`: the list is over all tenants. */
void columns_usual(
    const struct column *all, enum output_format format, bool across, struct columns *columns_out);
/* "name,STATE,place.rack": by path, or by the English heading in any case. False, with the reason
 * in `invocation->message`, when one is not of this verb or comes twice. */
bool columns_asked(struct invocation *invocation, const char *names, struct columns *columns_out);

#endif
