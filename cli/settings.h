/* What a command works with: flag > environment > context > default, in this order. */
#ifndef CLI_SETTINGS_H
#define CLI_SETTINGS_H

#include "base/limits.h"
#include "base/result.h"
#include "cli/args.h"
#include "cli/json.h"

enum {
    SETTINGS_ENDPOINTS = LIMIT_CONTROLLERS, /* One API per controller. */
    SETTINGS_URL = 160,                     /* https://host:port */
    SETTINGS_PATH = 4096,                   /* PATH_MAX. */
    SETTINGS_CONFIG_MAX = 256 * 1024,       /* Bytes of the configuration file. */
    SETTINGS_TIMEOUT = 300,                 /* Seconds a command waits unless told. */
};

enum output_format {
    OUTPUT_TABLE = 1,
    OUTPUT_WIDE = 2,
    OUTPUT_JSON = 3,
    OUTPUT_JSONL = 4,
    OUTPUT_YAML = 5,
    OUTPUT_CSV = 6,
    OUTPUT_NAME = 7,
};

struct settings {
    char endpoints[SETTINGS_ENDPOINTS][SETTINGS_URL];
    uint32_t endpoints_count;
    char ca[SETTINGS_PATH];
    char cert[SETTINGS_PATH];
    char key[SETTINGS_PATH];
    char tenant[64];
    enum output_format output;
    uint64_t timeout_seconds;
    bool wait;
    bool yes;
    bool verbose;
    char idempotency_key[LIMIT_IDEMPOTENCY_KEY]; /* "": one is made for each write. */
};

/* False, with the reason in `invocation->message`, when a value is not of its form or a named
 * context does not exist. */
bool settings_resolve(struct invocation *invocation, struct settings *settings_out);
bool settings_output_parse(const char *text, enum output_format *output_out);
/* Adds the addresses of "url,url"; a bare host:port gets https:// in front. */
bool settings_endpoints_add(struct settings *settings, const char *text);

/* $XDG_CONFIG_HOME/udatsu/config or ~/.config/udatsu/config; false when neither is known. */
bool settings_config_path(char room[static SETTINGS_PATH]);
/* The file as a tree {"current": NAME, "contexts": {NAME: {endpoints, ca, cert, key, tenant}}};
 * an empty one when there is no file; NULL when it is there and is not of that form. */
struct json_t *settings_config_load(void);
/* Written whole: a new file, synced, renamed over the old one; mode 0600. */
RESULT settings_config_save(const struct json_t *config);

#endif
