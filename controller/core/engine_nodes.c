/* Decides what the plane makes of a node's words. Words become commands only where they would
 * change a row; what a node is told is engine_orders.c's. */
#include "base/check.h"
#include "base/mutant.h"
#include "controller/core/engine_inner.h"
#include "controller/core/presence.h"

#include <frame.pb-c.h>
#include <string.h>

enum {
    MISMATCHES_MAX = 3,
    WORDS_PER_SECOND = 16, /* Of one node into the log: more than it can boot. */
    WORDS_SAVED = 2048,    /* At once: two about each guest that it can have. */
    JUDGE_AGAIN_MS = 1000, /* A judgement that the row does not show by then is told again. */
};

struct node_soft *nodes_soft(struct engine *engine, uint64_t node)
{
    const struct node_row *row = state_find(&engine->state, TABLE_NODE, node);
    if (row == NULL) {
        return NULL;
    }
    const struct table *table = &engine->state.tables[TABLE_NODE];
    size_t slot = (size_t)((const uint8_t *)row - table->rows) / table->row_size;
    CHECK(slot < table->capacity);
    return &engine->soft[slot];
}

/* INV-PACE-3: a node that lies as fast as it can fills neither the log nor the others' places. */
bool nodes_may_say(struct engine *engine, uint64_t node)
{
    struct node_soft *soft = nodes_soft(engine, node);
    const struct rate_limit limit = rate_limit_make(WORDS_PER_SECOND, WORDS_SAVED);
    uint64_t wait_ms = 0;
    CHECK(soft != NULL);
    return rate_take(&soft->words, &limit, engine->now_ms, 1, &wait_ms);
}

/* ---- Words ---- */

static void report(struct engine *engine, uint64_t node, const Wire__NodeInstance *word)
{
    const struct instance_row *row = state_find(&engine->state, TABLE_INSTANCE, word->instance);
    if (row == NULL || row->node.value != node || row->generation != word->generation ||
        row->epoch != word->epoch) {
        return;
    }
    bool runs = row->state == WIRE__INSTANCE_STATE__INSTANCE_STATE_RUNNING;
    bool news = word->observed != WIRE__OBSERVED__OBSERVED_RUNNING || !runs || word->repairs != 0;
    bool waits = word->observed == WIRE__OBSERVED__OBSERVED_STARTING && !runs;
    bool pointless = row->desired == WIRE__DESIRED__DESIRED_GONE &&
                     word->observed != WIRE__OBSERVED__OBSERVED_GONE;
    if (!news || waits || pointless || !nodes_may_say(engine, node)) {
        return; /* Nothing would change, or it is told again later: no log write for it. */
    }
    Wire__NodeReported reported = WIRE__NODE_REPORTED__INIT;
    reported.node = node;
    reported.instance = word->instance;
    reported.generation = word->generation;
    reported.epoch = word->epoch;
    reported.observed = word->observed;
    reported.reason = word->reason;
    reported.repairs = word->repairs;
    Wire__Command command;
    lead_word_of(&command, WIRE__COMMAND__BODY_NODE_REPORTED);
    command.node_reported = &reported;
    lead_word(engine, &command);
}

static void judge(struct engine *engine, uint64_t node, bool alive, const char *reason)
{
    struct node_soft *soft = nodes_soft(engine, node);
    if (soft->judged_ms != 0 && engine->now_ms - soft->judged_ms < JUDGE_AGAIN_MS) {
        return; /* It is on its way, or was lost, or another one crossed it: then again. */
    }
    soft->judged_ms = engine->now_ms;
    Wire__NodeJudged judged = WIRE__NODE_JUDGED__INIT;
    judged.node = node;
    judged.liveness = alive ? WIRE__LIVENESS__LIVENESS_ALIVE : WIRE__LIVENESS__LIVENESS_UNKNOWN;
    judged.reason = reason;
    Wire__Command command;
    lead_word_of(&command, WIRE__COMMAND__BODY_NODE_JUDGED);
    command.node_judged = &judged;
    lead_word(engine, &command);
}

/* A word that the row does not show by then was lost: then again. */
static void conditioned(struct engine *engine, const struct node_row *row, uint32_t said)
{
    const uint32_t known = WIRE__NODE_CONDITION__NODE_CONDITION_LIBVIRT_AWAY |
                           WIRE__NODE_CONDITION__NODE_CONDITION_STRANGERS;
    struct node_soft *soft = nodes_soft(engine, row->head.id);
    bool waits =
        soft->conditioned_ms != 0 && engine->now_ms - soft->conditioned_ms < JUDGE_AGAIN_MS;
    if ((said & known) == row->conditions || waits) {
        return;
    }
    soft->conditioned_ms = engine->now_ms;
    Wire__NodeConditioned word = WIRE__NODE_CONDITIONED__INIT;
    word.node = row->head.id;
    word.conditions = said & known;
    Wire__Command command;
    lead_word_of(&command, WIRE__COMMAND__BODY_NODE_CONDITIONED);
    command.node_conditioned = &word;
    lead_word(engine, &command);
}

static bool images_differ(
    const struct node_row *row, size_t count, const ProtobufCBinaryData *images)
{
    if (row->images_count != (count < LIMIT_NODE_IMAGES ? count : LIMIT_NODE_IMAGES)) {
        return true;
    }
    for (uint32_t i = 0; i < row->images_count; i++) {
        if (images[i].len != 32 || memcmp(row->images[i], images[i].data, 32) != 0) {
            return true;
        }
    }
    return false;
}

static void heard(struct engine *engine, const struct node_row *row, const Wire__NodeHello *hello)
{
    bool same = hello->boot_id.len == sizeof(row->boot_id) &&
                memcmp(row->boot_id, hello->boot_id.data, sizeof(row->boot_id)) == 0 &&
                row->vcpus == hello->vcpus && row->memory_bytes == hello->memory_bytes &&
                !images_differ(row, hello->n_images, hello->images);
    if (same || hello->boot_id.len != sizeof(row->boot_id) ||
        !nodes_may_say(engine, row->head.id)) {
        return;
    }
    Wire__NodeHeard word = WIRE__NODE_HEARD__INIT;
    word.node = row->head.id;
    word.boot_id = hello->boot_id;
    word.vcpus = hello->vcpus;
    word.memory_bytes = hello->memory_bytes;
    word.virtualization = hello->virtualization;
    word.n_fallbacks = hello->n_fallbacks;
    word.fallbacks = hello->fallbacks;
    word.n_images = hello->n_images;
    word.images = hello->images;
    Wire__Command command;
    lead_word_of(&command, WIRE__COMMAND__BODY_NODE_HEARD);
    command.node_heard = &word;
    lead_word(engine, &command);
}

/* From here on the node takes this leader's orders, and begins with all of them. */
static void welcome(struct engine *engine, const struct node_row *row)
{
    struct node_soft *soft = nodes_soft(engine, row->head.id);
    CHECK(engine->role == ENGINE_LEADING);
    soft->welcomed = true;
    if (row->liveness != WIRE__LIVENESS__LIVENESS_ALIVE) {
        judge(engine, row->head.id, true, "it renews");
    }
    Wire__Frame *frame =
        engine_frame(engine, WIRE__KIND__KIND_NODE, row->head.id, WIRE__FRAME__BODY_NODE_WELCOME);
    frame->node_welcome = engine_take(engine, sizeof(*frame->node_welcome));
    wire__node_welcome__init(frame->node_welcome);
    frame->node_welcome->term = engine->term;
    nodes_send_whole(engine, row->head.id);
}

static void hello(struct engine *engine, const struct node_row *row, const Wire__NodeHello *hello)
{
    nodes_soft(engine, row->head.id)->renewed_ms = engine->now_ms;
    heard(engine, row, hello);
    welcome(engine, row);
    for (size_t i = 0; i < hello->n_known; i++) {
        report(engine, row->head.id, hello->known[i]);
    }
}

/* Count and digest of what is wanted of a node, as the node computes them. */
static void desired(
    const struct engine *engine,
    const struct node_row *node,
    uint64_t *count_out,
    uint64_t *digest_out)
{
    *count_out = 0;
    *digest_out = 0;
    for (uint32_t at = node->first_placed; at != 0; at = presence_next(&engine->state, at)) {
        const struct instance_row *row = presence_row(&engine->state, at);
        uint8_t bytes[16];
        for (unsigned int i = 0; i < 8; i++) {
            bytes[i] = (uint8_t)(row->head.id >> (8U * i));
            bytes[8 + i] = (uint8_t)(row->generation >> (8U * i));
        }
        struct hash_key key = { 0, 0 };
        *digest_out += hash_bytes(key, slice_of(bytes, sizeof(bytes)));
        (*count_out)++;
    }
}

static void renew(struct engine *engine, const struct node_row *row, const Wire__NodeRenew *renew)
{
    struct node_soft *soft = nodes_soft(engine, row->head.id);
    uint64_t count = 0;
    uint64_t digest = 0;
    soft->renewed_ms = engine->now_ms;
    processes_said(
        engine, WIRE__KIND__KIND_NODE, row->head.id, renew->n_processes, renew->processes);
    conditioned(engine, row, renew->conditions);
    if (!soft->welcomed) { /* Its hello was lost, or went to an earlier leader. */
        welcome(engine, row);
        return;
    }
    if (row->liveness != WIRE__LIVENESS__LIVENESS_ALIVE) {
        judge(engine, row->head.id, true, "it renews");
    }
    desired(engine, row, &count, &digest);
    bool agrees = count == renew->desired_count && digest == renew->desired_digest;
    soft->mismatches = agrees ? 0 : soft->mismatches + 1;
    if (soft->resend || (soft->mismatches >= MISMATCHES_MAX && !MUTANT(ORDERS_LOST_FOR_GOOD))) {
        nodes_send_whole(engine, row->head.id); /* Something was lost: rows say it again. */
    }
}

void nodes_said(struct engine *engine, uint64_t node, uint32_t epoch, const Wire__Frame *frame)
{
    const struct node_row *row = state_find(&engine->state, TABLE_NODE, node);
    CHECK(row != NULL && row->epoch == epoch); /* engine.c asked. */
    if (engine->role != ENGINE_LEADING) {
        return; /* Only the leader answers; the node says the same to all. */
    }
    if (frame->body_case == WIRE__FRAME__BODY_NODE_HELLO) {
        hello(engine, row, frame->node_hello);
    } else if (frame->body_case == WIRE__FRAME__BODY_NODE_RENEW) {
        renew(engine, row, frame->node_renew);
    } else if (frame->body_case == WIRE__FRAME__BODY_NODE_REPORT) {
        nodes_soft(engine, node)->renewed_ms = engine->now_ms;
        for (size_t i = 0; i < frame->node_report->n_instances; i++) {
            report(engine, node, frame->node_report->instances[i]);
        }
    } else if (frame->body_case == WIRE__FRAME__BODY_CONSOLE_TOLD) {
        asks_console(engine, node, frame->console_told);
    } else if (frame->body_case == WIRE__FRAME__BODY_NODE_CERTIFY) {
        papers_node(engine, node, epoch, frame->node_certify);
    }
}

void nodes_link(struct engine *engine, uint64_t node, bool up)
{
    struct node_soft *soft = nodes_soft(engine, node);
    if (soft == NULL) {
        return;
    }
    soft->up = up;
    soft->welcomed = false; /* Whatever was under way is lost; it says hello anew. */
}

/* A new leader has heard nobody yet: everybody gets the whole time before a judgement. */
void nodes_leading(struct engine *engine)
{
    for (const struct node_row *row = state_first(&engine->state, TABLE_NODE); row != NULL;
         row = state_next(&engine->state, TABLE_NODE, row)) {
        struct node_soft *soft = nodes_soft(engine, row->head.id);
        soft->renewed_ms = engine->now_ms;
        soft->welcomed = false;
        soft->judged_ms = 0;
        soft->resend = false;
        soft->mismatches = 0;
    }
}

void nodes_clock(struct engine *engine)
{
    if (engine->role != ENGINE_LEADING) {
        return;
    }
    for (const struct node_row *row = state_first(&engine->state, TABLE_NODE); row != NULL;
         row = state_next(&engine->state, TABLE_NODE, row)) {
        struct node_soft *soft = nodes_soft(engine, row->head.id);
        bool alive = row->liveness == WIRE__LIVENESS__LIVENESS_ALIVE;
        bool silent = engine->now_ms - soft->renewed_ms >= LIMIT_NODE_UNKNOWN_MS;
        if (alive && silent) {
            judge(engine, row->head.id, false, "no renewal for six seconds");
        }
        if (alive != silent) {
            soft->judged_ms = 0; /* The row says what we see. */
        }
    }
}
