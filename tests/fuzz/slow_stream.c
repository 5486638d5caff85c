/* Decides what an event stream says, a line at a time and all of it in memory: the oracle of the
 * command's reader, which has it in pieces. */
#include "tests/fuzz/slow_stream.h"

#include "base/check.h"
#include "cli/json.h"

#include <stdlib.h>
#include <string.h>

static void slow_event(struct slow_stream *slow, char **data)
{
    if (*data == NULL) {
        return;
    }
    struct json_t *doc = doc_parse(*data, strlen(*data));
    slow->refused = doc == NULL || !doc_print(slow->out, doc, false);
    doc_free(doc);
    free(*data);
    *data = NULL;
    memcpy(slow->id, slow->next_id, sizeof(slow->id));
    slow->left--;
}

/* A line without its end, as C text. */
static void slow_line(struct slow_stream *slow, char *line, char **data)
{
    size_t size = strlen(line);
    const char *value = strchr(line, ':');
    size_t name = value == NULL ? 0 : (size_t)(value - line);
    if (size == 0) {
        slow_event(slow, data);
        return;
    }
    if (value != NULL) {
        value += value[1] == ' ' ? 2 : 1;
    }
    if (name == 2 && strncmp(line, "id", 2) == 0 && strlen(value) < sizeof(slow->next_id)) {
        (void)snprintf(slow->next_id, sizeof(slow->next_id), "%s", value);
    } else if (name == 4 && strncmp(line, "data", 4) == 0) {
        slow->refused = *data != NULL;
        free(*data);
        *data = strdup(value);
    }
}

void slow_stream(struct slow_stream *slow, struct slice stream, size_t times)
{
    enum { LINE_MAX_BYTES = 64 * 1024 - 1 };
    size_t size = stream.size * times;
    char *whole = malloc(size + 1);
    char *data = NULL;
    CHECK(whole != NULL);
    for (size_t i = 0; i < size; i++) {
        whole[i] = (char)stream.data[i % stream.size];
    }
    for (size_t at = 0; at < size && !slow->refused && slow->left > 0;) {
        char *end = memchr(whole + at, '\n', size - at);
        size_t length = (end == NULL ? size : (size_t)(end - whole)) - at;
        slow->refused = length > LINE_MAX_BYTES;
        if (end == NULL || slow->refused) {
            break; /* What is not ended is nothing. */
        }
        whole[at + length] = '\0';
        if (length > 0 && whole[at + length - 1] == '\r') {
            whole[at + length - 1] = '\0';
        }
        slow_line(slow, whole + at, &data);
        at += length + 1;
    }
    free(data);
    free(whole);
}
