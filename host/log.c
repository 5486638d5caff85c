/* Decides the form of a log line: one write, at most LINE_MAX_BYTES, so that lines of several
 * programs on one descriptor never mix. Never waits, never allocates, never logs a secret (callers
 * have none: see secret.h). Its own calendar, because gmtime reads /etc/localtime on first use and
 * that is a forbidden call inside a sandbox. */
#include "host/log.h"

#include "base/check.h"
#include "base/slice.h"
#include "host/clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    LINE_MAX_BYTES = 2048, /* Below PIPE_BUF: one write is one line. */
    TEXT_MAX_BYTES = 256,
    TEXT_RING = 8,
};

static char program_of_line[32] = "udatsu";

void log_start(const char *program)
{
    CHECK(program != NULL);
    bool fits = text_copy(program_of_line, sizeof(program_of_line), slice_text(program));
    CHECK(fits);
}

/* Days since 1970 to a date (H. Hinnant, "chrono-compatible low-level date algorithms"). */
static int stamp(char *room, size_t size)
{
    uint64_t wall = clock_wall_ms();
    uint64_t days = wall / 86400000U + 719468U;
    uint64_t rest = wall % 86400000U;
    uint64_t era = days / 146097U;
    uint64_t day_of_era = days - era * 146097U;
    uint64_t year_of_era =
        (day_of_era - day_of_era / 1460U + day_of_era / 36524U - day_of_era / 146096U) / 365U;
    uint64_t day_of_year =
        day_of_era - (365U * year_of_era + year_of_era / 4U - year_of_era / 100U);
    uint64_t shifted = (5U * day_of_year + 2U) / 153U;
    uint64_t day = day_of_year - (153U * shifted + 2U) / 5U + 1U;
    uint64_t month = shifted < 10U ? shifted + 3U : shifted - 9U;
    uint64_t year = year_of_era + era * 400U + (month <= 2U ? 1U : 0U);
    return snprintf(
        room,
        size,
        "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ",
        (unsigned int)year,
        (unsigned int)month,
        (unsigned int)day,
        (unsigned int)(rest / 3600000U),
        (unsigned int)(rest / 60000U % 60U),
        (unsigned int)(rest / 1000U % 60U),
        (unsigned int)(rest % 1000U));
}

static const char *level_name(enum log_level level)
{
    switch (level) {
    case LOG_LEVEL_INFO: return "info";
    case LOG_LEVEL_WARN: return "warn";
    case LOG_LEVEL_ERROR: return "error";
    }
    UNREACHABLE();
}

void log_line(enum log_level level, const char *event, const char *format, ...)
{
    CHECK(event != NULL);
    CHECK(format != NULL);
    char line[LINE_MAX_BYTES];
    int used = stamp(line, sizeof(line));
    CHECK(used > 0);
    size_t at = (size_t)used;
    used = snprintf(
        line + at,
        sizeof(line) - at,
        " %s program=%s pid=%d event=%s ",
        level_name(level),
        program_of_line,
        (int)getpid(),
        event);
    CHECK(used > 0 && (size_t)used < sizeof(line) - at);
    at += (size_t)used;
    va_list list;
    va_start(list, format);
    used = vsnprintf(line + at, sizeof(line) - at, format, list);
    va_end(list);
    at += used < 0 ? 0 : (size_t)used;
    if (at > sizeof(line) - 1) { /* Cut, never dropped. */
        at = sizeof(line) - 1;
    }
    line[at] = '\n';
    ssize_t written = write(STDERR_FILENO, line, at + 1);
    (void)written; /* Nobody is left to tell. */
}

const char *log_text(const char *text)
{
    static char ring[TEXT_RING][TEXT_MAX_BYTES];
    static unsigned int turn;
    CHECK(text != NULL);
    char *room = ring[turn++ % TEXT_RING];
    static const char hex[] = "0123456789abcdef";
    size_t at = 0;
    room[at++] = '"';
    for (size_t i = 0; text[i] != '\0' && at < TEXT_MAX_BYTES - 8; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '"' || c == '\\') {
            room[at++] = '\\';
            room[at++] = (char)c;
        } else if (c < 0x20 || c >= 0x7f) {
            room[at++] = '\\';
            room[at++] = 'x';
            room[at++] = hex[c >> 4];
            room[at++] = hex[c & 15U];
        } else {
            room[at++] = (char)c;
        }
    }
    room[at++] = '"';
    room[at] = '\0';
    CHECK(at < TEXT_MAX_BYTES);
    return room;
}
