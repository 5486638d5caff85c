/* udatsu-engine: the process around server.c. Holds the data directory; has no Internet socket, no
 * key, and executes nothing.
 *
 * The happy path: frames from api, link and keys → server → at the end of the loop's turn one entry
 * is proposed → answers, frames and events leave.
 * What can go wrong: a channel closes (parent restarts its program and hands over a new one), the
 * disk fails or this replica's state differs (exit; parent starts us again, from disk), a channel
 * is full (frames to other machines are dropped: their senders repeat them; answers are dropped:
 * their askers retry with the same key). */
#include "base/check.h"
#include "controller/engine_doors.h"
#include "controller/engine_files.h"
#include "controller/engine_memory.h"
#include "controller/server.h"
#include "host/bus.h"
#include "host/channel_list.h"
#include "host/child.h"
#include "host/clock.h"
#include "host/log.h"
#include "host/renewal.h"
#include "wire/wire.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

struct engine_process {
    struct child child;
    struct server *server;
    struct bus *bus;
    struct renewal renewal;
    uint32_t epoch; /* Of our certificate. */
    uv_timer_t tick;
    uv_prepare_t turn;
    uv_work_t flush;
    struct store *flush_store;
    struct result flush_result;
    struct engine_files files;
    struct engine_memory memory;
    bool worked; /* Something came in since the last turn. */
    struct channel_list answers;
    uint8_t bell[2048]; /* The newest event of this turn, encoded. */
    size_t bell_size;
    struct doors doors;
    struct journal_fault fault; /* Of the log, once it was found damaged. */
};

static _Noreturn void die(const char *event, const char *why)
{
    log_line(LOG_LEVEL_ERROR, event, "why=%s", log_text(why));
    exit(1);
}

/* ---- What the server wants done ---- */

static void to(struct engine_process *self, enum program other, Wire__Frame *frame)
{
    struct channel *channel = self->child.to[other];
    if (channel == NULL) {
        return; /* It is being restarted. */
    }
    struct result sent = channel_send(channel, frame);
    if (sent.code != 0 && sent.code != FAILURE_FULL) {
        log_line(
            LOG_LEVEL_WARN,
            "channel-send",
            "to=%s frame=%s failure=%s",
            program_name(other),
            frame_name(frame->body_case),
            result_name(sent));
    }
}

static void on_send(void *context, Wire__Frame *frame)
{
    to(context, PROGRAM_LINK, frame);
}

static void answers_send(struct engine_process *self)
{
    struct channel *api = self->child.to[PROGRAM_API];
    if (api == NULL) { /* It is being restarted; who asked asks again. */
        self->answers.count = 0;
        self->answers.size = 0;
        return;
    }
    struct result sent = channel_list_send(&self->answers, api);
    if (sent.code != 0) {
        log_line(LOG_LEVEL_WARN, "channel-send", "to=api failure=%s", result_name(sent));
    }
}

static void on_answer(void *context, uint64_t handle, Wire__Answer *answer)
{
    struct engine_process *self = context;
    Wire__Told told = WIRE__TOLD__INIT;
    told.handle = handle;
    told.answer = answer;
    if (!channel_list_add(&self->answers, &told)) {
        answers_send(self);
        if (!channel_list_add(&self->answers, &told)) {
            log_line(LOG_LEVEL_WARN, "answer-too-large", "handle=%" PRIu64, handle);
        }
    }
}

static void on_keys(void *context, Wire__Frame *frame)
{
    to(context, PROGRAM_KEYS, frame);
}

static void adopt(struct engine_process *self, uint64_t handle, struct slice certificate)
{
    Wire__RenewAsk ask;
    if (renewal_certificate(&self->renewal, handle, certificate, &ask)) {
        Wire__Frame frame = WIRE__FRAME__INIT;
        frame.body_case = WIRE__FRAME__BODY_RENEW_ASK;
        frame.renew_ask = &ask;
        to(self, PROGRAM_KEYS, &frame);
    }
}

static void on_renewed(void *context, struct slice certificate)
{
    struct engine_process *self = context;
    adopt(self, self->renewal.handle, certificate);
}

static void on_event(void *context, const Wire__EventView *event)
{
    struct engine_process *self = context;
    (void)wire_encode_into(event, self->bell, sizeof(self->bell), &self->bell_size);
}

/* One message a turn: it carries the newest event, and whoever wants those before it asks. */
static void bell_ring(struct engine_process *self)
{
    if (self->bus != NULL && self->bell_size > 0) {
        struct result published = bus_publish(self->bus, slice_of(self->bell, self->bell_size));
        (void)published; /* Who missed it sees the gap in the indexes and asks. */
    }
    self->bell_size = 0;
}

/* Where the log is damaged, and what its owner does about it: a log that forgot something may have
 * forgotten a vote, so this identity never takes part again. */
static void tell_damage(const struct journal_fault *fault)
{
    if (fault->what != NULL) {
        log_line(
            LOG_LEVEL_ERROR,
            "log-damaged",
            "file=%s offset=%" PRIu64 " after_entry=%" PRIu64 " what=%s next=%s",
            log_text(fault->file[0] == '\0' ? "all" : fault->file),
            fault->offset,
            fault->index,
            log_text(fault->what),
            log_text("keep the directory as evidence; on another controller: udatsu controller "
                     "remove THIS, controller token NEW; here: controller join with an empty "
                     "directory"));
    }
}

static void on_halt(void *context, const char *why)
{
    const struct engine_process *self = context;
    engine_files_keep_mark(&self->files);
    tell_damage(&self->fault);
    die("engine-halt", why);
}

static void *on_memory(void *context, void *old, size_t size)
{
    struct engine_process *self = context;
    return engine_memory_take(&self->memory, old, size);
}

/* ---- Link and api hear of revocations ---- */

static bool on_doors(void *context, enum program other, Wire__Frame *frame)
{
    struct engine_process *self = context;
    return self->child.to[other] != NULL && channel_send(self->child.to[other], frame).code == 0;
}

static void doors_turn(struct engine_process *self)
{
    struct replica_status status;
    server_status(self->server, &status);
    doors_tell(
        &self->doors,
        engine_state(server_engine(self->server)),
        &status,
        self->child.config->self->id,
        on_doors,
        self);
}

static void on_ring(void *context)
{
    struct engine_process *self = context;
    doors_ring(&self->doors);
}

/* ---- Our own certificate ---- */

static void renewal_turn(struct engine_process *self)
{
    Wire__RenewAsk ask;
    uint64_t wall_s = clock_wall_ms() / 1000U;
    if (engine_may_renew(server_engine(self->server), renewal_late(&self->renewal, wall_s)) &&
        renewal_clock(&self->renewal, clock_boot_ms(), wall_s, &ask)) {
        Wire__Frame frame = WIRE__FRAME__INIT;
        frame.body_case = WIRE__FRAME__BODY_RENEW_ASK;
        frame.renew_ask = &ask;
        to(self, PROGRAM_KEYS, &frame);
    }
}

static void renewal_frame(
    struct engine_process *self, uint64_t now_ms, uint64_t wall_ms, const Wire__Frame *frame)
{
    if (frame->body_case == WIRE__FRAME__BODY_PAPERS) {
        renewal_papers(&self->renewal, frame->papers);
        self->epoch = frame->papers->epoch;
    } else if (renewal_told(&self->renewal, frame->renew_told)) {
        struct slice csr = slice_of(frame->renew_told->csr.data, frame->renew_told->csr.len);
        bool late = renewal_late(&self->renewal, wall_ms / 1000U);
        server_renew(self->server, now_ms, wall_ms, csr, self->epoch, late);
    }
}

/* ---- The loop ---- */

static void on_frame(void *context, struct channel *channel, const Wire__Frame *frame)
{
    struct engine_process *self = context;
    uint64_t now_ms = clock_boot_ms();
    uint64_t wall_ms = clock_wall_ms();
    self->worked = true;
    switch (channel_other(channel)) {
    case PROGRAM_API:
        if (frame->body_case == WIRE__FRAME__BODY_TURNED_AWAY) {
            server_turned_away(self->server, now_ms, wall_ms, DOOR_API, frame);
            return;
        }
        for (size_t i = 0; i < frame->asks->n_asks; i++) {
            if (frame->asks->asks[i]->request != NULL) {
                server_ask(self->server, now_ms, wall_ms, frame->asks->asks[i]);
            }
        }
        return;
    case PROGRAM_LINK:
        if (frame->body_case == WIRE__FRAME__BODY_TURNED_AWAY) {
            server_turned_away(self->server, now_ms, wall_ms, DOOR_LINK, frame);
            return;
        }
        if (frame->body_case == WIRE__FRAME__BODY_LINK_STATE) {
            if (frame->peer != NULL) {
                server_link(
                    self->server,
                    now_ms,
                    wall_ms,
                    frame->peer->kind,
                    frame->peer->id,
                    frame->link_state->up);
            }
            return;
        }
        server_frame(self->server, now_ms, wall_ms, frame);
        return;
    case PROGRAM_KEYS:
        if (frame->body_case == WIRE__FRAME__BODY_PAPERS ||
            frame->body_case == WIRE__FRAME__BODY_RENEW_TOLD) {
            renewal_frame(self, now_ms, wall_ms, frame);
            return;
        }
        server_keys(self->server, now_ms, wall_ms, frame);
        return;
    case PROGRAM_PARENT: /* Of restarts: told inside the machine, as keys' words are. */
        server_keys(self->server, now_ms, wall_ms, frame);
        return;
    case PROGRAM_ENGINE:
    case PROGRAM_AGENT:
    case PROGRAM_HOST:
    case PROGRAMS_END: return;
    }
}

static void on_close(void *context, struct channel *channel)
{
    (void)context;
    log_line(LOG_LEVEL_WARN, "channel-closed", "other=%s", program_name(channel_other(channel)));
}

static void on_open(void *context, struct channel *channel)
{
    struct engine_process *self = context;
    log_line(LOG_LEVEL_INFO, "channel-open", "other=%s", program_name(channel_other(channel)));
    doors_opened(&self->doors, channel_other(channel));
}

static void flush_work(uv_work_t *work)
{
    struct engine_process *self = work->data;
    self->flush_result = store_flush(self->flush_store);
}

static void flush_done(uv_work_t *work, int status)
{
    struct engine_process *self = work->data;
    (void)status;
    self->flush_store = NULL;
    server_flush_end(self->server, self->flush_result);
}

static void on_tick(uv_timer_t *timer)
{
    struct engine_process *self = timer->data;
    self->worked = true;
    server_tick(self->server, clock_boot_ms(), clock_wall_ms());
    renewal_turn(self);
    if (self->flush_store == NULL) {
        self->flush_store = server_flush_begin(self->server);
        if (self->flush_store != NULL) {
            self->flush.data = self;
            int queued = uv_queue_work(&self->child.loop, &self->flush, flush_work, flush_done);
            CHECK(queued == 0);
        }
    }
}

/* Before every poll: the turn's input is over, and what it made leaves. */
static void on_turn(uv_prepare_t *turn)
{
    struct engine_process *self = turn->data;
    if (self->worked) {
        self->worked = false;
        server_turn(self->server, clock_boot_ms(), clock_wall_ms());
    }
    doors_turn(self);
    answers_send(self);
    bell_ring(self);
}

/* ---- Birth ---- */

static uint64_t setting_number(const struct child *child, const char *name, uint64_t otherwise)
{
    const char *text = child_setting(child, name, "");
    char *end = NULL;
    uint64_t value = strtoull(text, &end, 10);
    return text[0] == '\0' || *end != '\0' ? otherwise : value;
}

static void random_bytes(uint8_t *room, size_t size)
{
    if (getrandom(room, size, 0) != (ssize_t)size) {
        die("engine-random", "getrandom");
    }
}

static void open_files(struct engine_process *self)
{
    const char *failed = engine_files_open(&self->files, self->child.config->data_directory);
    if (failed != NULL) {
        die("engine-data", failed);
    }
    const char *run = child_setting(&self->child, "run", "");
    if (run[0] == '\0') {
        return;
    }
    char path[ENGINE_PATH_SIZE];
    int size = snprintf(path, sizeof(path), "%s/bus/events", run);
    struct result opened = size > 0 && (size_t)size < sizeof(path)
                               ? bus_publish_open(path, &self->bus)
                               : FAIL(FAILURE_BAD_INPUT);
    if (opened.code != 0) {
        die("engine-bus", result_name(opened));
    }
}

static void genesis_fill(
    struct engine_process *self, Wire__Genesis *genesis, uint8_t random[static 48])
{
    const struct child *child = &self->child;
    random_bytes(random, 48);
    wire__genesis__init(genesis);
    genesis->cell = child->config->cell;
    genesis->name = child_setting(child, "cell-name", "lab");
    genesis->digest_salt.data = random;
    genesis->digest_salt.len = 32;
    genesis->hash_key.data = random + 32;
    genesis->hash_key.len = 16;
    genesis->controller = child->config->self->id;
    genesis->controller_name = child->config->name;
    genesis->api_address = child_setting(child, "api-address", "");
    genesis->link_address = child_setting(child, "link-address", "");
    genesis->first_operator = id_make((uint16_t)child->config->cell, 2);
    genesis->operator_name = child_setting(child, "operator-name", "operator");
    genesis->reserve_percent = setting_number(child, "reserve-percent", 10);
    genesis->vcpu_ratio = (uint32_t)setting_number(child, "vcpu-ratio", 4);
    genesis->idempotency_limit = (uint32_t)setting_number(child, "idempotency-limit", 0);
}

static void open_server(struct engine_process *self)
{
    const struct child *child = &self->child;
    Wire__Genesis genesis;
    uint8_t random[48];
    uint64_t seed = 0;
    random_bytes((uint8_t *)&seed, sizeof(seed));
    genesis_fill(self, &genesis, random);
    struct server_conf conf = {
        .engine = { .self = child->config->self->id,
                    .cell = (uint16_t)child->config->cell,
                    .genesis = child->config->first ? &genesis : NULL,
                    .capacity = state_capacity_default(),
                    .requests_per_second =
                        (uint32_t)setting_number(child, "requests-per-second", 1000),
                    .tenant_requests_per_second =
                        (uint32_t)setting_number(child, "tenant-requests-per-second", 2000),
                    .ca = { child->config->ca.data, child->config->ca.len } },
        .replica = { .self = child->config->self->id,
                     .address = child_setting(child, "link-address", ""),
                     .seed = seed,
                     .fault = &self->fault },
        .store_directory = self->files.store_path,
        .snapshots_directory = self->files.snapshots_path,
        .mark = self->files.mark,
    };
    const struct server_host host = { .context = self,
                                      .send = on_send,
                                      .answer = on_answer,
                                      .keys = on_keys,
                                      .event = on_event,
                                      .renewed = on_renewed,
                                      .ring = on_ring,
                                      .halt = on_halt,
                                      .memory = on_memory };
    struct result opened = server_open(
        &conf,
        disk_file(&self->files.data_fd),
        &host,
        clock_boot_ms(),
        clock_wall_ms(),
        child->config->first,
        &self->server);
    if (opened.code != 0) {
        tell_damage(&self->fault);
        die("engine-open", result_name(opened));
    }
    log_line(
        LOG_LEVEL_INFO,
        "engine-open",
        "applied=%" PRIu64,
        engine_applied(server_engine(self->server)));
}

int main(int argc, char **argv)
{
    static struct engine_process self;
    log_start("engine");
    self.answers.body = WIRE__FRAME__BODY_TOLDS;
    child_start(&self.child, PROGRAM_ENGINE, argc, argv);
    renewal_init(&self.renewal, self.child.config->self->id);
    open_files(&self);
    const struct sandbox_path paths[] = {
        { .path = self.child.config->data_directory, .write = true },
    };
    const struct sandbox sandbox = {
        /* files: the log, the rows, snapshots, all beneath one directory.
         * threads: RocksDB's background work and the flush in libuv's pool. */
        .promises = PROMISE_STDIO | PROMISE_FILES | PROMISE_THREADS,
        .paths = paths,
        .paths_count = COUNT_OF(paths),
    };
    child_confine(&self.child, &sandbox);
    self.memory.loop = &self.child.loop;
    open_server(&self);
    if (uv_timer_init(&self.child.loop, &self.tick) != 0 ||
        uv_prepare_init(&self.child.loop, &self.turn) != 0) {
        die("engine-loop", "init");
    }
    self.tick.data = &self;
    self.turn.data = &self;
    if (uv_timer_start(&self.tick, on_tick, LIMIT_TICK_MS, LIMIT_TICK_MS) != 0 ||
        uv_prepare_start(&self.turn, on_turn) != 0) {
        die("engine-loop", "start");
    }
    const struct channel_hooks hooks = {
        .context = &self, .on_frame = on_frame, .on_close = on_close, .on_open = on_open
    };
    return child_run(&self.child, &hooks);
}
