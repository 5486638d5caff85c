/* One controller on a real disk, alone, with the test as its keys: they sign for real. Decides
 * nothing about what is right. */
#ifndef TESTS_UNIT_SERVER_ROOM_H
#define TESTS_UNIT_SERVER_ROOM_H

#include "audit/note.h"
#include "controller/server.h"

enum { ROOM_ADMIN = 2, ROOM_TURNS = 2000 };

struct room {
    char directory[64];
    char rows[96];
    char snapshots[96];
    int fd;
    struct server *server;
    struct server_mark mark;
    uint64_t now_ms;
    uint32_t reject; /* Of the last answer; UINT32_MAX: none came. */
    uint32_t answers;
    size_t items;  /* Of the last answer. */
    bool may_halt; /* Else a halt fails the test. */
    uint32_t halts;
    bool keys_silent;
    bool note_due; /* Keys were asked to sign `note_handle`. */
    uint64_t note_handle;
    char note_body[512];
    Wire__Answer *answer; /* The last one, until the next ask. */
    void *memory;
};

extern struct room room;

void room_set_up(void);
void room_tear_down(void);
void room_open(void);
void room_turn(void);
/* The administrator, and the key under which checkpoints are signed. */
Wire__Identity room_admin(void);
struct audit_key room_key(void);
/* Takes turns until there is an answer; NULL: none came. A write needs its key. */
const Wire__Answer *room_ask(Wire__Identity who, Wire__Request *request, const char *key);
/* Creates a tenant; the reject of the answer. */
uint32_t room_tenant(const char *tenant, const char *key);

#endif
