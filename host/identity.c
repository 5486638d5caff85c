/* Decides how an identity is written in a certificate. Never says whether it is true. */
#include "base/check.h"
#include "base/id.h"
#include "host/x509.h"

#include <stdio.h>
#include <string.h>

/* Kinds of wire and of ids have the same numbers for what can hold a certificate. */
_Static_assert((int)WIRE__KIND__KIND_CELL == (int)ID_CELL, "cell");
_Static_assert((int)WIRE__KIND__KIND_CONTROLLER == (int)ID_CONTROLLER, "controller");
_Static_assert((int)WIRE__KIND__KIND_NODE == (int)ID_NODE, "node");
_Static_assert((int)WIRE__KIND__KIND_USER == (int)ID_USER, "user");

static bool kind_speaks(Wire__Kind kind)
{
    return kind == WIRE__KIND__KIND_CELL || kind == WIRE__KIND__KIND_CONTROLLER ||
           kind == WIRE__KIND__KIND_NODE || kind == WIRE__KIND__KIND_USER;
}

bool x509_uri_write(const struct x509_identity *identity, char room[static X509_URI_MAX])
{
    if (!kind_speaks(identity->kind) || id_cell(identity->id) == 0 ||
        id_sequence(identity->id) == 0) {
        return false;
    }
    char text[ID_TEXT_SIZE];
    enum id_kind kind = (enum id_kind)identity->kind;
    id_format(kind, identity->id, text);
    int used = snprintf(
        room,
        X509_URI_MAX,
        "udatsu://%04x/%s/%s?epoch=%u",
        (unsigned int)id_cell(identity->id),
        id_kind_name(kind),
        text,
        (unsigned int)identity->epoch);
    CHECK(used > 0 && used < X509_URI_MAX);
    return true;
}

static const char *after(const char *text, const char *prefix)
{
    size_t size = strlen(prefix);
    return strncmp(text, prefix, size) == 0 ? text + size : NULL;
}

/* Reads the parts, writes them again, and accepts only what comes out the same: one spelling. */
bool x509_uri_read(const char *uri, struct x509_identity *identity_out)
{
    CHECK(uri != NULL);
    static const Wire__Kind kinds[] = { WIRE__KIND__KIND_CELL,
                                        WIRE__KIND__KIND_CONTROLLER,
                                        WIRE__KIND__KIND_NODE,
                                        WIRE__KIND__KIND_USER };
    const char *at = after(uri, "udatsu://");
    if (at == NULL || strlen(uri) >= X509_URI_MAX || strlen(at) < 5 || at[4] != '/') {
        return false;
    }
    at += 5;
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        char word[24];
        int size = snprintf(word, sizeof(word), "%s/", id_kind_name((enum id_kind)kinds[i]));
        CHECK(size > 0 && (size_t)size < sizeof(word));
        const char *text = after(at, word);
        if (text == NULL || strlen(text) < ID_TEXT_SIZE) {
            continue;
        }
        struct x509_identity read = { .kind = kinds[i] };
        char id[ID_TEXT_SIZE] = { 0 };
        memcpy(id, text, ID_TEXT_SIZE - 1);
        unsigned int epoch = 0;
        if (!id_parse((enum id_kind)kinds[i], id, &read.id) ||
            sscanf(text + ID_TEXT_SIZE - 1, "?epoch=%10u", &epoch) != 1) {
            return false;
        }
        read.epoch = epoch;
        char again[X509_URI_MAX];
        if (!x509_uri_write(&read, again) || strcmp(again, uri) != 0) {
            return false;
        }
        *identity_out = read;
        return true;
    }
    return false;
}
