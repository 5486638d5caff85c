/* Makes a running process perform one system call, from outside, as root: the way to ask what a
 * sandbox really refuses, without a test program that shares its code.
 *
 *   inject PID execve|socket|open|ptrace|connect [PATH]
 *   inject PID say FD       a frame that is well formed, and that only a parent may hear
 *
 * Prints `killed SIGNAL`, `refused ERRNO` or `allowed RESULT` and exits 0; 1 when it could not ask.
 * It decides nothing about whether the answer is right. Never leaves a descriptor behind: what was
 * allowed to open is closed by a second call. x86-64 only. */
#include "base/check.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/user.h>
#include <sys/wait.h>

enum { ROOM = 4096, BELOW_STACK = 8192, SYSCALL_BYTES = 0x050f, STEPS_MAX = 8 };

struct question {
    pid_t pid;
    struct user_regs_struct saved;
    long saved_text;
    uint64_t room; /* Memory of the process, below its red zone. */
};

struct answer {
    bool killed;
    int signal;
    long result;
};

static bool put(const struct question *question, const void *bytes, size_t size)
{
    CHECK(size <= ROOM);
    for (size_t at = 0; at < size; at += sizeof(long)) {
        long word = 0;
        size_t part = size - at < sizeof word ? size - at : sizeof word;
        memcpy(&word, (const char *)bytes + at, part);
        if (ptrace(PTRACE_POKEDATA, question->pid, question->room + at, word) != 0) {
            return false;
        }
    }
    return true;
}

static bool begin(struct question *question, pid_t pid)
{
    CHECK(pid > 1);
    int status = 0;
    question->pid = pid;
    if (ptrace(PTRACE_ATTACH, pid, NULL, NULL) != 0 || waitpid(pid, &status, __WALL) != pid ||
        ptrace(PTRACE_GETREGS, pid, NULL, &question->saved) != 0) {
        return false;
    }
    errno = 0;
    question->saved_text = ptrace(PTRACE_PEEKTEXT, pid, question->saved.rip, NULL);
    question->room = (question->saved.rsp - BELOW_STACK) & ~UINT64_C(15);
    return errno == 0;
}

/* One system call. What the process was waiting in is entered again by the kernel afterwards. */
static bool call(
    const struct question *question, long number, const uint64_t arguments[4], struct answer *out)
{
    struct user_regs_struct regs = question->saved;
    regs.rax = (unsigned long long)number;
    regs.orig_rax = UINT64_MAX; /* No call to restart now. */
    regs.rdi = arguments[0];
    regs.rsi = arguments[1];
    regs.rdx = arguments[2];
    regs.r10 = arguments[3];
    long text = (question->saved_text & ~0xffffL) | SYSCALL_BYTES;
    if (ptrace(PTRACE_POKETEXT, question->pid, question->saved.rip, text) != 0 ||
        ptrace(PTRACE_SETREGS, question->pid, NULL, &regs) != 0) {
        return false;
    }
    for (int step = 0; step < STEPS_MAX; step++) {
        int status = 0;
        if (ptrace(PTRACE_SINGLESTEP, question->pid, NULL, NULL) != 0 ||
            waitpid(question->pid, &status, __WALL) != question->pid) {
            return false;
        }
        if (WIFSIGNALED(status) || WIFEXITED(status)) {
            *out = (struct answer){ .killed = true,
                                    .signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0 };
            return true;
        }
        if (WIFSTOPPED(status) && WSTOPSIG(status) == SIGSYS) {
            *out = (struct answer){ .killed = true, .signal = SIGSYS };
            return true;
        }
        if (ptrace(PTRACE_GETREGS, question->pid, NULL, &regs) != 0) {
            return false;
        }
        if (regs.rip != question->saved.rip) {
            *out = (struct answer){ .result = (long)regs.rax };
            return true;
        }
    }
    return false;
}

static void end(const struct question *question)
{
    (void)ptrace(PTRACE_POKETEXT, question->pid, question->saved.rip, question->saved_text);
    (void)ptrace(PTRACE_SETREGS, question->pid, NULL, &question->saved);
    (void)ptrace(PTRACE_DETACH, question->pid, NULL, NULL);
}

static bool ask(
    const struct question *question, const char *what, const char *path, struct answer *out)
{
    CHECK(what != NULL);
    uint64_t room = question->room;
    if (strcmp(what, "execve") == 0) {
        /* Argument and environment vectors are both the empty one after the path. */
        char bytes[256] = "";
        if (strlen(path) >= sizeof(bytes) - 2 * sizeof(uint64_t)) {
            return false;
        }
        memcpy(bytes, path, strlen(path));
        uint64_t empty = room + sizeof(bytes) - sizeof(uint64_t);
        return put(question, bytes, sizeof bytes) &&
               call(question, SYS_execve, (uint64_t[4]){ room, empty, empty, 0 }, out);
    }
    if (strcmp(what, "socket") == 0) {
        return call(question, SYS_socket, (uint64_t[4]){ AF_INET, SOCK_STREAM, 0, 0 }, out);
    }
    if (strcmp(what, "open") == 0) {
        return put(question, path, strlen(path) + 1) &&
               call(
                   question,
                   SYS_openat,
                   (uint64_t[4]){ (uint64_t)(int64_t)AT_FDCWD, room, O_RDONLY, 0 },
                   out);
    }
    if (strcmp(what, "ptrace") == 0) {
        return call(question, SYS_ptrace, (uint64_t[4]){ PTRACE_ATTACH, 1, 0, 0 }, out);
    }
    if (strcmp(what, "say") == 0) {
        /* format = 1, body READY, empty. */
        static const uint8_t frame[8] = { 0x08, 0x01, 0x5a, 0x00 };
        uint64_t fd = strtoull(path, NULL, 10);
        return put(question, frame, sizeof frame) &&
               call(question, SYS_write, (uint64_t[4]){ fd, room, 4, 0 }, out);
    }
    if (strcmp(what, "connect") == 0) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        struct answer opened = { 0 };
        if (strlen(path) >= sizeof(address.sun_path)) {
            return false;
        }
        memcpy(address.sun_path, path, strlen(path) + 1);
        if (!call(question, SYS_socket, (uint64_t[4]){ AF_UNIX, SOCK_STREAM, 0, 0 }, &opened)) {
            return false;
        }
        if (opened.killed || opened.result < 0) {
            *out = opened;
            return true;
        }
        uint64_t fd = (uint64_t)opened.result;
        bool asked = put(question, &address, sizeof address) &&
                     call(question, SYS_connect, (uint64_t[4]){ fd, room, sizeof address, 0 }, out);
        if (asked && !out->killed) {
            struct answer closed;
            (void)call(question, SYS_close, (uint64_t[4]){ fd, 0, 0, 0 }, &closed);
        }
        return asked;
    }
    return false;
}

int main(int argc, char **argv)
{
    struct question question = { 0 };
    struct answer answer = { 0 };
    char *rest = NULL;
    long pid = argc >= 3 ? strtol(argv[1], &rest, 10) : 0;
    if (pid <= 1 || *rest != '\0' || argc > 4) {
        (void)fprintf(
            stderr, "usage: %s PID execve|socket|open|ptrace|connect|say [PATH|FD]\n", argv[0]);
        return 2;
    }
    if (!begin(&question, (pid_t)pid)) {
        perror("attach");
        return 1;
    }
    bool asked = ask(&question, argv[2], argc == 4 ? argv[3] : "/bin/true", &answer);
    bool opened = asked && !answer.killed && answer.result >= 0 &&
                  (strcmp(argv[2], "socket") == 0 || strcmp(argv[2], "open") == 0);
    if (opened) {
        struct answer closed;
        (void)call(
            &question, SYS_close, (uint64_t[4]){ (uint64_t)answer.result, 0, 0, 0 }, &closed);
    }
    end(&question);
    if (!asked) {
        return 1;
    }
    if (answer.killed) {
        printf("killed %d\n", answer.signal);
    } else if (answer.result < 0) {
        printf("refused %s\n", strerror((int)-answer.result));
    } else {
        printf("allowed %ld\n", answer.result);
    }
    return 0;
}
