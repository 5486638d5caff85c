/* The server of a simulated controller: what it is given when it is opened, and what becomes of its
 * wishes. Decides when keys are late or die, and which of its complaints are a violation; never
 * when it starts or ends (plane_controller.c). */
#include "base/check.h"
#include "base/id.h"
#include "controller/core/feature.h"
#include "tests/sim/plane_attempt.h"
#include "tests/sim/plane_check.h"
#include "tests/sim/plane_controller.h"
#include "tests/sim/plane_net.h"
#include "tests/sim/trial.h"
#include "wire/frame.h"

#include <string.h>

/* ---- What the server wants done ---- */

static void host_send(void *context, Wire__Frame *frame)
{
    struct plane_controller *self = context;
    if (!self->disk.dead && !self->dying) {
        if (frame->body_case == WIRE__FRAME__BODY_NODE_ORDERS) {
            plane_change_applied(engine_applied(server_engine(self->server)));
        }
        if (frame->body_case == WIRE__FRAME__BODY_FORWARD) {
            plane_attempt_forwarded(frame->forward->request);
        }
        plane_send(self->plane, self->machine, frame);
    }
}

static void host_answer(void *context, uint64_t handle, Wire__Answer *answer)
{
    struct plane_controller *self = context;
    if (!self->disk.dead && !self->dying) {
        plane_attempt_answer(self->plane, self->machine, handle, answer);
    }
}

static void host_keys(void *context, Wire__Frame *frame)
{
    struct plane_controller *self = context;
    if (self->disk.dead || plane_strikes(self->plane, PLANE_KEYS_DIED, 500)) {
        return;
    }
    bool late = plane_strikes(self->plane, PLANE_KEYS_LATE, 1000);
    uint64_t delay_ms = 1 + plane_below(self->plane, late ? 7000 : 20);
    frame->format = FRAME_FORMAT;
    plane_post(
        self->plane, delay_ms, PLANE_KEYS, self->machine, 0, 0, plane_encode(self->plane, frame));
}

static void host_event(void *context, const Wire__EventView *event)
{
    struct plane_controller *self = context;
    plane_hash(self->plane, event->index * 64 + event->part);
}

/* Somebody was revoked: this machine's link keeps no stream with him. */
static void host_ring(void *context)
{
    struct plane_controller *self = context;
    struct plane *plane = self->plane;
    for (uint32_t i = 0; i < PLANE_CONTROLLERS && self->server != NULL; i++) {
        const struct state *state = engine_state(server_engine(self->server));
        const struct controller_row *row =
            i == self->machine ? NULL : state_find(state, TABLE_CONTROLLER, plane->machines[i].id);
        if (row != NULL && row->epoch > 0) { /* Each joined with its first. */
            plane_refuse(plane, self->machine, i);
        }
    }
}

static void host_halt(void *context, const char *why)
{
    struct plane_controller *self = context;
    plane_trace(self->plane, "m%u halts: %s", self->machine, why);
    bool differs = strstr(why, "majority") != NULL;
    bool again = strstr(why, "writes again") != NULL;
    if (differs && !self->plane->lost) {
        plane_fail(self->plane, "DIVERGED m%u: %s", self->machine, why);
    }
    plane_lost_refused(self->plane, self->machine);
    if (again) {
        plane_seen(self->plane, PLANE_MIRROR_STARTED_OVER);
    } else if (
        !self->disk.dead && !self->disk.full && !self->hurt && !differs &&
        strcmp(why, result_name(FAIL(FAILURE_IO))) != 0) {
        plane_fail(self->plane, "HALT m%u: %s", self->machine, why);
    }
    self->dying = true;
}

/* What is given back stays, for its next life. */
static void *host_memory(void *context, void *old, size_t size)
{
    struct plane_controller *self = context;
    CHECK(old == NULL || old == self->memory.at);
    return size == 0 ? NULL : sim_pages_fresh(&self->memory, size);
}

/* ---- What it is given ---- */

static struct state_capacity capacity(const struct plane_conf *conf)
{
    return (struct state_capacity){ .rows = { [TABLE_CELL] = 1,
                                              [TABLE_CONTROLLER] = 64,
                                              [TABLE_NODE] = conf->nodes + 64, /* And wiped ones. */
                                              [TABLE_TENANT] = conf->tenants + 8,
                                              [TABLE_PROJECT] = conf->tenants + 8,
                                              [TABLE_USER] = conf->clients + 128,
                                              [TABLE_IMAGE] = PLANE_IMAGES,
                                              [TABLE_NETWORK] = conf->tenants * 8 + 64,
                                              [TABLE_INSTANCE] =
                                                  conf->tenants * (conf->instances + 8) + 64,
                                              [TABLE_OPERATION] = conf->requests + 1024,
                                              [TABLE_ALARM] = conf->nodes + 64,
                                              [TABLE_TOKEN] = conf->nodes + 512 } };
}

static void genesis_fill(const struct plane_controller *self, Wire__Genesis *genesis)
{
    CHECK(self->joined == 1);
    static uint8_t salt[48];
    memset(salt, 0x5a, sizeof(salt));
    wire__genesis__init(genesis);
    genesis->cell = PLANE_CELL;
    genesis->name = "plane";
    genesis->digest_salt = (ProtobufCBinaryData){ 32, salt };
    genesis->hash_key = (ProtobufCBinaryData){ 16, salt + 32 };
    genesis->controller = id_make(PLANE_CELL, 1);
    genesis->controller_name = "m0";
    genesis->api_address = self->address;
    genesis->link_address = self->address;
    genesis->first_operator = id_make(PLANE_CELL, 2);
    genesis->operator_name = "operator";
    genesis->reserve_percent = PLANE_RESERVE_PERCENT;
    genesis->vcpu_ratio = PLANE_VCPU_RATIO;
    genesis->idempotency_limit = self->plane->swarm.keys;
}

struct result plane_server_open(struct plane *plane, struct plane_controller *self)
{
    static uint8_t ca[4] = { 1, 2, 3, 4 };
    Wire__Genesis genesis;
    bool first = self->machine == 0 && self->joined == 1 && !self->empty;
    if (first) {
        genesis_fill(self, &genesis);
    }
    struct server_conf conf = {
        .engine = { .self = plane->machines[self->machine].id,
                    .cell = PLANE_CELL,
                    .genesis = first ? &genesis : NULL,
                    .capacity = capacity(&plane->conf),
                    .ca = { ca, sizeof(ca) },
                    .requests_per_second = plane->swarm.rate,
                    .placement = trial_placement(plane),
                    .feature_level = self->old_build ? FEATURE_FIRST : 0 },
        .replica = { .self = plane->machines[self->machine].id,
                     .address = self->address,
                     .seed = plane->seed * 1000 + plane->machines[self->machine].life * 8 +
                             self->machine,
                     .segment_bytes = 200 * 1024,
                     .segment_count = 4,
                     .snapshot_every = 48,
                     .snapshot_keep = 12 },
        .store_directory = self->rows,
        .snapshots_directory = self->snapshots,
        .mark = &self->mark,
    };
    const struct server_host host = { .context = self,
                                      .send = host_send,
                                      .answer = host_answer,
                                      .keys = host_keys,
                                      .event = host_event,
                                      .ring = host_ring,
                                      .halt = host_halt,
                                      .memory = host_memory };
    return server_open(
        &conf,
        sim_disk_disk(&self->disk),
        &host,
        plane_now(plane, self->machine),
        plane_wall(plane, self->machine),
        first,
        &self->server);
}
