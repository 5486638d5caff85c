/* Two machines' real link and keys, this program above and around both: frames from one engine to
 * the other and back, over TLS on loopback. Checks that every frame arrives, whole and in order;
 * prints round trips and throughput as one JSON line. Arguments: directory of the programs, frames.
 */
#include "base/check.h"
#include "base/id.h"
#include "base/limits.h"
#include "host/clock.h"
#include "host/keyring.h"
#include "host/x509.h"
#include "wire/wire.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CELL = 1, MACHINES = 2, DEADLINE_MS = 20000, TRIPS = 2000 };

struct machine {
    uint64_t id;
    struct slice certificate;
    char address[LIMIT_ADDRESS];
    char data[128];
    int listen_fd;
    int engine; /* Our end of link's channel to engine. */
    int parents[2];
    pid_t children[2];
};

static uint8_t memory[256 * 1024];
static struct arena arena;
static struct machine machines[MACHINES];
static struct slice ca;
static const char *programs;
static char top[] = "/tmp/udatsu-bench-link-XXXXXX";

static void pair_of(int ends[static 2])
{
    int size = 8 * 1024 * 1024;
    int failed = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends);
    CHECK(failed == 0);
    for (int i = 0; i < 2; i++) { /* Without the right to force it the maximum will do. */
        (void)setsockopt(ends[i], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
    }
}

static void make_papers(void)
{
    struct keyring keyring = { 0 };
    struct result done = x509_key_make(X509_KEY_P256, &keyring.ca);
    CHECK(done.code == 0);
    done = x509_ca_make(&keyring.ca, CELL, clock_wall_ms() / 1000U, &arena, &ca);
    CHECK(done.code == 0);
    for (uint32_t i = 0; i < MACHINES; i++) {
        struct machine *machine = &machines[i];
        struct keyring own = { 0 };
        struct slice csr = SLICE_EMPTY;
        machine->id = id_make(CELL, i + 1U);
        struct x509_request request = {
            .identity = { .kind = WIRE__KIND__KIND_CONTROLLER, .id = machine->id },
            .name = "c",
            .now_seconds = clock_wall_ms() / 1000U,
        };
        done = x509_key_make(X509_KEY_P256, &own.machine);
        CHECK(done.code == 0);
        done = x509_csr_make(&own.machine, "c", &arena, &csr);
        CHECK(done.code == 0);
        done = x509_issue(&keyring.ca, ca, csr, &request, &arena, &machine->certificate);
        CHECK(done.code == 0);
        (void)snprintf(machine->data, sizeof(machine->data), "%s/%u", top, (unsigned int)i);
        int failed = mkdir(machine->data, 0755);
        CHECK(failed == 0);
        char path[160];
        (void)snprintf(path, sizeof(path), "%s/keyring", machine->data);
        done = keyring_write(path, &own, getuid(), getgid());
        CHECK(done.code == 0);
        keyring_free(&own);
    }
    keyring_free(&keyring);
}

static void listen_somewhere(struct machine *machine)
{
    struct sockaddr_in where = { .sin_family = AF_INET };
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(where);
    machine->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    int failed = bind(machine->listen_fd, (struct sockaddr *)&where, size);
    failed |= listen(machine->listen_fd, 16);
    failed |= getsockname(machine->listen_fd, (struct sockaddr *)&where, &size);
    CHECK(failed == 0);
    (void)snprintf(
        machine->address, sizeof(machine->address), "127.0.0.1:%u", ntohs(where.sin_port));
}

static void send_config(const struct machine *machine, int fd)
{
    Wire__Identity self = WIRE__IDENTITY__INIT;
    Wire__Identity other = WIRE__IDENTITY__INIT;
    Wire__PeerAddress peer = WIRE__PEER_ADDRESS__INIT;
    Wire__PeerAddress *peers[1] = { &peer };
    Wire__Setting settings[2] = { WIRE__SETTING__INIT, WIRE__SETTING__INIT };
    Wire__Setting *list[2] = { &settings[0], &settings[1] };
    const struct machine *to = machine == &machines[0] ? &machines[1] : &machines[0];
    self.kind = WIRE__KIND__KIND_CONTROLLER;
    self.id = machine->id;
    other.kind = WIRE__KIND__KIND_CONTROLLER;
    other.id = to->id;
    peer.identity = &other;
    peer.address = to->address;
    settings[0].name = "uid";
    settings[1].name = "gid";
    settings[0].value = getuid() == 0 ? "65534" : "0";
    settings[1].value = settings[0].value;
    ProtobufCBinaryData chain = { .len = machine->certificate.size };
    memcpy(&chain.data, &machine->certificate.data, sizeof(chain.data));
    Wire__Config config = WIRE__CONFIG__INIT;
    config.cell = CELL;
    config.self = &self;
    config.data_directory = machine->data;
    config.n_peers = 1;
    config.peers = peers;
    config.n_certificate = 1;
    config.certificate = &chain;
    config.ca.len = ca.size;
    memcpy(&config.ca.data, &ca.data, sizeof(config.ca.data));
    config.n_settings = 2;
    config.settings = list;
    Wire__Frame frame = WIRE__FRAME__INIT;
    frame.format = FRAME_FORMAT;
    frame.body_case = WIRE__FRAME__BODY_CONFIG;
    frame.config = &config;
    uint8_t room[16 * 1024];
    size_t size = 0;
    bool fits = wire_encode_into(&frame, room, sizeof(room), &size);
    CHECK(fits);
    ssize_t sent = send(fd, room, size, 0);
    CHECK(sent == (ssize_t)size);
}

struct handed {
    const char *name;
    int fd;
};

/* Descriptors are handed over as parent does; the others close on exec. */
static pid_t spawn(const char *program, int parent, const struct handed *handed, uint32_t count)
{
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid > 0) {
        return pid;
    }
    char path[256];
    char texts[3][32];
    char flag[] = "--fd";
    char *arguments[8] = { path };
    (void)snprintf(path, sizeof(path), "%s/udatsu-%s", programs, program);
    for (uint32_t i = 0; i < count; i++) {
        int high = fcntl(handed[i].fd, F_DUPFD, 20);
        (void)snprintf(texts[i], sizeof(texts[i]), "%s=%d", handed[i].name, high);
        arguments[1 + 2 * i] = flag;
        arguments[2 + 2 * i] = texts[i];
    }
    if (dup2(parent, 3) == 3) {
        (void)execv(path, arguments);
    }
    _exit(127);
}

static void start(struct machine *machine)
{
    int keys[2];
    int engine[2];
    int parents[2][2];
    pair_of(keys);
    pair_of(engine);
    pair_of(parents[0]);
    pair_of(parents[1]);
    const struct handed for_keys[] = { { "link", keys[1] } };
    const struct handed for_link[] = { { "keys", keys[0] },
                                       { "engine", engine[1] },
                                       { "listen", machine->listen_fd } };
    machine->children[0] = spawn("keys", parents[0][1], for_keys, COUNT_OF(for_keys));
    machine->children[1] = spawn("link", parents[1][1], for_link, COUNT_OF(for_link));
    machine->engine = engine[0];
    for (int i = 0; i < 2; i++) {
        machine->parents[i] = parents[i][0];
        send_config(machine, parents[i][0]);
        (void)close(parents[i][1]);
    }
    (void)close(keys[0]);
    (void)close(keys[1]);
    (void)close(engine[1]);
}

/* The next frame from that machine's link. The frame lives until the next call. */
static const Wire__Frame *hear(const struct machine *machine)
{
    static uint8_t bytes[LIMIT_FRAME];
    static _Alignas(16) uint8_t room[8 * LIMIT_FRAME];
    struct arena scratch;
    arena_init(&scratch, room, sizeof(room));
    struct pollfd wait = { .fd = machine->engine, .events = POLLIN };
    int ready = poll(&wait, 1, DEADLINE_MS);
    CHECK(ready == 1);
    ssize_t size = recv(machine->engine, bytes, sizeof(bytes), 0);
    CHECK(size > 0);
    Wire__Frame *frame = NULL;
    struct slice given = slice_of(bytes, (size_t)size);
    struct result done = wire_decode(&wire__frame__descriptor, given, &scratch, &frame);
    CHECK(done.code == 0);
    return frame;
}

static bool say(const struct machine *from, const struct machine *to, uint64_t number, size_t size)
{
    static uint8_t payload[LIMIT_ENTRY];
    static uint8_t bytes[LIMIT_FRAME];
    CHECK(size >= sizeof(number));
    CHECK(size <= sizeof(payload));
    memcpy(payload, &number, sizeof(number));
    payload[size - 1] = (uint8_t)number;
    Wire__Identity peer = WIRE__IDENTITY__INIT;
    peer.kind = WIRE__KIND__KIND_CONTROLLER;
    peer.id = to->id;
    Wire__RaftFrame raft = WIRE__RAFT_FRAME__INIT;
    raft.message = (ProtobufCBinaryData){ .len = size, .data = payload };
    Wire__Frame frame = WIRE__FRAME__INIT;
    frame.format = FRAME_FORMAT;
    frame.peer = &peer;
    frame.body_case = WIRE__FRAME__BODY_RAFT;
    frame.raft = &raft;
    size_t used = 0;
    bool fits = wire_encode_into(&frame, bytes, sizeof(bytes), &used);
    CHECK(fits);
    return send(from->engine, bytes, used, MSG_DONTWAIT) == (ssize_t)used;
}

static void check(
    const struct machine *at, const struct machine *from, uint64_t number, size_t size)
{
    const Wire__Frame *frame = hear(at);
    CHECK(frame->body_case == WIRE__FRAME__BODY_RAFT);
    CHECK(frame->peer != NULL);
    CHECK(frame->peer->id == from->id); /* Stamped by link. INV-SEC-21 */
    CHECK(frame->raft->message.len == size);
    CHECK(frame->raft->message.data[size - 1] == (uint8_t)number);
    uint64_t heard = 0;
    memcpy(&heard, frame->raft->message.data, sizeof(heard));
    CHECK(heard == number);
}

static size_t size_of(uint64_t number, size_t fixed)
{
    static const size_t sizes[] = { 9, 100, 1000, 16000, 17000, 60000, LIMIT_ENTRY - 16, 300 };
    return fixed > 0 ? fixed : sizes[number % COUNT_OF(sizes)];
}

/* Frames one way, never more than `window` under way. Returns microseconds. */
static uint64_t stream(uint64_t frames, size_t fixed, uint64_t window, uint64_t *bytes_out)
{
    uint64_t sent = 0;
    uint64_t got = 0;
    uint64_t began = clock_boot_us();
    *bytes_out = 0;
    while (got < frames) {
        while (sent < frames && sent - got < window) {
            if (!say(&machines[0], &machines[1], sent, size_of(sent, fixed))) {
                break;
            }
            *bytes_out += size_of(sent, fixed);
            sent++;
        }
        CHECK(sent > got);
        check(&machines[1], &machines[0], got, size_of(got, fixed));
        got++;
    }
    return clock_boot_us() - began;
}

static int by_value(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;
    return left < right ? -1 : left > right;
}

static void end(void)
{
    for (uint32_t i = 0; i < MACHINES; i++) {
        char path[160];
        for (int child = 0; child < 2; child++) {
            (void)close(machines[i].parents[child]); /* Which ends it. */
            (void)waitpid(machines[i].children[child], NULL, 0);
        }
        (void)snprintf(path, sizeof(path), "%s/keyring", machines[i].data);
        (void)unlink(path);
        (void)rmdir(machines[i].data);
    }
    (void)rmdir(top);
}

int main(int argc, char **argv)
{
    CHECK(argc == 3);
    programs = argv[1];
    uint64_t frames = strtoull(argv[2], NULL, 10);
    arena_init(&arena, memory, sizeof(memory));
    char *made = mkdtemp(top);
    CHECK(made != NULL);
    int opened = chmod(top, 0755);
    CHECK(opened == 0);
    make_papers();
    for (uint32_t i = 0; i < MACHINES; i++) {
        listen_somewhere(&machines[i]);
    }
    for (uint32_t i = 0; i < MACHINES; i++) {
        start(&machines[i]);
    }
    for (uint32_t i = 0; i < MACHINES; i++) {
        const Wire__Frame *frame = hear(&machines[i]);
        CHECK(frame->body_case == WIRE__FRAME__BODY_LINK_STATE);
        CHECK(frame->link_state->up);
    }
    static uint64_t trips[TRIPS];
    for (uint64_t i = 0; i < TRIPS; i++) {
        uint64_t began = clock_boot_us();
        bool there = say(&machines[0], &machines[1], i, 200);
        CHECK(there);
        check(&machines[1], &machines[0], i, 200);
        bool back = say(&machines[1], &machines[0], i, 200);
        CHECK(back);
        check(&machines[0], &machines[1], i, 200);
        trips[i] = clock_boot_us() - began;
    }
    qsort(trips, TRIPS, sizeof(trips[0]), by_value);
    uint64_t small_bytes = 0;
    uint64_t mixed_bytes = 0;
    uint64_t small_us = stream(frames, 200, 256, &small_bytes);
    uint64_t mixed_us = stream(frames / 8 + 1, 0, 64, &mixed_bytes);
    (void)printf(
        "{\"bench\":\"link\",\"round_trip_p50_us\":%llu,\"round_trip_p99_us\":%llu,"
        "\"small_frames_per_second\":%llu,\"mixed_mib_per_second\":%llu}\n",
        (unsigned long long)trips[TRIPS / 2],
        (unsigned long long)trips[TRIPS * 99 / 100],
        (unsigned long long)(frames * 1000000U / (small_us + 1)),
        (unsigned long long)(mixed_bytes * 1000000U / (mixed_us + 1) / (1024U * 1024U)));
    end();
    return 0;
}
