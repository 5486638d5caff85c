/* What happens to an engine, written down as parts and played at once, so that a story can name
 * what it made. */
#ifndef TESTS_FUZZ_ENGINE_STORY_H
#define TESTS_FUZZ_ENGINE_STORY_H

#include "controller/core/engine.h"
#include "tests/fuzz/fuzz_engine.h"

#include <frame.pb-c.h>

/* The other two controllers: sequence numbers of their ids. */
enum { STORY_OTHER = 50, STORY_THIRD = 51 };

struct story {
    uint8_t *room;
    size_t used;
    uint32_t keys;
    uint32_t term;
};

extern Wire__Identity story_root; /* The operator. */
extern Wire__Identity story_ann;  /* Of tenant "a", once there is a lab. */

void story_say(struct story *story, uint32_t kind, struct slice bytes);
void story_message(struct story *story, uint32_t kind, const void *message);

/* How it begins: without anybody; leading alone, with a cell; following, the cell begun by another
 * leader, `skip` steps of indexes later. */
void story_begin(struct story *story, struct slice settings);
void story_lead(struct story *story, struct slice settings);
void story_follow(struct story *story, uint32_t skip);

/* Time, and the neighbours. */
void story_clock(struct story *story, uint32_t ms);
void story_settle(struct story *story);
/* Another term: this one leads, or follows that one (0: nobody). */
void story_role(struct story *story, enum engine_role role, uint64_t leader);
/* Ourselves and `others`: how each votes. */
void story_members(struct story *story, uint32_t others, const uint8_t *voters);
void story_linked(struct story *story, uint64_t controller, bool up);
void story_framed(struct story *story, Wire__Kind kind, uint64_t id, Wire__Frame *frame);
/* The handle that was told outside last, as a part names it. */
uint64_t story_newest(void);

/* Asked here, by nobody if `who` is NULL: only said, or also done; or asked of another leader. */
void story_ask_as(
    struct story *story, uint32_t kind, const Wire__Identity *who, Wire__Request *request);
void story_ask(struct story *story, const Wire__Identity *who, Wire__Request *request);
void story_asked(struct story *story, const Wire__Identity *who, Wire__Request *request);
void story_entry(struct story *story, uint32_t skip, size_t count, Wire__Command **commands);

/* What there is. Only said where nothing settles. */
typedef void story_says(struct story *story, const Wire__Identity *who, Wire__Request *request);
void story_join(struct story *story, story_says *says, Wire__Kind kind, const char *name);
uint64_t story_node(struct story *story, const char *name);
void story_tenant(struct story *story, const char *name);
void story_lab(struct story *story); /* Tenant "a" with user "ann", and an image. */
void story_instance(struct story *story, const char *name, bool stopped);
uint64_t story_id(enum state_table table, uint64_t scope, const char *name);

#endif
