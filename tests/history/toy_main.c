/* udatsu-toy-history SEED OPERATIONS: a history of a toy cell that keeps its word, for tests of
 * what reads histories. Decides nothing. */
#include "base/check.h"
#include "tests/history/lines.h"
#include "tests/history/toy.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    static const struct history_limits limits = { 100000, 200000, 200000, 4000000, 100000 };
    struct toy_size size = { .clients = 6, .objects = 24, .lost = 1 };
    if (argc != 3) {
        (void)fputs("usage: udatsu-toy-history SEED OPERATIONS\n", stderr);
        return 2;
    }
    void *memory = calloc(1, history_memory(&limits));
    struct history history;
    CHECK(memory != NULL);
    history_init(&history, &limits, memory);
    uint64_t seed = strtoull(argv[1], NULL, 10);
    size.operations = (uint32_t)strtoul(argv[2], NULL, 10);
    CHECK(size.operations < limits.events / 2);
    toy_play(&history, seed, &size, TOY_TRUTH);
    struct result written = lines_write(&history, seed, stdout);
    free(memory);
    return written.code == 0 && !history.full ? 0 : 1;
}
