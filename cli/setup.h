/* udatsu-setup: the local program that makes keys and takes in certificates. It stands beside this
 * one, or where --setup says; it is never searched for. */
#ifndef CLI_SETUP_H
#define CLI_SETUP_H

#include "cli/program.h"
#include "cli/session.h"

enum {
    SETUP_WORDS = 64,         /* adopt with seven controllers has 26. */
    SETUP_TIMEOUT_MS = 60000, /* Keys and a few fsyncs, on a slow disk. */
};

/* One command line of udatsu-setup. The words are borrowed. */
struct setup_call {
    char path[SETTINGS_PATH];
    const char *words[SETUP_WORDS];
    uint32_t count;
};

/* False, and the reason was said, when the program is not there. */
bool setup_begin(struct session *session, const char *verb, struct setup_call *call_out);
/* Two words; CHECKs that they fit. */
void setup_add(struct setup_call *call, const char *option, const char *value);
/* Runs it. EXIT_DONE: its output is in `end` (free it). Otherwise the reason was said, by us or by
 * the program itself. */
enum exit_status setup_run(
    struct session *session, struct setup_call *call, struct program_end *end);
/* A person's directory holds no key with its certificate yet; false, and it was said, otherwise. */
bool setup_out_is_free(struct session *session, const char *out);

#endif
