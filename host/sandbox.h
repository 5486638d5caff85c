/* Named promises → seccomp allow-list with kill, Landlock where the kernel has it, uid,
 * no_new_privs, empty capabilities but those listed, not dumpable, no core. Each promise used by a
 * main carries its reason in the line above. */
#ifndef HOST_SANDBOX_H
#define HOST_SANDBOX_H

#include "base/result.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum promise {
    PROMISE_STDIO = 1 << 0,   /* Memory, epoll, futex, clocks, read and write on what is open. */
    PROMISE_ACCEPT = 1 << 1,  /* Take clients from a listener that parent opened. */
    PROMISE_CONNECT = 1 << 2, /* AF_INET stream sockets to other machines (link only). */
    PROMISE_FILES = 1 << 3,   /* Open, rename, unlink, sync beneath the directories named below. */
    PROMISE_THREADS = 1 << 4, /* Clone threads (RocksDB, the libuv pool, libvirt). */
    PROMISE_UNIX = 1 << 5,    /* Connect to AF_UNIX sockets (host: libvirt; engine: none). */
    PROMISE_EXEC = 1 << 6,    /* Execute the absolute paths named below, and nothing else. */
    PROMISE_NETLINK = 1 << 7, /* AF_NETLINK (host). */
    /* Not a right: making an AF_UNIX socket is refused (EACCES) instead of deadly. A bus subscriber
     * whose publisher died tries to connect again, inside nanomsg, before parent has ended it. */
    PROMISE_REFUSE_UNIX = 1 << 8,
};

struct sandbox_path {
    const char *path;
    bool write; /* else read only */
    bool execute;
};

struct sandbox {
    uint32_t promises;
    uid_t uid; /* 0: keep (host keeps root's uid with the capabilities below and nothing else). */
    gid_t gid;
    uint64_t capabilities; /* Bit mask of CAP_*; empty for all but host. */
    const struct sandbox_path *paths;
    uint32_t paths_count;
};

/* Everything or nothing: on failure the caller exits. Landlock's ABI is asked, never assumed; where
 * the kernel has none the fallback is logged as event=sandbox-fallback. */
RESULT sandbox_enter(const struct sandbox *sandbox);

#endif
