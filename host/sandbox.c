/* Decides what a process can still do: nothing that its main did not promise. Never widens
 * anything; everything here only shrinks.
 *
 * Order: Landlock rules are opened while we may still open → uid, gid and capabilities go → core
 * and dumps go → no_new_privs → Landlock → seccomp on every thread (sandbox_calls.c). A thread that
 * was made before (nanomsg's) has the uid, the capabilities and the seccomp list, not Landlock. */
#include "host/sandbox.h"

#include "base/check.h"
#include "host/log.h"
#include "host/sandbox_calls.h"

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/landlock.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Debian 12's header knows ABI 2; the kernel is asked what it knows (Documentation/userspace-api/
 * landlock.rst names these bits). */
#define FS_RIGHTS_ABI_1    ((UINT64_C(1) << 13) - 1)
#define FS_RIGHT_REFER     (UINT64_C(1) << 13)
#define FS_RIGHT_TRUNCATE  (UINT64_C(1) << 14)
#define FS_RIGHT_IOCTL_DEV (UINT64_C(1) << 15)
#define NET_RIGHT_BIND     UINT64_C(1)
#define NET_RIGHT_CONNECT  UINT64_C(2)
#define SCOPE_ABSTRACT     UINT64_C(1)
#define SCOPE_SIGNAL       UINT64_C(2)

#define FS_RIGHTS_FILE                                                                           \
    (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE | \
     FS_RIGHT_TRUNCATE | FS_RIGHT_IOCTL_DEV)
#define FS_RIGHTS_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)

struct landlock_wish { /* struct landlock_ruleset_attr as of ABI 6. */
    uint64_t handled_access_fs;
    uint64_t handled_access_net;
    uint64_t scoped;
};

static uint64_t fs_rights(long abi)
{
    uint64_t rights = FS_RIGHTS_ABI_1;
    rights |= abi >= 2 ? FS_RIGHT_REFER : 0;
    rights |= abi >= 3 ? FS_RIGHT_TRUNCATE : 0;
    rights |= abi >= 5 ? FS_RIGHT_IOCTL_DEV : 0;
    return rights;
}

static RESULT landlock_path(int rules, const struct sandbox_path *path, uint64_t handled)
{
    int fd = open(path->path, O_PATH | O_CLOEXEC);
    struct stat about;
    if (fd < 0) {
        return FAIL(FAILURE_NOT_FOUND);
    }
    if (fstat(fd, &about) != 0) {
        (void)close(fd);
        return FAIL(FAILURE_IO);
    }
    uint64_t allowed = FS_RIGHTS_READ;
    if (path->write) {
        allowed |= handled & ~(uint64_t)LANDLOCK_ACCESS_FS_EXECUTE;
    }
    if (path->execute) {
        allowed |= LANDLOCK_ACCESS_FS_EXECUTE;
    }
    if (!S_ISDIR(about.st_mode)) {
        allowed &= FS_RIGHTS_FILE;
    }
    struct landlock_path_beneath_attr rule = { .allowed_access = allowed & handled,
                                               .parent_fd = fd };
    long failed = syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
    (void)close(fd);
    return failed == 0 ? OK : FAIL(FAILURE_DENIED);
}

/* -1 in *rules_out: this kernel has none, which is announced. */
static RESULT landlock_prepare(const struct sandbox *sandbox, int *rules_out)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (abi < 1) {
        log_line(LOG_LEVEL_WARN, "sandbox-fallback", "missing=landlock remaining=seccomp,uid");
        *rules_out = -1;
        return OK;
    }
    struct landlock_wish wish = { .handled_access_fs = fs_rights(abi) };
    if (abi >= 4) {
        bool connects = (sandbox->promises & PROMISE_CONNECT) != 0;
        wish.handled_access_net = NET_RIGHT_BIND | (connects ? 0 : NET_RIGHT_CONNECT);
    }
    if (abi >= 6) {
        wish.scoped = SCOPE_ABSTRACT | SCOPE_SIGNAL;
    }
    size_t size = abi >= 6 ? 24 : (abi >= 4 ? 16 : 8);
    int rules = (int)syscall(SYS_landlock_create_ruleset, &wish, size, 0);
    if (rules < 0) {
        return FAIL(FAILURE_DENIED);
    }
    for (uint32_t i = 0; i < sandbox->paths_count; i++) {
        struct result added = landlock_path(rules, &sandbox->paths[i], wish.handled_access_fs);
        if (added.code != 0) {
            log_line(LOG_LEVEL_ERROR, "sandbox-path", "path=%s", log_text(sandbox->paths[i].path));
            (void)close(rules);
            return added;
        }
    }
    *rules_out = rules;
    return OK;
}

/* Root with few capabilities, or somebody else with few (usually no) capabilities. */
static RESULT become(const struct sandbox *sandbox)
{
    if (geteuid() != 0) { /* A test that is not root keeps who it is. */
        return sandbox->capabilities == 0 ? OK : FAIL(FAILURE_DENIED);
    }
    capng_clear(CAPNG_SELECT_ALL);
    for (unsigned int cap = 0; cap < 64; cap++) {
        if ((sandbox->capabilities & (UINT64_C(1) << cap)) != 0) {
            capng_type_t sets = CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_INHERITABLE |
                                CAPNG_BOUNDING_SET | CAPNG_AMBIENT;
            if (capng_update(CAPNG_ADD, sets, cap) != 0) {
                return FAIL(FAILURE_BAD_INPUT);
            }
        }
    }
    if (sandbox->uid == 0) {
        bool done = setgroups(0, NULL) == 0 && setresgid(0, 0, 0) == 0 &&
                    capng_apply(CAPNG_SELECT_ALL) == 0;
        return done ? OK : FAIL(FAILURE_DENIED);
    }
    int failed = capng_change_id(
        (int)sandbox->uid, (int)sandbox->gid, CAPNG_DROP_SUPP_GRP | CAPNG_CLEAR_BOUNDING);
    if (failed != 0) {
        return FAIL(FAILURE_DENIED);
    }
    if (sandbox->capabilities != 0 && capng_apply(CAPNG_SELECT_AMBIENT) != 0) {
        return FAIL(FAILURE_DENIED);
    }
    /* What was promised is what is so. */
    CHECK(getuid() == sandbox->uid);
    CHECK(getgid() == sandbox->gid);
    return OK;
}

/* After `become`, which would undo the second and the third. A program never outlives its parent,
 * not even one that hangs. */
static RESULT hide(void)
{
    struct rlimit none = { 0, 0 };
    bool done = setrlimit(RLIMIT_CORE, &none) == 0 && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 &&
                prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0 &&
                prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
    return done ? OK : FAIL(FAILURE_DENIED);
}

/* INV-SEC-22: from here on only what the promises name. */
RESULT sandbox_enter(const struct sandbox *sandbox)
{
    CHECK((sandbox->promises & PROMISE_STDIO) != 0);
    CHECK(sandbox->paths_count == 0 || sandbox->paths != NULL);
    int rules = -1;
    TRY(landlock_prepare(sandbox, &rules));
    struct result done = become(sandbox);
    if (done.code == 0) {
        done = hide();
    }
    if (done.code == 0 && rules >= 0 && syscall(SYS_landlock_restrict_self, rules, 0) != 0) {
        done = FAIL(FAILURE_DENIED);
    }
    if (rules >= 0) {
        (void)close(rules);
    }
    TRY(done);
    return sandbox_calls_limit(sandbox->promises);
}
