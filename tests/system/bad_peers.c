/* A machine that says what no good one would, over TLS to a real link, with whatever papers it is
 * given. It decides nothing: it plays its words in order, asks for a welcome as a good node would,
 * and prints what came of it: `served`, `ended` (the other end closed, in the handshake or later)
 * or `silent`. Only for tests/system/bad_peers.sh.
 *
 *   bad_peers ADDRESS CA CERTIFICATE KEY CONTROLLER WORD...      (papers in PEM; none: without)
 *
 * Words: those of the table below, report:INSTANCE:GENERATION:EPOCH:STATE, and order, which renews
 * until an assignment comes and prints it. */
#include "base/check.h"
#include "base/id.h"
#include "base/limits.h"
#include "wire/frame.h"
#include "wire/wire.h"

#include <arpa/inet.h>
#include <gnutls/gnutls.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { PORT = 7443, SILENT_MS = 10000, RENEW_MS = 500, LENGTH_BYTES = 4, REPLAYS = 100 };

static gnutls_session_t tls;
static int descriptor;
static uint64_t controller;
static uint32_t expected; /* Welcomes that a good controller still owes us. */
static bool greeted;
static uint8_t digest[32] = { [31] = 1 };
static uint8_t out[2 * LIMIT_FRAME];
static uint8_t in[LIMIT_FRAME];
static _Alignas(16) uint8_t memory[8 * LIMIT_FRAME];

static _Noreturn void conclude(const char *word)
{
    printf("%s\n", word);
    exit(0);
}

static void put(const void *bytes, size_t size)
{
    const uint8_t *at = bytes;
    while (size > 0) {
        ssize_t sent = gnutls_record_send(tls, at, size);
        if (sent < 0 && gnutls_error_is_fatal((int)sent) == 0) {
            continue;
        }
        if (sent <= 0) {
            conclude("ended");
        }
        at += sent;
        size -= (size_t)sent;
    }
}

static void put_record(size_t length, const uint8_t *bytes, size_t size)
{
    uint8_t head[LENGTH_BYTES];
    for (uint32_t i = 0; i < LENGTH_BYTES; i++) {
        head[i] = (uint8_t)(length >> (24U - 8U * i));
    }
    put(head, sizeof(head));
    put(bytes, size);
}

static size_t encode(Wire__Frame *frame, uint64_t to)
{
    Wire__Identity peer = WIRE__IDENTITY__INIT;
    size_t size = 0;
    peer.kind = WIRE__KIND__KIND_CONTROLLER;
    peer.id = to;
    frame->format = 1;
    frame->peer = &peer;
    bool fits = wire_encode_into(frame, out, sizeof(out), &size);
    CHECK(fits);
    return size;
}

static void say(Wire__Frame *frame)
{
    size_t size = encode(frame, controller);
    put_record(size, out, size);
}

static Wire__NodeHello good_hello(void)
{
    static uint8_t boot[16] = { 1 };
    static ProtobufCBinaryData images[1] = { { sizeof(digest), digest } };
    Wire__NodeHello hello = WIRE__NODE_HELLO__INIT;
    hello.boot_id = (ProtobufCBinaryData){ sizeof(boot), boot };
    hello.vcpus = 16;
    hello.memory_bytes = UINT64_C(4) << 30;
    hello.virtualization = "tcg";
    hello.images = images;
    hello.n_images = 1;
    return hello;
}

static void say_hello(Wire__NodeHello *hello)
{
    Wire__Frame frame = WIRE__FRAME__INIT;
    frame.body_case = WIRE__FRAME__BODY_NODE_HELLO;
    frame.node_hello = hello;
    say(&frame);
    expected++;
    greeted = true;
}

static void say_renew(void)
{
    Wire__NodeRenew renew = WIRE__NODE_RENEW__INIT;
    Wire__Frame frame = WIRE__FRAME__INIT;
    frame.body_case = WIRE__FRAME__BODY_NODE_RENEW;
    frame.node_renew = &renew;
    renew.seq = 1;
    say(&frame);
    expected += greeted ? 0 : 1; /* Who renews before its hello is welcomed at once. */
    greeted = true;
}

static void say_report(const char *text)
{
    Wire__NodeInstance instance = WIRE__NODE_INSTANCE__INIT;
    Wire__NodeInstance *list[] = { &instance };
    Wire__NodeReport report = WIRE__NODE_REPORT__INIT;
    Wire__Frame frame = WIRE__FRAME__INIT;
    char id[ID_TEXT_SIZE];
    unsigned int state = 0;
    int read = sscanf(
        text,
        "%36[^:]:%" SCNu64 ":%" SCNu64 ":%u",
        id,
        &instance.generation,
        &instance.epoch,
        &state);
    bool valid = read == 4 && id_parse(ID_INSTANCE, id, &instance.instance);
    CHECK(valid);
    instance.observed = (Wire__Observed)state;
    instance.reason = "said by the test";
    report.instances = list;
    report.n_instances = 1;
    frame.body_case = WIRE__FRAME__BODY_NODE_REPORT;
    frame.node_report = &report;
    say(&frame);
}

/* What only a controller may say. */
static void say_as_controller(Wire__Frame__BodyCase body)
{
    Wire__Confirmed confirmed = WIRE__CONFIRMED__INIT;
    Wire__RaftFrame raft = WIRE__RAFT_FRAME__INIT;
    Wire__Standing standing = WIRE__STANDING__INIT;
    Wire__Ask ask = WIRE__ASK__INIT;
    Wire__Frame frame = WIRE__FRAME__INIT;
    confirmed.term = 1;
    raft.message = (ProtobufCBinaryData){ sizeof(digest), digest };
    standing.applied_index = UINT64_MAX;
    ask.handle = 1;
    frame.body_case = body;
    if (body == WIRE__FRAME__BODY_CONFIRMED) {
        frame.confirmed = &confirmed;
    } else if (body == WIRE__FRAME__BODY_RAFT) {
        frame.raft = &raft;
    } else if (body == WIRE__FRAME__BODY_STANDING) {
        frame.standing = &standing;
    } else {
        frame.forward = &ask;
    }
    say(&frame);
}

/* A good hello's frame, with what the word wants wrong about it. */
static void say_broken(const char *word)
{
    Wire__NodeHello hello = good_hello();
    Wire__Frame frame = WIRE__FRAME__INIT;
    frame.body_case = WIRE__FRAME__BODY_NODE_HELLO;
    frame.node_hello = &hello;
    size_t size = encode(&frame, controller);
    if (strcmp(word, "elsewhere") == 0) {
        size = encode(&frame, controller + 1);
    } else if (strcmp(word, "truncated") == 0) {
        size -= 3;
    } else if (strcmp(word, "trailing") == 0) {
        out[size++] = 0xff;
    } else if (strcmp(word, "twice") == 0) { /* Two frames in one record. */
        memcpy(out + size, out, size);
        size *= 2;
    } else if (strcmp(word, "body") == 0) { /* The envelope is good, the body is none. */
        memset(out + size - 40, 0xff, 40);
    } else if (strcmp(word, "noise") == 0) {
        for (size_t i = 0; i < size; i++) {
            out[i] = (uint8_t)(i * 151U + 7U);
        }
    } else if (strcmp(word, "half") == 0) { /* More is promised than ever comes. */
        put_record(size, out, size / 2);
        (void)shutdown(descriptor, SHUT_WR);
        return;
    } else {
        CHECK(false);
    }
    put_record(size, out, size);
}

/* Words of a good form whose values no good node would say. */
static void say_extreme(const char *word)
{
    static char text[4000];
    static ProtobufCBinaryData images[500];
    static const char *fallbacks[500];
    Wire__NodeHello hello = good_hello();
    memset(text, 'x', sizeof(text) - 1);
    if (strcmp(word, "greedy") == 0) {
        hello.vcpus = UINT64_MAX;
        hello.memory_bytes = UINT64_MAX;
    } else if (strcmp(word, "nothing") == 0) {
        hello = (Wire__NodeHello)WIRE__NODE_HELLO__INIT;
    } else if (strcmp(word, "wordy") == 0) {
        hello.virtualization = text;
    } else if (strcmp(word, "boot") == 0) {
        hello.boot_id.len = 15;
    } else if (strcmp(word, "images") == 0) {
        for (size_t i = 0; i < COUNT_OF(images); i++) {
            images[i] = (ProtobufCBinaryData){ i % 32, digest };
        }
        hello.images = images;
        hello.n_images = COUNT_OF(images);
    } else if (strcmp(word, "fallbacks") == 0) {
        for (size_t i = 0; i < COUNT_OF(fallbacks); i++) {
            fallbacks[i] = text + sizeof(text) - 200;
        }
        hello.fallbacks = fallbacks;
        hello.n_fallbacks = COUNT_OF(fallbacks);
    } else {
        CHECK(false);
    }
    say_hello(&hello);
}

/* Exactly `size` bytes; false: nothing for so long. */
static bool get(uint8_t *bytes, size_t size, int patience_ms)
{
    size_t got = 0;
    while (got < size) {
        struct pollfd wait = { .fd = descriptor, .events = POLLIN };
        if (gnutls_record_check_pending(tls) == 0 && poll(&wait, 1, patience_ms) == 0) {
            return false;
        }
        ssize_t read = gnutls_record_recv(tls, bytes + got, size - got);
        if (read < 0 && gnutls_error_is_fatal((int)read) == 0) {
            continue;
        }
        if (read <= 0) {
            conclude("ended");
        }
        got += (size_t)read;
    }
    return true;
}

/* The next frame; NULL: nothing for so long. It lives until the next call. */
static Wire__Frame *hear(int patience_ms)
{
    static struct arena arena;
    uint8_t head[LENGTH_BYTES];
    Wire__Frame *frame = NULL;
    if (!get(head, sizeof(head), patience_ms)) {
        return NULL;
    }
    size_t size =
        ((size_t)head[0] << 24) | ((size_t)head[1] << 16) | ((size_t)head[2] << 8) | head[3];
    CHECK(size <= sizeof(in));
    bool whole = get(in, size, SILENT_MS);
    CHECK(whole);
    arena_init(&arena, memory, sizeof(memory));
    struct result decoded =
        wire_decode(&wire__frame__descriptor, slice_of(in, size), &arena, &frame);
    CHECK(decoded.code == 0);
    expected -= frame->body_case == WIRE__FRAME__BODY_NODE_WELCOME && expected > 0 ? 1 : 0;
    return frame;
}

static void await_order(void)
{
    for (uint32_t turn = 0; turn < 200; turn++) {
        const Wire__Frame *frame = hear(RENEW_MS);
        if (frame == NULL) {
            say_renew();
        } else if (
            frame->body_case == WIRE__FRAME__BODY_NODE_ORDERS &&
            frame->node_orders->n_assignments > 0) {
            const Wire__Assignment *order = frame->node_orders->assignments[0];
            char id[ID_TEXT_SIZE];
            id_format(ID_INSTANCE, order->instance, id);
            printf("%s:%" PRIu64 ":%" PRIu64 "\n", id, order->generation, order->epoch);
            exit(0);
        }
    }
    conclude("silent");
}

static void play(const char *word)
{
    static const char *const broken[] = { "elsewhere", "truncated", "trailing", "twice",
                                          "body",      "noise",     "half" };
    for (size_t i = 0; i < COUNT_OF(broken); i++) {
        if (strcmp(word, broken[i]) == 0) {
            say_broken(word);
            return;
        }
    }
    if (strcmp(word, "hello") == 0) {
        Wire__NodeHello hello = good_hello();
        say_hello(&hello);
    } else if (strcmp(word, "replay") == 0) {
        for (uint32_t i = 0; i < REPLAYS; i++) {
            Wire__NodeHello hello = good_hello();
            say_hello(&hello);
        }
    } else if (strcmp(word, "renew") == 0) {
        say_renew();
    } else if (strcmp(word, "order") == 0) {
        await_order();
    } else if (strcmp(word, "zero") == 0) {
        put_record(0, out, 0);
    } else if (strcmp(word, "oversized") == 0) {
        memset(out, 0, LIMIT_FRAME + 1);
        put_record(LIMIT_FRAME + 1, out, LIMIT_FRAME + 1);
    } else if (strcmp(word, "raft") == 0) {
        say_as_controller(WIRE__FRAME__BODY_RAFT);
    } else if (strcmp(word, "confirmed") == 0) {
        say_as_controller(WIRE__FRAME__BODY_CONFIRMED);
    } else if (strcmp(word, "standing") == 0) {
        say_as_controller(WIRE__FRAME__BODY_STANDING);
    } else if (strcmp(word, "forward") == 0) {
        say_as_controller(WIRE__FRAME__BODY_FORWARD);
    } else if (strncmp(word, "report:", 7) == 0) {
        say_report(word + 7);
    } else {
        say_extreme(word);
    }
}

static void begin(char **argv)
{
    gnutls_certificate_credentials_t papers;
    struct sockaddr_in where = { .sin_family = AF_INET, .sin_port = htons(PORT) };
    descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0 || inet_pton(AF_INET, argv[1], &where.sin_addr) != 1 ||
        connect(descriptor, (struct sockaddr *)&where, sizeof(where)) != 0 ||
        gnutls_certificate_allocate_credentials(&papers) < 0 ||
        gnutls_certificate_set_x509_trust_file(papers, argv[2], GNUTLS_X509_FMT_PEM) < 1 ||
        (strcmp(argv[3], "none") != 0 &&
         gnutls_certificate_set_x509_key_file(papers, argv[3], argv[4], GNUTLS_X509_FMT_PEM) < 0) ||
        gnutls_init(&tls, GNUTLS_CLIENT) < 0 ||
        gnutls_priority_set_direct(tls, "NORMAL:-VERS-ALL:+VERS-TLS1.3", NULL) < 0 ||
        gnutls_credentials_set(tls, GNUTLS_CRD_CERTIFICATE, papers) < 0) {
        fprintf(stderr, "bad_peers: cannot begin\n");
        exit(1);
    }
    /* Whom we speak to is no question here, and the lab has no names. */
    gnutls_transport_set_int(tls, descriptor);
    int shaken = 0;
    do {
        shaken = gnutls_handshake(tls);
    } while (shaken < 0 && gnutls_error_is_fatal(shaken) == 0);
    if (shaken < 0) {
        conclude("ended");
    }
}

int main(int argc, char **argv)
{
    CHECK(argc > 5);
    (void)signal(SIGPIPE, SIG_IGN); /* A closed connection is one of the answers. */
    bool valid = id_parse(ID_CONTROLLER, argv[5], &controller);
    CHECK(valid);
    begin(argv);
    for (int i = 6; i < argc; i++) {
        play(argv[i]);
    }
    if (argc == 6 || strcmp(argv[argc - 1], "half") != 0) {
        play("hello");
    }
    while (expected > 0) {
        if (hear(SILENT_MS) == NULL) {
            conclude("silent");
        }
    }
    conclude("served");
}
