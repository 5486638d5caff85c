/* The recorder: clients of two tenants and one operator against all controllers of a cell. Decides
 * what is asked, by whom, of whom; writes down what was told. Never judges, never breaks anything:
 * whoever breaks the cell meanwhile is another process. */
#ifndef HISTORY_RECORD_H
#define HISTORY_RECORD_H

#include "base/prng.h"
#include "tests/bench/https.h"
#include "tests/history/history.h"

#include <jansson.h>

enum {
    RECORD_TENANTS = 2,
    RECORD_OPERATOR = RECORD_TENANTS, /* The third principal. */
    RECORD_PRINCIPALS,
    RECORD_ENDPOINTS = 7,
    RECORD_CLIENTS = 64,
    RECORD_INSTANCES = 12, /* Names of one tenant; a batch's answer holds them all. */
    RECORD_HOT = 2,        /* Of these: they may run. */
    RECORD_NETWORKS = 5,
    RECORD_PATH = 192,
    RECORD_BODY = 1024,
    RECORD_TEXT = 40,
    RECORD_TENANT = 40, /* Bytes of a tenant's name, with terminator … */
    RECORD_NAME = 24,   /* … and of one that an answer gives: both are one of the history. */
    RECORD_PAGE = 200,  /* Operations asked for at once. */
};

enum record_look {
    RECORD_ONE = 1,    /* One object: a write, or a read of it. */
    RECORD_ALL,        /* A list of a tenant's objects of one kind. */
    RECORD_OPERATIONS, /* A page of the list of operations. */
    RECORD_LEAVES,     /* A page of the leaves; at the end only. */
    RECORD_SUM,        /* An account and, in the same request, everything that it is charged for. */
};

/* What is asked. The same spec makes the same request, byte for byte. */
struct record_spec {
    enum record_look look;
    enum history_f f;
    enum history_kind kind;
    uint32_t tenant;
    uint32_t number; /* Of the object among those of its kind. */
    bool running;
    int32_t network; /* CREATE of an instance: a network that it is on; -1: none. */
    uint64_t value;
    uint64_t match;
    bool final;
    uint64_t after;         /* The last element of the pages before. */
    char page[RECORD_TEXT]; /* Token, or the first leaf. */
    char key[RECORD_TEXT];
};

enum record_stage { RECORD_DOWN = 1, RECORD_DIALING, RECORD_READY, RECORD_WAITING };

struct record_client {
    enum record_stage stage;
    uint32_t principal;
    uint32_t process; /* A new one after every request that nobody answered. */
    struct https_connection *connection;
    uint64_t deadline_ns; /* DIALING, WAITING: gives up. */
    uint64_t next_ns;     /* DOWN, READY: not before. */
    struct record_spec spec;
    uint32_t event;
    struct record_spec unsure; /* A write to be asked again, mostly one that nobody answered. */
    bool has_unsure;
    char page[RECORD_TEXT]; /* How far it read the list of operations. */
    uint64_t after;
};

/* One operation of the list at the end, to be found again in the leaves. */
struct record_operation {
    uint64_t id;
    uint64_t resource;
    char kind[RECORD_TEXT];
};

struct record {
    struct history history;
    struct prng prng;
    uint64_t seed;
    uint64_t start_ns;
    uint64_t end_ns;
    uint64_t pace_ns; /* Mean pause of a client. */
    const char *endpoints[RECORD_ENDPOINTS];
    uint32_t endpoints_count;
    const char *tenants[RECORD_TENANTS];
    const char *image;
    struct https_papers papers[RECORD_PRINCIPALS];
    struct https *https[RECORD_PRINCIPALS];
    struct record_client clients[RECORD_CLIENTS];
    uint32_t clients_count;
    uint32_t processes;
    uint32_t keys;
    uint64_t revisions[RECORD_TENANTS]; /* Of quotas, as last read by the operator. */
    /* The end. */
    bool ending;
    uint32_t final_at[RECORD_TENANTS];                   /* How far the final reads are. */
    struct record_operation *operations[RECORD_TENANTS]; /* Owned. */
    uint32_t operations_count[RECORD_TENANTS];
    uint32_t leaves_count[RECORD_TENANTS]; /* Of somebody, so far. */
};

enum { RECORD_OPERATIONS_MAX = 16384 };

/* record_choose.c */
void record_choose(
    struct record *record, struct record_client *client, struct record_spec *spec_out);
/* The next final read of the client's tenant; false: all were made. */
bool record_choose_final(
    struct record *record, const struct record_client *client, struct record_spec *spec_out);
struct record_text {
    const char *method;
    char path[RECORD_PATH];
    char body[RECORD_BODY]; /* "": none. */
    char match[RECORD_TEXT];
};
void record_request(
    const struct record *record, const struct record_spec *spec, struct record_text *text_out);
void record_object(
    const struct record *record,
    enum history_kind kind,
    uint32_t tenant,
    uint32_t number,
    char room[static HISTORY_NAME]);
uint32_t record_invoke(struct record *record, const struct record_spec *spec, uint32_t process);
bool record_writes(const struct record_spec *spec);

/* record_answer.c */
/* False: nobody knows what became of it. */
bool record_answer(
    struct record *record, struct record_client *client, const struct https_answer *answer);
/* It is not known what became of the request under way. */
void record_lost(struct record *record, struct record_client *client);
uint64_t record_id(const json_t *object, const char *key);
const char *record_text(const json_t *object, const char *key);

/* record_final.c */
void record_page(
    struct record *record,
    struct record_client *client,
    json_t *document,
    const struct history_told *told);
/* What is known only once everything was listed: which placement was whose. */
void record_placements(struct record *record);

#endif
