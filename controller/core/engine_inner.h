/* The engine's own rooms, for the engine_*.c files only. */
#ifndef CONTROLLER_CORE_ENGINE_INNER_H
#define CONTROLLER_CORE_ENGINE_INNER_H

#include "audit/note.h"
#include "controller/core/engine.h"
#include "quota/rate.h"

/* What one ask may need at most of a step: its request decoded, the largest answer, its effects. */
enum { ENGINE_ROOM = 2 * 1024 * 1024, ENGINE_ROOM_EFFECTS = 1024, ENGINE_SPARE = 256 * 1024 };

enum { REFUSALS_POSTING = 32 };

/* Where an ask stands. */
enum ask_phase {
    ASK_FREE = 0,
    ASK_LEADERLESS, /* Waits up to LIMIT_NO_LEADER_MS for somebody to lead. */
    ASK_FORWARDED,  /* Another controller has it. */
    ASK_QUEUED,     /* Planned; goes into the next entry. */
    ASK_SUBMITTED,  /* In an entry. */
    ASK_READING,    /* Waits for a confirmed round that began after it came; or a refusal does. */
    ASK_WAITING,    /* An operation is waited for. */
    ASK_KEYS,       /* A certificate is being made. */
    ASK_CONSOLE,    /* A node reads its console log. */
};

enum { ENGINE_ALIKE = 4096 };

struct ask {
    enum ask_phase phase;
    uint64_t handle; /* The asker's. */
    uint64_t origin; /* 0: the local api; ourselves or a node: its renewal; else who forwarded. */
    uint64_t since_ms;
    uint64_t until_ms;
    uint64_t round;     /* READING: the round that must succeed. */
    uint64_t operation; /* WAITING. */
    uint64_t node;      /* QUEUED, SUBMITTED: the choice in flight; 0: none. CONSOLE: who reads. */
    struct choice choice; /* Why that node. */
    uint32_t vcpus;
    uint64_t memory_bytes;
    uint32_t replans;
    uint64_t serial;        /* Of this ask alone, on this machine. */
    uint32_t next;          /* In a queue: slot + 1. */
    Wire__Identity subject; /* KEYS: who is being certified. */
    uint32_t tenant;        /* Whose share it has: slot + 1 in its table; 0: nobody's. */
    bool reads;
    bool repeatable;     /* A read, or a write with its key: asked twice, it is done once. */
    bool unknown;        /* A leader that went away may have done it. */
    char request_id[64]; /* Cut to this; printed in answers and logs only. */
    uint32_t size;
    uint32_t id_from; /* Where the request id's field lies in the bytes, and where it ends. */
    uint32_t id_to;
    uint8_t digest[32]; /* QUEUED and later: of the request without its id. */
    bool digested;
};

struct ticket {
    uint64_t ticket; /* 0: free. */
    bool taken;
    uint32_t first;       /* Asks in order: slot + 1. */
    uint32_t words;       /* Commands of the plane that came before them. */
    uint32_t words_first; /* Where these stood in the list. */
};

/* A command of the plane itself, encoded. */
struct word {
    uint32_t size;
    uint8_t bytes[ENGINE_WORD_BYTES];
};

/* One instance is placed by a command. */
enum { ENGINE_ARRIVALS = LIMIT_COMMANDS_PER_ENTRY * LIMIT_INSTANCE_NETWORKS };

/* A network that a node had no member of. */
struct arrival {
    uint64_t network;
    uint64_t node;
};

struct node_soft {
    bool up;
    bool welcomed;
    bool heard_pending;  /* A NodeHeard is on its way. */
    uint32_t mismatches; /* Renewals in a row that disagreed about what is wanted. */
    bool resend;         /* Orders found no room: the whole list goes out with the next renewal. */
    Wire__NodeOrders *orders; /* Of the step at `orders_at`; never looked at in another. */
    uint64_t orders_at;
    uint64_t renewed_ms;
    uint64_t certify_ms;     /* When it last asked for a certificate; 0: never. */
    uint64_t conditioned_ms; /* When its conditions were last put into the log. */
    uint64_t judged_ms;      /* When it was last judged; 0: the row says what we see. */
    struct rate words;       /* What it may still put into the log. */
};

struct controller_soft {
    uint64_t id;
    bool up;
    bool standing; /* It has said where it stands. */
    uint64_t applied;
    uint64_t digest_index;
    uint64_t digest;
    uint64_t marks[ENGINE_MARKS]; /* Digests at the newest multiples of 256, newest first. */
    uint32_t marks_count;
    bool fit;
    bool poisoned;
    uint64_t wall_ms; /* At said_ms. */
    uint64_t wall_offset_ms;
    uint32_t feature_level;
    uint64_t said_ms;
};

/* What was refused here. Rows that are being posted stay until our own row says that they are
 * leaves, whoever leads: INV-AUD-5. */
struct refusals {
    struct fold fold;
    struct fold_row posting[REFUSALS_POSTING];
    uint32_t posting_count;
    uint64_t done; /* Our row's count when we last looked: posting[0] has the next serial. */
    uint64_t looked_ms;
    uint64_t sent_ms;
};

struct kept_event {
    uint64_t index;
    uint32_t part;
    uint64_t tenant;
    uint64_t at;
    Wire__Kind kind;
    uint64_t subject;
    char name[32];
    char reason[96];
};

/* What one tenant has at this controller. */
struct pace_tenant {
    struct rate rate;
    uint32_t asks; /* Under way. */
};

struct pace {
    struct rate *people;         /* By user table slot. */
    struct pace_tenant *tenants; /* By tenant table slot. */
    struct rate others[2];       /* Those who have no row. */
    bool by_person;
    bool by_tenant;
    struct rate_limit person_limit;
    struct rate_limit tenant_limit;
};

struct engine {
    struct state state;
    struct nodes nodes;
    struct engine_conf conf;
    uint8_t genesis[1024];
    size_t genesis_size;

    /* Now. */
    uint64_t now_ms;
    uint64_t wall_ms;
    struct effects *effects;

    /* Consensus as last told. */
    enum engine_role role;
    uint64_t term;
    uint64_t leader;
    uint64_t commit;
    uint64_t applied;
    bool fit;
    uint64_t poisoned; /* Nothing from this index on is applied; 0: no such entry. */
    struct engine_member members[LIMIT_CONTROLLERS];
    uint32_t members_count;
    uint64_t lead_base_ms; /* CLOCK_BOOTTIME when log time was lead_base_log. */
    uint64_t lead_base_log;
    uint64_t looked_at; /* The operation at which the search for old ones goes on. */
    bool greeted;       /* LeaderChanged of this term was proposed. */

    /* Asks. */
    struct ask asks[ENGINE_ASKS];
    uint8_t (*ask_bytes)[ENGINE_ASK_BYTES];
    struct pace pace;
    uint64_t asks_taken[ENGINE_ASKS / 64]; /* A bit for each slot. */
    uint64_t asks_serial;                  /* The last one given. */
    uint32_t asks_count;
    uint32_t waiting_count; /* Of them, WAITING. */
    uint32_t queue_first;
    uint32_t queue_last;
    struct ticket tickets[ENGINE_TICKETS];
    uint16_t alike[ENGINE_ALIKE];

    /* Words of the plane. */
    struct word *words;
    uint32_t words_first;
    uint32_t words_count;
    uint64_t words_dropped;

    /* Reads. */
    uint64_t round; /* The newest round begun. */
    bool round_open;
    uint64_t round_ms;
    uint32_t round_yes; /* Bit per member. */
    bool round_wanted;
    uint64_t round_done; /* The newest round that succeeded. */
    uint64_t fresh_ms;   /* All that the leader had applied then is applied here; 0: never yet. */
    uint64_t ahead_ms;   /* The leader said then that it had applied `ahead`, more than we. */
    uint64_t ahead;      /* 0: nothing is waited for. */
    bool more;           /* Something had no room in this step. */

    /* Machines. */
    struct node_soft *soft;                   /* By node table slot. */
    struct arrival arrivals[ENGINE_ARRIVALS]; /* Of the step under way. */
    uint32_t arrivals_count;
    uint64_t *spread_seen; /* A bit for each node's slot. */
    struct controller_soft others[LIMIT_CONTROLLERS * 2];

    uint64_t processes[PROGRAMS_END]; /* Of this machine: when each last started. */

    /* The leader's own work. */
    uint64_t kept_house_ms;
    uint64_t led_since_ms;
    bool note_pending;
    uint64_t note_since_ms;
    uint64_t note_size;
    char note_body[AUDIT_NOTE_BODY_MAX];
    struct refusals refusals;

    /* Events for clients that resume. */
    struct kept_event *events;
    uint64_t events_first; /* Count of events ever; the ring holds the last ENGINE_EVENTS. */
    uint64_t events_next;
    uint64_t events_floor; /* Index below which nothing is known. */

    uint64_t digests[ENGINE_DIGESTS];
    uint64_t digest_index[ENGINE_DIGESTS];
    bool diverged;
    uint64_t disputed_index; /* Newest index of which no majority can agree; 0: none. */
    uint64_t agreed_index;   /* Newest index of which a majority agrees. */
};

/* ---- engine.c ---- */
Wire__Frame *engine_frame(
    struct engine *engine, Wire__Kind kind, uint64_t peer, Wire__Frame__BodyCase body);
void *engine_take(struct engine *engine, size_t size); /* CHECKs: the arena is sized for a step. */
struct controller_soft *engine_other(struct engine *engine, uint64_t id);
bool engine_alone(const struct engine *engine); /* The only voter. */
struct view_live engine_live(struct engine *engine);

/* Is there room in this step for one more ask's answer? When not, the rest is done in the next step
 * (ENGINE_MORE), so that no number of asks overruns a step. */
bool engine_room(struct engine *engine);

/* ---- engine_pace.c ---- */
size_t pace_memory(const struct engine_conf *conf);
void pace_init(struct pace *pace, const struct engine_conf *conf, void *memory);
/* Before anything else is done for an ask. False: it must wait; the outcome says why. Whose share
 * it takes is told to pace_begin when it has a place, and to pace_end when that is free again. */
bool pace_take(
    struct engine *engine,
    const Wire__Request *request,
    struct outcome *outcome,
    uint32_t *tenant_out,
    uint32_t *retry_s_out);
void pace_begin(struct engine *engine, uint32_t tenant);
void pace_end(struct engine *engine, uint32_t tenant);

/* ---- engine_slots.c ---- */
void asks_init(struct engine *engine);
/* A place for one more, which the next asks_seat takes; false: all are taken. */
bool asks_room(const struct engine *engine, uint32_t *slot_out);
/* `ask`: all but its serial; its bytes are in the place already. */
struct ask *asks_seat(struct engine *engine, uint32_t slot, const struct ask *ask);
/* Those under way, by their places; NULL: no more. They may end while they are walked. */
struct ask_walk {
    uint32_t slot; /* Of the one that was found last. */
    uint32_t after;
    uint32_t left;
    bool begun;
};
struct ask *asks_next(struct engine *engine, struct ask_walk *walk);
/* What names it elsewhere, and whose it is while it is in this phase. INV-SEC-35 */
uint64_t asks_handle(const struct engine *engine, uint32_t slot);
bool asks_slot(
    const struct engine *engine, uint64_t handle, enum ask_phase phase, uint32_t *slot_out);
void asks_forget(struct engine *engine, uint32_t slot); /* Somebody else answers it. */
Wire__Request *asks_request(struct engine *engine, uint32_t slot);
/* How many asks under way have a digest that begins as this one's does. */
uint16_t *asks_alike(struct engine *engine, const struct ask *ask);

/* ---- engine_asks.c ---- */
bool asks_is_read(const Wire__Request *request);
void asks_arrive(struct engine *engine, Wire__Request *request, uint64_t handle, uint64_t origin);
/* From another controller, which takes this one for its leader. */
void asks_forwarded(struct engine *engine, const Wire__Ask *forward, uint64_t origin);
/* request: what the slot holds, decoded; NULL: not at hand. */
void asks_plan(struct engine *engine, uint32_t slot, Wire__Request *request);
/* Once more, by rows that a confirmed round showed to be fresh. */
void asks_plan_confirmed(struct engine *engine, uint32_t slot);
void asks_applied(
    struct engine *engine, uint64_t ticket, const struct outcome *outcomes, size_t count);
void asks_lost(struct engine *engine, uint64_t ticket);
void asks_submit(struct engine *engine);
void asks_submit_refused(struct engine *engine, uint64_t handle, struct result why);
void asks_follower(struct engine *engine); /* Leadership went: what was not proposed waits again. */
void asks_leading(struct engine *engine);  /* It came: what waited is planned. */
void asks_clock(struct engine *engine);
void asks_leave(struct engine *engine);
void asks_told_by_peer(struct engine *engine, const Wire__Told *told);
void asks_peer_gone(struct engine *engine, uint64_t peer);
void asks_console(struct engine *engine, uint64_t node, const Wire__NodeConsoleTold *told);
void asks_watch(struct engine *engine); /* Operations that are waited for may have ended. */
Wire__Answer *asks_answer_new(struct engine *engine, const Wire__Request *request);
/* The same, of what a slot holds: without decoding it. */
Wire__Answer *asks_answer_to(struct engine *engine, uint32_t slot);
/* Sends and frees the slot. */
void asks_answer(struct engine *engine, uint32_t slot, Wire__Answer *answer);
void asks_refuse(
    struct engine *engine, uint32_t slot, enum reject reject, const char *detail, uint32_t retry_s);
void asks_problem(struct engine *engine, Wire__Answer *answer, const struct outcome *outcome);
void asks_answer_operation(struct engine *engine, uint32_t slot, const struct outcome *outcome);

/* ---- engine_plan.c ---- */
void asks_queue(struct engine *engine, uint32_t slot);
void asks_land(struct engine *engine, struct ask *ask);
struct ticket *asks_ticket(struct engine *engine, uint64_t number); /* NULL: not ours. */

/* ---- engine_told.c ---- */
void asks_wait(struct engine *engine, uint32_t slot, const Wire__Request *request);
void asks_console_read(struct engine *engine, uint32_t slot, const Wire__Request *request);
void asks_audit(struct engine *engine, uint32_t slot, const Wire__Request *request);
void asks_events(struct engine *engine, uint32_t slot, const Wire__Request *request);

/* ---- engine_papers.c ---- */
void asks_certify(struct engine *engine, uint32_t slot, const struct outcome *outcome);
void asks_told_by_keys(struct engine *engine, const Wire__IssueTold *told);
void papers_node(
    struct engine *engine, uint64_t node, uint32_t epoch, const Wire__NodeCertify *certify);
void papers_own(struct engine *engine, const struct engine_event *event);
/* The answer to a machine's renewal; false: nobody's of that kind. */
bool papers_answer(
    struct engine *engine, uint64_t handle, uint64_t origin, const Wire__Answer *answer);

/* ---- engine_standing.c ---- */
void standing_applied(struct engine *engine); /* An entry was applied. */
void standing_said(struct engine *engine, uint64_t peer, const Wire__Standing *said);
void standing_tell(struct engine *engine, uint64_t peer);
/* How old what is applied here can be, at most; grows while no leader is heard. */
uint64_t standing_age_ms(struct engine *engine);
void standing_clock(struct engine *engine); /* Tells every controller that is linked. */
/* What a controller supports, and what its clock shows now; false: it has not said. */
bool standing_known(struct engine *engine, uint64_t id, uint32_t *level_out, uint64_t *wall_ms_out);
void standing_view(
    const void *context, struct arena *arena, uint64_t id, Wire__ControllerView *view);
const char *standing_hex(struct arena *arena, uint64_t digest); /* "": no room. */

/* ---- engine_reads.c ---- */
void reads_arrive(struct engine *engine, uint32_t slot);
void reads_turn(struct engine *engine);
void reads_more(struct engine *engine); /* Confirmed reads that had no room yet. */
void reads_confirm(struct engine *engine, uint64_t peer, const Wire__Confirm *confirm);
void reads_confirmed(struct engine *engine, uint64_t peer, const Wire__Confirmed *confirmed);
bool reads_may_be_stale(const Wire__Request *request);
void reads_stale(struct engine *engine, uint32_t slot);

/* ---- engine_nodes.c ---- */
void nodes_said(struct engine *engine, uint64_t node, uint32_t epoch, const Wire__Frame *frame);
void nodes_link(struct engine *engine, uint64_t node, bool up);
void nodes_clock(struct engine *engine);
void nodes_leading(struct engine *engine);
struct node_soft *nodes_soft(struct engine *engine, uint64_t node);
/* A word of this node may go into the log now; false: it has said too much, and says it again. */
bool nodes_may_say(struct engine *engine, uint64_t node);

/* ---- engine_orders.c ---- */
void nodes_assign(struct engine *engine, const struct effect *assign);
void nodes_assigned(struct engine *engine); /* After the last nodes_assign of a step. */
void nodes_send_whole(struct engine *engine, uint64_t node);

/* ---- engine_processes.c ---- */
void processes_told(struct engine *engine, const Wire__ProcessRestarted *process); /* Our parent. */
void processes_said(/* Another machine. */
                    struct engine *engine,
                    Wire__Kind kind,
                    uint64_t machine,
                    size_t count,
                    Wire__ProcessRestarted *const *list);
void processes_stand(struct engine *engine, Wire__Standing *standing);
void processes_clock(struct engine *engine); /* The leader's own. */

/* ---- engine_lead.c ---- */
void lead_word(struct engine *engine, const Wire__Command *command);
void lead_word_of(Wire__Command *command, Wire__Command__BodyCase body); /* Empty, of this kind. */
/* An entry came to nothing: its words are first in the list again. */
void lead_words_return(struct engine *engine, uint32_t first, uint32_t count);
void lead_begin(struct engine *engine);
void lead_clock(struct engine *engine);
void lead_note_told(struct engine *engine, const Wire__NoteTold *told);
void lead_event(struct engine *engine, const Wire__EventView *event, uint64_t tenant);
uint64_t lead_log_time(const struct engine *engine);
uint64_t lead_wall(const struct engine *engine); /* Bounded while we lead: INV-TIME-2. */

/* ---- engine_refusals.c ---- */
void refusals_note(struct engine *engine, const Wire__Request *request, enum reject reject);
void refusals_turned_away(struct engine *engine, uint32_t door, const Wire__TurnedAway *told);
void refusals_said(struct engine *engine, uint64_t peer, const Wire__Refusals *said);
void refusals_clock(struct engine *engine); /* Every role: what was refused here is posted. */

#endif
