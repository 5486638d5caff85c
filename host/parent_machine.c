/* Decides what a machine has before its first program starts: users, directories, listeners, a
 * share of the CPU. Never reads a byte that came from a network. */
#include "base/check.h"
#include "host/address.h"
#include "host/file.h"
#include "host/log.h"
#include "host/parent.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LISTEN_BACKLOG = 4096, SHARES = 10240 };

static const char *user_of(const struct conf *conf, enum program program, char room[static 32])
{
    for (uint32_t i = 0; i < conf->users_count; i++) {
        if (strcmp(conf->users[i].program, program_name(program)) == 0) {
            return conf->users[i].user;
        }
    }
    if (parent_row(program)->keeps_root) {
        return "root";
    }
    (void)snprintf(room, 32, "udatsu-%s", program_name(program));
    return room;
}

static bool find_user(const char *user, uid_t *uid_out, gid_t *gid_out)
{
    char *end = NULL;
    unsigned long number = strtoul(user, &end, 10);
    if (end != user && *end == '\0' && number < INT_MAX) {
        *uid_out = (uid_t)number;
        *gid_out = (gid_t)number;
        return true;
    }
    const struct passwd *entry = getpwnam(user);
    if (entry == NULL) {
        return false;
    }
    *uid_out = entry->pw_uid;
    *gid_out = entry->pw_gid;
    return true;
}

/* Two programs of one user could read each other's memory and files: refused. INV-SEC-27 */
RESULT parent_users(struct parent *parent)
{
    for (enum program program = PROGRAM_LINK; program < PROGRAMS_END; program++) {
        if (!parent_runs(parent->conf->kind, program)) {
            continue;
        }
        struct parent_child *child = &parent->children[program];
        char room[32];
        const char *user = user_of(parent->conf, program, room);
        bool found = find_user(user, &child->uid, &child->gid);
        bool fits = found && (child->uid != 0 || parent_row(program)->keeps_root);
        for (enum program other = PROGRAM_LINK; other < program; other++) {
            bool runs = parent_runs(parent->conf->kind, other);
            fits = fits && !(runs && parent->children[other].uid == child->uid);
        }
        if (!fits) {
            log_line(
                LOG_LEVEL_ERROR,
                "user-refused",
                "program=%s user=%s why=%s",
                program_name(program),
                log_text(user),
                found ? "shared-or-root" : "unknown");
            return FAIL(FAILURE_NOT_FOUND);
        }
    }
    return OK;
}

/* DATA/PROGRAM for each, its own and nobody else's; RUN/bus for the two ends, opened as root. */
RESULT parent_directories(struct parent *parent)
{
    char path[PATH_MAX];
    struct file_owner root = { .mode = 0755 };
    TRY(file_directory(parent->conf->data, root));
    TRY(file_directory(parent->conf->run, root));
    int used = snprintf(path, sizeof(path), "%s/bus", parent->conf->run);
    if (used < 0 || used > 80) { /* A socket's name below it has at most 100 bytes. */
        return FAIL(FAILURE_BAD_INPUT);
    }
    TRY(file_directory(path, (struct file_owner){ .mode = 0700 }));
    for (enum program program = PROGRAM_LINK; program < PROGRAMS_END; program++) {
        if (!parent_runs(parent->conf->kind, program)) {
            continue;
        }
        const struct parent_child *child = &parent->children[program];
        used = snprintf(path, sizeof(path), "%s/%s", parent->conf->data, program_name(program));
        CHECK(used > 0 && (size_t)used < sizeof(path));
        struct file_owner owner = { .uid = child->uid, .gid = child->gid, .mode = 0700 };
        TRY(file_directory(path, owner));
    }
    return OK;
}

static RESULT listen_at(const char *address, int *fd_out)
{
    struct sockaddr_storage where;
    socklen_t size = 0;
    TRY(address_parse(address, &where, &size));
    int one = 1;
    int kind = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
    int fd = socket(where.ss_family, kind, 0);
    bool done = fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0 &&
                bind(fd, (struct sockaddr *)&where, size) == 0 && listen(fd, LISTEN_BACKLOG) == 0;
    if (!done) {
        log_line(
            LOG_LEVEL_ERROR,
            "listen-failed",
            "address=%s why=%s",
            log_text(address),
            log_text(strerror(errno)));
        if (fd >= 0) {
            (void)close(fd);
        }
        return FAIL(FAILURE_BUSY);
    }
    *fd_out = fd;
    return OK;
}

RESULT parent_listeners(struct parent *parent)
{
    if (parent->conf->kind == CONF_KIND_NODE) {
        return OK; /* Nodes only dial. */
    }
    CHECK(parent->conf->link != NULL);
    CHECK(parent->conf->api != NULL);
    TRY(listen_at(parent->conf->link, &parent->children[PROGRAM_LINK].listen_fd));
    return listen_at(parent->conf->api, &parent->children[PROGRAM_API].listen_fd);
}

static bool write_text(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    bool written = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    (void)close(fd);
    return written;
}

/* Our own place below the cpu controller, "/" in a namespace of our own. */
static bool own_cgroup(char *room, size_t size)
{
    FILE *file = fopen("/proc/self/cgroup", "re");
    char line[1024];
    bool found = false;
    while (file != NULL && !found && fgets(line, sizeof(line), file) != NULL) {
        char *controllers = strchr(line, ':');
        char *path = controllers == NULL ? NULL : strchr(controllers + 1, ':');
        if (path == NULL) {
            continue;
        }
        *path++ = '\0';
        path[strcspn(path, "\n")] = '\0';
        bool cpu = strcmp(controllers + 1, "cpu") == 0 || strncmp(controllers + 1, "cpu,", 4) == 0;
        found = cpu && (size_t)snprintf(room, size, "%s", path) < size;
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return found;
}

void parent_cgroup(const struct conf *conf)
{
    char group[PATH_MAX];
    char path[PATH_MAX + 32];
    char own[1024] = "";
    if (conf->cgroup != NULL) {
        (void)snprintf(group, sizeof(group), "%s", conf->cgroup);
    } else if (own_cgroup(own, sizeof(own))) {
        (void)snprintf(
            group,
            sizeof(group),
            "/sys/fs/cgroup/cpu%s/udatsu-management",
            strcmp(own, "/") == 0 ? "" : own);
    } else {
        group[0] = '\0';
    }
    char shares[16];
    char pid[16];
    (void)snprintf(shares, sizeof(shares), "%d", SHARES);
    (void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
    bool done =
        group[0] == '/' && file_directory(group, (struct file_owner){ .mode = 0755 }).code == 0;
    (void)snprintf(path, sizeof(path), "%s/cpu.shares", group);
    done = done && write_text(path, shares);
    (void)snprintf(path, sizeof(path), "%s/cgroup.procs", group);
    done = done && write_text(path, pid);
    log_line(
        done ? LOG_LEVEL_INFO : LOG_LEVEL_WARN,
        done ? "cgroup" : "cgroup-fallback",
        "group=%s shares=%s",
        log_text(group),
        done ? shares : "default");
}
