/* Decides what the doors have to know of revocations, and when. Never judges a certificate: the
 * doors do, and apply once more. INV-SEC-33: who was revoked is told to every door of this
 * controller in the turn in which it was applied. */
#include "controller/engine_doors.h"

#include "base/check.h"

enum {
    DIALS = LIMIT_CONTROLLERS * 4,  /* Members, and those that come and go. */
    MACHINES = LIMIT_NODES + DIALS, /* In one frame: some 70 KiB. */
    PART = 4096,                    /* Identities in one DOORS; the next adds to it. */
};
_Static_assert((MACHINES + DIALS * 2) * 24 < LIMIT_FRAME, "link's frame holds every machine");
_Static_assert(PART * 24 < LIMIT_FRAME, "a part fits a frame");

/* Where the identities of one frame lie: engine has one thread and sends before the next. */
static Wire__Identity identities[MACHINES];
static Wire__Identity *list[MACHINES];

void doors_ring(struct doors *doors)
{
    doors->link_due = true;
    doors->api_due = true;
}

void doors_opened(struct doors *doors, enum program other)
{
    doors->link_due = doors->link_due || other == PROGRAM_LINK;
    doors->api_due = doors->api_due || other == PROGRAM_API;
}

static size_t least_add(size_t count, Wire__Kind kind, uint64_t id, uint32_t epoch)
{
    CHECK(count < MACHINES);
    wire__identity__init(&identities[count]);
    identities[count].kind = kind;
    identities[count].id = id;
    identities[count].epoch = epoch;
    list[count] = &identities[count];
    return count + 1;
}

/* Only machines that were revoked: an epoch of zero is everybody's first. */
static size_t machines(const struct state *state)
{
    size_t count = 0;
    for (const struct node_row *row = state_first(state, TABLE_NODE);
         row != NULL && count < LIMIT_NODES;
         row = state_next(state, TABLE_NODE, row)) {
        if (row->epoch > 0) {
            count = least_add(count, WIRE__KIND__KIND_NODE, row->head.id, row->epoch);
        }
    }
    for (const struct controller_row *row = state_first(state, TABLE_CONTROLLER);
         row != NULL && count < MACHINES;
         row = state_next(state, TABLE_CONTROLLER, row)) {
        if (row->epoch > 0) {
            count = least_add(count, WIRE__KIND__KIND_CONTROLLER, row->head.id, row->epoch);
        }
    }
    return count;
}

struct address_book {
    Wire__PeerAddress addresses[DIALS];
    Wire__Identity identities[DIALS];
    Wire__PeerAddress *list[DIALS];
    size_t count;
    uint64_t self;
};

static void book_add(
    struct address_book *book, const struct state *state, uint64_t id, const char *address)
{
    const struct controller_row *row = state_find(state, TABLE_CONTROLLER, id);
    bool known = id == book->self || (row != NULL && row->leaving);
    for (size_t i = 0; i < book->count; i++) {
        known = known || book->identities[i].id == id;
    }
    if (known || book->count == DIALS) {
        return;
    }
    size_t at = book->count++;
    wire__identity__init(&book->identities[at]);
    book->identities[at].kind = WIRE__KIND__KIND_CONTROLLER;
    book->identities[at].id = id;
    wire__peer_address__init(&book->addresses[at]);
    book->addresses[at].identity = &book->identities[at];
    book->addresses[at].address = address;
    book->list[at] = &book->addresses[at];
}

/* The log's members too: after a cut of power the rows may be older than the members, and would
 * only grow by what the members tell. */
static void book_fill(
    struct address_book *book, const struct state *state, const struct replica_status *status)
{
    book->count = 0;
    for (const struct controller_row *row = state_first(state, TABLE_CONTROLLER); row != NULL;
         row = state_next(state, TABLE_CONTROLLER, row)) {
        book_add(book, state, row->head.id, row->link_address);
    }
    for (uint32_t i = 0; i < status->member_count; i++) {
        book_add(book, state, status->members[i].id, status->members[i].address);
    }
}

static void tell_link(
    struct doors *doors,
    const struct state *state,
    const struct replica_status *status,
    uint64_t self,
    doors_send *send,
    void *context)
{
    static struct address_book book;
    Wire__LinkPeers peers = WIRE__LINK_PEERS__INIT;
    book.self = self;
    book_fill(&book, state, status);
    peers.n_dial = book.count;
    if (!doors->link_due && peers.n_dial == doors->dialled) {
        return;
    }
    peers.dial = book.list;
    peers.n_least = machines(state);
    peers.least = list;
    if (peers.n_dial + peers.n_least == 0) {
        return; /* Rows are not there yet: link goes on with what CONFIG named. */
    }
    Wire__Frame frame = WIRE__FRAME__INIT;
    frame.body_case = WIRE__FRAME__BODY_LINK_PEERS;
    frame.link_peers = &peers;
    doors->link_due = !send(context, PROGRAM_LINK, &frame);
    doors->dialled = peers.n_dial;
}

static bool tell_part(size_t count, doors_send *send, void *context)
{
    Wire__Doors told = WIRE__DOORS__INIT;
    told.n_least = count;
    told.least = list;
    Wire__Frame frame = WIRE__FRAME__INIT;
    frame.body_case = WIRE__FRAME__BODY_DOORS;
    frame.doors = &told;
    return count == 0 || send(context, PROGRAM_API, &frame);
}

static void tell_api(
    struct doors *doors, const struct state *state, doors_send *send, void *context)
{
    if (!doors->api_due) {
        return;
    }
    bool sent = tell_part(machines(state), send, context);
    size_t count = 0;
    for (const struct user_row *row = state_first(state, TABLE_USER); row != NULL;
         row = state_next(state, TABLE_USER, row)) {
        if (row->epoch > 0) {
            count = least_add(count, WIRE__KIND__KIND_USER, row->head.id, row->epoch);
        }
        if (count == PART) {
            sent = sent && tell_part(count, send, context);
            count = 0;
        }
    }
    sent = sent && tell_part(count, send, context);
    doors->api_due = !sent;
}

void doors_tell(
    struct doors *doors,
    const struct state *state,
    const struct replica_status *status,
    uint64_t self,
    doors_send *send,
    void *context)
{
    tell_link(doors, state, status, self, send, context);
    tell_api(doors, state, send, context);
}
