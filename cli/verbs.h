/* The one table of the command line: every noun, verb, operand, flag, path and column. Dispatch,
 * help, completion and the man page are read from it; nothing about a verb is written twice. */
#ifndef CLI_VERBS_H
#define CLI_VERBS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum flag_type {
    FLAG_SWITCH = 1,
    FLAG_TEXT = 2,
    FLAG_NUMBER = 3,
    FLAG_BYTES = 4,      /* 512M, 2G: whole bytes on the wire. */
    FLAG_SECONDS = 5,    /* 90, 90s, 5m, 2h, 1d. */
    FLAG_CHOICE = 6,     /* One of the words in `value`, split by '|'. */
    FLAG_DIGEST = 7,     /* 64 hex digits, or a file that is digested here. */
    FLAG_QUANTITIES = 8, /* vcpus=4,memory=8G,instances=10,networks=2 */
    FLAG_LABEL = 9,      /* key=value */
    FLAG_TIME = 10,      /* RFC 3339, UTC. */
};

enum flag_place {
    PLACE_LOCAL = 1, /* Read by the command itself. */
    PLACE_BODY = 2,
    PLACE_QUERY = 3,
    PLACE_PATH = 4, /* Fills {field}; an optional [segment] of the path appears with it. */
};

struct flag {
    const char *name; /* Without dashes; NULL ends a list. */
    char letter;      /* Short form, 0: none. */
    enum flag_type type;
    enum flag_place place;
    const char *field; /* Body member ("place.rack"), query parameter or path slot. */
    bool many;
    bool required;
    const char *value; /* What stands for the value in help; the words of a choice. */
    const char *en;
    const char *ja;
};

enum column_form {
    COLUMN_TEXT = 1,
    COLUMN_BYTES = 2, /* People read GiB; machines read bytes. */
    COLUMN_COUNT = 3, /* Number of members of a list. */
    COLUMN_TIME = 4,  /* Milliseconds since 1970; people read RFC 3339. */
};

enum column_when {
    COLUMN_ALWAYS = 1,
    COLUMN_WIDE = 2,   /* Only with -o wide. */
    COLUMN_ACROSS = 3, /* In a list over all tenants, and with -o wide. */
};

struct column {
    const char *path; /* "place.rack"; NULL ends a list. */
    const char *en;
    const char *ja;
    enum column_form form;
    enum column_when when;
};

/* Who serves a verb. */
enum action {
    ACTION_REST = 1, /* One request, one answer, as the table says. */
    ACTION_CLUSTER_INIT = 2,
    ACTION_TOKEN = 3,
    ACTION_JOIN = 4,
    ACTION_ENROLL = 5,
    ACTION_RENEW = 21,
    ACTION_CONSOLE = 6,
    ACTION_OP_WAIT = 7,
    ACTION_EVENT_LS = 23,
    ACTION_EVENT_WATCH = 8,
    ACTION_AUDIT_LS = 9,
    ACTION_AUDIT_EXPORT = 10,
    ACTION_AUDIT_VERIFY = 11,
    ACTION_AUDIT_SHOW = 22,
    ACTION_ALARM_WATCH = 12,
    ACTION_CONTEXT_LS = 13,
    ACTION_CONTEXT_USE = 14,
    ACTION_CONTEXT_ADD = 15,
    ACTION_API = 16,
    ACTION_VERSION = 17,
    ACTION_COMPLETION = 18,
    ACTION_MAN = 19,
    ACTION_HELP = 20,
};

enum trait {
    TRAIT_WRITE = 1 << 0,       /* Carries an idempotency key; waits for its operation. */
    TRAIT_DESTRUCTIVE = 1 << 1, /* Asks, or needs --yes. */
    TRAIT_LIST = 1 << 2,        /* Answers {"items":[…]}; pages are followed. */
    TRAIT_OFFLINE = 1 << 3,     /* Needs no cluster. */
};

struct verb {
    const char *noun; /* NULL ends the table. */
    const char *verb; /* "" for nouns that are a verb themselves (version, api …). */
    uint32_t traits;
    enum action action;
    const char *method; /* NULL unless ACTION_REST. */
    const char *path;
    const char *operands; /* "NAME", "[FILE]", "METHOD PATH": fill {name}, else the body. */
    const struct flag *flags;
    const struct column *columns; /* NULL: every member, as it comes. */
    const char *en;
    const char *ja;
};

extern const struct verb verbs[];
extern const struct flag global_flags[];

/* The canonical noun ("vm" → "instance"); the word itself when it is no alias. */
const char *verbs_noun(const char *word);
bool verbs_has_noun(const char *noun);
/* NULL when there is none. */
const struct verb *verbs_find(const char *noun, const char *verb);
/* Looks among the verb's own flags, then the global ones. `verb` may be NULL. */
const struct flag *verbs_flag(const struct verb *verb, const char *name, size_t size);
const struct flag *verbs_letter(const struct verb *verb, char letter);
/* The n-th word of `operands` into `room`, without brackets; false past the last. */
bool verbs_operand(
    const struct verb *verb, uint32_t index, char *room, size_t size, bool *optional_out);
/* The n-th word of a choice; false past the last. */
bool verbs_choice(const char *choices, uint32_t index, char *room, size_t size);

#endif
