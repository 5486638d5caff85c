/* Decides nothing: carries frames for the drivers of tests/system. */
#include "drive.h"

#include "base/check.h"
#include "base/id.h"
#include "base/limits.h"
#include "wire/wire.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WAIT_MS = 60000 };

static _Alignas(16) uint8_t memory[8 * LIMIT_FRAME];
static uint8_t bytes[LIMIT_FRAME];
static struct arena arena;

_Noreturn void drive_fail(const char *why)
{
    printf("drive-failed why=%s\n", why);
    (void)fflush(stdout);
    exit(1);
}

void drive_hand(int fd, Wire__Frame *frame, int descriptor)
{
    size_t used = 0;
    frame->format = FRAME_FORMAT;
    CHECK(wire_encode_into(frame, bytes, sizeof(bytes), &used));
    struct iovec part = { .iov_base = bytes, .iov_len = used };
    union {
        struct cmsghdr align;
        uint8_t room[CMSG_SPACE(sizeof(int))];
    } control = { .room = { 0 } };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
    if (descriptor >= 0) {
        message.msg_control = control.room;
        message.msg_controllen = sizeof(control.room);
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(header), &descriptor, sizeof(descriptor));
    }
    if (sendmsg(fd, &message, MSG_NOSIGNAL) != (ssize_t)used) {
        drive_fail("send");
    }
    if (descriptor >= 0) {
        (void)close(descriptor);
    }
}

void drive_say(int fd, Wire__Frame *frame)
{
    drive_hand(fd, frame, -1);
}

Wire__Frame *drive_hear(int fd)
{
    struct pollfd wait = { .fd = fd, .events = POLLIN };
    if (poll(&wait, 1, WAIT_MS) != 1) {
        drive_fail("silence");
    }
    ssize_t size = recv(fd, bytes, sizeof(bytes), 0);
    if (size <= 0) {
        drive_fail("gone");
    }
    arena_init(&arena, memory, sizeof(memory));
    Wire__Frame *frame = NULL;
    if (wire_decode(&wire__frame__descriptor, slice_of(bytes, (size_t)size), &arena, &frame).code !=
        0) {
        drive_fail("decode");
    }
    return frame;
}

void drive_spawn_with(
    struct drive_child *child,
    const char *path,
    const char *const peers[DRIVE_PEERS],
    const int ends[DRIVE_PEERS])
{
    enum { AWAY = 60, PARENT_FD = 3 };
    int parent_ends[2];
    char pairs[DRIVE_PEERS][32] = { "" };
    CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, parent_ends) == 0);
    for (int i = 0; i < DRIVE_PEERS && peers[i] != NULL; i++) {
        (void)snprintf(pairs[i], sizeof(pairs[i]), "%s=%d", peers[i], PARENT_FD + 1 + i);
    }
    child->pid = fork();
    CHECK(child->pid >= 0);
    if (child->pid == 0) {
        /* First out of the way, then into their places. */
        CHECK(dup2(parent_ends[1], AWAY) == AWAY);
        for (int i = 0; i < DRIVE_PEERS && peers[i] != NULL; i++) {
            CHECK(dup2(ends[i], AWAY + 1 + i) == AWAY + 1 + i);
        }
        for (int i = 0; i <= DRIVE_PEERS && (i == 0 || peers[i - 1] != NULL); i++) {
            CHECK(dup2(AWAY + i, PARENT_FD + i) == PARENT_FD + i);
            (void)close(AWAY + i);
        }
        char *const none[] = { NULL };
        if (peers[1] != NULL) {
            (void)execle(path, path, "--fd", pairs[0], "--fd", pairs[1], (char *)NULL, none);
        } else {
            (void)execle(path, path, "--fd", pairs[0], (char *)NULL, none);
        }
        _exit(127);
    }
    (void)close(parent_ends[1]);
    for (int i = 0; i < DRIVE_PEERS && peers[i] != NULL; i++) {
        (void)close(ends[i]);
    }
    child->to_parent = parent_ends[0];
}

int drive_spawn(struct drive_child *child, const char *path, const char *peer)
{
    int ends[2];
    CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
    const char *const peers[DRIVE_PEERS] = { peer };
    const int theirs[DRIVE_PEERS] = { ends[1] };
    drive_spawn_with(child, path, peers, theirs);
    return ends[0];
}

void drive_config(int fd, uint16_t cell, const char *data, char **settings, int count)
{
    static Wire__Setting rows[DRIVE_WORDS];
    Wire__Setting *list[DRIVE_WORDS];
    static char names[DRIVE_WORDS][64];
    Wire__Identity self = WIRE__IDENTITY__INIT;
    Wire__Config config = WIRE__CONFIG__INIT;
    self.kind = WIRE__KIND__KIND_NODE;
    self.id = id_make(cell, 1);
    config.cell = cell;
    config.self = &self;
    config.name = "test-node";
    config.data_directory = data;
    for (int i = 0; i < count && i < DRIVE_WORDS; i++) {
        const char *equals = strchr(settings[i], '=');
        CHECK(equals != NULL && (size_t)(equals - settings[i]) < sizeof(names[i]));
        memcpy(names[i], settings[i], (size_t)(equals - settings[i]));
        wire__setting__init(&rows[i]);
        rows[i].name = names[i];
        rows[i].value = equals + 1;
        list[i] = &rows[i];
        config.n_settings++;
    }
    config.settings = list;
    Wire__Frame frame = WIRE__FRAME__INIT;
    frame.body_case = WIRE__FRAME__BODY_CONFIG;
    frame.config = &config;
    drive_say(fd, &frame);
}

void drive_await_ready(int fd)
{
    if (drive_hear(fd)->body_case != WIRE__FRAME__BODY_READY) {
        drive_fail("not-ready");
    }
}

void drive_digest(const char *hex, uint8_t out[static 32])
{
    if (strlen(hex) != 64) {
        drive_fail("digest");
    }
    for (int i = 0; i < 32; i++) {
        char pair[3] = { hex[2 * i], hex[2 * i + 1], '\0' };
        out[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
}

int drive_words(char *line, size_t size, char *words[DRIVE_WORDS])
{
    if (fgets(line, (int)size, stdin) == NULL) {
        return -1;
    }
    char *state = NULL;
    int count = 0;
    for (char *word = strtok_r(line, " \n", &state); word != NULL && count < DRIVE_WORDS;
         word = strtok_r(NULL, " \n", &state)) {
        words[count++] = word;
    }
    return count;
}
