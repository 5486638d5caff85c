/* Decides how a value looks in JSON. Never decides what is said, never allocates. */
#include "controller/api_out.h"

#include "base/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void out_init(struct out *out, char *room, size_t size)
{
    CHECK(room != NULL);
    CHECK(size > 0);
    *out = (struct out){ .room = room, .size = size };
}

static void put(struct out *out, const char *bytes, size_t size)
{
    if (out->full || size > out->size - out->used) {
        out->full = true;
        return;
    }
    memcpy(out->room + out->used, bytes, size);
    out->used += size;
}

static void put_char(struct out *out, char c)
{
    if (out->full || out->used == out->size) {
        out->full = true;
        return;
    }
    out->room[out->used++] = c;
}

static void line(struct out *out)
{
    if (out->pretty) {
        put_char(out, '\n');
        for (uint32_t i = 0; i < out->depth; i++) {
            put_char(out, ' ');
        }
    }
}

/* Before every value and every key: the comma that separates it from the one before. */
static void separate(struct out *out)
{
    if (out->after_key) {
        out->after_key = false;
        return;
    }
    if (out->depth == 0) {
        return;
    }
    if (out->filled[out->depth - 1]) {
        put_char(out, ',');
    }
    out->filled[out->depth - 1] = true;
    line(out);
}

static void open_level(struct out *out, char bracket)
{
    CHECK(out->depth < OUT_DEPTH_MAX);
    separate(out);
    put_char(out, bracket);
    out->filled[out->depth++] = false;
}

static void close_level(struct out *out, char bracket)
{
    CHECK(out->depth > 0);
    CHECK(!out->after_key);
    out->depth--;
    if (out->filled[out->depth]) {
        line(out);
    }
    put_char(out, bracket);
}

void out_object(struct out *out)
{
    open_level(out, '{');
}

void out_object_end(struct out *out)
{
    close_level(out, '}');
}

void out_array(struct out *out)
{
    open_level(out, '[');
}

void out_array_end(struct out *out)
{
    close_level(out, ']');
}

static void quoted(struct out *out, const char *text)
{
    put_char(out, '"');
    const char *from = text;
    for (const char *at = text;; at++) {
        unsigned char c = (unsigned char)*at;
        if (c != '"' && c != '\\' && c >= 0x20 && c != 0x7f) {
            continue;
        }
        put(out, from, (size_t)(at - from));
        from = at + 1;
        if (c == '\0') {
            break;
        }
        if (c == '"' || c == '\\') {
            put_char(out, '\\');
            put_char(out, (char)c);
        } else {
            static const char digits[] = "0123456789abcdef";
            put(out, "\\u00", 4);
            put_char(out, digits[c >> 4]);
            put_char(out, digits[c & 15]);
        }
    }
    put_char(out, '"');
}

void out_key(struct out *out, const char *key)
{
    CHECK(out->depth > 0);
    CHECK(!out->after_key);
    separate(out);
    quoted(out, key);
    put(out, ": ", out->pretty ? 2 : 0);
    if (!out->pretty) {
        put_char(out, ':');
    }
    out->after_key = true;
}

void out_text(struct out *out, const char *text)
{
    CHECK(text != NULL);
    separate(out);
    quoted(out, text);
}

void out_hex(struct out *out, struct slice bytes)
{
    static const char digits[] = "0123456789abcdef";
    separate(out);
    put_char(out, '"');
    for (size_t i = 0; i < bytes.size && !out->full; i++) {
        put_char(out, digits[bytes.data[i] >> 4]);
        put_char(out, digits[bytes.data[i] & 15]);
    }
    put_char(out, '"');
}

void out_number(struct out *out, uint64_t number)
{
    char text[20];
    size_t at = sizeof(text);
    do {
        text[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    separate(out);
    put(out, text + at, sizeof(text) - at);
}

void out_bool(struct out *out, bool yes)
{
    separate(out);
    put(out, yes ? "true" : "false", yes ? 4 : 5);
}

void out_null(struct out *out)
{
    separate(out);
    put(out, "null", 4);
}

void out_time(struct out *out, uint64_t at_ms)
{
    if (at_ms == 0) {
        out_null(out);
        return;
    }
    char text[TIME_TEXT_SIZE];
    time_format(at_ms, text);
    out_text(out, text);
}

void out_raw_value(struct out *out, struct slice json)
{
    CHECK(json.size > 0);
    separate(out);
    put(out, (const char *)json.data, json.size);
}

void out_pair(struct out *out, const char *key, const char *text)
{
    out_key(out, key);
    out_text(out, text);
}

void out_plain(struct out *out, const char *text)
{
    CHECK(text != NULL);
    put(out, text, strlen(text));
}

void out_format(struct out *out, const char *format, ...)
{
    if (out->full) {
        return;
    }
    va_list list;
    va_start(list, format);
    int size = vsnprintf(out->room + out->used, out->size - out->used, format, list);
    va_end(list);
    CHECK(size >= 0);
    if ((size_t)size >= out->size - out->used) {
        out->full = true;
        return;
    }
    out->used += (size_t)size;
}

bool out_done(const struct out *out, struct slice *text_out)
{
    CHECK(out->depth == 0);
    CHECK(!out->after_key);
    if (out->full) {
        return false;
    }
    *text_out = slice_of(out->room, out->used);
    return true;
}

/* Days since 1970-01-01 to a date and back (Hinnant, "chrono-compatible date algorithms"). */
static void civil_from_days(uint64_t days, uint32_t *year, uint32_t *month, uint32_t *day)
{
    uint64_t z = days + 719468;
    uint64_t era = z / 146097;
    uint64_t doe = z - era * 146097;
    uint64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    uint64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    uint64_t mp = (5 * doy + 2) / 153;
    *day = (uint32_t)(doy - (153 * mp + 2) / 5 + 1);
    *month = (uint32_t)(mp < 10 ? mp + 3 : mp - 9);
    *year = (uint32_t)(yoe + era * 400 + (*month <= 2 ? 1 : 0));
}

static uint64_t days_from_civil(uint32_t year, uint32_t month, uint32_t day)
{
    CHECK(year >= 1970);
    uint64_t y = month <= 2 ? year - 1U : year;
    uint64_t era = y / 400;
    uint64_t yoe = y - era * 400;
    uint64_t doy = (153U * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    uint64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    return era * 146097 + doe - 719468;
}

/* The last moment that four digits of year can say. */
#define TIME_MS_MAX UINT64_C(253402300799999)

/* Every answer has two times or more: printf would be a tenth of its cost. */
static char *digits_put(char *to, uint32_t value, uint32_t count, char after)
{
    for (uint32_t i = count; i > 0; i--) {
        to[i - 1] = (char)('0' + (char)(value % 10));
        value /= 10;
    }
    CHECK(value == 0);
    to[count] = after;
    return to + count + 1;
}

void time_format(uint64_t at_ms, char out[static TIME_TEXT_SIZE])
{
    uint64_t at = at_ms > TIME_MS_MAX ? TIME_MS_MAX : at_ms;
    uint32_t year = 0;
    uint32_t month = 0;
    uint32_t day = 0;
    civil_from_days(at / 86400000, &year, &month, &day);
    uint32_t ms = (uint32_t)(at % 86400000);
    char *to = digits_put(out, year, 4, '-');
    to = digits_put(to, month, 2, '-');
    to = digits_put(to, day, 2, 'T');
    to = digits_put(to, ms / 3600000, 2, ':');
    to = digits_put(to, ms / 60000 % 60, 2, ':');
    to = digits_put(to, ms / 1000 % 60, 2, '.');
    to = digits_put(to, ms % 1000, 3, 'Z');
    CHECK(to < out + TIME_TEXT_SIZE);
    *to = '\0';
}

static bool digits_take(const char **text, uint32_t count, uint32_t *value_out)
{
    uint32_t value = 0;
    for (uint32_t i = 0; i < count; i++, (*text)++) {
        if (**text < '0' || **text > '9') {
            return false;
        }
        value = value * 10 + (uint32_t)(**text - '0');
    }
    *value_out = value;
    return true;
}

static bool char_take(const char **text, char c)
{
    if (**text != c) {
        return false;
    }
    (*text)++;
    return true;
}

bool time_parse(const char *text, uint64_t *at_ms_out)
{
    CHECK(text != NULL);
    uint32_t v[7] = { 0 };
    bool well =
        digits_take(&text, 4, &v[0]) && char_take(&text, '-') && digits_take(&text, 2, &v[1]) &&
        char_take(&text, '-') && digits_take(&text, 2, &v[2]) && char_take(&text, 'T') &&
        digits_take(&text, 2, &v[3]) && char_take(&text, ':') && digits_take(&text, 2, &v[4]) &&
        char_take(&text, ':') && digits_take(&text, 2, &v[5]);
    if (well && char_take(&text, '.')) {
        well = digits_take(&text, 3, &v[6]);
    }
    if (!well || strcmp(text, "Z") != 0) {
        return false;
    }
    if (v[0] < 1970 || v[1] < 1 || v[1] > 12 || v[2] < 1 || v[3] > 23 || v[4] > 59 || v[5] > 59) {
        return false;
    }
    uint64_t days = days_from_civil(v[0], v[1], v[2]);
    uint32_t year = 0;
    uint32_t month = 0;
    uint32_t day = 0;
    civil_from_days(days, &year, &month, &day);
    if (month != v[1] || day != v[2]) { /* 31 April. */
        return false;
    }
    *at_ms_out = days * 86400000 + v[3] * UINT64_C(3600000) + v[4] * UINT64_C(60000) +
                 v[5] * UINT64_C(1000) + v[6];
    return true;
}
