/* What the files of the replica share. Nobody else includes it but their tests. */
#ifndef CONTROLLER_REPLICA_INNER_H
#define CONTROLLER_REPLICA_INNER_H

#include "base/prng.h"
#include "controller/journal.h"
#include "controller/replica.h"
#include "controller/replica_heap.h"
#include "controller/replica_rule.h"
#include "controller/replica_wire.h"

#include <raft.h>

enum {
    REPLICA_QUEUE = 256,  /* Completions of one turn: a few for each peer and entry. */
    REPLICA_PARCELS = 64, /* Votes and replies of one turn. */
    REPLICA_PARCEL = 128, /* Bytes; all of them are a few numbers. */
    REPLICA_CHAIN = 8,    /* Messages that one AppendEntries may become. */
    REPLICA_PEERS = 16,   /* Senders kept in mind, those of removed members included. */
    REPLICA_REOPENS = 4,  /* Of one turn; more means that the log itself upsets the library. */
    REPLICA_ARENA = 1024 * 1024,
    REPLICA_HEARD_MS = 4 * LIMIT_ELECTION_MS,   /* A voter silent for longer is missing. */
    REPLICA_STUCK_MS = 30 * 1000,               /* Rule 10's watchdog. */
    REPLICA_INSTALL_MS = 8 * LIMIT_ELECTION_MS, /* Before an offer of a snapshot is repeated. */
    REPLICA_RELIEF_MS = 1000,                   /* A full log asks again for a snapshot. */
};

enum replica_step { STEP_APPEND = 1, STEP_SEND, STEP_PUT, STEP_GET };

/* A callback that the library waits for. */
struct replica_completion {
    enum replica_step step;
    void *request;
    uint64_t bound; /* Of the success reply that the callback may cause. */
};

struct replica_parcel {
    uint64_t peer;
    size_t size;
    uint8_t bytes[REPLICA_PARCEL];
};

struct replica_submitted {
    struct raft_apply request; /* data: this struct's replica. */
    uint64_t ticket;           /* 0: free. */
    uint64_t index;
    uint64_t term;
};

/* One life of the library's object. Zeroed and dropped as a whole. */
struct replica_object {
    struct raft raft;
    struct raft_io io;
    struct raft_fsm fsm;
    raft_io_tick_cb tick;
    raft_io_recv_cb receive;
    struct replica_completion queue[REPLICA_QUEUE]; /* Ring. */
    uint32_t queue_front;
    uint32_t queue_count;
    struct journal_snapshot put; /* Manifest on the library's heap. */
    bool put_busy;
    unsigned int put_trailing;
    struct replica_submitted submitted[REPLICA_OUTSTANDING];
    struct raft_barrier barrier;
    bool barrier_busy;
    struct raft_change change;
    bool change_busy;
    struct raft_transfer transfer;
    bool transfer_busy;
    bool started;
    bool was_leader;
    bool settled;       /* Own barrier of this term applied. */
    bool reopen_wanted; /* Nothing more is given to this object. */
    bool behind;        /* The disk knows more than it: what was said leaves, then it goes. */
    uint64_t bound;     /* A success reply reports no index above this. */
};

struct replica_peer {
    uint64_t id; /* 0: free. */
    uint64_t heard_ms;
    uint64_t refusing_since_ms; /* Leader: it has only rejected since then; 0: no. */
    uint64_t term;              /* The highest that it was ever heard to have; 0: not heard. */
    uint64_t held;              /* The most committed entries that it was heard to hold. */
    uint64_t matched;           /* Leader: what it acknowledged, committed or not, */
    uint64_t matched_term;      /* in this term. */
    uint64_t votes_since;       /* It said that it is a voter, by members of this index. */
    bool answered;              /* It said what it knows of us since we started. */
};

struct replica {
    struct replica_conf conf; /* address points into the field below. */
    char address[LIMIT_ADDRESS];
    struct disk disk;
    struct replica_host host;
    struct journal_conf journal_conf;
    struct journal *journal; /* Owned. */
    struct replica_heap heap;
    struct replica_object object;
    struct prng prng;
    uint64_t now_ms;
    uint64_t applied_index; /* Of the host's state: never applied to it again. */
    uint64_t next_ticket;
    bool in_turn;
    bool halted;
    bool returning;                  /* Started, and takes no part yet. */
    uint64_t enough_ms;              /* When a majority had answered it; 0: not yet. */
    uint64_t stand_ms;               /* When the others last heard where we stand. */
    enum journal_class append_class; /* Of what the library appends next. */
    struct replica_parcel parcels[REPLICA_PARCELS];
    uint32_t parcel_count;
    uint64_t lost[2 * REPLICA_OUTSTANDING];
    uint32_t lost_count;
    struct replica_peer peers[REPLICA_PEERS];
    enum replica_role told_role;
    uint64_t told_term;
    uint64_t reopened;
    bool torn;
    uint32_t fill_after_snapshot;
    uint64_t relieved_ms;
    struct arena arena;              /* Owned memory. */
    struct replica_encoder *encoder; /* Owned. */
};

/* replica_io.c: the methods that the library calls. */
void replica_io_init(struct replica *replica);
/* Makes the library's snapshot from the journal's. */
struct raft_snapshot *replica_io_snapshot(struct replica *replica);
void replica_halt(struct replica *replica, struct result why);

/* replica_fsm.c */
void replica_fsm_init(struct replica *replica);
/* How soon the log should shrink, told to the library before anything is applied. */
void replica_snapshot_pace(struct replica *replica);

/* replica_relief.c: a log that is full and that no entry will shrink helps itself. */
void replica_relief(struct replica *replica);
/* The configuration that held at `index`, of the newest change at or below it. False: there is
 * none. */
bool replica_members_at(struct replica *replica, uint64_t index, struct journal_snapshot *snapshot);

/* replica_turn.c: a turn is begin, calls to the library, end. */
RESULT replica_object_open(struct replica *replica); /* Inside a turn. */
void replica_turn_begin(struct replica *replica, uint64_t now_ms);
void replica_turn_end(struct replica *replica);
/* False: nothing may be given to the library in this turn. */
bool replica_live(const struct replica *replica);
void replica_queue(struct replica *replica, enum replica_step step, void *request);
void replica_barrier_done(struct raft_barrier *request, int status);
/* Makes the snapshot that the library put durable. */
void replica_store_snapshot(struct replica *replica);
enum replica_role replica_role_now(const struct replica *replica);

void replica_submitted_done(struct raft_apply *request, int status, void *result);

/* replica_receive.c: what is done to a message before the library sees it. */
struct replica_peer *replica_peer_of(struct replica *replica, uint64_t id);
uint64_t replica_heard_ms(const struct replica *replica, uint64_t id);

/* replica_vote.c. True: voted; the request is not for the library. */
bool replica_vote_take(
    struct replica *replica, uint64_t candidate, const Wire__RaftMessage *message);
/* Before the library starts: who will lead without asking anybody does so in a new term. */
void replica_vote_alone(struct replica *replica);
/* Did the leader of this term vote for itself in it? */
bool replica_vote_own(const struct replica *replica);

/* replica_return.c: a replica that starts hears from the others that it is no older copy of itself
 * before it takes part. */
void replica_return_begin(struct replica *replica);
void replica_return_tick(struct replica *replica);
/* INV-LOG-10. True: the message is dealt with, and is not for the library. */
bool replica_return_take(struct replica *replica, uint64_t peer, const Wire__RaftMessage *message);
/* A follower of ours told how far it agrees with our log. */
void replica_return_matched(struct replica *replica, struct replica_peer *peer, uint64_t match);
/* A turn ends: more may be committed than when it began. */
void replica_return_committed(struct replica *replica);

/* replica_member.c: what the leader does about members at each tick. */
void replica_members_tick(struct replica *replica);

#endif
