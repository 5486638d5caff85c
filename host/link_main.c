/* udatsu-link: carries frames between the program above (engine on a controller, agent on a node)
 * and other machines. Stamps on each arriving frame who sent it, as the certificate says, and
 * refuses what such a machine may not say. Knows no business, opens no file, holds no key.
 *
 * The happy path: a frame from above, for a peer → the peer's connection, its bytes unchanged. A
 * frame from a peer → envelope, rule, stamp → above, its body untouched. What can go wrong no
 * connection to that peer → the frame is gone; who sent it resends from rows a peer's queue is full
 * → a renewal is dropped and counted; anything else closes the peer, so that a stream never has
 * holes in the middle the program above dies → every connection closes: both ends begin their
 * sessions anew keys dies → handshakes fail until it is back; open connections go on */
#include "base/check.h"
#include "base/id.h"
#include "host/address.h"
#include "host/link.h"
#include "host/log.h"
#include "wire/wire.h"

#include <stdlib.h>
#include <string.h>

enum { PEERS_MEMORY = 8 * LIMIT_FRAME };

void link_tell_state(struct link_connection *connection, bool up)
{
    struct link *link = connection->link;
    struct channel *above = link->child.to[link->above];
    if (above == NULL || connection->late) {
        return; /* Nobody talks with it: it only renews. */
    }
    Wire__Identity peer = WIRE__IDENTITY__INIT;
    peer.kind = connection->identity.kind;
    peer.id = connection->identity.id;
    peer.epoch = connection->identity.epoch;
    Wire__LinkState state = WIRE__LINK_STATE__INIT;
    state.up = up;
    state.session = connection->session;
    Wire__Frame frame = WIRE__FRAME__INIT;
    frame.peer = &peer;
    frame.body_case = WIRE__FRAME__BODY_LINK_STATE;
    frame.link_state = &state;
    if (channel_send(above, &frame).code != 0) {
        channel_close(above); /* It cannot miss this one: it begins anew, and so do we. */
    }
}

bool link_arrived(struct link_connection *connection, struct slice bytes)
{
    struct link *link = connection->link;
    const Wire__Identity *self = link->child.config->self;
    struct envelope envelope;
    const char *why = NULL;
    if (!envelope_read(bytes, &envelope)) {
        why = "not-a-frame";
    } else if (
        !envelope.has_peer || envelope.peer_kind != self->kind || envelope.peer_id != self->id) {
        why = "not-for-us";
    } else if (!frame_may_arrive(connection->identity.kind, link->above, envelope.body)) {
        why = "may-not-say"; /* INV-SEC-21 */
    }
    if (why != NULL) {
        char uri[X509_URI_MAX] = "?";
        bool written = x509_uri_write(&connection->identity, uri);
        CHECK(written); /* It was read from one. */
        log_line(LOG_LEVEL_ERROR, "peer-breach", "peer=%s what=%s", uri, why);
        return false;
    }
    if (connection->late && envelope.body != WIRE__FRAME__BODY_NODE_CERTIFY) {
        return true; /* INV-SEC-32: not heard; it need not know that its time is over. */
    }
    uint8_t head[ENVELOPE_HEAD_MAX];
    size_t size = envelope_head(
        connection->identity.kind, connection->identity.id, connection->identity.epoch, head);
    struct channel *above = link->child.to[link->above];
    if (above == NULL || size + envelope.rest.size > LIMIT_FRAME) {
        return false;
    }
    /* Full: the program above is far behind; this peer's stream must not have a hole. */
    return channel_send_parts(above, slice_of(head, size), envelope.rest).code == 0;
}

static void depart(struct link *link, const struct envelope *envelope, struct slice bytes)
{
    if (!envelope->has_peer) {
        return;
    }
    struct link_connection *connection = link_find(link, envelope->peer_kind, envelope->peer_id);
    if (connection == NULL || connection->state != LINK_OPEN ||
        (connection->late && envelope->body != WIRE__FRAME__BODY_NODE_CERTIFIED)) {
        return;
    }
    if (link_put(connection, bytes).code == 0) {
        return;
    }
    if (envelope->body == WIRE__FRAME__BODY_NODE_RENEW) {
        connection->dropped++; /* The next one says the same. */
        return;
    }
    link_close(connection, "slow");
}

static bool is_ours_to_dial(const struct link *link, const Wire__Identity *peer)
{
    const Wire__Identity *self = link->child.config->self;
    if (peer == NULL || peer->kind != WIRE__KIND__KIND_CONTROLLER ||
        id_cell(peer->id) != link->child.config->cell) {
        return false;
    }
    /* Of two controllers the lower dials: they never meet twice. */
    return self->kind == WIRE__KIND__KIND_NODE || self->id < peer->id;
}

static struct link_dial *dial_of(struct link *link, const Wire__Identity *peer)
{
    for (uint32_t i = 0; i < link->dials_count; i++) {
        if (link->dials[i].identity.id == peer->id) {
            return &link->dials[i];
        }
    }
    for (uint32_t i = 0; i < LINK_DIALS_MAX; i++) {
        if (i < link->dials_count && (link->dials[i].wanted || link->dials[i].connection != NULL)) {
            continue;
        }
        link->dials[i] = (struct link_dial){ .identity = { .kind = peer->kind, .id = peer->id },
                                             .delay_ms = LINK_DIAL_MIN_MS };
        link->dials_count += i == link->dials_count ? 1 : 0;
        return &link->dials[i];
    }
    return NULL;
}

static void want(struct link *link, const Wire__PeerAddress *peer)
{
    if (!is_ours_to_dial(link, peer->identity)) {
        return;
    }
    struct link_dial *dial = dial_of(link, peer->identity);
    struct sockaddr_storage where;
    socklen_t size = 0;
    if (dial == NULL || address_parse(peer->address, &where, &size).code != 0) {
        log_line(LOG_LEVEL_WARN, "peer-refused", "address=%s", log_text(peer->address));
        return;
    }
    dial->wanted = true;
    if (strcmp(dial->address, peer->address) != 0) {
        bool fits = text_copy(dial->address, sizeof(dial->address), slice_text(peer->address));
        CHECK(fits); /* It parsed. */
        dial->next_ms = 0;
    }
}

/* Epochs only rise: what an engine that came back from older rows does not name stays void. */
static void raise_least(struct link *link, const Wire__Identity *told)
{
    for (uint32_t i = 0; i < link->least_count; i++) {
        struct x509_identity *least = &link->least[i];
        if (least->kind == told->kind && least->id == told->id) {
            least->epoch = told->epoch > least->epoch ? told->epoch : least->epoch;
            return;
        }
    }
    if (link->least_count < LINK_LEAST_MAX) {
        link->least[link->least_count++] =
            (struct x509_identity){ .kind = told->kind, .id = told->id, .epoch = told->epoch };
    }
}

/* INV-SEC-33: open connections end too. */
static void set_least(struct link *link, const Wire__LinkPeers *peers)
{
    for (size_t i = 0; i < peers->n_least; i++) {
        raise_least(link, peers->least[i]);
    }
    for (uint32_t slot = 0; slot < LINK_CONNECTIONS_MAX; slot++) {
        struct link_connection *connection = link->connections[slot];
        if (connection != NULL && connection->state == LINK_OPEN &&
            !link_epoch_is_good(link, &connection->identity)) {
            link_close(connection, "revoked");
        }
    }
}

/* The whole list each time: whom it does not name is dialled no more. */
static void set_peers(struct link *link, struct slice bytes)
{
    static _Alignas(16) uint8_t memory[PEERS_MEMORY];
    struct arena arena;
    arena_init(&arena, memory, sizeof(memory));
    Wire__Frame *frame = NULL;
    if (wire_decode(&wire__frame__descriptor, bytes, &arena, &frame).code != 0) {
        log_line(LOG_LEVEL_ERROR, "peers-refused", "why=undecodable");
        return;
    }
    CHECK(frame->body_case == WIRE__FRAME__BODY_LINK_PEERS);
    for (uint32_t i = 0; i < link->dials_count; i++) {
        link->dials[i].wanted = false;
    }
    for (size_t i = 0; i < frame->link_peers->n_dial; i++) {
        want(link, frame->link_peers->dial[i]);
    }
    for (uint32_t i = 0; i < link->dials_count; i++) {
        struct link_dial *dial = &link->dials[i];
        if (!dial->wanted && dial->connection != NULL) {
            link_close(dial->connection, "not-wanted");
        }
    }
    set_least(link, frame->link_peers);
}

static void on_bytes(
    void *context, struct channel *channel, const struct envelope *envelope, struct slice bytes)
{
    struct link *link = context;
    (void)channel;
    if (envelope->body == WIRE__FRAME__BODY_LINK_PEERS) {
        set_peers(link, bytes);
    } else {
        depart(link, envelope, bytes);
    }
}

/* keys answers when asked (tls.c reads it there; a late answer is nobody's) and tells of newer
 * papers.
 */
static void on_frame(void *context, struct channel *channel, const Wire__Frame *frame)
{
    if (channel_other(channel) == PROGRAM_KEYS && frame->body_case == WIRE__FRAME__BODY_PAPERS) {
        link_papers(context, frame->papers);
    }
}

static void on_close(void *context, struct channel *channel)
{
    struct link *link = context;
    if (channel_other(channel) != link->above) {
        return;
    }
    for (uint32_t slot = 0; slot < LINK_CONNECTIONS_MAX; slot++) {
        if (link->connections[slot] != NULL) {
            link_close(link->connections[slot], "nobody-above");
        }
    }
}

/* A new program above knows of nobody: connections are made anew, and it hears of each. */
static void on_open(void *context, struct channel *channel)
{
    struct link *link = context;
    if (channel_other(channel) == link->above) {
        link_tick(link);
    }
}

static void on_tick(uv_timer_t *timer)
{
    link_tick(timer->data);
}

static void on_prepare(uv_prepare_t *prepare)
{
    link_flush(prepare->data);
}

static void begin(struct link *link)
{
    const Wire__Config *config = link->child.config;
    bool controller = config->self->kind == WIRE__KIND__KIND_CONTROLLER;
    link->above = controller ? PROGRAM_ENGINE : PROGRAM_AGENT;
    link->by_peer_memory = calloc(1, index_memory(LINK_CONNECTIONS_MAX));
    CHECK(link->by_peer_memory != NULL); /* At the start of a process. */
    index_init(&link->by_peer, link->by_peer_memory, LINK_CONNECTIONS_MAX);
    for (size_t i = 0; i < config->n_peers; i++) {
        want(link, config->peers[i]);
    }
    uv_loop_t *loop = &link->child.loop;
    int failed = uv_timer_init(loop, &link->tick);
    failed |= uv_timer_start(&link->tick, on_tick, LINK_TICK_MS, LINK_TICK_MS);
    failed |= uv_prepare_init(loop, &link->prepare);
    failed |= uv_prepare_start(&link->prepare, on_prepare);
    if (link->child.listen_fd >= 0) {
        failed |= uv_poll_init(loop, &link->listener, link->child.listen_fd);
    }
    CHECK(failed == 0);
    link->tick.data = link;
    link->prepare.data = link;
}

int main(int argc, char **argv)
{
    static struct link link;
    child_start(&link.child, PROGRAM_LINK, argc, argv);
    begin(&link);
    if (tls_context_open(&link.child, &link.tls).code != 0) {
        return 1;
    }
    /* stdio: channels and connections that are open.
     * accept: other machines at the listener that parent opened.
     * connect: the controllers that we dial. */
    struct sandbox sandbox = { .promises = PROMISE_STDIO | PROMISE_ACCEPT | PROMISE_CONNECT };
    child_confine(&link.child, &sandbox);
    link_accept(&link);
    struct channel_hooks hooks = {
        .context = &link,
        .on_frame = on_frame,
        .on_close = on_close,
        .on_open = on_open,
        .on_bytes = on_bytes,
    };
    return child_run(&link.child, &hooks);
}
