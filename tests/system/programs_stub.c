/* Stands where engine, api, agent and host will stand, in tests of parent, link and keys: born,
 * confined and run by the same code as they; greets what it meets and logs what it hears. Which
 * program it is, is its name. Its setting "tongue" makes it say one thing that it may not. */
#include "base/check.h"
#include "host/child.h"
#include "host/log.h"
#include "wire/wire.h"

#include <string.h>

static enum program self_of(const char *name)
{
    const char *dash = strrchr(name, '-');
    for (enum program program = PROGRAM_LINK; program < PROGRAMS_END; program++) {
        if (dash != NULL && strcmp(dash + 1, program_name(program)) == 0) {
            return program;
        }
    }
    UNREACHABLE();
}

static void say(struct channel *channel, Wire__Frame *frame)
{
    struct result sent = channel_send(channel, frame);
    CHECK(sent.code == 0);
}

/* A frame of a kind that our rule forbids us, past the check of channel_send. */
static void say_forbidden(struct channel *channel)
{
    static const uint8_t head[] = { 0x08, 0x01 };
    static const uint8_t ready[] = { 0x5a, 0x00 }; /* READY is for parent only. */
    log_line(LOG_LEVEL_INFO, "stub-forbidden", "to=%s", program_name(channel_other(channel)));
    struct slice parts[2] = { slice_of(head, sizeof(head)), slice_of(ready, sizeof(ready)) };
    struct result sent = channel_send_parts(channel, parts[0], parts[1]);
    CHECK(sent.code == 0);
}

static void on_open(void *context, struct channel *channel)
{
    struct child *child = context;
    log_line(LOG_LEVEL_INFO, "stub-open", "peer=%s", program_name(channel_other(channel)));
    if (strcmp(child_setting(child, "tongue", ""), "forbidden") == 0 &&
        channel_other(channel) == PROGRAM_LINK) {
        say_forbidden(channel);
    }
    if (child->self == PROGRAM_ENGINE && channel_other(channel) == PROGRAM_LINK) {
        Wire__PeerAddress peer = WIRE__PEER_ADDRESS__INIT;
        Wire__Identity identity = WIRE__IDENTITY__INIT;
        identity.kind = WIRE__KIND__KIND_CONTROLLER;
        identity.id = UINT64_C(0x0001000000000007);
        peer.identity = &identity;
        peer.address = child_setting(child, "second", "127.0.0.1:1");
        Wire__PeerAddress *dial[1] = { &peer };
        Wire__LinkPeers peers = WIRE__LINK_PEERS__INIT;
        peers.n_dial = 1;
        peers.dial = dial;
        Wire__Identity revoked = WIRE__IDENTITY__INIT;
        revoked.kind = WIRE__KIND__KIND_NODE;
        revoked.id = UINT64_C(0x0001000000000009);
        revoked.epoch = 1; /* Its certificate says 0. */
        Wire__Identity *least[1] = { &revoked };
        peers.n_least = strcmp(child_setting(child, "revoke", ""), "node") == 0 ? 1 : 0;
        peers.least = least;
        Wire__Frame frame = WIRE__FRAME__INIT;
        frame.body_case = WIRE__FRAME__BODY_LINK_PEERS;
        frame.link_peers = &peers;
        say(channel, &frame);
    }
}

static void on_close(void *context, struct channel *channel)
{
    (void)context;
    log_line(LOG_LEVEL_INFO, "stub-close", "peer=%s", program_name(channel_other(channel)));
}

/* A greeting to whoever came up. */
static void greet(struct child *child, struct channel *link, const Wire__Identity *peer)
{
    Wire__Identity to = *peer;
    Wire__Frame frame = WIRE__FRAME__INIT;
    frame.peer = &to;
    Wire__Confirm confirm = WIRE__CONFIRM__INIT;
    Wire__NodeRenew renew = WIRE__NODE_RENEW__INIT;
    renew.seq = 1;
    confirm.nonce = 1;
    if (child->self == PROGRAM_AGENT) {
        frame.body_case = WIRE__FRAME__BODY_NODE_RENEW;
        frame.node_renew = &renew;
    } else if (peer->kind == WIRE__KIND__KIND_CONTROLLER) {
        frame.body_case = WIRE__FRAME__BODY_CONFIRM;
        frame.confirm = &confirm;
    } else {
        return;
    }
    say(link, &frame);
}

static void answer(struct channel *link, const Wire__Frame *heard)
{
    Wire__Identity to = *heard->peer;
    Wire__Frame frame = WIRE__FRAME__INIT;
    frame.peer = &to;
    Wire__Confirmed confirmed = WIRE__CONFIRMED__INIT;
    Wire__NodeWelcome welcome = WIRE__NODE_WELCOME__INIT;
    confirmed.yes = true;
    welcome.term = 1;
    if (heard->body_case == WIRE__FRAME__BODY_CONFIRM) {
        frame.body_case = WIRE__FRAME__BODY_CONFIRMED;
        frame.confirmed = &confirmed;
    } else {
        frame.body_case = WIRE__FRAME__BODY_NODE_WELCOME;
        frame.node_welcome = &welcome;
    }
    say(link, &frame);
}

static void on_frame(void *context, struct channel *channel, const Wire__Frame *frame)
{
    struct child *child = context;
    unsigned long long peer = frame->peer == NULL ? 0 : (unsigned long long)frame->peer->id;
    bool up = frame->body_case == WIRE__FRAME__BODY_LINK_STATE && frame->link_state->up;
    bool restart = frame->body_case == WIRE__FRAME__BODY_PROCESS_RESTARTED;
    log_line(
        LOG_LEVEL_INFO,
        "stub-heard",
        "from=%s body=%s peer=%012llx up=%d program=%s",
        program_name(channel_other(channel)),
        frame_name(frame->body_case),
        peer & 0xffffffffffffULL,
        up ? 1 : 0,
        restart ? frame->process_restarted->program : "-");
    if (up) {
        greet(child, channel, frame->peer);
    } else if (
        frame->body_case == WIRE__FRAME__BODY_CONFIRM ||
        frame->body_case == WIRE__FRAME__BODY_NODE_RENEW) {
        answer(channel, frame);
    }
}

int main(int argc, char **argv)
{
    static struct child child;
    child_start(&child, self_of(argv[0]), argc, argv);
    /* stdio: the channels. */
    struct sandbox sandbox = { .promises = PROMISE_STDIO };
    child_confine(&child, &sandbox);
    struct channel_hooks hooks = {
        .context = &child, .on_frame = on_frame, .on_close = on_close, .on_open = on_open
    };
    return child_run(&child, &hooks);
}
