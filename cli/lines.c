/* Decides where a line of evidence ends. Both verifiers read through here, so that they never
 * disagree about a file. Never judges what a line says; never leaves a byte of it unread: a zero
 * byte is one like any other, and a line that is too long is no line of an export. */
#include "cli/lines.h"

#include "base/check.h"

bool lines_next(FILE *file, struct line *line)
{
    size_t size = 0;
    CHECK(file != NULL);
    line->too_long = false;
    line->text = slice_of(line->bytes, 0);
    int byte = getc(file);
    if (byte == EOF) {
        return false;
    }
    while (byte != EOF && byte != '\n') {
        if (size == sizeof(line->bytes)) {
            line->too_long = true;
            return true;
        }
        line->bytes[size++] = (uint8_t)byte;
        byte = getc(file);
    }
    CHECK(size <= sizeof(line->bytes));
    line->text = slice_of(line->bytes, size);
    return true;
}

bool lines_keys(
    const char *path, struct line *line, struct audit_key *keys, uint32_t capacity, uint32_t *count)
{
    FILE *file = fopen(path, "rbe");
    CHECK(capacity > 0);
    *count = 0;
    if (file == NULL) {
        return false;
    }
    bool good = true;
    while (good && lines_next(file, line)) {
        if (line->text.size == 0 && !line->too_long) {
            continue;
        }
        good = *count < capacity && !line->too_long && audit_key_parse(line->text, &keys[*count]);
        *count += good ? 1U : 0U;
    }
    good = good && ferror(file) == 0;
    (void)fclose(file); /* Only read. */
    return good && *count > 0;
}

bool lines_feed(FILE *file, struct line *line, struct audit_verifier *verifier)
{
    bool more = true;
    CHECK(file != NULL);
    while (more && lines_next(file, line)) {
        more = audit_verify_line(verifier, line->text); /* An empty line is no line of an export. */
    }
    return ferror(file) == 0;
}
