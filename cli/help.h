/* Everything that explains the table: help, shell completion, the manual page. */
#ifndef CLI_HELP_H
#define CLI_HELP_H

#include "cli/verbs.h"

#include <stdio.h>

/* About one verb; about a noun (verb NULL); about everything (both NULL). */
bool help_print(FILE *out, const char *noun, const struct verb *verb);
/* "bash", "zsh" or "fish". */
bool help_completion(FILE *out, const char *shell);
/* udatsu(1) in mdoc. */
bool help_man(FILE *out);

#endif
