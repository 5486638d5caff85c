/* Each promise: what it gives works, what it does not give kills. In forked children, as root, with
 * the sandbox that the programs use. */
#include "base/check.h"
#include "host/sandbox.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NOBODY = 65534, KILLED = 1000 };

static char directory[] = "/tmp/udatsu-sandbox-XXXXXX";

/* 0 worked, 1 refused; KILLED + signal when it died of it. */
static int outcome(const struct sandbox *sandbox, int (*deed)(void))
{
    pid_t pid = fork();
    cr_assert_geq(pid, 0);
    if (pid == 0) {
        if (sandbox != NULL && sandbox_enter(sandbox).code != 0) {
            _exit(99);
        }
        _exit(deed());
    }
    int status = 0;
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? KILLED + WTERMSIG(status) : WEXITSTATUS(status);
}

static int deed_loop(void)
{
    char byte = 0;
    int pipe_ends[2];
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return pipe(pipe_ends) == 0 && write(pipe_ends[1], "x", 1) == 1 &&
                   read(pipe_ends[0], &byte, 1) == 1 && page != MAP_FAILED && getpid() > 0
               ? 0
               : 1;
}

static int deed_open(void)
{
    return open("/etc/hostname", O_RDONLY) >= 0 ? 0 : 1;
}

static int deed_open_inside(void)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/file", directory);
    int fd = open(path, O_RDWR | O_CREAT, 0600);
    return fd >= 0 && write(fd, "x", 1) == 1 && fsync(fd) == 0 ? 0 : 1;
}

static int deed_exec(void)
{
    char name[] = "true";
    char *const argv[] = { name, NULL };
    (void)execve("/bin/true", argv, argv + 1);
    return 1;
}

static int deed_exec_other(void)
{
    char name[] = "false";
    char *const argv[] = { name, NULL };
    (void)execve("/bin/false", argv, argv + 1);
    return 1;
}

static int deed_inet(void)
{
    return socket(AF_INET, SOCK_STREAM, 0) >= 0 ? 0 : 1;
}

static int deed_packet(void)
{
    return socket(AF_PACKET, SOCK_RAW, 0) >= 0 ? 0 : 1;
}

static int deed_unix(void)
{
    return socket(AF_UNIX, SOCK_STREAM, 0) >= 0 ? 0 : 1;
}

static int deed_netlink(void)
{
    return socket(AF_NETLINK, SOCK_RAW, 0) >= 0 ? 0 : 1;
}

static int deed_ptrace(void)
{
    return ptrace(PTRACE_ATTACH, getppid(), NULL, NULL) == 0 ? 0 : 1;
}

static int deed_kill(void)
{
    return kill(getppid(), 0) == 0 ? 0 : 1;
}

static int deed_fork(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        _exit(0);
    }
    return pid > 0 ? 0 : 1;
}

static int deed_executable_page(void)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return page != MAP_FAILED ? 0 : 1;
}

static void *nothing(void *argument)
{
    return argument;
}

static int deed_thread(void)
{
    pthread_t thread;
    return pthread_create(&thread, NULL, nothing, NULL) == 0 && pthread_join(thread, NULL) == 0 ? 0
                                                                                                : 1;
}

static int deed_bind(void) /* Through an open socket: Landlock's network rules. */
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in any = { .sin_family = AF_INET };
    return bind(fd, (struct sockaddr *)&any, sizeof(any)) == 0 ? 0 : 1;
}

static int deed_who(void)
{
    struct rlimit core = { 1, 1 };
    (void)getrlimit(RLIMIT_CORE, &core);
    bool unseen = getuid() == NOBODY && getgid() == NOBODY && core.rlim_max == 0;
    return unseen && geteuid() == NOBODY ? 0 : 1;
}

struct row {
    const char *name;
    uint32_t promises; /* Beyond STDIO. */
    int (*deed)(void);
    int expected;
};

#define DIES (KILLED + SIGSYS)

/* The deed without any sandbox must work, or the row proves nothing. */
static const struct row rows[] = {
    { "the loop", 0, deed_loop, 0 },
    { "who we are", 0, deed_who, 0 },
    { "open", 0, deed_open, DIES },
    { "open with files", PROMISE_FILES, deed_open, 1 },
    { "open inside with files", PROMISE_FILES, deed_open_inside, 0 },
    { "open inside without files", 0, deed_open_inside, DIES },
    { "execve", 0, deed_exec, DIES },
    { "execve with files", PROMISE_FILES | PROMISE_THREADS, deed_exec, DIES },
    { "execve of the named", PROMISE_EXEC, deed_exec, 0 },
    { "execve of another", PROMISE_EXEC, deed_exec_other, 1 },
    { "inet", 0, deed_inet, DIES },
    { "inet with accept", PROMISE_ACCEPT | PROMISE_UNIX, deed_inet, DIES },
    { "inet with connect", PROMISE_CONNECT, deed_inet, 0 },
    { "packet with connect", PROMISE_CONNECT | PROMISE_NETLINK, deed_packet, DIES },
    { "unix", PROMISE_CONNECT, deed_unix, DIES },
    { "unix where it is refused", PROMISE_REFUSE_UNIX, deed_unix, 1 },
    { "inet where unix is refused", PROMISE_REFUSE_UNIX, deed_inet, DIES },
    { "unix with unix", PROMISE_UNIX, deed_unix, 0 },
    { "netlink", PROMISE_CONNECT | PROMISE_UNIX, deed_netlink, DIES },
    { "netlink with netlink", PROMISE_NETLINK, deed_netlink, 0 },
    { "ptrace", PROMISE_FILES | PROMISE_EXEC | PROMISE_THREADS, deed_ptrace, DIES },
    { "kill", PROMISE_FILES | PROMISE_THREADS, deed_kill, DIES },
    { "fork", PROMISE_THREADS, deed_fork, DIES },
    { "executable page", PROMISE_THREADS, deed_executable_page, DIES },
    { "thread", 0, deed_thread, DIES },
    { "thread with threads", PROMISE_THREADS, deed_thread, 0 },
    { "bind", PROMISE_CONNECT | PROMISE_NETLINK, deed_bind, 1 },
};

static bool free_deed_is_special(const struct row *row)
{
    return row->deed == deed_who || row->deed == deed_exec_other || row->deed == deed_ptrace;
}

Test(sandbox, each_promise_gives_what_it_names_and_nothing_else) /* INV-SEC-22 */
{
    if (getuid() != 0) {
        cr_skip("needs root");
    }
    cr_assert_not_null(mkdtemp(directory));
    cr_assert_eq(chown(directory, NOBODY, NOBODY), 0);
    const struct sandbox_path paths[] = {
        { .path = directory, .write = true },
        { .path = "/bin/true", .execute = true },
        { .path = "/usr/lib", .execute = true }, /* The loader and libc. */
    };
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/file", directory);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct row *row = &rows[i];
        struct sandbox sandbox = {
            .promises = PROMISE_STDIO | row->promises,
            .uid = NOBODY,
            .gid = NOBODY,
            .paths = paths,
            .paths_count = COUNT_OF(paths),
        };
        int free_to_do = free_deed_is_special(row) ? 0 : outcome(NULL, row->deed);
        cr_assert_eq(free_to_do, 0, "%s: impossible even without a sandbox", row->name);
        (void)unlink(path); /* Root's, from the free deed. */
        int got = outcome(&sandbox, row->deed);
        cr_assert_eq(got, row->expected, "%s: %d, expected %d", row->name, got, row->expected);
    }
    (void)unlink(path);
    (void)rmdir(directory);
}

Test(sandbox, a_path_that_is_not_there_lets_nobody_in)
{
    const struct sandbox_path paths[] = { { .path = "/no/such/directory" } };
    struct sandbox sandbox = { .promises = PROMISE_STDIO, .paths = paths, .paths_count = 1 };
    cr_assert_eq(outcome(&sandbox, deed_loop), 99);
}
