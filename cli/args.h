/* From argv to one invocation of the table: which verb, which operands, which flags. It refuses
 * what the table does not know; it never reads a file or the environment. */
#ifndef CLI_ARGS_H
#define CLI_ARGS_H

#include "cli/verbs.h"

enum {
    ARGS_OPERANDS_MAX = 4, /* The table's longest list has two. */
    ARGS_VALUES_MAX = 64,  /* Flags on one command line: 8 labels, 4 networks and every other. */
    ARGS_MESSAGE = 256,    /* One sentence. */
};

struct args_value {
    const struct flag *flag;
    const char *text; /* Points into argv; "" for a switch. */
};

struct invocation {
    const struct verb *verb; /* NULL: only help was asked for. */
    const char *noun;        /* For help about a noun; NULL: about everything. */
    bool help;
    const char *operands[ARGS_OPERANDS_MAX];
    uint32_t operands_count;
    struct args_value values[ARGS_VALUES_MAX];
    uint32_t values_count;
    char message[ARGS_MESSAGE]; /* Why it was refused. */
};

/* False, with the message, when the command line is not one of the table's. */
bool args_parse(int argc, char **argv, struct invocation *invocation_out);
/* The last value given, NULL when none was. */
const char *args_text(const struct invocation *invocation, const char *flag);
bool args_given(const struct invocation *invocation, const char *flag);
/* The value of the operand whose name in the table is `name` ("NAME"); NULL when absent. */
const char *args_operand(const struct invocation *invocation, const char *name);

/* Values, each in the form of its flag_type; false when the text is not of that form. */
bool args_number(const char *text, uint64_t *number_out);
bool args_bytes(const char *text, uint64_t *bytes_out);
bool args_seconds(const char *text, uint64_t *seconds_out);
bool args_time(const char *text); /* RFC 3339, UTC, whole seconds. */
bool args_choice(const char *choices, const char *text);

#endif
