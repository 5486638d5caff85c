/* Runs a target over what is kept for it: its first inputs and its corpus. Decides nothing about
 * them; the target's oracle does.
 *
 *   NAME [CORPUS…]            every input once; a finding ends the process
 *   NAME --must-find [CORPUS…] the decoder was spoiled: 0 only if the oracle says so
 *   NAME --unpack DIRECTORY [CORPUS…]  first inputs and corpora as files
 *   NAME --pack CORPUS FILE…  the other way, in the order of their names
 *   NAME --files FILE…        single inputs, for coverage and for a finding
 *
 * A corpus is one file: size (4 bytes, little-endian) and bytes of each input, one after the other.
 */
#include "tests/fuzz/fuzz.h"

#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uint8_t room[FUZZ_INPUT_MAX];
static uint32_t inputs;
static const char *unpack_to; /* NULL: run them. */

static void finding_was_wanted(void)
{
    (void)printf("the oracle said so at input %u\n", inputs);
    (void)fflush(stdout);
    if (fuzz_leave != NULL) {
        fuzz_leave();
    }
    _exit(0);
}

static int fail(const char *what, const char *name)
{
    (void)fprintf(stderr, "%s: %s\n", name, what);
    return 2;
}

static int write_file(struct slice input)
{
    char path[4096];
    (void)snprintf(path, sizeof(path), "%s/kept-%05u", unpack_to, inputs);
    FILE *file = fopen(path, "wb");
    if (file == NULL) {
        return fail("cannot be written", path);
    }
    size_t done = fwrite(input.data, 1, input.size, file);
    return fclose(file) == 0 && done == input.size ? 0 : fail("cannot be written", path);
}

static int take_input(struct slice input)
{
    inputs++;
    if (unpack_to != NULL) {
        return write_file(input);
    }
    uint8_t *copy = fuzz_copy(input);
    (void)LLVMFuzzerTestOneInput(copy, input.size);
    free(copy);
    return 0;
}

static int take_seeds(void)
{
    size_t size = 0;
    for (uint32_t number = 0; (size = fuzz_seed(number, room)) > 0; number++) {
        CHECK(size <= sizeof(room));
        int status = take_input(slice_of(room, size));
        if (status != 0) {
            return status;
        }
    }
    return 0;
}

static int take_corpus(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return fail("cannot be read", path);
    }
    int status = 0;
    uint8_t head[4];
    size_t got = 0;
    while (status == 0 && (got = fread(head, 1, sizeof(head), file)) == sizeof(head)) {
        uint32_t size = (uint32_t)head[0] | (uint32_t)head[1] << 8 | (uint32_t)head[2] << 16 |
                        (uint32_t)head[3] << 24;
        bool whole = size <= sizeof(room) && fread(room, 1, size, file) == size;
        status = whole ? take_input(slice_of(room, size)) : fail("is no corpus", path);
    }
    (void)fclose(file);
    return status != 0 || got == 0 ? status : fail("is no corpus", path);
}

/* One file's bytes into the room; SIZE_MAX: it cannot be read or is too large. */
static size_t read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return SIZE_MAX;
    }
    size_t size = fread(room, 1, sizeof(room), file);
    bool whole = fgetc(file) == EOF;
    (void)fclose(file);
    return whole ? size : SIZE_MAX;
}

static int run_files(int count, char **paths)
{
    for (int i = 0; i < count; i++) {
        size_t size = read_file(paths[i]);
        if (size == SIZE_MAX) {
            return fail("cannot be read", paths[i]);
        }
        int status = take_input(slice_of(room, size));
        if (status != 0) {
            return status;
        }
    }
    return 0;
}

static int pack_files(const char *corpus, int count, char **paths)
{
    FILE *file = fopen(corpus, "wb");
    if (file == NULL) {
        return fail("cannot be written", corpus);
    }
    int status = 0;
    for (int i = 0; i < count && status == 0; i++) {
        size_t size = read_file(paths[i]);
        uint8_t head[4] = { (uint8_t)size, (uint8_t)(size >> 8), (uint8_t)(size >> 16), 0 };
        bool done = size != SIZE_MAX && fwrite(head, 1, sizeof(head), file) == sizeof(head) &&
                    fwrite(room, 1, size, file) == size;
        status = done ? 0 : fail("cannot be packed", paths[i]);
    }
    return fclose(file) == 0 ? status : fail("cannot be written", corpus);
}

int main(int argc, char **argv)
{
    const char *verb = argc > 1 && argv[1][0] == '-' ? argv[1] : "";
    int at = verb[0] == '\0' ? 1 : 2;
    bool must_find = strcmp(verb, "--must-find") == 0;
    if (strcmp(verb, "--files") == 0) {
        return run_files(argc - 2, argv + 2);
    }
    if (strcmp(verb, "--pack") == 0 && argc > 2) {
        return pack_files(argv[2], argc - 3, argv + 3);
    }
    if (strcmp(verb, "--unpack") == 0 && argc > 2) {
        unpack_to = argv[at++];
    } else if (must_find) {
        fuzz_on_finding = finding_was_wanted;
    } else if (verb[0] != '\0') {
        return fail("there is no such verb", verb);
    }
    int status = take_seeds();
    for (; at < argc && status == 0; at++) {
        status = take_corpus(argv[at]);
    }
    (void)printf("%u inputs\n", inputs);
    return must_find && status == 0 ? fail("the oracle was content with a spoiled decoder", argv[0])
                                    : status;
}
