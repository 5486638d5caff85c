/* How every program but parent is born, in this order:
 *   child_start    reads argv (--fd NAME=N pairs), waits for CONFIG on descriptor 3
 *   …              the main opens what it was promised, makes its own objects, binds its bus end
 *   child_confine  no_new_privs, uid, seccomp, Landlock, not dumpable, no core: rights only shrink
 *   child_run      opens the channels, says READY, runs the loop until parent goes away
 * Nothing from another process is read before child_confine, except CONFIG from parent. */
#ifndef HOST_CHILD_H
#define HOST_CHILD_H

#include "host/channel.h"
#include "host/sandbox.h"

struct child {
    uv_loop_t loop;
    enum program self;
    Wire__Config *config;              /* Lives as long as the child. */
    struct channel *to[PROGRAMS_END];  /* NULL where there is none. */
    int fd[PROGRAMS_END];              /* The ends as handed over, -1 where there is none. */
    int listen_fd;                     /* Handed over by parent, -1 where there is none. */
    const struct channel_hooks *hooks; /* The main's, while child_run runs. */
    void *memory;                      /* Of config. */
};

void child_start(struct child *child, enum program self, int argc, char **argv);
/* Where sandbox->uid is 0, CONFIG's settings "uid" and "gid" decide: a main names no user.
 * A process that bound a bus end also gets PROMISE_ACCEPT: its subscribers come and go. */
void child_confine(struct child *child, const struct sandbox *sandbox);
/* `hooks` serve every channel, the one to parent too (to[PROGRAM_PARENT]; its frames reach on_frame
 * but for REJOIN, which is handled here). When a peer dies, to[peer] is NULL before on_close is
 * called. With hooks->on_open set, parent hands over a new channel once the peer is back, to[peer]
 * is set and on_open is called; without it parent restarts us too. Returns the exit status. */
int child_run(struct child *child, const struct channel_hooks *hooks);
/* A named setting of CONFIG, or `otherwise`. */
const char *child_setting(const struct child *child, const char *name, const char *otherwise);

#endif
