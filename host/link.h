/* What link's files share: its peers, its connections, the way in and the way out. */
#ifndef HOST_LINK_H
#define HOST_LINK_H

#include "base/index.h"
#include "base/limits.h"
#include "host/child.h"
#include "host/tls.h"
#include "host/turned_away.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

enum {
    LINK_HALF_OPEN_MAX = 256, /* Strangers in a handshake at once; then we accept no more. */
    LINK_CONNECTIONS_MAX = LIMIT_NODES + LIMIT_CONTROLLERS + LINK_HALF_OPEN_MAX,
    LINK_DIALS_MAX = 2 * LIMIT_CONTROLLERS, /* Members, and those that come or go. */
    LINK_LEAST_MAX = LIMIT_REVOCATIONS,
    LINK_LENGTH_BYTES = 4, /* Big-endian size before each frame. */
    LINK_HANDSHAKE_MS = 5000,
    LINK_TICK_MS = 50,
    LINK_DIAL_MIN_MS = 50,
    LINK_DIAL_MAX_MS = 400,
    LINK_LASTED_US = 1000 * 1000, /* Shorter ones do not shorten the pause before the next. */
    LINK_READS_PER_TURN = 32,     /* Records from one peer before the next one's turn. */
    LINK_ROOM_MIN = 20 * 1024,
    LINK_QUEUE_NODE = 2 * 1024 * 1024,        /* Waiting for a slow node; then it is closed. */
    LINK_QUEUE_CONTROLLER = 32 * 1024 * 1024, /* A follower that catches up takes batches. */
};

/* CONNECTING → SHAKING → OPEN → CLOSING; any state may go to CLOSING. */
enum link_state {
    LINK_CONNECTING = 1, /* We dial; TCP is not there yet. */
    LINK_SHAKING = 2,
    LINK_OPEN = 3,
    LINK_CLOSING = 4,
};

/* Bytes used are [from, to) of a room that grows up to its limit. */
struct link_buffer {
    uint8_t *bytes; /* Owned. */
    size_t room;
    size_t from;
    size_t to;
};

struct link;
struct link_dial;

struct link_connection {
    uv_poll_t poll;
    struct link *link;
    uint32_t slot;
    int fd; /* Owned. */
    enum link_state state;
    struct tls_session *tls;
    struct link_dial *dial;        /* NULL: it came to us. */
    struct x509_identity identity; /* Once open. */
    uint64_t until_seconds;        /* End of its certificate. */
    uint64_t session;
    uint64_t deadline_ms; /* Of the handshake. */
    uint64_t dropped;     /* Renewals for which there was no room. */
    struct link_buffer in;
    struct link_buffer out;
    int watched; /* Events that the loop waits for. */
    bool dirty;  /* Has bytes for this turn's flush. */
    bool late;   /* Its certificate has ended: it renews and says nothing else. INV-SEC-32 */
};

struct link_dial {
    struct x509_identity identity;
    char address[LIMIT_ADDRESS];
    struct link_connection *connection; /* NULL: none now. */
    uint64_t next_ms;
    uint32_t delay_ms;
    bool wanted; /* Named by the last LINK_PEERS. */
};

struct link {
    struct child child;
    struct tls_context *tls;
    uint64_t own_until_seconds; /* End of our own certificate; 0: keys has not said. */
    bool own_late_renewed;      /* We got a new one after the old had ended: connect anew. */
    enum program above;         /* engine, or agent. */
    uv_poll_t listener;
    bool listening;
    uv_timer_t tick;
    uv_prepare_t prepare;
    uint64_t last_session;
    uint64_t last_second;
    uint32_t half_open;
    uint32_t connections_count;
    struct link_connection *connections[LINK_CONNECTIONS_MAX];
    struct index by_peer; /* Hash of (kind, id) → slot + 1, open ones. */
    void *by_peer_memory;
    struct link_dial dials[LINK_DIALS_MAX];
    uint32_t dials_count;
    struct x509_identity least[LINK_LEAST_MAX];
    uint32_t least_count;
    struct link_connection *dirty[LINK_CONNECTIONS_MAX];
    uint32_t dirty_count;
    struct turned_away turned_away; /* A controller's; a node's link only logs. */
};

/* link_peer.c: connections. */
void link_accept(struct link *link);
void link_dial(struct link *link, struct link_dial *dial);
struct link_connection *link_find(const struct link *link, Wire__Kind kind, uint64_t id);
void link_close(struct link_connection *connection, const char *why);
bool link_epoch_is_good(const struct link *link, const struct x509_identity *identity);
/* keys has a newer certificate for us: shown from the next connection on. */
void link_papers(struct link *link, const Wire__Papers *papers);
/* Deadlines, ends of certificates, dials that are due. */
void link_tick(struct link *link);

/* link_io.c: bytes. */
void link_read(struct link_connection *connection);
void link_flush(struct link *link);
void link_write(struct link_connection *connection);
/* FAILURE_FULL: no room. The frame goes out with this turn's others. */
RESULT link_put(struct link_connection *connection, struct slice frame);
void link_watch(struct link_connection *connection);
void link_buffers_free(struct link_connection *connection);

/* link_main.c: frames. False: the peer broke a rule, or nobody can take its frame. */
bool link_arrived(struct link_connection *connection, struct slice bytes);
void link_tell_state(struct link_connection *connection, bool up);

#endif
