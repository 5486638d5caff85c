/* Decides with which machines a connection is held: one each, the newer wins, of this cell, with an
 * epoch that was not revoked. Never looks into a frame.
 *
 * The happy path: accept or dial → TLS handshake → identity → LINK_STATE up → frames.
 * What can go wrong
 *   a stranger holds a handshake open → LINK_HANDSHAKE_MS; too many → we accept no more until one
 * ends the dialled machine is another than expected → close, try later both sides dial at once →
 * cannot be: of two controllers the lower id dials a certificate ends or is revoked while the
 * connection lives → close at the next second or word */
#include "base/check.h"
#include "host/address.h"
#include "host/clock.h"
#include "host/link.h"
#include "host/log.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PEER_SILENT_MS = 10000 }; /* TCP gives up a peer that acknowledges nothing for this long. */

static uint64_t peer_hash(Wire__Kind kind, uint64_t id)
{
    /* Ids are given by the cell: nobody can aim for collisions. */
    return (id ^ ((uint64_t)kind << 60)) * UINT64_C(0x9e3779b97f4a7c15);
}

struct link_connection *link_find(const struct link *link, Wire__Kind kind, uint64_t id)
{
    uint32_t at = 0;
    uint64_t hash = peer_hash(kind, id);
    for (uint64_t slot = index_seek(&link->by_peer, hash, &at); slot != 0;
         slot = index_more(&link->by_peer, hash, &at)) {
        struct link_connection *connection = link->connections[slot - 1];
        CHECK(connection != NULL);
        if (connection->identity.kind == kind && connection->identity.id == id) {
            return connection;
        }
    }
    return NULL;
}

bool link_epoch_is_good(const struct link *link, const struct x509_identity *identity)
{
    for (uint32_t i = 0; i < link->least_count; i++) {
        const struct x509_identity *least = &link->least[i];
        if (least->kind == identity->kind && least->id == identity->id) {
            return identity->epoch >= least->epoch; /* INV-SEC-28 */
        }
    }
    return true;
}

static void on_poll(uv_poll_t *poll, int status, int events);

void link_watch(struct link_connection *connection)
{
    bool writes = connection->state == LINK_CONNECTING ||
                  (connection->state == LINK_SHAKING && tls_wants_write(connection->tls)) ||
                  connection->out.from < connection->out.to;
    int events = UV_READABLE | (writes ? UV_WRITABLE : 0);
    if (events == connection->watched) {
        return; /* Each change is a system call. */
    }
    int failed = uv_poll_start(&connection->poll, events, on_poll);
    CHECK(failed == 0);
    connection->watched = events;
}

static void on_closed(uv_handle_t *handle)
{
    struct link_connection *connection = handle->data;
    struct link *link = connection->link;
    CHECK(link->connections[connection->slot] == connection);
    tls_session_close(connection->tls);
    (void)close(connection->fd); /* Nothing can be done about a failure. */
    link_buffers_free(connection);
    link->connections[connection->slot] = NULL;
    link->connections_count--;
    free(connection);
    link_accept(link); /* There is room again. */
}

void link_close(struct link_connection *connection, const char *why)
{
    struct link *link = connection->link;
    if (connection->state == LINK_CLOSING) {
        return;
    }
    bool was_open = connection->state == LINK_OPEN;
    if (!was_open) {
        CHECK(link->half_open > 0);
        link->half_open--;
    }
    connection->state = LINK_CLOSING;
    if (connection->dirty) {
        for (uint32_t i = 0; i < link->dirty_count; i++) {
            if (link->dirty[i] == connection) {
                link->dirty[i] = link->dirty[--link->dirty_count];
            }
        }
        connection->dirty = false;
    }
    if (connection->dial != NULL) {
        connection->dial->connection = NULL;
        /* One that a peer without an engine took and dropped has proved nothing. */
        if (was_open && clock_boot_us() >= connection->session + LINK_LASTED_US) {
            connection->dial->delay_ms = LINK_DIAL_MIN_MS;
        }
        connection->dial->next_ms = clock_boot_ms() + connection->dial->delay_ms;
    }
    if (was_open) {
        uint64_t hash = peer_hash(connection->identity.kind, connection->identity.id);
        index_drop(&link->by_peer, hash, connection->slot + 1U);
        link_tell_state(connection, false);
    }
    char uri[X509_URI_MAX] = "stranger";
    bool named = was_open && x509_uri_write(&connection->identity, uri);
    log_line(
        LOG_LEVEL_INFO,
        named ? "peer-down" : "handshake-end",
        "peer=%s session=%llu why=%s dropped=%llu",
        uri,
        (unsigned long long)connection->session,
        why,
        (unsigned long long)connection->dropped);
    (void)uv_poll_stop(&connection->poll); /* Cannot fail on an initialised handle. */
    uv_close((uv_handle_t *)&connection->poll, on_closed);
}

/* Who may be at the other end at all. */
static const char *refusal(const struct link_connection *connection)
{
    const struct link *link = connection->link;
    const struct x509_identity *who = &tls_facts(connection->tls)->identity;
    const Wire__Identity *self = link->child.config->self;
    if (who->kind == self->kind && who->id == self->id) {
        return "ourselves";
    }
    if (connection->dial != NULL && (who->kind != connection->dial->identity.kind ||
                                     who->id != connection->dial->identity.id)) {
        return "another-machine"; /* INV-SEC-29: who answers is who was called. */
    }
    if (self->kind == WIRE__KIND__KIND_NODE && who->kind != WIRE__KIND__KIND_CONTROLLER) {
        return "not-a-controller";
    }
    if (!link_epoch_is_good(link, who)) {
        return "revoked";
    }
    return link->child.to[link->above] == NULL ? "nobody-above" : NULL;
}

static enum reject reject_of(const struct link_connection *connection)
{
    const struct x509_identity *who = &tls_facts(connection->tls)->identity;
    return link_epoch_is_good(connection->link, who) ? REJECT_FOREIGN : REJECT_REVOKED;
}

/* Who came to us and was not let in is counted; a call of ours that failed is no refusal. */
static void turn_away(struct link_connection *connection, enum reject reject, bool proven)
{
    struct link *link = connection->link;
    if (connection->dial != NULL || link->above != PROGRAM_ENGINE) {
        return;
    }
    const struct x509_identity *who = proven ? &tls_facts(connection->tls)->identity : NULL;
    turned_away_note(
        &link->turned_away,
        "handshake",
        reject,
        who == NULL ? WIRE__KIND__KIND_UNSET : who->kind,
        who == NULL ? 0 : who->id);
}

static void become_open(struct link_connection *connection)
{
    struct link *link = connection->link;
    const char *refused = refusal(connection);
    if (refused != NULL) {
        if (connection->link->child.to[connection->link->above] != NULL) {
            turn_away(connection, reject_of(connection), true);
        }
        link_close(connection, refused);
        return;
    }
    const struct x509_facts *facts = tls_facts(connection->tls);
    struct link_connection *older = link_find(link, facts->identity.kind, facts->identity.id);
    if (older != NULL) {
        link_close(older, "newer-connection");
    }
    connection->identity = facts->identity;
    connection->late = tls_late(connection->tls);
    connection->until_seconds = facts->until_seconds + (connection->late ? X509_GRACE_SECONDS : 0);
    /* Above every number of this boot, an earlier link's too. */
    uint64_t now_us = clock_boot_us();
    link->last_session = link->last_session >= now_us ? link->last_session + 1 : now_us;
    connection->session = link->last_session;
    connection->state = LINK_OPEN;
    CHECK(link->half_open > 0);
    link->half_open--;
    index_put(
        &link->by_peer, peer_hash(facts->identity.kind, facts->identity.id), connection->slot + 1U);
    char uri[X509_URI_MAX];
    bool written = x509_uri_write(&connection->identity, uri);
    CHECK(written); /* It was read from one. */
    log_line(
        LOG_LEVEL_INFO,
        "peer-up",
        "peer=%s session=%llu%s",
        uri,
        (unsigned long long)connection->session,
        connection->late ? " only=renewal" : "");
    link_tell_state(connection, true);
    link_watch(connection);
    link_read(connection); /* What came with the handshake's last bytes. */
}

static void shake(struct link_connection *connection)
{
    if (connection->tls == NULL) { /* A dialled connection is there. */
        int error = 0;
        socklen_t size = sizeof(error);
        bool there =
            getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0;
        if (!there ||
            tls_session_open(connection->link->tls, false, connection->fd, &connection->tls).code !=
                0) {
            link_close(connection, "connect");
            return;
        }
        connection->state = LINK_SHAKING;
    }
    struct result shaken = tls_handshake(connection->tls);
    if (shaken.code == 0) {
        become_open(connection);
    } else if (shaken.code == FAILURE_BUSY) {
        link_watch(connection);
    } else {
        turn_away(
            connection,
            shaken.code == FAILURE_TIMEOUT ? REJECT_EXPIRED : REJECT_NO_CERTIFICATE,
            false);
        link_close(connection, result_name(shaken));
    }
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct link_connection *connection = poll->data;
    if (status < 0) {
        link_close(connection, "socket");
        return;
    }
    if (connection->state == LINK_CONNECTING || connection->state == LINK_SHAKING) {
        shake(connection);
        return;
    }
    if (connection->state == LINK_OPEN && (events & UV_WRITABLE) != 0) {
        link_write(connection);
    }
    if (connection->state == LINK_OPEN && (events & UV_READABLE) != 0) {
        link_read(connection);
    }
}

/* Small frames at once; a dead peer noticed in seconds. Failing to set one costs only time. */
static void tune(int fd)
{
    int one = 1;
    unsigned int silent = PEER_SILENT_MS;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &silent, sizeof(silent));
}

/* NULL: no room. The descriptor is closed then. */
static struct link_connection *begin(struct link *link, int fd, enum link_state state)
{
    uint32_t slot = 0;
    while (slot < LINK_CONNECTIONS_MAX && link->connections[slot] != NULL) {
        slot++;
    }
    struct link_connection *connection = calloc(1, sizeof(*connection));
    if (slot == LINK_CONNECTIONS_MAX || connection == NULL ||
        uv_poll_init(&link->child.loop, &connection->poll, fd) != 0) {
        free(connection);
        (void)close(fd);
        return NULL;
    }
    tune(fd);
    connection->poll.data = connection;
    connection->link = link;
    connection->slot = slot;
    connection->fd = fd;
    connection->state = state;
    connection->deadline_ms = clock_boot_ms() + LINK_HANDSHAKE_MS;
    link->connections[slot] = connection;
    link->connections_count++;
    link->half_open++;
    return connection;
}

static void on_listener(uv_poll_t *poll, int status, int events)
{
    struct link *link = poll->data;
    (void)status;
    (void)events;
    while (link->half_open < LINK_HALF_OPEN_MAX) {
        int fd = accept4(link->child.listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            return; /* Nobody more, or no descriptor left: those who wait stay in the kernel. */
        }
        struct link_connection *connection = begin(link, fd, LINK_SHAKING);
        if (connection == NULL) {
            return;
        }
        if (tls_session_open(link->tls, true, fd, &connection->tls).code != 0) {
            link_close(connection, "memory");
            return;
        }
        link_watch(connection);
    }
    (void)uv_poll_stop(poll); /* link_accept goes on when one of them ends. */
    link->listening = false;
}

void link_accept(struct link *link)
{
    if (link->child.listen_fd < 0 || link->listening || link->half_open >= LINK_HALF_OPEN_MAX) {
        return;
    }
    int failed = uv_poll_start(&link->listener, UV_READABLE, on_listener);
    CHECK(failed == 0);
    link->listener.data = link;
    link->listening = true;
}

void link_dial(struct link *link, struct link_dial *dial)
{
    CHECK(dial->connection == NULL);
    uint32_t doubled = dial->delay_ms * 2;
    dial->delay_ms = doubled > LINK_DIAL_MAX_MS ? LINK_DIAL_MAX_MS : doubled;
    dial->next_ms = clock_boot_ms() + dial->delay_ms;
    struct sockaddr_storage where;
    socklen_t size = 0;
    if (address_parse(dial->address, &where, &size).code != 0) {
        return; /* Said when it was named. */
    }
    int fd = socket(where.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return;
    }
    struct link_connection *connection = begin(link, fd, LINK_CONNECTING);
    if (connection == NULL) {
        return;
    }
    connection->dial = dial;
    dial->connection = connection;
    if (connect(fd, (struct sockaddr *)&where, size) != 0 && errno != EINPROGRESS) {
        link_close(connection, "connect");
        return;
    }
    link_watch(connection);
}

static void sweep(struct link *link, uint64_t now_ms, bool new_second)
{
    uint64_t wall_seconds = clock_wall_ms() / 1000U;
    for (uint32_t slot = 0; slot < LINK_CONNECTIONS_MAX; slot++) {
        struct link_connection *connection = link->connections[slot];
        if (connection == NULL || connection->state == LINK_CLOSING) {
            continue;
        }
        if (connection->state != LINK_OPEN && now_ms >= connection->deadline_ms) {
            turn_away(connection, REJECT_NO_CERTIFICATE, false);
            link_close(connection, "handshake-deadline");
        } else if (
            new_second && connection->state == LINK_OPEN &&
            wall_seconds > connection->until_seconds) {
            link_close(connection, "certificate-ended");
        }
    }
}

/* What was shown when these began let us renew and nothing else. */
static void begin_anew(struct link *link)
{
    link->own_late_renewed = false;
    for (uint32_t slot = 0; slot < LINK_CONNECTIONS_MAX; slot++) {
        struct link_connection *connection = link->connections[slot];
        if (connection != NULL && connection->dial != NULL) {
            link_close(connection, "renewed");
        }
    }
}

void link_papers(struct link *link, const Wire__Papers *papers)
{
    struct slice certificate = slice_of(papers->certificate.data, papers->certificate.len);
    struct result renewed = FAIL(FAILURE_BAD_INPUT);
    if (certificate.size > 0) {
        renewed = tls_context_renew(link->tls, certificate);
    }
    log_line(
        renewed.code == 0 ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR,
        "papers",
        "until=%llu outcome=%s",
        (unsigned long long)papers->until_seconds,
        result_name(renewed));
    if (renewed.code != 0) {
        return;
    }
    uint64_t before = link->own_until_seconds;
    link->own_late_renewed =
        before != 0 && before != papers->until_seconds && before < clock_wall_ms() / 1000U;
    link->own_until_seconds = papers->until_seconds;
}

void link_tick(struct link *link)
{
    uint64_t now_ms = clock_boot_ms();
    if (link->own_late_renewed) {
        begin_anew(link);
    }
    bool new_second = now_ms / 1000U != link->last_second;
    link->last_second = now_ms / 1000U;
    if (new_second) {
        turned_away_send(&link->turned_away, link->child.to[link->above]);
    }
    if (new_second || link->half_open > 0) {
        sweep(link, now_ms, new_second);
    }
    for (uint32_t i = 0; i < link->dials_count; i++) {
        struct link_dial *dial = &link->dials[i];
        bool above = link->child.to[link->above] != NULL;
        if (above && dial->wanted && dial->connection == NULL && now_ms >= dial->next_ms) {
            link_dial(link, dial);
        }
    }
}
