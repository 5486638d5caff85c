/* Decides the shape of identities. Never decides who exists. */
#include "base/id.h"

#include "base/check.h"

#include <string.h>

enum { SEQUENCE_BITS = 48 };

uint64_t id_make(uint16_t cell, uint64_t sequence)
{
    CHECK(cell != 0);
    CHECK(sequence != 0);
    CHECK(sequence >> SEQUENCE_BITS == 0);
    return ((uint64_t)cell << SEQUENCE_BITS) | sequence;
}

uint16_t id_cell(uint64_t id)
{
    return (uint16_t)(id >> SEQUENCE_BITS);
}

uint64_t id_sequence(uint64_t id)
{
    return id & ((UINT64_C(1) << SEQUENCE_BITS) - 1);
}

static void put_hex(char *at, uint64_t value, unsigned int digits)
{
    for (unsigned int i = 0; i < digits; i++) {
        at[i] = "0123456789abcdef"[(value >> (4U * (digits - 1U - i))) & 0xfU];
    }
}

static bool take_hex(const char *at, unsigned int digits, uint64_t *value_out)
{
    uint64_t value = 0;
    for (unsigned int i = 0; i < digits; i++) {
        char c = at[i];
        bool digit = c >= '0' && c <= '9';
        if (!digit && !(c >= 'a' && c <= 'f')) {
            return false;
        }
        value = (value << 4) | (uint64_t)(digit ? c - '0' : c - 'a' + 10);
    }
    *value_out = value;
    return true;
}

void id_format(enum id_kind kind, uint64_t id, char out[static ID_TEXT_SIZE])
{
    CHECK(kind > 0 && kind < ID_KINDS_END);
    memcpy(out, "cccckkkk-0000-8000-8000-ssssssssssss", ID_TEXT_SIZE);
    put_hex(out, id_cell(id), 4);
    put_hex(out + 4, (uint64_t)kind, 4);
    put_hex(out + 24, id_sequence(id), 12);
}

bool id_parse(enum id_kind kind, const char *text, uint64_t *id_out)
{
    CHECK(kind > 0 && kind < ID_KINDS_END);
    uint64_t cell = 0;
    uint64_t found_kind = 0;
    uint64_t sequence = 0;
    if (strlen(text) != ID_TEXT_SIZE - 1 || memcmp(text + 8, "-0000-8000-8000-", 16) != 0) {
        return false;
    }
    if (!take_hex(text, 4, &cell) || !take_hex(text + 4, 4, &found_kind) ||
        !take_hex(text + 24, 12, &sequence)) {
        return false;
    }
    if (cell == 0 || sequence == 0 || found_kind != (uint64_t)kind) {
        return false;
    }
    *id_out = id_make((uint16_t)cell, sequence);
    return true;
}

const char *id_kind_name(enum id_kind kind)
{
    static const char *const names[] = {
        [ID_CELL] = "cell",           [ID_CONTROLLER] = "controller", [ID_NODE] = "node",
        [ID_TENANT] = "tenant",       [ID_PROJECT] = "project",       [ID_USER] = "user",
        [ID_IMAGE] = "image",         [ID_NETWORK] = "network",       [ID_INSTANCE] = "instance",
        [ID_OPERATION] = "operation", [ID_ALARM] = "alarm",           [ID_TOKEN] = "token",
    };
    _Static_assert(COUNT_OF(names) == ID_KINDS_END, "every kind has its noun");
    CHECK(kind > 0 && kind < ID_KINDS_END);
    return names[kind];
}
