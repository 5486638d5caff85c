/* What parent's files share: the table of programs, and what is known of each one running. */
#ifndef HOST_PARENT_H
#define HOST_PARENT_H

#include "host/channel.h"
#include "host/conf.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <uv.h>

/* One row: what a program is given. */
struct parent_row {
    enum program program;
    uint32_t kinds;     /* Machines that run it: 1 << enum conf_kind. */
    uint32_t peers;     /* Channels to: 1 << enum program. Symmetric. */
    uint32_t dies_with; /* Restarted whenever one of these is, whatever it says of itself. */
    bool listens;       /* Gets the listener of its name in machine.yaml. */
    bool keeps_root;    /* With few capabilities; else it must have a user of its own. */
};

const struct parent_row *parent_row(enum program program); /* NULL: parent runs no such program. */
bool parent_runs(enum conf_kind kind, enum program program);
bool parent_are_peers(enum conf_kind kind, enum program a, enum program b);

enum parent_state { PARENT_WAITING = 1, PARENT_STARTED = 2, PARENT_READY = 3 };

/* WAITING → STARTED → READY → WAITING … */
struct parent_child {
    struct parent *parent;
    enum program program;
    enum parent_state state;
    pid_t pid;
    struct channel *channel; /* NULL unless running. */
    bool rejoins;            /* Said so in READY. */
    uid_t uid;
    gid_t gid;
    int listen_fd;         /* Kept open for every restart; -1: none. */
    int end[PROGRAMS_END]; /* Its end of a channel to …, not yet handed over; -1: none. */
    uint64_t started_ms;
    uint32_t delay_ms; /* Before the next start. */
    uint64_t restarts;
    uint64_t told_ms; /* The start that engine, or agent, was last told of. */
    uv_timer_t timer; /* Start, or deadline of READY. */
};

struct parent {
    uv_loop_t loop;
    const struct conf *conf;
    const struct conf_identity *identity;
    char directory[512]; /* Of the programs. */
    struct parent_child children[PROGRAMS_END];
    uv_signal_t on_child;
    uv_signal_t on_stop[2];
    uv_timer_t stop_timer;
    uint64_t started_ms; /* Our own. */
    bool told_own;
    bool stopping;
};

/* parent_machine.c: what is made once, at the start. */
RESULT parent_users(struct parent *parent);
RESULT parent_directories(struct parent *parent);
RESULT parent_listeners(struct parent *parent);
/* Ten times the guests' CPU shares for this process and what it will start. */
void parent_cgroup(const struct conf *conf);

/* parent_spawn.c: one program, born. Its new ends are used up; parent's end of its own channel is
 * in *fd_out. */
RESULT parent_spawn(struct parent *parent, struct parent_child *child, int *fd_out);
/* CONFIG for it, as the first message on that channel. */
RESULT parent_configure(struct parent *parent, struct parent_child *child);
/* Makes the socketpairs to its peers that are not there yet. */
RESULT parent_join(struct parent *parent, struct parent_child *child);

#endif
