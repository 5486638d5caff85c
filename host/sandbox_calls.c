/* Decides which system calls a promise is made of, with the reason beside each group. Never allows
 * a call for convenience: what is not here kills the process, and the kernel's log and parent's
 * (signal 31) name it. */
#include "host/sandbox_calls.h"

#include "base/check.h"
#include "host/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CALL(name) SCMP_SYS(name)

/* Descriptors that are open already; memory; time; randomness; the event loop; the end. */
static const int stdio_calls[] = {
    CALL(read),
    CALL(write),
    CALL(readv),
    CALL(writev),
    CALL(close),
    CALL(lseek),
    CALL(fstat),
    CALL(recvfrom),
    CALL(recvmsg),
    CALL(recvmmsg),
    CALL(sendmsg),
    CALL(sendmmsg),
    CALL(sendto),
    CALL(shutdown),
    CALL(getsockopt),
    CALL(getsockname),
    CALL(getpeername),
    CALL(munmap),
    CALL(mremap),
    CALL(madvise),
    CALL(brk),
    CALL(mlock),
    CALL(munlock),
    CALL(poll),
    CALL(ppoll),
    CALL(select),
    CALL(epoll_create1),
    CALL(epoll_ctl),
    CALL(epoll_wait),
    CALL(epoll_pwait),
    CALL(eventfd2),
    CALL(pipe2),
    CALL(dup),
    CALL(timerfd_create),
    CALL(timerfd_settime),
    CALL(futex),
    CALL(sched_yield),
    CALL(sched_getaffinity),
    CALL(restart_syscall),
    CALL(clock_gettime),
    CALL(clock_getres),
    CALL(clock_nanosleep),
    CALL(nanosleep),
    CALL(gettimeofday),
    CALL(time),
    CALL(getrandom),
    CALL(getpid),
    CALL(getppid),
    CALL(gettid),
    CALL(getuid),
    CALL(geteuid),
    CALL(getgid),
    CALL(getegid),
    CALL(getrusage),
    CALL(sysinfo),
    CALL(uname),
    CALL(getcpu),
    CALL(rt_sigaction),
    CALL(rt_sigprocmask),
    CALL(rt_sigreturn),
    CALL(sigaltstack),
    CALL(exit),
    CALL(exit_group),
};

/* A listener that parent opened. accept4 makes descriptors, never listeners. */
static const int accept_calls[] = { CALL(accept), CALL(accept4) };

/* Files beneath the directories that Landlock names; where there is no Landlock, what the uid may.
 */
static const int files_calls[] = {
    CALL(open),       CALL(openat),          CALL(stat),      CALL(lstat),      CALL(newfstatat),
    CALL(statx),      CALL(access),          CALL(faccessat), CALL(faccessat2), CALL(readlink),
    CALL(readlinkat), CALL(getdents64),      CALL(rename),    CALL(renameat),   CALL(renameat2),
    CALL(unlink),     CALL(unlinkat),        CALL(mkdir),     CALL(mkdirat),    CALL(rmdir),
    CALL(link),       CALL(linkat),          CALL(ftruncate), CALL(fallocate),  CALL(fsync),
    CALL(fdatasync),  CALL(sync_file_range), CALL(msync),     CALL(flock),      CALL(fadvise64),
    CALL(pread64),    CALL(pwrite64),        CALL(preadv),    CALL(pwritev),    CALL(preadv2),
    CALL(pwritev2),   CALL(copy_file_range), CALL(sendfile),  CALL(readahead),  CALL(statfs),
    CALL(fstatfs),    CALL(fchmod),          CALL(umask),     CALL(getcwd),     CALL(utimensat),
    CALL(mincore),
};

/* Threads of this process; priorities that RocksDB sets on its own. clone is filtered below. */
static const int threads_calls[] = {
    CALL(set_robust_list),    CALL(rseq),        CALL(sched_setaffinity), CALL(sched_getparam),
    CALL(sched_getscheduler), CALL(setpriority), CALL(getpriority),       CALL(ioprio_set),
    CALL(membarrier),
};

/* A child program: made, given its descriptors, waited for. What may be executed is Landlock's. */
static const int exec_calls[] = {
    CALL(execve),
    CALL(clone),
    CALL(clone3),
    CALL(vfork),
    CALL(fork),
    CALL(wait4),
    CALL(waitid),
    CALL(pidfd_open),
    CALL(pidfd_send_signal),
    CALL(kill),
    CALL(prlimit64),
    CALL(arch_prctl),
    CALL(set_tid_address),
    CALL(set_robust_list),
    CALL(rseq),
    CALL(dup2),
    CALL(dup3),
    CALL(close_range),
    CALL(setsid),
    CALL(setpgid),
    CALL(chdir),
    CALL(pread64),
    CALL(access),
    CALL(open),
    CALL(openat),
    CALL(newfstatat),
    CALL(readlink),
    CALL(readlinkat),
    CALL(getdents64),
    CALL(setrlimit),
    CALL(getcwd),
    CALL(statfs),
    CALL(umask),
    CALL(pselect6),
};

/* Two promises may name the same call. */
static int add(
    scmp_filter_ctx filter, uint32_t action, int call, const struct scmp_arg_cmp *condition)
{
    int failed =
        seccomp_rule_add_array(filter, action, call, condition == NULL ? 0U : 1U, condition);
    return failed == -EEXIST ? 0 : failed;
}

static int allow_all(scmp_filter_ctx filter, const int *calls, size_t count)
{
    int failed = 0;
    for (size_t i = 0; i < count && failed == 0; i++) {
        failed = add(filter, SCMP_ACT_ALLOW, calls[i], NULL);
    }
    return failed;
}

static int allow_if(scmp_filter_ctx filter, int call, struct scmp_arg_cmp condition)
{
    return add(filter, SCMP_ACT_ALLOW, call, &condition);
}

static int allow_socket(scmp_filter_ctx filter, int call, int family)
{
    return allow_if(filter, call, SCMP_A0_64(SCMP_CMP_EQ, (scmp_datum_t)family));
}

/* Calls that are harmless only with certain arguments. */
static int stdio_filtered(scmp_filter_ctx filter, bool executes)
{
    static const int fcntl_commands[] = { F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD_CLOEXEC };
    static const unsigned long ioctl_commands[] = { FIONBIO, FIOCLEX, FIONREAD };
    /* TCP_NODELAY and the like; no filter can be attached and no option widens a right. */
    static const int levels[] = { SOL_SOCKET, 6 /* IPPROTO_TCP */ };
    int failed = 0;
    for (size_t i = 0; i < COUNT_OF(fcntl_commands); i++) {
        failed |=
            allow_if(filter, CALL(fcntl), SCMP_A1_64(SCMP_CMP_EQ, (scmp_datum_t)fcntl_commands[i]));
    }
    for (size_t i = 0; i < COUNT_OF(ioctl_commands); i++) {
        failed |= allow_if(filter, CALL(ioctl), SCMP_A1_64(SCMP_CMP_EQ, ioctl_commands[i]));
    }
    for (size_t i = 0; i < COUNT_OF(levels); i++) {
        failed |=
            allow_if(filter, CALL(setsockopt), SCMP_A1_64(SCMP_CMP_EQ, (scmp_datum_t)levels[i]));
    }
    /* Memory is never made executable, but by the loader of a program that was executed. */
    static const int mapping[] = { CALL(mmap), CALL(mprotect) };
    for (size_t i = 0; i < COUNT_OF(mapping); i++) {
        struct scmp_arg_cmp not_executable = SCMP_A2_64(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
        failed |= add(filter, SCMP_ACT_ALLOW, mapping[i], executes ? NULL : &not_executable);
    }
    /* fstat of glibc: a name is never looked up. */
    failed |= allow_if(
        filter, CALL(newfstatat), SCMP_A3_64(SCMP_CMP_MASKED_EQ, AT_EMPTY_PATH, AT_EMPTY_PATH));
    /* abort() of a failed CHECK; nobody else is signalled. */
    failed |= allow_if(filter, CALL(tgkill), SCMP_A0_64(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
    failed |= allow_if(filter, CALL(prctl), SCMP_A0_64(SCMP_CMP_EQ, PR_SET_NAME));
    failed |= allow_if(filter, CALL(prlimit64), SCMP_A2_64(SCMP_CMP_EQ, 0)); /* Ask, not set. */
    return failed;
}

static int files_filtered(scmp_filter_ctx filter)
{
    static const int commands[] = { F_SETLK, F_GETLK, F_SETLKW, F_OFD_SETLK, F_ADD_SEALS, 1036 };
    int failed = 0;
    for (size_t i = 0; i < COUNT_OF(commands); i++) { /* 1036: F_SET_RW_HINT, RocksDB's. */
        failed |= allow_if(filter, CALL(fcntl), SCMP_A1_64(SCMP_CMP_EQ, (scmp_datum_t)commands[i]));
    }
    return failed;
}

static int threads_filtered(scmp_filter_ctx filter)
{
    /* clone3's arguments are in memory, out of a filter's sight: glibc falls back to clone. */
    scmp_datum_t needed = CLONE_THREAD | CLONE_VM | CLONE_SIGHAND;
    return add(filter, SCMP_ACT_ERRNO(ENOSYS), CALL(clone3), NULL) |
           allow_if(filter, CALL(clone), SCMP_A0_64(SCMP_CMP_MASKED_EQ, needed, needed));
}

static int build(scmp_filter_ctx filter, uint32_t promises)
{
    bool executes = (promises & PROMISE_EXEC) != 0;
    int failed = allow_all(filter, stdio_calls, COUNT_OF(stdio_calls));
    failed |= stdio_filtered(filter, executes);
    if ((promises & PROMISE_ACCEPT) != 0) {
        failed |= allow_all(filter, accept_calls, COUNT_OF(accept_calls));
    }
    if ((promises & PROMISE_FILES) != 0) {
        failed |= allow_all(filter, files_calls, COUNT_OF(files_calls));
        failed |= files_filtered(filter);
    }
    if ((promises & PROMISE_THREADS) != 0) {
        failed |= allow_all(filter, threads_calls, COUNT_OF(threads_calls));
        failed |= executes ? 0 : threads_filtered(filter);
    }
    if ((promises & PROMISE_CONNECT) != 0) {
        failed |= allow_socket(filter, CALL(socket), AF_INET);
        failed |= allow_socket(filter, CALL(socket), AF_INET6);
    }
    if ((promises & PROMISE_UNIX) != 0) {
        failed |= allow_socket(filter, CALL(socket), AF_UNIX);
        failed |= allow_socket(filter, CALL(socketpair), AF_UNIX);
    } else if ((promises & PROMISE_REFUSE_UNIX) != 0) {
        struct scmp_arg_cmp local = SCMP_A0_64(SCMP_CMP_EQ, AF_UNIX);
        failed |= add(filter, SCMP_ACT_ERRNO(EACCES), CALL(socket), &local);
    }
    if ((promises & PROMISE_NETLINK) != 0) {
        failed |= allow_socket(filter, CALL(socket), AF_NETLINK);
        failed |= add(filter, SCMP_ACT_ALLOW, CALL(bind), NULL);
        failed |=
            allow_if(filter, CALL(setsockopt), SCMP_A1_64(SCMP_CMP_EQ, 270 /* SOL_NETLINK */));
    }
    if ((promises & (PROMISE_CONNECT | PROMISE_UNIX)) != 0) {
        failed |= add(filter, SCMP_ACT_ALLOW, CALL(connect), NULL);
    }
    if (executes) {
        failed |= allow_all(filter, exec_calls, COUNT_OF(exec_calls));
    }
    return failed;
}

RESULT sandbox_calls_limit(uint32_t promises)
{
    CHECK((promises & PROMISE_STDIO) != 0);
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    CHECK(filter != NULL);
    /* Threads that exist already are filtered too; a balanced tree keeps frequent calls cheap. */
    int failed = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    failed |= seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    failed |= build(filter, promises);
    if (failed == 0) {
        failed = seccomp_load(filter);
    }
    seccomp_release(filter);
    return failed == 0 ? OK : FAIL(FAILURE_DENIED);
}
