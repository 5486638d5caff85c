/* Who may send what to whom. Checked by the receiver, against the sender it knows from the
 * descriptor or the certificate, before a frame's body is used. A breach ends the peer. */
#ifndef WIRE_FRAME_H
#define WIRE_FRAME_H

#include <frame.pb-c.h>
#include <stdbool.h>
#include <stdint.h>

enum program {
    PROGRAM_PARENT = 1,
    PROGRAM_LINK = 2,
    PROGRAM_KEYS = 3,
    PROGRAM_API = 4,
    PROGRAM_ENGINE = 5,
    PROGRAM_AGENT = 6,
    PROGRAM_HOST = 7,
    PROGRAMS_END
};

enum { FRAME_FORMAT = 1 };

/* Between two programs of one machine, over their own socketpair. link counts as itself here. */
bool frame_may_pass(enum program from, enum program to, Wire__Frame__BodyCase body);

/* From another machine: may a peer of this kind have this said to `to`? `to` is PROGRAM_ENGINE or
 * PROGRAM_AGENT; peer is the kind that link stamped from the certificate. */
bool frame_may_arrive(Wire__Kind peer, enum program to, Wire__Frame__BodyCase body);

/* "engine", "link" …; the installed name is "udatsu-" and this. */
const char *program_name(enum program program);
enum program program_named(const char *name); /* 0: no program has that name. */
/* "raft", "node_report" …: the body's field name, for logs. */
const char *frame_name(Wire__Frame__BodyCase body);

#endif
