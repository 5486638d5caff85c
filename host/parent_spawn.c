/* Decides what a program is born with: its channel ends, its listener, an empty environment, and
 * CONFIG. Never what happens when it dies (parent_main.c). */
#include "base/check.h"
#include "base/id.h"
#include "base/limits.h"
#include "host/file.h"
#include "host/log.h"
#include "host/parent.h"
#include "host/x509.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    ARGUMENTS_MAX = 2 * PROGRAMS_END + 4,
    CHILD_PARENT_FD = 3,             /* Where a child finds its parent. */
    SOCKET_BUFFER = 8 * 1024 * 1024, /* Some sixty of the largest frames. */
};

/* A pair of SEQPACKET ends with large buffers. */
static RESULT make_pair(int ends[static 2])
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        return FAIL(FAILURE_IO);
    }
    int size = SOCKET_BUFFER;
    for (int i = 0; i < 2; i++) {
        if (setsockopt(ends[i], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) != 0) {
            /* Without the right to force it the kernel's maximum will do. */
            (void)setsockopt(ends[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
        }
    }
    return OK;
}

RESULT parent_join(struct parent *parent, struct parent_child *child)
{
    for (enum program other = PROGRAM_LINK; other < PROGRAMS_END; other++) {
        if (!parent_are_peers(parent->conf->kind, child->program, other) ||
            child->end[other] >= 0) {
            continue;
        }
        struct parent_child *peer = &parent->children[other];
        CHECK(peer->end[child->program] == -1); /* Both ends are made and dropped together. */
        int ends[2];
        TRY(make_pair(ends));
        child->end[other] = ends[0];
        peer->end[child->program] = ends[1];
    }
    return OK;
}

/* After fork: only what is safe there. */
static _Noreturn void become_program(
    const char *path, char *const arguments[], int parent_end, const int *keep, uint32_t keep_count)
{
    static char path_entry[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
    static char language[] = "LANG=C.UTF-8";
    char *const environment[] = { path_entry, language, NULL };
    sigset_t none;
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)setpgid(0, 0); /* Ctrl-C is for parent, which stops us in order. */
    bool good = dup2(parent_end, CHILD_PARENT_FD) == CHILD_PARENT_FD;
    for (uint32_t i = 0; i < keep_count; i++) {
        good = good && fcntl(keep[i], F_SETFD, 0) == 0;
    }
    if (good) {
        (void)execve(path, arguments, environment);
    }
    _exit(127);
}

struct birth {
    char texts[ARGUMENTS_MAX][32];
    char *arguments[ARGUMENTS_MAX];
    uint32_t count;
    int keep[PROGRAMS_END + 1];
    uint32_t keep_count;
};

static void argue(struct birth *birth, const char *name, int fd)
{
    CHECK(birth->count + 2 < ARGUMENTS_MAX);
    CHECK(fd > CHILD_PARENT_FD); /* parent keeps 3 taken for itself. */
    (void)snprintf(birth->texts[birth->count], 32, "--fd");
    birth->arguments[birth->count] = birth->texts[birth->count];
    birth->count++;
    (void)snprintf(birth->texts[birth->count], 32, "%s=%d", name, fd);
    birth->arguments[birth->count] = birth->texts[birth->count];
    birth->count++;
    birth->keep[birth->keep_count++] = fd;
}

RESULT parent_spawn(struct parent *parent, struct parent_child *child, int *fd_out)
{
    CHECK(child->channel == NULL);
    TRY(parent_join(parent, child));
    int ends[2];
    TRY(make_pair(ends));
    struct birth birth = { .count = 0 };
    char path[PATH_MAX];
    int used = snprintf(
        path, sizeof(path), "%s/udatsu-%s", parent->directory, program_name(child->program));
    CHECK(used > 0 && (size_t)used < sizeof(path));
    (void)snprintf(birth.texts[0], 32, "udatsu-%s", program_name(child->program));
    birth.arguments[birth.count] = birth.texts[0];
    birth.count++;
    for (enum program other = PROGRAM_LINK; other < PROGRAMS_END; other++) {
        if (child->end[other] >= 0) {
            argue(&birth, program_name(other), child->end[other]);
        }
    }
    if (child->listen_fd >= 0) {
        argue(&birth, "listen", child->listen_fd);
    }
    pid_t pid = fork();
    if (pid == 0) {
        become_program(path, birth.arguments, ends[1], birth.keep, birth.keep_count);
    }
    (void)close(ends[1]);
    if (pid < 0) {
        (void)close(ends[0]);
        return FAIL(FAILURE_NO_SPACE);
    }
    for (enum program other = PROGRAM_LINK; other < PROGRAMS_END; other++) {
        if (child->end[other] >= 0) {
            (void)close(child->end[other]); /* The child has its own. */
            child->end[other] = -1;
        }
    }
    child->pid = pid;
    *fd_out = ends[0];
    return OK;
}

/* What CONFIG points to while it is being encoded. */
struct papers {
    uint8_t certificate[X509_CERTIFICATE_MAX];
    uint8_t ca[X509_CERTIFICATE_MAX];
    char data[PATH_MAX];
    char uid[16];
    char gid[16];
    ProtobufCBinaryData chain[1];
    Wire__Setting settings[CONF_SETTINGS_MAX + 8];
    Wire__Setting *setting_list[CONF_SETTINGS_MAX + 8];
    size_t settings_count;
    Wire__Identity identities[CONF_PEERS_MAX];
    Wire__PeerAddress peers[CONF_PEERS_MAX];
    Wire__PeerAddress *peer_list[CONF_PEERS_MAX];
};

static void set(struct papers *papers, const char *name, const char *value)
{
    CHECK(papers->settings_count < COUNT_OF(papers->settings));
    if (value == NULL) {
        return;
    }
    Wire__Setting *setting = &papers->settings[papers->settings_count];
    wire__setting__init(setting);
    setting->name = name;
    setting->value = value;
    papers->setting_list[papers->settings_count++] = setting;
}

static RESULT read_public(struct parent *parent, struct papers *papers, Wire__Config *config)
{
    char path[PATH_MAX];
    size_t size = 0;
    (void)snprintf(path, sizeof(path), "%s/certificate.der", parent->conf->data);
    TRY(file_read(path, papers->certificate, sizeof(papers->certificate), &size));
    papers->chain[0] = (ProtobufCBinaryData){ .len = size, .data = papers->certificate };
    config->n_certificate = 1;
    config->certificate = papers->chain;
    (void)snprintf(path, sizeof(path), "%s/ca.der", parent->conf->data);
    TRY(file_read(path, papers->ca, sizeof(papers->ca), &size));
    config->ca = (ProtobufCBinaryData){ .len = size, .data = papers->ca };
    return OK;
}

static void add_settings(struct parent *parent, struct parent_child *child, struct papers *papers)
{
    const struct conf *conf = parent->conf;
    (void)snprintf(papers->uid, sizeof(papers->uid), "%u", (unsigned int)child->uid);
    (void)snprintf(papers->gid, sizeof(papers->gid), "%u", (unsigned int)child->gid);
    set(papers, "uid", papers->uid);
    set(papers, "gid", papers->gid);
    set(papers, "run", conf->run);
    set(papers, "underlay", conf->underlay);
    for (uint32_t i = 0; i < conf->settings_count; i++) {
        if (strcmp(conf->settings[i].program, program_name(child->program)) == 0) {
            set(papers, conf->settings[i].name, conf->settings[i].value);
        }
    }
}

static void add_peers(struct parent *parent, struct papers *papers, Wire__Config *config)
{
    for (uint32_t i = 0; i < parent->identity->controllers_count; i++) {
        const struct conf_peer *peer = &parent->identity->controllers[i];
        Wire__Identity *identity = &papers->identities[i];
        wire__identity__init(identity);
        identity->kind = WIRE__KIND__KIND_CONTROLLER;
        bool valid = id_parse(ID_CONTROLLER, peer->id, &identity->id);
        CHECK(valid); /* conf refused it otherwise. */
        wire__peer_address__init(&papers->peers[i]);
        papers->peers[i].identity = identity;
        papers->peers[i].address = peer->link;
        papers->peer_list[i] = &papers->peers[i];
    }
    config->n_peers = parent->identity->controllers_count;
    config->peers = papers->peer_list;
}

RESULT parent_configure(struct parent *parent, struct parent_child *child)
{
    static struct papers papers; /* Large, and used by one call at a time. */
    memset(&papers, 0, sizeof(papers));
    CHECK(child->channel != NULL);
    const struct conf *conf = parent->conf;
    const struct conf_identity *identity = parent->identity;
    Wire__Config config = WIRE__CONFIG__INIT;
    Wire__Identity self = WIRE__IDENTITY__INIT;
    bool controller = conf->kind == CONF_KIND_CONTROLLER;
    self.kind = controller ? WIRE__KIND__KIND_CONTROLLER : WIRE__KIND__KIND_NODE;
    if (!id_parse(controller ? ID_CONTROLLER : ID_NODE, identity->id, &self.id)) {
        return FAIL(FAILURE_BAD_INPUT); /* machine.yaml says one kind, identity.yaml another. */
    }
    config.cell = identity->cell;
    config.self = &self;
    config.name = conf->name;
    (void)snprintf(
        papers.data, sizeof(papers.data), "%s/%s", conf->data, program_name(child->program));
    config.data_directory = papers.data;
    config.first = identity->first && child->program == PROGRAM_ENGINE;
    if (child->program == PROGRAM_API || child->program == PROGRAM_LINK) {
        const char *listen = child->program == PROGRAM_API ? conf->api : conf->link;
        config.listen = listen == NULL ? "" : listen;
    }
    if (child->program == PROGRAM_ENGINE) { /* What it tells the others about itself. */
        set(&papers, "api-address", conf->api);
        set(&papers, "link-address", conf->link);
    }
    TRY(read_public(parent, &papers, &config));
    add_settings(parent, child, &papers);
    add_peers(parent, &papers, &config);
    config.n_settings = papers.settings_count;
    config.settings = papers.setting_list;
    Wire__Frame frame = WIRE__FRAME__INIT;
    frame.body_case = WIRE__FRAME__BODY_CONFIG;
    frame.config = &config;
    return channel_send(child->channel, &frame);
}
