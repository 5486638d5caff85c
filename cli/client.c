/* Decides which endpoint is asked, how often and how long. Never changes a request between two
 * tries: the same key and the same bytes go to every endpoint. */
#include "cli/client.h"

#include "base/check.h"
#include "host/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

struct client {
    struct http *http;
    const struct settings *settings;
    uint32_t endpoint;                          /* Who is asked next. */
    uint64_t not_before_ms[SETTINGS_ENDPOINTS]; /* Retry-After of each. */
};

RESULT client_open(const struct settings *settings, struct client **client_out)
{
    CHECK(settings->endpoints_count <= SETTINGS_ENDPOINTS);
    if (settings->endpoints_count == 0) {
        return FAIL(FAILURE_NOT_FOUND);
    }
    struct client *client = calloc(1, sizeof(*client));
    if (client == NULL) {
        return FAIL(FAILURE_NO_SPACE);
    }
    client->settings = settings;
    struct result opened = http_open(&client->http);
    if (opened.code != 0) {
        free(client);
        return opened;
    }
    CHECK(client->http != NULL);
    *client_out = client;
    return OK;
}

void client_close(struct client *client)
{
    if (client == NULL) {
        return;
    }
    CHECK(client->http != NULL);
    http_close(client->http);
    free(client);
}

const char *client_endpoint(const struct client *client)
{
    CHECK(client->endpoint < client->settings->endpoints_count);
    return client->settings->endpoints[client->endpoint];
}

void client_pause(uint32_t ms)
{
    struct timespec left = { .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000L };
    CHECK(left.tv_nsec < 1000000000L);
    (void)nanosleep(&left, NULL); /* Woken early is only a shorter pause. */
}

bool client_key_make(char room[static LIMIT_IDEMPOTENCY_KEY])
{
    uint8_t bytes[16];
    _Static_assert(sizeof(bytes) * 2 < LIMIT_IDEMPOTENCY_KEY, "a key fits");
    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes)) {
        return false;
    }
    for (size_t i = 0; i < sizeof(bytes); i++) {
        (void)snprintf(room + 2 * i, 3, "%02x", bytes[i]);
    }
    return true;
}

static void exchange_fill(
    const struct client *client, char url[static HTTP_URL_MAX], struct http_request *request)
{
    const struct settings *settings = client->settings;
    request->url = url;
    request->ca = settings->ca;
    request->cert = settings->cert[0] == '\0' ? NULL : settings->cert;
    request->key = settings->key;
    CHECK(!request->unverified);
}

static struct result try_once(
    struct client *client, const struct call *call, struct http_answer *answer)
{
    char url[HTTP_URL_MAX];
    memset(answer, 0, sizeof(*answer));
    int length = snprintf(url, sizeof(url), "%s%s", client_endpoint(client), call->path);
    if (length < 0 || (size_t)length >= sizeof(url)) {
        return FAIL(FAILURE_BAD_INPUT);
    }
    struct http_request request = {
        .method = call->method,
        .body = call->body,
        .idempotency_key = call->key,
        .if_match = call->if_match,
        .timeout_ms = call->answer_ms == 0 ? CLIENT_ANSWER_MS : call->answer_ms,
    };
    exchange_fill(client, url, &request);
    if (client->settings->verbose) {
        (void)fprintf(stderr, "%s %s key=%s\n", call->method, url, call->key ? call->key : "-");
    }
    return http_exchange(client->http, &request, answer);
}

/* Whether another endpoint, or the same one later, may still give an answer. */
static bool worth_another(struct result result, const struct http_answer *answer)
{
    if (result.code == 0) {
        return answer->status == 503 || answer->status == 429;
    }
    CHECK(result.code < FAILURE_END);
    return result.code == FAILURE_CLOSED || result.code == FAILURE_TIMEOUT ||
           result.code == FAILURE_DENIED;
}

/* Moves to the endpoint that may be asked soonest; says how long that is from now. */
static uint32_t next_endpoint(struct client *client, uint64_t now_ms)
{
    uint32_t count = client->settings->endpoints_count;
    CHECK(count > 0);
    uint32_t best = (client->endpoint + 1) % count;
    for (uint32_t i = 2; i <= count; i++) {
        uint32_t other = (client->endpoint + i) % count;
        if (client->not_before_ms[other] < client->not_before_ms[best] &&
            client->not_before_ms[best] > now_ms) {
            best = other;
        }
    }
    client->endpoint = best;
    uint64_t at = client->not_before_ms[best];
    CHECK(at <= now_ms + 1000U * CLIENT_RETRY_AFTER_MAX);
    return at > now_ms ? (uint32_t)(at - now_ms) : 0;
}

static void note_refusal(
    struct client *client, const struct http_answer *answer, uint32_t attempt, uint64_t now_ms)
{
    uint32_t round = attempt / client->settings->endpoints_count;
    uint32_t pause = round > 4 ? CLIENT_PAUSE_MAX_MS : (uint32_t)CLIENT_PAUSE_MIN_MS << round;
    CHECK(pause <= CLIENT_PAUSE_MAX_MS);
    if (answer->retry_after_given) {
        uint32_t seconds = answer->retry_after_seconds;
        seconds = seconds > CLIENT_RETRY_AFTER_MAX ? CLIENT_RETRY_AFTER_MAX : seconds;
        pause = pause > seconds * 1000 ? pause : seconds * 1000;
    }
    client->not_before_ms[client->endpoint] = now_ms + pause;
}

RESULT client_call(struct client *client, const struct call *call, struct http_answer *answer)
{
    CHECK(call->path[0] == '/');
    CHECK(call->method != NULL);
    uint64_t start_ms = clock_boot_ms();
    uint32_t window = call->window_ms == 0 ? CLIENT_WINDOW_MS : call->window_ms;
    const char *const key = call->key;
    struct result result = FAIL(FAILURE_CLOSED);
    bool asked = false;
    for (uint32_t attempt = 0; attempt < CLIENT_ATTEMPTS; attempt++) {
        if (asked) {
            http_answer_free(answer);
        }
        CHECK(call->key == key); /* INV-IDEM-41 */
        result = try_once(client, call, answer);
        asked = true;
        if (!worth_another(result, answer)) {
            return result;
        }
        /* What was sent without a key and may have been done is not asked for again. */
        bool repeatable = call->key != NULL || strcmp(call->method, "GET") == 0;
        if (result.code == FAILURE_TIMEOUT && !repeatable) {
            return result;
        }
        uint64_t now_ms = clock_boot_ms();
        note_refusal(client, answer, attempt, now_ms);
        uint32_t pause = next_endpoint(client, now_ms);
        bool round_over = attempt + 1 >= client->settings->endpoints_count;
        bool refused_us = result.code == FAILURE_DENIED && round_over;
        if (refused_us || (round_over && now_ms + pause >= start_ms + window)) {
            return result;
        }
        client_pause(pause);
    }
    return result;
}

RESULT client_stream(
    struct client *client,
    const char *path,
    const char *last_event_id,
    bool (*on_piece)(void *context, const char *data, size_t size),
    void *context,
    struct http_answer *answer)
{
    char url[HTTP_URL_MAX];
    CHECK(path[0] == '/');
    CHECK(on_piece != NULL);
    memset(answer, 0, sizeof(*answer));
    int length = snprintf(url, sizeof(url), "%s%s", client_endpoint(client), path);
    if (length < 0 || (size_t)length >= sizeof(url)) {
        return FAIL(FAILURE_BAD_INPUT);
    }
    struct http_request request = {
        .method = "GET",
        .accept = "text/event-stream",
        .last_event_id = last_event_id,
        .on_piece = on_piece,
        .context = context,
    };
    exchange_fill(client, url, &request);
    struct result result = http_exchange(client->http, &request, answer);
    if (result.code != 0 || answer->status != 200) {
        client->endpoint = (client->endpoint + 1) % client->settings->endpoints_count;
    }
    return result;
}
