/* A JSON tree as YAML 1.2 block text, for people and for tools that want it. */
#ifndef CLI_YAML_H
#define CLI_YAML_H

#include "cli/json.h"

enum { YAML_DEPTH = 16 }; /* Deeper parts are written as one JSON line, which YAML reads too. */

bool yaml_print(FILE *out, const struct json_t *doc);

#endif
