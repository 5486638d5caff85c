/* An answer OK speaks for its key: the first of them. Else the first that was never answered does.
 * What was refused speaks for itself: it says what was there, and that the request of its key had
 * not been done, or it would have been answered like that (INV-IDEM-1): it was done later, or
 * never. */
#include "tests/history/merge.h"

#include "base/check.h"

#include <stdlib.h>

bool merge_is_write(enum history_f f)
{
    return f != HISTORY_READ && f != HISTORY_LIST && f != HISTORY_ACCOUNT;
}

static bool counts(const struct history_event *event)
{
    return merge_is_write(event->f) && event->key != 0 && event->told.outcome != HISTORY_FAIL;
}

bool merge_of_refused(const struct history_event *event)
{
    return merge_is_write(event->f) && event->key != 0 && event->told.outcome == HISTORY_FAIL &&
           event->told.refusal != HISTORY_UNTRIED && event->told.refusal != HISTORY_REUSED;
}

/* True: the first speaks rather than the second. */
static bool before(const struct history_event *one, const struct history_event *other)
{
    return one->told.at_ns < other->told.at_ns;
}

void merge_begin(const struct history *history, struct merge *merge_out)
{
    uint32_t count = history->events_count;
    uint32_t *of_key = calloc((size_t)history->names_count + 1, sizeof(*of_key));
    merge_out->speaker = calloc((size_t)count + 1, sizeof(*merge_out->speaker));
    merge_out->invoke_ns = calloc((size_t)count + 1, sizeof(*merge_out->invoke_ns));
    merge_out->return_ns = calloc((size_t)count + 1, sizeof(*merge_out->return_ns));
    CHECK(of_key != NULL && merge_out->speaker != NULL);
    CHECK(merge_out->invoke_ns != NULL && merge_out->return_ns != NULL);
    for (uint32_t i = 0; i < count; i++) {
        const struct history_event *event = &history->events[i];
        uint32_t known = counts(event) ? of_key[event->key] : 0;
        if (counts(event) && (known == 0 || before(event, &history->events[known - 1]))) {
            of_key[event->key] = i + 1;
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct history_event *event = &history->events[i];
        uint32_t speaker = counts(event) ? of_key[event->key] - 1 : i;
        uint64_t *invoke_ns = &merge_out->invoke_ns[speaker];
        merge_out->speaker[i] = speaker;
        bool first = *invoke_ns == 0 || event->invoke_ns + 1 < *invoke_ns;
        *invoke_ns = first ? event->invoke_ns + 1 : *invoke_ns; /* 0: nothing yet. */
        merge_out->return_ns[speaker] = history->events[speaker].told.at_ns;
    }
    for (uint32_t i = 0; i < count; i++) {
        merge_out->invoke_ns[i] -= merge_out->invoke_ns[i] == 0 ? 0 : 1;
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct history_event *event = &history->events[i];
        uint32_t speaker = merge_of_refused(event) ? of_key[event->key] : 0;
        if (speaker != 0 && event->invoke_ns < merge_out->return_ns[speaker - 1] &&
            event->invoke_ns > merge_out->invoke_ns[speaker - 1]) {
            merge_out->invoke_ns[speaker - 1] = event->invoke_ns;
        }
    }
    merge_out->of_key = of_key;
}

void merge_end(struct merge *merge)
{
    free(merge->of_key);
    free(merge->speaker);
    free(merge->invoke_ns);
    free(merge->return_ns);
}
