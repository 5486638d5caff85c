/* Decides what a well-formed text or name is. Never allocates, never keeps a pointer. */
#include "base/slice.h"

#include "base/check.h"

#include <string.h>

struct slice slice_of(const void *data, size_t size)
{
    CHECK(data != NULL || size == 0);
    return (struct slice){ data, size };
}

struct slice slice_text(const char *text)
{
    CHECK(text != NULL);
    return (struct slice){ (const uint8_t *)text, strlen(text) };
}

bool slice_equal(struct slice a, struct slice b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

int slice_compare(struct slice a, struct slice b)
{
    size_t common = a.size < b.size ? a.size : b.size;
    int order = common == 0 ? 0 : memcmp(a.data, b.data, common);
    if (order != 0) {
        return order;
    }
    return a.size < b.size ? -1 : (a.size > b.size ? 1 : 0);
}

/* What is not seen itself but changes how the rest is read: Unicode's bidirectional controls
 * (UAX #9, 2.) and its line and paragraph separators. */
static bool reorders(uint32_t point)
{
    return point == 0x61c || point == 0x200e || point == 0x200f ||
           (point >= 0x2028 && point <= 0x202e) || (point >= 0x2066 && point <= 0x2069);
}

/* The number of bytes of the code point at the front, 0 when malformed or a control character. */
static size_t utf8_front(struct slice text)
{
    CHECK(text.size > 0);
    uint8_t lead = text.data[0];
    if (lead < 0x80) {
        return lead < 0x20 || lead == 0x7f ? 0 : 1;
    }
    size_t size = lead >= 0xf0 ? 4 : (lead >= 0xe0 ? 3 : 2);
    if (lead < 0xc2 || lead > 0xf4 || text.size < size) {
        return 0;
    }
    uint32_t point = lead & (0x7fU >> size);
    for (size_t i = 1; i < size; i++) {
        if ((text.data[i] & 0xc0) != 0x80) {
            return 0;
        }
        point = (point << 6) | (text.data[i] & 0x3fU);
    }
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    bool surrogate = point >= 0xd800 && point <= 0xdfff;
    bool control = point >= 0x80 && point < 0xa0;
    return point < least[size] || point > 0x10ffff || surrogate || control || reorders(point)
               ? 0
               : size;
}

/* Eight bytes of printable ASCII: most text is little else, and every text is looked at. Without
 * their high bits no sum of two bytes reaches the next one. */
static bool eight_are_plain(const uint8_t *bytes)
{
    static const uint64_t each = UINT64_C(0x0101010101010101);
    uint64_t word = 0;
    memcpy(&word, bytes, sizeof(word));
    bool ascii = (word & each * 0x80) == 0;
    bool from_space = ((word + each * 0x60) & each * 0x80) == each * 0x80;
    bool below_delete = ((word + each) & each * 0x80) == 0;
    return ascii && from_space && below_delete;
}

bool text_is_clean(struct slice text)
{
    while (text.size > 0) {
        size_t step = text.size >= 8 && eight_are_plain(text.data) ? 8 : utf8_front(text);
        if (step == 0) {
            return false;
        }
        text.data += step;
        text.size -= step;
    }
    return true;
}

bool text_copy(char *room, size_t size, struct slice text)
{
    CHECK(room != NULL);
    CHECK(size > 0);
    room[0] = '\0';
    if (text.size >= size || !text_is_clean(text)) {
        return false;
    }
    memset(room, 0, size);
    if (text.size > 0) {
        memcpy(room, text.data, text.size);
    }
    return true;
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

static bool shaped_like_uuid(const char *text)
{
    static const char shape[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
    if (strlen(text) != sizeof(shape) - 1) {
        return false;
    }
    for (size_t i = 0; i < sizeof(shape) - 1; i++) {
        if (shape[i] == 'x' ? !is_hex(text[i]) : text[i] != '-') {
            return false;
        }
    }
    return true;
}

bool text_is_name(const char *text)
{
    CHECK(text != NULL);
    size_t size = strlen(text);
    if (size == 0 || size > 63 || text[0] < 'a' || text[0] > 'z' || text[size - 1] == '-') {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        char c = text[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-')) {
            return false;
        }
    }
    return !shaped_like_uuid(text);
}
