/* Who asks: clients of tenants, the operator; what they ask, and what they were told. */
#ifndef TESTS_SIM_PLANE_PEOPLE_H
#define TESTS_SIM_PLANE_PEOPLE_H

#include "base/reject.h"
#include "quota/ledger.h"
#include "tests/sim/plane.h"

/* ---- plane_client.c, plane_request.c ---- */
enum plane_act {
    PLANE_ACT_IMAGE = 1,
    PLANE_ACT_TENANT,
    PLANE_ACT_USER,
    PLANE_ACT_TOKEN,
    PLANE_ACT_REMOVE,
    PLANE_ACT_QUOTA, /* machine: the cap of instances, 0: the floor; flag: the default project's. */
    PLANE_ACT_REVOKE, /* machine: the request that made the user. */
    PLANE_ACT_JOIN,
    PLANE_ACT_NETWORK,
    PLANE_ACT_NETWORK_DELETE,
    PLANE_ACT_CREATE,
    PLANE_ACT_START,
    PLANE_ACT_STOP,
    PLANE_ACT_REBOOT,
    PLANE_ACT_DELETE,
    PLANE_ACT_READ,
    PLANE_ACT_ODD,
};

enum plane_odd {
    PLANE_ODD_NAME_TAKEN = 1,
    PLANE_ODD_BAD_NAME,
    PLANE_ODD_BAD_FIELD,
    PLANE_ODD_DENIED,
    PLANE_ODD_NOT_FOUND,
    PLANE_ODD_OTHER_BODY,
    PLANE_ODD_TOKEN,
    PLANE_ODD_ELSEWHERE,
    PLANE_ODD_OLD_TAG,
    PLANE_ODD_NOTHING,
    PLANE_ODD_REVOKED,
    PLANE_ODD_FLOOR,
    PLANE_ODD_IMAGES,
    PLANE_ODD_NO_ROOM,
    PLANE_ODD_FOREIGN,
    PLANE_ODDS
};

enum plane_state { PLANE_OPEN = 1, PLANE_ACKNOWLEDGED = 2, PLANE_REFUSED = 3 };

struct plane_request {
    enum plane_act act;
    enum plane_state state;
    uint32_t client;
    uint32_t tenant;  /* Index. */
    uint32_t machine; /* TOKEN, JOIN: whose, */
    enum plane_odd odd;
    uint32_t life;    /* and how often it was made anew. */
    uint32_t object;  /* Request that created what this one is about; its own number for creates. */
    uint32_t network; /* CREATE: request that made its network; 0: none. */
    uint32_t vcpus;   /* CREATE; 0: of a story, and not known here. */
    uint64_t memory_bytes;
    uint32_t boots_most;        /* CREATE: then it has failed. */
    uint32_t prefix;            /* NETWORK; 0: likewise. */
    struct quota_amounts floor; /* TENANT, QUOTA that sets it. */
    bool flag;                  /* CREATE: stopped. STOP: force. */
    bool unsure;                /* An attempt's outcome is unknown. */
    bool ending;                /* A delete was asked for. */
    bool listed;                /* Among what its tenant's clients may choose. */
    uint32_t found;             /* Rows of this name, at the end. */
    uint64_t principal;
    uint64_t operation; /* Once acknowledged. */
    uint64_t resource;
    uint64_t index; /* Of the state that acknowledged it. */
    uint32_t reject;
    uint32_t attempts;
    uint32_t rerouted; /* How often its controller forwarded one to a second leader: nobody may ever
                        * hear what the first has said. */
    uint16_t answers[REJECTS_END]; /* To all attempts, by what they said. */
    char key[PLANE_KEY];
    char name[PLANE_NAME];
};

extern struct plane_request *plane_requests; /* Number 0 is none. */
extern uint32_t plane_requests_count;
extern const bool plane_people_known; /* Everybody who asks is in the list: not in a story. */

void plane_clients_begin(struct plane *plane);
void plane_client_event(struct plane *plane, const struct plane_event *event);
void plane_client_lost(struct plane *plane, uint32_t machine); /* Its api went away. */
/* A request of the story itself; runs until it is answered. */
struct plane_request *plane_ask(
    struct plane *plane, enum plane_act act, uint32_t tenant, uint32_t machine);
/* More reads at once than one tenant may have under way. */
void plane_client_flood(struct plane *plane);
/* The operator's; plane_operator_told hears of its end. False: another is under way. */
bool plane_ask_soon(struct plane *plane, enum plane_act act, uint32_t machine, uint32_t life);
bool plane_clients_idle(const struct plane *plane);
void plane_clients_busy(struct plane *plane, bool busy);
void plane_clients_end(struct plane *plane);
const char *plane_tenant_name(uint32_t tenant); /* Lives until the next call. */
void plane_clients_only(uint32_t machine);      /* The only controller that is asked from now on. */
void plane_client_ahead(void);                  /* Believes in a newer state than there is. */

uint32_t plane_request_new(struct plane *plane, enum plane_act act, uint32_t client);
/* Chooses and fills one; 0: nothing sensible to do now. */
uint32_t plane_request_choose(struct plane *plane, uint32_t client);
/* It exists, as far as is known: clients may choose it; or they may no more. */
void plane_request_list(struct plane *plane, uint32_t number, bool listed);
/* The same bytes at every attempt. Lives until the next call. */
const Wire__Request *plane_request_wire(
    const struct plane *plane, const struct plane_request *request, uint32_t attempt);
/* What a tenant may have of this from the beginning. */
uint64_t plane_cap(const struct plane *plane, enum quota_dimension dimension);
const char *plane_cidr(const struct plane_request *network); /* Lives until the next call. */
/* False: it must be asked again. */
bool plane_request_answered(
    struct plane *plane, struct plane_request *request, const Wire__Answer *answer);
/* Something of this client's that was acknowledged, or an instance that it may name; 0: none. */
uint32_t plane_request_done(struct plane *plane, uint32_t client, bool instance);
const char *plane_act_name(enum plane_act act);

/* ---- plane_odd.c ---- */
void plane_odd_begin(struct plane *plane);
uint32_t plane_odd_choose(struct plane *plane, uint32_t client);
bool plane_odd_fair(const struct plane_request *request, uint32_t reject);
const char *plane_odd_name(enum plane_odd odd);
void plane_odd_wire(
    const struct plane *plane, const struct plane_request *request, Wire__Request *out);
extern uint64_t plane_users[PLANE_CLIENTS]; /* Principal of each client. */
extern uint64_t plane_tenants[PLANE_TENANTS];
static inline uint32_t plane_tenant_of(const struct plane *plane, uint32_t client)
{
    return client % plane->conf.tenants;
}

/* ---- plane_floor.c ---- */
bool plane_sets_floor(const struct plane_request *request);
/* This is about to be asked: what floor it sets is drawn. */
void plane_floor_asked(struct plane *plane, struct plane_request *request);

/* ---- plane_operator.c ---- */
void plane_operator_event(struct plane *plane);
void plane_operator_told(struct plane *plane, const struct plane_request *request);
void plane_operator_wish(struct plane *plane);                   /* Some change of members. */
bool plane_operator_rejoins(struct plane *plane, uint32_t node); /* False: it is busy. */
bool plane_operator_busy(void);

#endif
