/* Decides how bytes are written as text. Never decides what they mean. */
#include "cli/base64.h"

#include "base/check.h"

#include <string.h>

static const char *alphabet(enum base64_kind kind)
{
    CHECK(kind == BASE64_STANDARD || kind == BASE64_URL);
    return kind == BASE64_STANDARD
               ? "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
               : "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
}

bool base64_encode(enum base64_kind kind, struct slice bytes, char *room, size_t size)
{
    const char *letters = alphabet(kind);
    size_t used = 0;
    CHECK(room != NULL);
    for (size_t at = 0; at < bytes.size; at += 3) {
        size_t left = bytes.size - at < 3 ? bytes.size - at : 3;
        uint32_t group = 0;
        for (size_t i = 0; i < 3; i++) {
            group = (group << 8) | (i < left ? bytes.data[at + i] : 0U);
        }
        for (size_t i = 0; i < 4; i++) {
            bool pad = i > left;
            if (pad && kind == BASE64_URL) {
                break;
            }
            if (used + 1 >= size) {
                return false;
            }
            room[used] = pad ? '=' : letters[(group >> (18U - 6U * i)) & 63U];
            used++;
        }
    }
    if (used >= size) {
        return false;
    }
    room[used] = '\0';
    return true;
}

bool base64_decode(
    enum base64_kind kind, struct slice text, uint8_t *room, size_t size, size_t *used_out)
{
    const char *letters = alphabet(kind);
    size_t used = 0;
    uint32_t group = 0;
    uint32_t bits = 0;
    CHECK(room != NULL);
    if (kind == BASE64_STANDARD) {
        if (text.size % 4 != 0) {
            return false;
        }
        for (int pad = 0; pad < 2 && text.size > 0 && text.data[text.size - 1] == '='; pad++) {
            text.size--;
        }
    }
    for (size_t at = 0; at < text.size; at++) {
        const char *letter = text.data[at] == 0 ? NULL : strchr(letters, text.data[at]);
        if (letter == NULL) {
            return false;
        }
        group = (group << 6) | (uint32_t)(letter - letters);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            if (used == size) {
                return false;
            }
            room[used] = (uint8_t)(group >> bits);
            used++;
            group &= (1U << bits) - 1U;
        }
    }
    /* A lone last letter, or bits behind the last byte, would be a second spelling. */
    if (bits >= 6 || group != 0) {
        return false;
    }
    CHECK(used <= size);
    *used_out = used;
    return true;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool hex_decode(const char *text, uint8_t *room, size_t size, size_t *used_out)
{
    CHECK(text != NULL);
    CHECK(room != NULL);
    size_t used = 0;
    for (; text[0] != '\0'; text += 2) {
        int high = hex_digit(text[0]);
        int low = text[1] == '\0' ? -1 : hex_digit(text[1]);
        if (high < 0 || low < 0 || used == size) {
            return false;
        }
        room[used] = (uint8_t)(high * 16 + low);
        used++;
    }
    *used_out = used;
    return true;
}

void hex_encode(struct slice bytes, char *room)
{
    static const char digits[] = "0123456789abcdef";
    CHECK(room != NULL);
    CHECK(bytes.data != NULL || bytes.size == 0);
    for (size_t i = 0; i < bytes.size; i++) {
        room[2 * i] = digits[bytes.data[i] >> 4];
        room[2 * i + 1] = digits[bytes.data[i] & 15U];
    }
    room[2 * bytes.size] = '\0';
}
