/* Decides what api does with what engine says, and when it ends. Never decides an answer.
 *
 * The happy path: api_open before the sandbox → TOLDS go to the desk, DOORS to the door, PAPERS to
 * TLS, the bus rings for the streams, a timer watches the deadlines.
 * What can go wrong: engine's channel closes → all that wait are told that the outcome is unknown,
 * and the bus is given up (its publisher is gone for good; streams then only poll); a frame that
 * engine may say but that is not for us → ignored. */
#include "controller/api.h"

#include "base/check.h"
#include "controller/api_service.h"
#include "controller/api_sse.h"
#include "controller/api_tls.h"
#include "host/bus.h"
#include "host/log.h"
#include "host/tls.h"

#include <stdlib.h>

struct api {
    struct service service;
    struct bus *bus; /* NULL: none. */
    bool heard;      /* The bus has rung: its publisher was there when we came. */
    uv_timer_t timer;
    uv_prepare_t turn;
    uint32_t ticks;
    uint32_t handles; /* Of the loop, that are not closed yet. */
};

/* Whatever this turn asked leaves before the loop waits. */
static void on_turn(uv_prepare_t *turn)
{
    struct api *api = turn->data;
    desk_send(api->service.desk);
}

static void on_timer(uv_timer_t *timer)
{
    struct api *api = timer->data;
    streams_tick(api->service.streams, api->heard);
    if (++api->ticks % (DESK_TICK_MS / STREAM_TICK_MS) == 0) {
        desk_tick(api->service.desk);
        turned_away_send(&api->service.turned_away, api->service.child->to[PROGRAM_ENGINE]);
    }
}

static void on_bell(void *context, struct slice message)
{
    struct api *api = context;
    (void)message; /* What happened is engine's to say, to each reader for itself. */
    api->heard = true;
    streams_bell(api->service.streams);
}

/* The certificate that this machine has now. */
static void on_papers(struct api *api, const Wire__Papers *papers)
{
    struct slice certificate = slice_of(papers->certificate.data, papers->certificate.len);
    struct gnutls_privkey_st *key = NULL;
    struct result renewed = FAIL(FAILURE_BAD_INPUT);
    if (certificate.size > 0) {
        renewed = tls_machine_key(api->service.child, certificate, &key);
    }
    if (renewed.code == 0) {
        renewed = api_tls_renew(key, certificate);
        if (renewed.code != 0) {
            tls_machine_key_free(key);
        }
    }
    log_line(
        renewed.code == 0 ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR,
        "papers",
        "until=%llu outcome=%s",
        (unsigned long long)papers->until_seconds,
        result_name(renewed));
}

static void on_frame(void *context, struct channel *channel, const Wire__Frame *frame)
{
    struct api *api = context;
    if (frame->body_case == WIRE__FRAME__BODY_PAPERS) {
        on_papers(api, frame->papers); /* Only keys may say it. */
        return;
    }
    if (channel_other(channel) != PROGRAM_ENGINE) {
        return; /* A late signature of keys, or parent. */
    }
    if (frame->body_case == WIRE__FRAME__BODY_TOLDS) {
        desk_answer(api->service.desk, frame->tolds);
    } else if (frame->body_case == WIRE__FRAME__BODY_DOORS) {
        door_least(api->service.door, frame->doors);
        streams_end_revoked(api->service.streams);
        uint32_t ended = http_end_revoked(api->service.http);
        if (ended > 0) {
            log_line(LOG_LEVEL_INFO, "door", "revoked-ended=%u", (unsigned int)ended);
        }
    }
}

static void on_close(void *context, struct channel *channel)
{
    struct api *api = context;
    enum program other = channel_other(channel);
    log_line(LOG_LEVEL_WARN, "channel-closed", "peer=%s", program_name(other));
    if (other != PROGRAM_ENGINE) {
        return;
    }
    desk_engine_gone(api->service.desk);
    bus_close(api->bus);
    api->bus = NULL;
    api->heard = false;
}

static void on_open(void *context, struct channel *channel)
{
    (void)context; /* Whoever comes back needs to be told nothing. */
    log_line(LOG_LEVEL_INFO, "channel-open", "peer=%s", program_name(channel_other(channel)));
}

struct channel_hooks api_hooks(struct api *api)
{
    CHECK(api != NULL);
    return (struct channel_hooks){
        .context = api,
        .on_frame = on_frame,
        .on_close = on_close,
        .on_open = on_open,
    };
}

static RESULT api_serve(struct api *api, struct child *child, struct gnutls_privkey_st *key)
{
    enum { CHAIN_MAX = 4 };
    const Wire__Config *config = child->config;
    struct slice chain[CHAIN_MAX];
    uint32_t count = 0;
    for (size_t i = 0; i < config->n_certificate && i < CHAIN_MAX; i++) {
        chain[count++] = slice_of(config->certificate[i].data, config->certificate[i].len);
    }
    TRY(api_tls_start(key, chain, count));
    struct http_hooks hooks;
    service_hooks(&api->service, &hooks);
    return http_open(
        &child->loop,
        child->listen_fd,
        api->service.door,
        api->service.ca,
        &hooks,
        &api->service.http);
}

RESULT api_open(
    struct child *child, struct gnutls_privkey_st *key, const char *bus, struct api **api_out)
{
    CHECK(child->config != NULL);
    CHECK(bus != NULL);
    if (child->config->ca.len == 0 || child->listen_fd < 0) {
        return FAIL(FAILURE_BAD_INPUT);
    }
    struct api *api = calloc(1, sizeof(*api));
    CHECK(api != NULL); /* At start; without it there is no api. */
    struct slice ca = slice_of(child->config->ca.data, child->config->ca.len);
    service_open(&api->service, child, ca);
    TRY(api_serve(api, child, key)); /* The caller exits. */
    struct bus_hooks hooks = { api, on_bell };
    if (bus[0] != '\0' && bus_subscribe_open(&child->loop, bus, &hooks, &api->bus).code != 0) {
        log_line(LOG_LEVEL_WARN, "bus-absent", "streams=poll");
    }
    (void)uv_timer_init(&child->loop, &api->timer); /* Cannot fail. */
    api->timer.data = api;
    (void)uv_prepare_init(&child->loop, &api->turn); /* Nor this. */
    api->turn.data = api;
    api->handles = 2;
    int failed = uv_timer_start(&api->timer, on_timer, STREAM_TICK_MS, STREAM_TICK_MS);
    CHECK(failed == 0);
    failed = uv_prepare_start(&api->turn, on_turn);
    CHECK(failed == 0);
    *api_out = api;
    return OK;
}

static void on_closed(uv_handle_t *handle)
{
    struct api *api = handle->data;
    if (--api->handles > 0) {
        return;
    }
    service_close(&api->service);
    free(api);
}

void api_close(struct api *api)
{
    if (api == NULL) {
        return;
    }
    desk_engine_gone(api->service.desk);
    streams_close(api->service.streams);
    bus_close(api->bus);
    http_close(api->service.http);
    api_tls_stop();
    uv_close((uv_handle_t *)&api->timer, on_closed);
    uv_close((uv_handle_t *)&api->turn, on_closed);
}
