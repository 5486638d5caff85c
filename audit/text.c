/* Decides what the text of bytes and numbers is. Never allocates. */
#include "audit/text.h"

#include "base/check.h"

#include <string.h>

static const char base64_letters[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void text_put(struct text_writer *writer, struct slice bytes)
{
    CHECK(writer->used <= writer->size);
    if (writer->full || bytes.size > writer->size - writer->used) {
        writer->full = true;
        return;
    }
    if (bytes.size > 0) {
        memcpy(writer->room + writer->used, bytes.data, bytes.size);
    }
    writer->used += bytes.size;
    CHECK(writer->used <= writer->size);
}

void text_put_words(struct text_writer *writer, const char *words)
{
    CHECK(words != NULL);
    text_put(writer, slice_text(words));
}

void text_put_number(struct text_writer *writer, uint64_t number)
{
    char digits[20];
    size_t at = sizeof(digits);
    do {
        CHECK(at > 0);
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    text_put(writer, slice_of(digits + at, sizeof(digits) - at));
}

void text_put_base64(struct text_writer *writer, struct slice bytes)
{
    CHECK(bytes.data != NULL || bytes.size == 0);
    for (size_t at = 0; at < bytes.size; at += 3) {
        size_t left = bytes.size - at;
        uint32_t three = (uint32_t)bytes.data[at] << 16;
        three |= left > 1 ? (uint32_t)bytes.data[at + 1] << 8 : 0;
        three |= left > 2 ? (uint32_t)bytes.data[at + 2] : 0;
        char four[4] = {
            base64_letters[three >> 18],
            base64_letters[three >> 12 & 63],
            left > 1 ? base64_letters[three >> 6 & 63] : '=',
            left > 2 ? base64_letters[three & 63] : '=',
        };
        text_put(writer, slice_of(four, sizeof(four)));
    }
}

/* The value of one letter, 64 for anything else. */
static uint32_t letter_value(uint8_t letter)
{
    const char *found = letter == 0 ? NULL : strchr(base64_letters, letter);
    uint32_t value = found == NULL ? 64 : (uint32_t)(found - base64_letters);
    CHECK(value <= 64);
    return value;
}

/* Four letters to one to three bytes; 0 when they are not the one text of any bytes. */
static size_t decode_four(const uint8_t *four, bool last, uint8_t bytes_out[static 3])
{
    CHECK(four != NULL);
    size_t pads = four[3] != '=' ? 0 : (four[2] != '=' ? 1 : 2);
    if (pads > 0 && !last) {
        return 0;
    }
    uint32_t three = 0;
    for (size_t i = 0; i < 4; i++) {
        uint32_t value = i < 4 - pads ? letter_value(four[i]) : 0;
        if (value > 63) {
            return 0;
        }
        three = three << 6 | value;
    }
    /* Bits that no byte holds are zero, or two texts would mean the same. */
    if ((three & ((UINT32_C(1) << (8 * pads)) - 1)) != 0) {
        return 0;
    }
    bytes_out[0] = (uint8_t)(three >> 16);
    bytes_out[1] = (uint8_t)(three >> 8);
    bytes_out[2] = (uint8_t)three;
    CHECK(pads < 3);
    return 3 - pads;
}

bool text_base64(struct slice text, uint8_t *room, size_t size, size_t *used_out)
{
    CHECK(room != NULL && used_out != NULL);
    if (text.size % 4 != 0) {
        return false;
    }
    size_t used = 0;
    for (size_t at = 0; at < text.size; at += 4) {
        uint8_t bytes[3];
        size_t got = decode_four(text.data + at, at + 4 == text.size, bytes);
        if (got == 0 || got > size - used) {
            return false;
        }
        memcpy(room + used, bytes, got);
        used += got;
    }
    CHECK(used <= size);
    *used_out = used;
    return true;
}

bool text_number(struct slice text, uint64_t *number_out)
{
    CHECK(number_out != NULL);
    if (text.size == 0 || (text.size > 1 && text.data[0] == '0')) {
        return false;
    }
    uint64_t number = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
        uint64_t digit = (uint64_t)(text.data[i] - '0');
        if (__builtin_mul_overflow(number, 10U, &number) ||
            __builtin_add_overflow(number, digit, &number)) {
            return false;
        }
    }
    *number_out = number;
    return true;
}

bool text_cut(struct slice *rest, char mark, struct slice *front_out)
{
    CHECK(rest != NULL && front_out != NULL);
    const uint8_t *found = rest->size == 0 ? NULL : memchr(rest->data, mark, rest->size);
    if (found == NULL) {
        return false;
    }
    size_t size = (size_t)(found - rest->data);
    *front_out = slice_of(rest->data, size);
    *rest = slice_of(found + 1, rest->size - size - 1);
    return true;
}
