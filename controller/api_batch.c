/* Decides how many requests travel in one, and in which order their answers stand. Never decides
 * an answer.
 *
 * The happy path: the body is read once → each item becomes a Request and is asked, all in this
 * turn → each answer is kept as text → the last one sends the whole.
 * What can go wrong: an item is not well formed → its own 400; the desk is full → its own 429; no
 * answer in time → its own 503. */
#include "controller/api_batch.h"

#include "base/check.h"
#include "controller/api_json.h"

#include <stdlib.h>
#include <string.h>

struct batch_item {
    const struct api_route *route;
    struct api_slots slots;
    struct api_query query;
    uint64_t ask;
    uint16_t status;
    uint64_t index; /* Of the state that answered; 0: none did. */
    char *body;     /* Owned; the answer's JSON, NULL while it waits. */
    size_t body_size;
    bool stale;
    char request_id[REQUEST_ID_SIZE + 8];
    char *target; /* Behind the items; route, slots and query are made of it. */
};

struct batch {
    struct work *work;
    uint32_t count;
    uint32_t waiting;
    bool minimal; /* An answer was: Preference-Applied. */
    struct batch_item items[];
};

_Static_assert(
    LIMIT_BATCH *(BATCH_ANSWER_BYTES + 64) < SERVICE_BODY_BYTES, "all answers fit in one");

void batch_free(struct batch *batch)
{
    if (batch == NULL) {
        return;
    }
    for (uint32_t i = 0; i < batch->count; i++) {
        desk_forget(batch->work->service->desk, batch->items[i].ask);
        free(batch->items[i].body);
    }
    free(batch);
}

static void item_keep(struct batch_item *item, uint16_t status, const struct out *out)
{
    CHECK(item->body == NULL);
    struct slice text = SLICE_EMPTY;
    item->status = status;
    if (!out_done(out, &text)) {
        static const char large[] = "{\"code\":\"answer-too-large\",\"status\":507}";
        item->status = 507;
        text = slice_text(large);
    }
    item->body = malloc(text.size);
    item->body_size = item->body == NULL ? 0 : text.size;
    if (item->body != NULL) {
        memcpy(item->body, text.data, text.size);
    }
}

static void item_refuse(struct batch_item *item, const struct problem *problem)
{
    char room[2048];
    struct out out;
    struct reply reply;
    out_init(&out, room, sizeof(room));
    reply_problem(problem, item->request_id, &out, &reply);
    item_keep(item, reply.status, &out);
}

/* The one state that answered all of it; 0: there was none. */
static uint64_t batch_index(const struct batch *batch)
{
    uint64_t index = batch->items[0].index;
    for (uint32_t i = 1; i < batch->count; i++) {
        index = batch->items[i].index == index ? index : 0;
    }
    return index;
}

static void batch_end(struct batch *batch)
{
    CHECK(batch->waiting == 0);
    struct service *service = batch->work->service;
    struct out out;
    out_init(&out, service->room, SERVICE_BODY_BYTES);
    out_array(&out);
    for (uint32_t i = 0; i < batch->count; i++) {
        const struct batch_item *item = &batch->items[i];
        out_object(&out);
        out_key(&out, "status");
        out_number(&out, item->status);
        out_key(&out, "body");
        if (item->body_size > 0) {
            out_raw_value(&out, slice_of(item->body, item->body_size));
        } else {
            out_null(&out); /* No memory was left to keep it; the status is true. */
        }
        out_object_end(&out);
    }
    out_array_end(&out);
    struct reply reply = { .status = 200,
                           .type = "application/json",
                           .index = batch_index(batch),
                           .minimal = batch->minimal };
    work_reply(batch->work, &reply, &out);
}

static void item_told(void *owner, uint32_t tag, const Wire__Answer *answer)
{
    struct batch *batch = owner;
    CHECK(tag < batch->count);
    CHECK(batch->waiting > 0);
    struct batch_item *item = &batch->items[tag];
    item->ask = 0;
    if (answer == NULL) {
        struct problem problem;
        service_no_answer(item->route->write, &problem);
        item_refuse(item, &problem);
    } else {
        struct out out;
        struct reply reply;
        struct reply_to to = {
            .route = item->route,
            .slots = &item->slots,
            .query = &item->query,
            .request_id = item->request_id,
            .stale = item->stale,
            .minimal = batch->work->minimal,
        };
        out_init(&out, batch->work->service->room, BATCH_ANSWER_BYTES);
        reply_answer(&to, answer, &out, &reply);
        item_keep(item, reply.status, &out);
        item->index = reply.index;
        batch->minimal = batch->minimal || reply.minimal;
    }
    batch->waiting--;
    if (batch->waiting == 0) {
        batch_end(batch);
    }
}

/* The batch's own id and the item's number. */
static void item_name(struct batch_item *item, const char *request_id, uint32_t number)
{
    struct out out;
    out_init(&out, item->request_id, sizeof(item->request_id) - 1); /* It is zeroed. */
    out_plain(&out, request_id);
    out_plain(&out, ".");
    out_number(&out, number);
    CHECK(!out.full);
}

static bool item_route(
    struct batch_item *item, const struct json_batch_item *wanted, struct problem *problem)
{
    enum api_method method = API_METHOD_GET;
    uint32_t methods = 0;
    if (!api_target_split(item->target, &item->query, problem)) {
        return false;
    }
    if (!api_method_parse(wanted->method, &method)) {
        return problem_set(problem, 405, "method-not-allowed", "There is no such method.");
    }
    item->route = api_route_find(method, item->target, &item->slots, &methods);
    if (item->route == NULL) {
        return methods == 0
                   ? problem_set(problem, 404, "not-found", "There is no such address.")
                   : problem_set(problem, 405, "method-not-allowed", "Not with this method.");
    }
    if (item->route->server != API_SERVER_ENGINE || item->route->stranger) {
        return problem_set(problem, 400, "malformed", "This cannot be asked in a batch.");
    }
    return true;
}

static bool item_ask(
    struct batch *batch, uint32_t number, struct json_batch_item *wanted, struct problem *problem)
{
    struct batch_item *item = &batch->items[number];
    struct work *work = batch->work;
    if (!item_route(item, wanted, problem)) {
        return false;
    }
    struct api_input input = {
        .route = item->route,
        .slots = &item->slots,
        .query = &item->query,
        .body = wanted->body,
        .idempotency_key = wanted->idempotency_key,
        .if_match = wanted->if_match,
        .request_id = item->request_id,
        .principal = &work->principal,
    };
    Wire__Request *request = NULL;
    arena_reset(&work->service->arena);
    if (!api_request_make(&input, &work->service->arena, &request, problem)) {
        return false;
    }
    item->stale = request->stale;
    enum desk_outcome outcome = desk_ask(
        work->service->desk,
        request,
        service_wait_ms(request),
        item_told,
        batch,
        number,
        &item->ask);
    return outcome == DESK_SENT || service_not_sent(outcome, problem);
}

static bool batch_read(
    struct work *work, struct json_batch_item *items, uint32_t *count_out, struct problem *problem)
{
    struct json *document = json_read(work->call->body, problem);
    return document != NULL && json_batch(document, items, count_out, problem);
}

/* Not calloc: for a block of this size it asks the kernel for empty pages, each time anew. */
static struct batch *batch_make(
    struct work *work, const struct json_batch_item *items, uint32_t count)
{
    CHECK(count > 0 && count <= LIMIT_BATCH);
    size_t targets = 0;
    for (uint32_t i = 0; i < count; i++) {
        targets += strlen(items[i].path) + 1;
    }
    CHECK(targets <= (size_t)count * JSON_PATH_SIZE); /* json_batch refuses longer ones. */
    struct batch *batch = malloc(sizeof(*batch) + count * sizeof(batch->items[0]) + targets);
    if (batch == NULL) {
        return NULL;
    }
    *batch = (struct batch){ .work = work, .count = count };
    char *target = (char *)&batch->items[count];
    for (uint32_t i = 0; i < count; i++) {
        struct batch_item *item = &batch->items[i];
        *item = (struct batch_item){ .target = target };
        item_name(item, work->request_id, i);
        size_t size = strlen(items[i].path) + 1;
        memcpy(target, items[i].path, size);
        target += size;
    }
    return batch;
}

void batch_begin(struct work *work)
{
    struct json_batch_item items[LIMIT_BATCH];
    struct problem problem;
    uint32_t count = 0;
    if (!batch_read(work, items, &count, &problem)) {
        work_refuse(work, &problem);
        return;
    }
    struct batch *batch = batch_make(work, items, count);
    if (batch == NULL) {
        problem_set(&problem, 503, "no-memory", "There is no room for a batch now.");
        work_refuse(work, &problem);
        return;
    }
    work->batch = batch;
    batch->waiting = 1; /* Its own, so that it cannot end while it is being asked. */
    for (uint32_t i = 0; i < count; i++) {
        if (item_ask(batch, i, &items[i], &problem)) {
            batch->waiting++;
        } else {
            item_refuse(&batch->items[i], &problem);
        }
    }
    batch->waiting--;
    if (batch->waiting == 0) {
        batch_end(batch);
    }
}
