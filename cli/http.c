/* Decides how one exchange goes over the wire: TLS 1.3, no redirects, bounded size and time.
 * Never retries, never picks an endpoint, never reads what a body means.
 * The only includer of curl/curl.h.
 *
 * The happy path
 *   headers and options are set on the kept handle, curl_easy_perform runs to the end, the body is
 *   collected or handed on piece by piece, status and the two headers we read are in the answer.
 * What can go wrong
 *   no connection (CLOSED), a certificate refused by either end (DENIED), silence after sending
 *   (TIMEOUT), a body past HTTP_BODY_MAX (FULL): each is told apart, since the caller may only
 *   try elsewhere freely when nothing was sent. */
#include "cli/http.h"

#include "base/check.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { HTTP_CONNECT_MS = 3000 }; /* A dead endpoint must not hold the living ones back. */

struct http {
    CURL *handle;
    char error[CURL_ERROR_SIZE];
};

struct exchange {
    const struct http_request *request;
    struct http_answer *answer;
    size_t room;
    bool overflow;
};

RESULT http_open(struct http **http_out)
{
    CHECK(http_out != NULL);
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return FAIL(FAILURE_UNSUPPORTED);
    }
    struct http *http = calloc(1, sizeof(*http));
    if (http == NULL) {
        return FAIL(FAILURE_NO_SPACE);
    }
    http->handle = curl_easy_init();
    if (http->handle == NULL) {
        free(http);
        return FAIL(FAILURE_NO_SPACE);
    }
    *http_out = http;
    return OK;
}

void http_close(struct http *http)
{
    if (http == NULL) {
        return;
    }
    CHECK(http->handle != NULL);
    curl_easy_cleanup(http->handle);
    free(http);
    curl_global_cleanup();
}

static size_t on_body(char *data, size_t unit, size_t count, void *context)
{
    struct exchange *exchange = context;
    struct http_answer *answer = exchange->answer;
    CHECK(unit == 1);
    CHECK(answer->size <= HTTP_BODY_MAX);
    if (exchange->request->on_piece != NULL) {
        return exchange->request->on_piece(exchange->request->context, data, count) ? count : 0;
    }
    if (count > HTTP_BODY_MAX - answer->size) {
        exchange->overflow = true;
        return 0;
    }
    size_t need = answer->size + count + 1;
    if (need > exchange->room) {
        size_t room = need * 2;
        char *body = realloc(answer->body, room);
        if (body == NULL) {
            exchange->overflow = true;
            return 0;
        }
        answer->body = body;
        exchange->room = room;
    }
    memcpy(answer->body + answer->size, data, count);
    answer->size += count;
    answer->body[answer->size] = '\0';
    return count;
}

/* The value of `line` when its name is `name`, else NULL. */
static const char *header_value(const char *line, size_t size, const char *name, size_t *length_out)
{
    size_t length = strlen(name);
    CHECK(length > 0);
    if (size <= length || strncasecmp(line, name, length) != 0 || line[length] != ':') {
        return NULL;
    }
    const char *at = line + length + 1;
    const char *end = line + size;
    while (at < end && *at == ' ') {
        at++;
    }
    while (end > at && (end[-1] == '\r' || end[-1] == '\n' || end[-1] == ' ')) {
        end--;
    }
    CHECK(end >= at);
    *length_out = (size_t)(end - at);
    return at;
}

static size_t on_header(char *line, size_t unit, size_t count, void *context)
{
    struct exchange *exchange = context;
    CHECK(unit == 1);
    size_t length = 0;
    const char *value = header_value(line, count, "Retry-After", &length);
    if (value != NULL && length > 0 && length < 6) {
        char digits[8] = { 0 };
        memcpy(digits, value, length);
        char *end = NULL;
        unsigned long seconds = strtoul(digits, &end, 10);
        if (*end == '\0') {
            exchange->answer->retry_after_given = true;
            exchange->answer->retry_after_seconds = (uint32_t)seconds;
        }
    }
    value = header_value(line, count, "Request-Id", &length);
    if (value != NULL && length < sizeof(exchange->answer->request_id)) {
        memcpy(exchange->answer->request_id, value, length);
        exchange->answer->request_id[length] = '\0';
    }
    return count;
}

static bool header_add(struct curl_slist **headers, const char *name, const char *value)
{
    char line[512];
    CHECK(name != NULL);
    CHECK(value != NULL);
    int length = snprintf(line, sizeof(line), "%s: %s", name, value);
    if (length < 0 || (size_t)length >= sizeof(line) || strpbrk(value, "\r\n") != NULL) {
        return false;
    }
    struct curl_slist *longer = curl_slist_append(*headers, line);
    if (longer == NULL) {
        return false;
    }
    *headers = longer;
    return true;
}

static bool headers_make(const struct http_request *request, struct curl_slist **headers)
{
    const char *accept = request->accept == NULL ? "application/json" : request->accept;
    bool good = header_add(headers, "Accept", accept);
    good = good && header_add(headers, "Expect", "");
    if (request->body != NULL) {
        good = good && header_add(headers, "Content-Type", "application/json");
    }
    if (request->idempotency_key != NULL) {
        good = good && header_add(headers, "Idempotency-Key", request->idempotency_key);
    }
    if (request->if_match != NULL) {
        good = good && header_add(headers, "If-Match", request->if_match);
    }
    if (request->last_event_id != NULL) {
        good = good && header_add(headers, "Last-Event-ID", request->last_event_id);
    }
    return good;
}

static void set_tls(CURL *handle, const struct http_request *request)
{
    /* A certificate is never shown to somebody who was not verified. */
    CHECK(!request->unverified || request->cert == NULL);
    CHECK(!request->unverified || request->body == NULL);
    (void)curl_easy_setopt(handle, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_3);
    (void)curl_easy_setopt(handle, CURLOPT_SSL_VERIFYPEER, request->unverified ? 0L : 1L);
    (void)curl_easy_setopt(handle, CURLOPT_SSL_VERIFYHOST, request->unverified ? 0L : 2L);
    if (request->ca != NULL && *request->ca != '\0') {
        (void)curl_easy_setopt(handle, CURLOPT_CAINFO, request->ca);
        (void)curl_easy_setopt(handle, CURLOPT_CAPATH, NULL); /* This CA and no other. */
    }
    if (request->cert != NULL && *request->cert != '\0') {
        (void)curl_easy_setopt(handle, CURLOPT_SSLCERT, request->cert);
        (void)curl_easy_setopt(handle, CURLOPT_SSLKEY, request->key);
    }
}

static struct result outcome(CURLcode code, const struct exchange *exchange, long sent)
{
    CHECK(code != CURLE_OK);
    CHECK(exchange->answer != NULL);
    if (exchange->overflow) {
        return FAIL(FAILURE_FULL);
    }
    /* Only named codes mean something here; every other one is an unknown outcome. */
    if (code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST) {
        return FAIL(FAILURE_CLOSED);
    }
    if (code == CURLE_PEER_FAILED_VERIFICATION) {
        return FAIL(FAILURE_DENIED);
    }
    if (code == CURLE_SSL_CERTPROBLEM || code == CURLE_SSL_CACERT_BADFILE) {
        return FAIL(FAILURE_NOT_FOUND);
    }
    /* What curl's GnuTLS side says of unusable or unmatched files has no code of its own. */
    static const char papers[] = "error reading X.509";
    if (code == CURLE_SSL_CONNECT_ERROR &&
        strncmp(exchange->answer->reason, papers, sizeof(papers) - 1) == 0) {
        return FAIL(FAILURE_NOT_FOUND); /* No other endpoint and no later try mends a file. */
    }
    if (code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL) {
        return FAIL(FAILURE_BAD_INPUT);
    }
    if (code == CURLE_SSL_CONNECT_ERROR || sent == 0) {
        return FAIL(FAILURE_CLOSED); /* The handshake did not end: no request was sent. */
    }
    return FAIL(FAILURE_TIMEOUT);
}

RESULT http_exchange(
    struct http *http, const struct http_request *request, struct http_answer *answer)
{
    CHECK(http != NULL);
    CHECK(request->url != NULL);
    CHECK(request->method != NULL);
    memset(answer, 0, sizeof(*answer));
    struct exchange exchange = { .request = request, .answer = answer };
    struct curl_slist *headers = NULL;
    CURL *handle = http->handle;
    curl_easy_reset(handle); /* Options go, connections stay. */
    if (!headers_make(request, &headers)) {
        curl_slist_free_all(headers);
        return FAIL(FAILURE_BAD_INPUT);
    }
    http->error[0] = '\0';
    (void)curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, http->error);
    (void)curl_easy_setopt(handle, CURLOPT_URL, request->url);
    (void)curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "https");
    (void)curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, request->method);
    (void)curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(handle, CURLOPT_NOPROXY, "*"); /* Endpoints are named, never guessed. */
    (void)curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS, (long)HTTP_CONNECT_MS);
    (void)curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
    (void)curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, on_body);
    (void)curl_easy_setopt(handle, CURLOPT_WRITEDATA, &exchange);
    (void)curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, on_header);
    (void)curl_easy_setopt(handle, CURLOPT_HEADERDATA, &exchange);
    (void)curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers);
    if (request->body != NULL) {
        (void)curl_easy_setopt(handle, CURLOPT_POSTFIELDS, request->body);
        (void)curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE, (long)strlen(request->body));
    }
    set_tls(handle, request);
    CURLcode code = curl_easy_perform(handle);
    curl_slist_free_all(headers);
    (void)curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, NULL);
    long status = 0;
    (void)curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
    answer->status = (uint16_t)status;
    if (code == CURLE_OK) {
        return OK;
    }
    (void)snprintf(
        answer->reason,
        sizeof(answer->reason),
        "%.250s",
        http->error[0] == '\0' ? curl_easy_strerror(code) : http->error);
    long sent = 0;
    (void)curl_easy_getinfo(handle, CURLINFO_REQUEST_SIZE, &sent);
    return outcome(code, &exchange, sent);
}

void http_answer_free(struct http_answer *answer)
{
    if (answer == NULL) {
        return;
    }
    free(answer->body);
    answer->body = NULL;
    answer->size = 0;
}

bool http_escape(const char *text, char *room, size_t size)
{
    CHECK(text != NULL);
    CHECK(size > 0);
    size_t used = 0;
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '-' || c == '.' || c == '_' || c == '~';
        size_t need = plain ? 1 : 3;
        if (size - used <= need) {
            return false;
        }
        if (plain) {
            room[used] = (char)c;
        } else {
            room[used] = '%';
            room[used + 1] = "0123456789ABCDEF"[c >> 4];
            room[used + 2] = "0123456789ABCDEF"[c & 15U];
        }
        used += need;
    }
    room[used] = '\0';
    return true;
}
