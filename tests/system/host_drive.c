/* Plays parent and agent towards the node's `host` program, from a script on standard input: one
 * verb a line, one line of answer for each thing host says. Only for tests/system/node_host.sh.
 *
 *   host_drive HOST CELL NAME=VALUE…      the settings that parent would hand over
 *
 * Lines: survey | observe | ensure NET VNI GENERATION [PEER…] | drop NET VNI
 *        start INSTANCE TENANT GENERATION EPOCH BOOTS KERNEL INITRD NET ADDRESS VNI
 *        stop INSTANCE ask|force | erase INSTANCE | console INSTANCE OFFSET
 *        await ended|up|down   (the next such event)
 *        restart               (kill -9 of host, and another one)
 * Numbers of objects are sequences of the cell; the prefix is always 24. */
#include "base/check.h"
#include "base/id.h"
#include "drive.h"
#include "isolation/network.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *host_path;
static uint16_t cell;
static const char *data = ""; /* NAME "data": host's own directory, none without it. */
static char **settings;
static int settings_count;
static pid_t host;
static int to_host = -1;   /* As agent. */
static int to_parent = -1; /* As parent. */
static uint64_t handle;

static void spawn(void)
{
    struct drive_child child = { 0 };
    int agent_end = drive_spawn(&child, host_path, "agent");
    drive_config(child.to_parent, cell, data, settings, settings_count);
    drive_await_ready(child.to_parent);
    host = child.pid;
    to_parent = child.to_parent;
    to_host = agent_end;
    printf("ready pid=%d\n", (int)host);
}

static uint64_t object(const char *word)
{
    return id_make(cell, strtoull(word, NULL, 10));
}

static void print_told(const Wire__VerbTold *told)
{
    printf("told failure=%u reason=%s", told->failure, told->reason);
    for (size_t i = 0; i < told->n_instances; i++) {
        const Wire__HostInstance *seen = told->instances[i];
        printf(
            " instance=%" PRIu64 ":%s:%" PRIu64 ":%" PRIu64 ":%" PRIu64,
            id_sequence(seen->instance),
            seen->running     ? "running"
            : seen->paused    ? "paused"
            : seen->leftovers ? "leftovers"
                              : "none",
            seen->generation,
            seen->epoch,
            seen->boots);
    }
    for (size_t i = 0; i < told->n_segments; i++) {
        const Wire__HostSegment *seen = told->segments[i];
        printf(
            " segment=%" PRIu64 ":%u:%" PRIu64,
            id_sequence(seen->network),
            seen->vni,
            seen->generation);
    }
    if (told->strangers > 0) {
        printf(" strangers=%u", told->strangers);
    }
    if (told->survey != NULL) {
        printf(
            " vcpus=%" PRIu64 " memory=%" PRIu64 " virtualization=%s images=%zu fallback=\"%s\"",
            told->survey->vcpus,
            told->survey->memory_bytes,
            told->survey->virtualization,
            told->survey->n_images,
            told->survey->n_fallbacks > 0 ? told->survey->fallbacks[0] : "");
    }
    if (told->console != NULL) {
        printf(" size=%" PRIu64 " console=", told->console->size);
        for (size_t i = 0; i < told->console->data.len; i++) {
            int c = told->console->data.data[i];
            (void)putchar(c >= ' ' && c <= '~' ? c : '.');
        }
    }
    printf("\n");
}

/* Events that come before the answer are kept in mind by `await`. */
static bool events[4]; /* down, up, ended */
static uint64_t ended_instance;
static uint32_t ended_why;

static void note_event(const Wire__HostEvent *event)
{
    if (event->event_case == WIRE__HOST_EVENT__EVENT_LIBVIRT_UP) {
        events[event->libvirt_up ? 1 : 0] = true;
    } else if (event->event_case == WIRE__HOST_EVENT__EVENT_ENDED) {
        events[2] = true;
        ended_instance = id_sequence(event->ended->instance);
        ended_why = event->ended->why;
    }
}

static void ask(Wire__Verb *verb)
{
    Wire__Frame frame = WIRE__FRAME__INIT;
    frame.body_case = WIRE__FRAME__BODY_VERB;
    frame.verb = verb;
    verb->handle = ++handle;
    drive_say(to_host, &frame);
    for (;;) {
        const Wire__Frame *answer = drive_hear(to_host);
        if (answer->body_case == WIRE__FRAME__BODY_HOST_EVENT) {
            note_event(answer->host_event);
        } else if (
            answer->body_case == WIRE__FRAME__BODY_VERB_TOLD &&
            answer->verb_told->handle == handle) {
            print_told(answer->verb_told);
            return;
        }
    }
}

static void await_event(const char *name)
{
    int which = strcmp(name, "ended") == 0 ? 2 : strcmp(name, "up") == 0 ? 1 : 0;
    while (!events[which]) {
        const Wire__Frame *frame = drive_hear(to_host);
        if (frame->body_case == WIRE__FRAME__BODY_HOST_EVENT) {
            note_event(frame->host_event);
        }
    }
    events[which] = false;
    printf("event %s", name);
    if (which == 2) {
        printf(" instance=%" PRIu64 " why=%u", ended_instance, ended_why);
    }
    printf("\n");
}

static void start(char **words, Wire__Verb *verb)
{
    static uint8_t kernel[32];
    static uint8_t initrd[32];
    static uint8_t mac[NETWORK_MAC_SIZE];
    Wire__Assignment order = WIRE__ASSIGNMENT__INIT;
    Wire__StartInstance body = WIRE__START_INSTANCE__INIT;
    Wire__Nic nic = WIRE__NIC__INIT;
    Wire__Nic *nics[] = { &nic };
    uint32_t vni = (uint32_t)strtoul(words[10], NULL, 10);
    order.instance = object(words[1]);
    order.tenant = object(words[2]);
    order.generation = strtoull(words[3], NULL, 10);
    order.epoch = strtoull(words[4], NULL, 10);
    order.boots = strtoull(words[5], NULL, 10);
    order.desired = WIRE__DESIRED__DESIRED_RUNNING;
    order.vcpus = 1;
    order.memory_bytes = UINT64_C(96) << 20;
    drive_digest(words[6], kernel);
    drive_digest(words[7], initrd);
    order.kernel_sha256 = (ProtobufCBinaryData){ sizeof(kernel), kernel };
    order.initramfs_sha256 = (ProtobufCBinaryData){ sizeof(initrd), initrd };
    nic.network = object(words[8]);
    CHECK(network_address_parse(words[9], &nic.address));
    nic.prefix = 24;
    network_mac(order.instance, 0, mac);
    nic.mac = (ProtobufCBinaryData){ sizeof(mac), mac };
    order.n_nics = 1;
    order.nics = nics;
    body.assignment = &order;
    body.n_vnis = 1;
    body.vnis = &vni;
    verb->verb_case = WIRE__VERB__VERB_START;
    verb->start = &body;
    ask(verb);
}

static void ensure(char **words, int count, Wire__Verb *verb)
{
    Wire__Segment segment = WIRE__SEGMENT__INIT;
    Wire__EnsureSegment body = WIRE__ENSURE_SEGMENT__INIT;
    const char *peers[DRIVE_WORDS];
    segment.network = object(words[1]);
    segment.tenant = object("1");
    segment.vni = (uint32_t)strtoul(words[2], NULL, 10);
    segment.generation = strtoull(words[3], NULL, 10);
    for (int i = 4; i < count; i++) {
        peers[segment.n_peers++] = words[i];
    }
    segment.peers = peers;
    body.segment = &segment;
    verb->verb_case = WIRE__VERB__VERB_ENSURE_SEGMENT;
    verb->ensure_segment = &body;
    ask(verb);
}

static void simple(char **words, Wire__Verb *verb)
{
    Wire__Observe observe = WIRE__OBSERVE__INIT;
    Wire__Survey survey = WIRE__SURVEY__INIT;
    Wire__DropSegment drop = WIRE__DROP_SEGMENT__INIT;
    Wire__StopInstance stop = WIRE__STOP_INSTANCE__INIT;
    Wire__EraseInstance erase = WIRE__ERASE_INSTANCE__INIT;
    Wire__ReadConsole console = WIRE__READ_CONSOLE__INIT;
    if (strcmp(words[0], "observe") == 0) {
        verb->verb_case = WIRE__VERB__VERB_OBSERVE;
        verb->observe = &observe;
    } else if (strcmp(words[0], "survey") == 0) {
        verb->verb_case = WIRE__VERB__VERB_SURVEY;
        verb->survey = &survey;
    } else if (strcmp(words[0], "drop") == 0) {
        drop.network = object(words[1]);
        drop.vni = (uint32_t)strtoul(words[2], NULL, 10);
        verb->verb_case = WIRE__VERB__VERB_DROP_SEGMENT;
        verb->drop_segment = &drop;
    } else if (strcmp(words[0], "stop") == 0) {
        stop.instance = object(words[1]);
        stop.force = strcmp(words[2], "force") == 0;
        verb->verb_case = WIRE__VERB__VERB_STOP;
        verb->stop = &stop;
    } else if (strcmp(words[0], "erase") == 0) {
        erase.instance = object(words[1]);
        verb->verb_case = WIRE__VERB__VERB_ERASE;
        verb->erase = &erase;
    } else if (strcmp(words[0], "console") == 0) {
        console.instance = object(words[1]);
        console.offset = strtoull(words[2], NULL, 10);
        verb->verb_case = WIRE__VERB__VERB_READ_CONSOLE;
        verb->read_console = &console;
    } else {
        drive_fail("word");
    }
    ask(verb);
}

static void obey(char **words, int count)
{
    Wire__Verb verb = WIRE__VERB__INIT;
    if (strcmp(words[0], "await") == 0 && count == 2) {
        await_event(words[1]);
    } else if (strcmp(words[0], "restart") == 0) {
        (void)kill(host, SIGKILL);
        (void)waitpid(host, NULL, 0);
        (void)close(to_host);
        (void)close(to_parent);
        memset(events, 0, sizeof(events));
        spawn();
    } else if (strcmp(words[0], "start") == 0 && count == 11) {
        start(words, &verb);
    } else if (strcmp(words[0], "ensure") == 0 && count >= 4) {
        ensure(words, count, &verb);
    } else {
        simple(words, &verb);
    }
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        return 2;
    }
    host_path = argv[1];
    cell = (uint16_t)strtoul(argv[2], NULL, 10);
    settings = argv + 3;
    settings_count = argc - 3;
    for (int i = 3; i < argc; i++) {
        data = strncmp(argv[i], "data=", 5) == 0 ? argv[i] + 5 : data;
    }
    spawn();
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
    (void)close(to_parent); /* host ends with its parent. */
    (void)waitpid(host, NULL, 0);
    return 0;
}
