/* Plays parent, link and one controller towards a node's `agent` and `host`, from a script on
 * standard input: what is ordered, and what is waited for. Only for tests/system/node_agent.sh.
 *
 *   node_drive AGENT HOST CELL DATA NAME=VALUE…
 *
 * Lines: link up|down | welcome TERM | empty TERM (a complete list of nothing)
 *        order TERM whole|part INSTANCE GENERATION run|stop|gone BOOTS KERNEL INITRD NET ADDRESS
 *        hello                         (waits for one)
 *        report INSTANCE STATE [GENERATION]   (waits until it is told, of this order or a later
 * one; STATE as in enum Observed, lower) quiet SECONDS INSTANCE STATE  (fails if it is told
 * meanwhile) console INSTANCE kill agent|host|both          (-9, and started again) */
#include "base/check.h"
#include "base/id.h"
#include "drive.h"
#include "isolation/network.h"

#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CONTROLLER = 1, VNI = 4100 };

static const char *agent_path;
static const char *host_path;
static uint16_t cell;
static const char *data;
static char **settings;
static int settings_count;
static struct drive_child agent;
static struct drive_child host;
static int as_link = -1;
static uint32_t repairs; /* Told so far. */

static const char *const states[] = { "unset", "running", "stopped", "gone", "failed", "starting" };

static void pair(int ends[2])
{
    CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
}

static void spawn_host(int agent_end)
{
    static const char *const peers[DRIVE_PEERS] = { "agent" };
    const int ends[DRIVE_PEERS] = { agent_end };
    drive_spawn_with(&host, host_path, peers, ends);
    drive_config(host.to_parent, cell, "", settings, settings_count);
    drive_await_ready(host.to_parent);
}

static void spawn_agent(int host_end)
{
    static const char *const peers[DRIVE_PEERS] = { "host", "link" };
    int link_ends[2];
    pair(link_ends);
    const int ends[DRIVE_PEERS] = { host_end, link_ends[1] };
    drive_spawn_with(&agent, agent_path, peers, ends);
    as_link = link_ends[0];
    drive_config(agent.to_parent, cell, data, settings, settings_count);
    drive_await_ready(agent.to_parent);
}

static void end(struct drive_child *child)
{
    (void)kill(child->pid, SIGKILL);
    (void)waitpid(child->pid, NULL, 0);
    (void)close(child->to_parent);
}

static void rejoin(struct drive_child *child, const char *name, int fd)
{
    Wire__Rejoin body = WIRE__REJOIN__INIT;
    Wire__Frame frame = WIRE__FRAME__INIT;
    body.program = name;
    frame.body_case = WIRE__FRAME__BODY_REJOIN;
    frame.rejoin = &body;
    drive_hand(child->to_parent, &frame, fd);
}

static void kill_one(const char *name)
{
    int ends[2];
    pair(ends);
    if (strcmp(name, "host") == 0) {
        end(&host);
        spawn_host(ends[0]);
        rejoin(&agent, "host", ends[1]);
    } else {
        bool both = strcmp(name, "both") == 0;
        end(&agent);
        (void)close(as_link);
        if (both) {
            end(&host);
            spawn_host(ends[0]);
        } else {
            rejoin(&host, "agent", ends[0]);
        }
        spawn_agent(ends[1]);
    }
    printf("killed %s\n", name);
}

static void from_controller(Wire__Frame *frame)
{
    Wire__Identity peer = WIRE__IDENTITY__INIT;
    peer.kind = WIRE__KIND__KIND_CONTROLLER;
    peer.id = id_make(cell, CONTROLLER);
    frame->peer = &peer;
    drive_say(as_link, frame);
    printf("sent %s\n", frame_name(frame->body_case));
}

static uint64_t object(const char *word)
{
    return id_make(cell, strtoull(word, NULL, 10));
}

static void order(char **words)
{
    static uint8_t kernel[32];
    static uint8_t initrd[32];
    static uint8_t mac[NETWORK_MAC_SIZE];
    Wire__NodeOrders orders = WIRE__NODE_ORDERS__INIT;
    Wire__Assignment line = WIRE__ASSIGNMENT__INIT;
    Wire__Assignment *lines[] = { &line };
    Wire__Segment segment = WIRE__SEGMENT__INIT;
    Wire__Segment *segments[] = { &segment };
    Wire__Nic nic = WIRE__NIC__INIT;
    Wire__Nic *nics[] = { &nic };
    Wire__Frame frame = WIRE__FRAME__INIT;
    orders.term = strtoull(words[1], NULL, 10);
    orders.whole = strcmp(words[2], "whole") == 0;
    orders.last = orders.whole;
    line.instance = object(words[3]);
    line.tenant = object("3");
    line.generation = strtoull(words[4], NULL, 10);
    line.epoch = 1;
    line.desired = words[5][0] == 'r'   ? WIRE__DESIRED__DESIRED_RUNNING
                   : words[5][0] == 's' ? WIRE__DESIRED__DESIRED_STOPPED
                                        : WIRE__DESIRED__DESIRED_GONE;
    line.force = true;
    line.boots = strtoull(words[6], NULL, 10);
    line.vcpus = 1;
    line.memory_bytes = UINT64_C(96) << 20;
    line.on_failure = WIRE__ON_FAILURE__ON_FAILURE_RESTART;
    line.max_attempts = 3;
    drive_digest(words[7], kernel);
    drive_digest(words[8], initrd);
    line.kernel_sha256 = (ProtobufCBinaryData){ sizeof(kernel), kernel };
    line.initramfs_sha256 = (ProtobufCBinaryData){ sizeof(initrd), initrd };
    nic.network = object(words[9]);
    CHECK(network_address_parse(words[10], &nic.address));
    nic.prefix = 24;
    network_mac(line.instance, 0, mac);
    nic.mac = (ProtobufCBinaryData){ sizeof(mac), mac };
    line.n_nics = 1;
    line.nics = nics;
    segment.network = nic.network;
    segment.tenant = line.tenant;
    segment.vni = VNI;
    segment.generation = line.generation;
    orders.n_assignments = 1;
    orders.assignments = lines;
    orders.n_segments = 1;
    orders.segments = segments;
    frame.body_case = WIRE__FRAME__BODY_NODE_ORDERS;
    frame.node_orders = &orders;
    from_controller(&frame);
}

/* True when this frame tells the instance's state. */
static bool tells(
    const Wire__Frame *frame, uint64_t instance, const char *state, uint64_t generation)
{
    Wire__NodeInstance **lines = NULL;
    size_t count = 0;
    if (frame->body_case == WIRE__FRAME__BODY_NODE_REPORT) {
        lines = frame->node_report->instances;
        count = frame->node_report->n_instances;
    } else if (frame->body_case == WIRE__FRAME__BODY_NODE_HELLO) {
        lines = frame->node_hello->known;
        count = frame->node_hello->n_known;
    }
    bool found = false;
    for (size_t i = 0; i < count; i++) {
        repairs += lines[i]->repairs;
        CHECK(lines[i]->observed < sizeof(states) / sizeof(states[0]));
        found = found || (lines[i]->instance == instance && lines[i]->generation >= generation &&
                          strcmp(states[lines[i]->observed], state) == 0);
    }
    return found;
}

static void await_report(const char *instance, const char *state, uint64_t generation)
{
    while (!tells(drive_hear(as_link), object(instance), state, generation)) {
    }
    printf("report instance=%s state=%s repairs=%u\n", instance, state, repairs);
}

static void await_body(Wire__Frame__BodyCase body)
{
    const Wire__Frame *frame = drive_hear(as_link);
    while (frame->body_case != body) {
        (void)tells(frame, 1, "", 0);
        frame = drive_hear(as_link);
    }
    if (body == WIRE__FRAME__BODY_NODE_HELLO) {
        printf(
            "hello vcpus=%" PRIu64 " images=%zu known=%zu virtualization=%s\n",
            frame->node_hello->vcpus,
            frame->node_hello->n_images,
            frame->node_hello->n_known,
            frame->node_hello->virtualization);
        return;
    }
    printf("console failure=%u ", frame->console_told->failure);
    for (size_t i = 0; i < frame->console_told->data.len; i++) {
        int c = frame->console_told->data.data[i];
        (void)putchar(c >= ' ' && c <= '~' ? c : '.');
    }
    printf("\n");
}

/* Renewals come every second: they are the clock. */
static void quiet(uint64_t seconds, const char *instance, const char *state)
{
    for (uint64_t renewals = 0; renewals < seconds;) {
        const Wire__Frame *frame = drive_hear(as_link);
        if (tells(frame, object(instance), state, 0)) {
            printf("told instance=%s state=%s\n", instance, state);
            return;
        }
        renewals += frame->body_case == WIRE__FRAME__BODY_NODE_RENEW ? 1 : 0;
    }
    printf("quiet\n");
}

static void say_number(char **words)
{
    Wire__Frame frame = WIRE__FRAME__INIT;
    Wire__LinkState link = WIRE__LINK_STATE__INIT;
    Wire__NodeWelcome welcome = WIRE__NODE_WELCOME__INIT;
    Wire__NodeOrders orders = WIRE__NODE_ORDERS__INIT;
    Wire__NodeConsoleAsk ask = WIRE__NODE_CONSOLE_ASK__INIT;
    if (strcmp(words[0], "link") == 0) {
        link.up = strcmp(words[1], "up") == 0;
        link.session = 1;
        frame.body_case = WIRE__FRAME__BODY_LINK_STATE;
        frame.link_state = &link;
    } else if (strcmp(words[0], "welcome") == 0) {
        welcome.term = strtoull(words[1], NULL, 10);
        frame.body_case = WIRE__FRAME__BODY_NODE_WELCOME;
        frame.node_welcome = &welcome;
    } else if (strcmp(words[0], "empty") == 0) {
        orders.term = strtoull(words[1], NULL, 10);
        orders.whole = true;
        orders.last = true;
        frame.body_case = WIRE__FRAME__BODY_NODE_ORDERS;
        frame.node_orders = &orders;
    } else if (strcmp(words[0], "console") == 0) {
        ask.handle = 1;
        ask.instance = object(words[1]);
        frame.body_case = WIRE__FRAME__BODY_CONSOLE_ASK;
        frame.console_ask = &ask;
    } else {
        drive_fail("word");
    }
    from_controller(&frame);
}

static void obey(char **words, int count)
{
    if (strcmp(words[0], "order") == 0 && count == 11) {
        order(words);
    } else if (strcmp(words[0], "report") == 0 && (count == 3 || count == 4)) {
        await_report(words[1], words[2], count == 4 ? strtoull(words[3], NULL, 10) : 0);
    } else if (strcmp(words[0], "quiet") == 0 && count == 4) {
        quiet(strtoull(words[1], NULL, 10), words[2], words[3]);
    } else if (strcmp(words[0], "hello") == 0) {
        await_body(WIRE__FRAME__BODY_NODE_HELLO);
    } else if (strcmp(words[0], "told-console") == 0) {
        await_body(WIRE__FRAME__BODY_CONSOLE_TOLD);
    } else if (strcmp(words[0], "kill") == 0 && count == 2) {
        kill_one(words[1]);
    } else if (count == 2) {
        say_number(words);
    } else {
        drive_fail("line");
    }
}

int main(int argc, char **argv)
{
    if (argc < 5) {
        return 2;
    }
    agent_path = argv[1];
    host_path = argv[2];
    cell = (uint16_t)strtoul(argv[3], NULL, 10);
    data = argv[4];
    settings = argv + 5;
    settings_count = argc - 5;
    int ends[2];
    pair(ends);
    spawn_host(ends[0]);
    spawn_agent(ends[1]);
    printf("ready\n");
    (void)fflush(stdout);
    char line[1024];
    char *words[DRIVE_WORDS];
    for (int count = drive_words(line, sizeof(line), words); count >= 0;
         count = drive_words(line, sizeof(line), words)) {
        if (count > 0) {
            obey(words, count);
            (void)fflush(stdout);
        }
    }
    (void)close(agent.to_parent); /* They end with their parent. */
    (void)close(host.to_parent);
    (void)waitpid(agent.pid, NULL, 0);
    (void)waitpid(host.pid, NULL, 0);
    return 0;
}
