/* Decides which columns are printed and in which order. Never decides how a cell looks. */
#include "cli/columns.h"

#include "base/check.h"
#include "cli/words.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

void columns_usual(
    const struct column *all, enum output_format format, bool across, struct columns *columns_out)
{
    uint32_t count = 0;
    CHECK(all != NULL);
    memset(columns_out, 0, sizeof(*columns_out));
    for (; all->path != NULL; all++) {
        bool everything = format != OUTPUT_TABLE;
        if (everything || all->when == COLUMN_ALWAYS || (across && all->when == COLUMN_ACROSS)) {
            CHECK(count < GRID_COLUMNS);
            columns_out->list[count] = *all;
            count++;
        }
    }
    CHECK(count > 0);
}

static const struct column *find(const struct column *all, const char *name, size_t size)
{
    for (; all->path != NULL; all++) {
        bool path = strlen(all->path) == size && memcmp(all->path, name, size) == 0;
        if (path || (strlen(all->en) == size && strncasecmp(all->en, name, size) == 0)) {
            return all;
        }
    }
    return NULL;
}

/* What there is, so that the next command line is right. */
static bool refuse(struct invocation *invocation, const char *name, size_t size)
{
    char *message = invocation->message;
    int length = snprintf(
        message,
        ARGS_MESSAGE,
        "--columns %.*s: %s",
        size < 40 ? (int)size : 40,
        name,
        say("each once, of these:", "次の中から一度ずつ:"));
    CHECK(length > 0 && length < ARGS_MESSAGE);
    size_t used = (size_t)length;
    for (const struct column *c = invocation->verb->columns; c->path != NULL; c++) {
        length = snprintf(message + used, ARGS_MESSAGE - used, " %s", c->path);
        if (length < 0 || (size_t)length >= ARGS_MESSAGE - used) {
            message[used] = '\0'; /* The rest is in the help of the verb. */
            break;
        }
        used += (size_t)length;
    }
    return false;
}

bool columns_asked(struct invocation *invocation, const char *names, struct columns *columns_out)
{
    const struct column *all = invocation->verb->columns;
    uint32_t count = 0;
    CHECK(names != NULL);
    memset(columns_out, 0, sizeof(*columns_out));
    if (all == NULL) {
        (void)snprintf(
            invocation->message,
            ARGS_MESSAGE,
            "%s",
            say("--columns: this verb prints no columns", "--columns: 列のない動詞"));
        return false;
    }
    for (bool more = true; more;) {
        size_t size = strcspn(names, ",");
        const struct column *found = find(all, names, size);
        bool twice = found != NULL && find(columns_out->list, found->path, strlen(found->path));
        if (found == NULL || twice) {
            return refuse(invocation, names, size);
        }
        CHECK(count < GRID_COLUMNS); /* Each once, and the table has fewer. */
        columns_out->list[count] = *found;
        count++;
        more = names[size] == ',';
        names += size + (more ? 1 : 0);
    }
    return true;
}
