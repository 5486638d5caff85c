/* Decides which language people read. Never touches what programs read. */
#include "cli/words.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

static enum language chosen = LANGUAGE_EN;

enum language words_detect(const char *flag)
{
    static const char *const names[] = { "LC_ALL", "LC_MESSAGES", "LANG" };
    const char *word = flag;
    for (size_t i = 0; i < COUNT_OF(names) && (word == NULL || *word == '\0'); i++) {
        word = getenv(names[i]);
    }
    bool japanese = word != NULL && strncmp(word, "ja", 2) == 0;
    return japanese ? LANGUAGE_JA : LANGUAGE_EN;
}

void words_choose(enum language language)
{
    CHECK(language == LANGUAGE_EN || language == LANGUAGE_JA);
    chosen = language;
}

enum language words_language(void)
{
    return chosen;
}

const char *say(const char *en, const char *ja)
{
    CHECK(en != NULL);
    CHECK(ja != NULL);
    return chosen == LANGUAGE_JA ? ja : en;
}
