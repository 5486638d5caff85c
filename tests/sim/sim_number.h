/* Numbers as people type them. */
#ifndef TESTS_SIM_SIM_NUMBER_H
#define TESTS_SIM_SIM_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

/* Decimal digits alone, and no more than `most`. NULL is no number. */
bool sim_number(const char *text, uint64_t most, uint64_t *out);

#endif
