/* Decides what a checkpoint says and whose signature on it holds. Never signs, never fetches a key:
 * whoever verifies got the public keys on another way than the note. */
#include "audit/note.h"

#include "audit/sha256.h"
#include "audit/text.h"
#include "base/check.h"

#include <string.h>

enum { KEY_ID = 4, ALGORITHM_ED25519 = 1 };

static const char origin_word[] = "udatsu/";
static const char map_word[] = "tenant-map ";
static const char time_word[] = "log-time ";
static const char sign_word[] = "\xe2\x80\x94 "; /* An em dash and a space. */

_Static_assert(
    (int)sizeof(sign_word) + AUDIT_KEY_NAME_MAX + BASE64_SIZE(KEY_ID + ED25519_SIGNATURE) + 2 <=
        AUDIT_KEY_LINE_MAX,
    "the longest signature line fits");

static bool begins_with(struct slice text, const char *words)
{
    size_t size = strlen(words);
    return text.size >= size && memcmp(text.data, words, size) == 0;
}

static char hex_digit(uint32_t value)
{
    CHECK(value < 16);
    return "0123456789abcdef"[value];
}

void audit_origin(uint16_t cell, char origin_out[static AUDIT_ORIGIN_MAX])
{
    CHECK(cell > 0);
    memset(origin_out, 0, AUDIT_ORIGIN_MAX);
    size_t used = sizeof(origin_word) - 1;
    memcpy(origin_out, origin_word, used);
    for (uint32_t shift = 16; shift > 0; shift -= 4) {
        origin_out[used++] = hex_digit((uint32_t)cell >> (shift - 4) & 15);
    }
    CHECK(used < AUDIT_ORIGIN_MAX);
}

static bool origin_valid(struct slice origin)
{
    size_t words = sizeof(origin_word) - 1;
    if (!begins_with(origin, origin_word) || origin.size != words + 4) {
        return false;
    }
    for (size_t i = words; i < origin.size; i++) {
        if (origin.data[i] == 0 || strchr("0123456789abcdef", origin.data[i]) == NULL) {
            return false;
        }
    }
    CHECK(origin.size < AUDIT_ORIGIN_MAX);
    return true;
}

void audit_checkpoint_body(
    const struct audit_checkpoint *checkpoint, char room[static AUDIT_NOTE_BODY_MAX])
{
    CHECK(origin_valid(slice_text(checkpoint->origin)));
    struct text_writer writer = { .room = room, .size = AUDIT_NOTE_BODY_MAX - 1 };
    text_put_words(&writer, checkpoint->origin);
    text_put_words(&writer, "\n");
    text_put_number(&writer, checkpoint->size);
    text_put_words(&writer, "\n");
    text_put_base64(&writer, slice_of(checkpoint->root, AUDIT_HASH));
    text_put_words(&writer, "\n");
    text_put_words(&writer, map_word);
    text_put_base64(&writer, slice_of(checkpoint->map_root, AUDIT_HASH));
    text_put_words(&writer, "\n");
    text_put_words(&writer, time_word);
    text_put_number(&writer, checkpoint->log_time_ms);
    text_put_words(&writer, "\n");
    CHECK(!writer.full);
    room[writer.used] = '\0';
}

static bool hash_of_text(struct slice text, uint8_t hash_out[static AUDIT_HASH])
{
    size_t used = 0;
    return text_base64(text, hash_out, AUDIT_HASH, &used) && used == AUDIT_HASH;
}

/* A line that begins with a fixed word; gives what follows the word. */
static bool cut_after(struct slice *rest, const char *word, struct slice *value_out)
{
    struct slice line = SLICE_EMPTY;
    if (!text_cut(rest, '\n', &line) || !begins_with(line, word)) {
        return false;
    }
    size_t size = strlen(word);
    CHECK(size <= line.size);
    *value_out = slice_of(line.data + size, line.size - size);
    return true;
}

bool audit_checkpoint_parse(struct slice body, struct audit_checkpoint *checkpoint_out)
{
    CHECK(checkpoint_out != NULL);
    struct audit_checkpoint parsed = { .size = 0 };
    struct slice origin = SLICE_EMPTY;
    struct slice value = SLICE_EMPTY;
    if (!cut_after(&body, "", &origin) || !origin_valid(origin)) {
        return false;
    }
    memcpy(parsed.origin, origin.data, origin.size);
    if (!cut_after(&body, "", &value) || !text_number(value, &parsed.size)) {
        return false;
    }
    if (!cut_after(&body, "", &value) || !hash_of_text(value, parsed.root)) {
        return false;
    }
    if (!cut_after(&body, map_word, &value) || !hash_of_text(value, parsed.map_root)) {
        return false;
    }
    if (!cut_after(&body, time_word, &value) || !text_number(value, &parsed.log_time_ms)) {
        return false;
    }
    if (body.size != 0) {
        return false;
    }
    *checkpoint_out = parsed;
    return true;
}

/* c2sp.org/signed-note: SHA-256(name, 0x0A, algorithm, public key), the first four bytes. */
static void key_id(const struct audit_key *key, uint8_t id_out[static KEY_ID])
{
    CHECK(audit_key_name_valid(key->name));
    static const uint8_t between[] = { 0x0a, ALGORITHM_ED25519 };
    uint8_t digest[SHA256_SIZE];
    struct sha256 sha;
    sha256_start(&sha);
    sha256_add(&sha, slice_text(key->name));
    sha256_add(&sha, slice_of(between, sizeof(between)));
    sha256_add(&sha, slice_of(key->public_key, ED25519_PUBLIC));
    sha256_end(&sha, digest);
    memcpy(id_out, digest, KEY_ID);
}

bool audit_key_name_valid(const char *name)
{
    CHECK(name != NULL);
    size_t size = 0;
    while (size < AUDIT_KEY_NAME_MAX && name[size] > ' ' && name[size] <= '~' &&
           name[size] != '+') {
        size++;
    }
    return size > 0 && size < AUDIT_KEY_NAME_MAX && name[size] == '\0';
}

void audit_signature_line(
    const struct audit_key *key,
    const uint8_t signature[static ED25519_SIGNATURE],
    char room[static AUDIT_KEY_LINE_MAX])
{
    CHECK(signature != NULL);
    uint8_t signed_by[KEY_ID + ED25519_SIGNATURE];
    key_id(key, signed_by);
    memcpy(signed_by + KEY_ID, signature, ED25519_SIGNATURE);
    struct text_writer writer = { .room = room, .size = AUDIT_KEY_LINE_MAX - 1 };
    text_put_words(&writer, sign_word);
    text_put_words(&writer, key->name);
    text_put_words(&writer, " ");
    text_put_base64(&writer, slice_of(signed_by, sizeof(signed_by)));
    text_put_words(&writer, "\n");
    CHECK(!writer.full);
    room[writer.used] = '\0';
}
void audit_key_line(const struct audit_key *key, char room[static AUDIT_KEY_LINE_MAX])
{
    uint8_t id[KEY_ID];
    uint8_t typed[1 + ED25519_PUBLIC] = { ALGORITHM_ED25519 };
    key_id(key, id);
    memcpy(typed + 1, key->public_key, ED25519_PUBLIC);
    struct text_writer writer = { .room = room, .size = AUDIT_KEY_LINE_MAX - 1 };
    text_put_words(&writer, key->name);
    text_put_words(&writer, "+");
    for (size_t i = 0; i < KEY_ID; i++) {
        char two[2] = { hex_digit(id[i] >> 4U), hex_digit(id[i] & 15U) };
        text_put(&writer, slice_of(two, sizeof(two)));
    }
    text_put_words(&writer, "+");
    text_put_base64(&writer, slice_of(typed, sizeof(typed)));
    CHECK(!writer.full);
    room[writer.used] = '\0';
}

bool audit_key_parse(struct slice line, struct audit_key *key_out)
{
    CHECK(key_out != NULL);
    struct audit_key parsed = { .name = "" };
    struct slice rest = line;
    struct slice name = SLICE_EMPTY;
    struct slice id = SLICE_EMPTY;
    uint8_t typed[1 + ED25519_PUBLIC];
    size_t used = 0;
    if (line.size >= AUDIT_KEY_LINE_MAX || !text_cut(&rest, '+', &name) ||
        !text_cut(&rest, '+', &id) || name.size == 0 || name.size >= AUDIT_KEY_NAME_MAX) {
        return false;
    }
    if (!text_base64(rest, typed, sizeof(typed), &used) || used != sizeof(typed) ||
        typed[0] != ALGORITHM_ED25519) {
        return false;
    }
    memcpy(parsed.name, name.data, name.size);
    memcpy(parsed.public_key, typed + 1, ED25519_PUBLIC);
    if (!audit_key_name_valid(parsed.name)) {
        return false;
    }
    /* There is one line for each key: this also checks the id. */
    char again[AUDIT_KEY_LINE_MAX];
    audit_key_line(&parsed, again);
    if (!slice_equal(slice_text(again), line)) {
        return false;
    }
    *key_out = parsed;
    return true;
}

/* A key speaks for the origin that its name lies below, and for no other cell's. */
static bool speaks_for(const struct audit_key *key, const char *origin)
{
    size_t size = strlen(origin);
    CHECK(size > 0);
    bool below = strncmp(key->name, origin, size) == 0;
    return below && (key->name[size] == '\0' || key->name[size] == '/');
}

/* One signature line, without its line end, judged by one key. */
static enum audit_note judge(struct slice line, struct slice body, const struct audit_key *key)
{
    CHECK(begins_with(line, sign_word));
    size_t words = sizeof(sign_word) - 1;
    struct slice rest = slice_of(line.data + words, line.size - words);
    struct slice name = SLICE_EMPTY;
    uint8_t signed_by[KEY_ID + ED25519_SIGNATURE];
    size_t used = 0;
    if (!text_cut(&rest, ' ', &name) || name.size == 0 ||
        !text_base64(rest, signed_by, sizeof(signed_by), &used) || used <= KEY_ID) {
        return AUDIT_NOTE_MALFORMED;
    }
    uint8_t id[KEY_ID];
    key_id(key, id);
    bool ours = slice_equal(name, slice_text(key->name)) && memcmp(id, signed_by, KEY_ID) == 0;
    if (!ours) {
        return AUDIT_NOTE_NO_KEY;
    }
    bool holds =
        used == sizeof(signed_by) && ed25519_holds(key->public_key, body, signed_by + KEY_ID);
    return holds ? AUDIT_NOTE_HOLDS : AUDIT_NOTE_BAD_SIGN;
}

/* One signature line judged by every key that speaks for the origin. */
static enum audit_note judge_all(
    struct slice line,
    struct slice body,
    const char *origin,
    const struct audit_key *keys,
    uint32_t keys_count)
{
    CHECK(keys != NULL || keys_count == 0);
    if (!begins_with(line, sign_word)) {
        return AUDIT_NOTE_MALFORMED;
    }
    enum audit_note verdict = AUDIT_NOTE_NO_KEY;
    for (uint32_t i = 0; i < keys_count && verdict == AUDIT_NOTE_NO_KEY; i++) {
        if (speaks_for(&keys[i], origin)) {
            verdict = judge(line, body, &keys[i]);
        }
    }
    return verdict;
}

enum audit_note audit_note_open(
    struct slice note,
    const struct audit_key *keys,
    uint32_t keys_count,
    struct audit_checkpoint *checkpoint_out)
{
    CHECK(checkpoint_out != NULL);
    size_t body_size = 0;
    while (body_size + 1 < note.size &&
           (note.data[body_size] != '\n' || note.data[body_size + 1] != '\n')) {
        body_size++;
    }
    if (note.size > AUDIT_NOTE_MAX || body_size + 2 >= note.size) {
        return AUDIT_NOTE_MALFORMED;
    }
    struct slice body = slice_of(note.data, body_size + 1);
    struct slice rest = slice_of(note.data + body_size + 2, note.size - body_size - 2);
    struct audit_checkpoint parsed;
    if (!audit_checkpoint_parse(body, &parsed)) {
        return AUDIT_NOTE_MALFORMED;
    }
    enum audit_note verdict = AUDIT_NOTE_NO_KEY;
    for (uint32_t lines = 0; rest.size > 0; lines++) {
        struct slice line = SLICE_EMPTY;
        if (lines == AUDIT_SIGNATURES_MAX || !text_cut(&rest, '\n', &line)) {
            return AUDIT_NOTE_MALFORMED;
        }
        enum audit_note one = judge_all(line, body, parsed.origin, keys, keys_count);
        if (one == AUDIT_NOTE_MALFORMED || one == AUDIT_NOTE_BAD_SIGN) {
            return one;
        }
        verdict = one == AUDIT_NOTE_HOLDS ? one : verdict;
    }
    if (verdict == AUDIT_NOTE_HOLDS) {
        *checkpoint_out = parsed;
    }
    return verdict;
}
