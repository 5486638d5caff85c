/* Decides what the C library thinks of a text. Shares no code with the decoders that are judged. */
#include "tests/fuzz/judge.h"

#include "base/check.h"
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <iconv.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

enum { FORMS_MAX = 32, POINTS = 256 };

static struct form {
    const char *pattern;
    regex_t compiled;
} forms[FORMS_MAX];
static size_t forms_count;

bool judge_form(const char *text, const char *pattern)
{
    struct form *form = forms;
    while (form < forms + forms_count && form->pattern != pattern) {
        form++;
    }
    if (form == forms + forms_count) {
        CHECK(forms_count < FORMS_MAX);
        form->pattern = pattern;
        int code = regcomp(&form->compiled, pattern, REG_EXTENDED);
        CHECK(code == 0);
        forms_count++;
    }
    regmatch_t whole;
    return regexec(&form->compiled, text, 1, &whole, 0) == 0 && whole.rm_so == 0 &&
           (size_t)whole.rm_eo == strlen(text);
}

/* Unicode 15: what is not seen itself but changes how the rest of a line is read. */
static bool disturbs(uint32_t point)
{
    static const uint32_t ranges[][2] = {
        { 0x00, 0x1f },     { 0x7f, 0x9f },     { 0x61c, 0x61c },   { 0x200e, 0x200f },
        { 0x2028, 0x202e }, { 0x2066, 0x2069 }, { 0xd800, 0xdfff },
    };
    for (size_t i = 0; i < COUNT_OF(ranges); i++) {
        if (point >= ranges[i][0] && point <= ranges[i][1]) {
            return true;
        }
    }
    return false;
}

bool judge_clean(struct slice text)
{
    static iconv_t reader;
    if (reader == NULL) {
        reader = iconv_open("UTF-32LE", "UTF-8");
        CHECK(reader != (iconv_t)-1);
    }
    (void)iconv(reader, NULL, NULL, NULL, NULL);
    char *from = (char *)fuzz_copy(text);
    char *at = from;
    size_t left = text.size;
    bool clean = true;
    while (clean && left > 0) {
        uint32_t points[POINTS];
        char *to = (char *)points;
        size_t room = sizeof(points);
        bool more = iconv(reader, &at, &left, &to, &room) != (size_t)-1 || errno == E2BIG;
        size_t count = (sizeof(points) - room) / sizeof(points[0]);
        for (size_t i = 0; i < count; i++) {
            clean = clean && !disturbs(points[i]);
        }
        clean = clean && more;
    }
    free(from);
    return clean;
}

bool judge_number(const char *text, uint64_t *number_out)
{
    char *end = NULL;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    *number_out = number;
    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0;
}
