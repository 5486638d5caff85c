/* always: what holds after every clause, however the story goes. */
#include "base/check.h"
#include "tests/scenario/story.h"

#include <string.h>

bool story_always_told(struct story *story, const char *clause)
{
    if (strcmp(clause, "ledger = inventory") == 0) {
        story->ledger = true;
    } else if (strcmp(clause, "each accepted write has exactly one leaf") == 0) {
        story->leaves = true;
    } else if (strcmp(clause, "replicas have the same digest") == 0) {
        story->digests = true;
    } else {
        return story_wrong(story, "always \"%s\" is not known", clause);
    }
    return true;
}

/* How many writes were accepted since the story began (a repeated one counts once), and of how many
 * the outcome is not known to who asked. */
static uint32_t accepted(const struct story *story, uint32_t *unknown_out)
{
    static char operations[STAGE_DEEDS][STAGE_OPERATION];
    uint32_t count = 0;
    *unknown_out = 0;
    for (uint32_t i = story->deeds_before + 1; i <= stage_deeds(story->stage); i++) {
        struct told told;
        stage_told(story->stage, i, &told);
        *unknown_out += strcmp(told.code, "outcome-unknown") == 0 ? 1 : 0;
        bool counts = told.what == TOLD_ACCEPTED && told.write;
        for (uint32_t k = 0; counts && k < count; k++) {
            counts = strcmp(operations[k], told.operation) != 0;
        }
        if (counts) {
            CHECK(count < STAGE_DEEDS);
            memcpy(operations[count++], told.operation, sizeof(told.operation));
        }
    }
    return count;
}

/* Too many leaves are wrong at once; too few may be on their way. */
static bool leaves_hold(struct story *story)
{
    uint32_t unknown = 0;
    uint32_t wanted = accepted(story, &unknown);
    for (uint32_t patience = 0;; patience++) {
        const struct seen_leaf *leaves = NULL;
        uint32_t all = stage_leaves(story->stage, &leaves);
        uint32_t count = 0;
        for (uint32_t i = 0; i < all; i++) {
            count += leaves[i].person && !leaves[i].refused ? 1 : 0;
        }
        if (count >= wanted && count <= wanted + unknown) {
            return true;
        }
        if (count > wanted + unknown || story->by_hand || !stage_goes_on(story->stage, patience)) {
            return story_untrue(/* INV-AUD-1 */
                                story,
                                "%u writes were accepted and %u leaves say so",
                                (unsigned int)wanted,
                                (unsigned int)count);
        }
    }
}

bool story_always(struct story *story)
{
    uint64_t wrong = 0;
    char why[STAGE_TEXT];
    if (story->stage == NULL || !story->began) {
        return true;
    }
    const char *broken = stage_wrong(story->stage);
    if (broken != NULL) {
        return story_untrue(story, "%s", broken);
    }
    if (story->ledger && stage_ledger(story->stage, &wrong)) { /* INV-LED-2 */
        story->checks++;
        if (wrong != 0) {
            return story_untrue(
                story, "%llu accounts are not what is there", (unsigned long long)wrong);
        }
    }
    if (story->digests) { /* INV-REF-1 */
        story->checks++;
        if (!stage_digests(story->stage, why)) {
            return story_untrue(story, "%s", why);
        }
    }
    /* An entry that is not committed has neither leaf nor answer; it is judged when it is. */
    if (!story->leaves || !stage_settled(story->stage)) {
        return true;
    }
    story->checks++;
    return leaves_hold(story);
}
