/* Decides how we die when we were wrong: one line on standard error, then abort.
 * Never allocates, never formats through stdio, never returns. */
#include "base/check.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void put(const char *text)
{
    size_t left = strlen(text);
    while (left > 0) {
        ssize_t done = write(STDERR_FILENO, text, left);
        if (done <= 0) {
            return; /* Nobody can hear us; abort says the rest. */
        }
        text += done;
        left -= (size_t)done;
    }
}

_Noreturn void check_failed(const char *condition, const char *file, int line)
{
    char digits[12];
    size_t at = sizeof(digits) - 1;
    digits[at] = '\0';
    unsigned int number = line > 0 ? (unsigned int)line : 0U;
    do {
        at--;
        digits[at] = (char)('0' + (char)(number % 10U));
        number /= 10U;
    } while (number > 0 && at > 0);
    put("event=check-failed file=");
    put(file);
    put(" line=");
    put(&digits[at]);
    put(" condition=\"");
    put(condition);
    put("\"\n");
    abort();
}
