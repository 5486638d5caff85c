/* Decides what a node's words do to the rows: what it is, whether it is heard, and what became of
 * its instances. A word about another's instance, an older order or an older placement does
 * nothing. */
#include "base/check.h"
#include "base/mutant.h"
#include "controller/core/instance.h"
#include "controller/core/presence.h"

#include <frame.pb-c.h>
#include <string.h>

#define S(name) WIRE__INSTANCE_STATE__INSTANCE_STATE_##name

/* ---- What a node is ---- */

static uint64_t at_most(uint64_t value, uint64_t most)
{
    return value < most ? value : most;
}

static void images_set(struct node_row *row, const Wire__NodeHeard *heard)
{
    uint32_t count = 0;
    for (size_t i = 0; i < heard->n_images && count < LIMIT_NODE_IMAGES; i++) {
        if (heard->images[i].len == 32) {
            memcpy(row->images[count++], heard->images[i].data, 32);
        }
    }
    row->images_count = count;
}

void apply_node_heard(struct apply *apply, const Wire__NodeHeard *heard)
{
    struct node_row *row = state_find(apply->state, TABLE_NODE, heard->node);
    if (row == NULL || heard->boot_id.len != sizeof(row->boot_id)) {
        return;
    }
    bool booted = memcmp(row->boot_id, heard->boot_id.data, sizeof(row->boot_id)) != 0;
    memcpy(row->boot_id, heard->boot_id.data, sizeof(row->boot_id));
    row->vcpus = at_most(heard->vcpus, LIMIT_NODE_VCPUS);
    row->memory_bytes = at_most(heard->memory_bytes, LIMIT_NODE_MEMORY_BYTES);
    (void)text_copy(
        row->virtualization, sizeof(row->virtualization), slice_text(heard->virtualization));
    row->fallbacks_count = 0;
    for (size_t i = 0; i < heard->n_fallbacks && i < LIMIT_NODE_FALLBACKS; i++) {
        char *room = row->fallbacks[row->fallbacks_count];
        if (text_copy(room, LIMIT_REASON, slice_text(heard->fallbacks[i]))) {
            row->fallbacks_count++;
        }
    }
    images_set(row, heard);
    state_touch(apply->state, TABLE_NODE, row);
    state_recount(apply->state);
    apply->actor_kind = WIRE__KIND__KIND_NODE;
    apply->actor = heard->node;
    if (booted) {
        apply_leaf(
            apply,
            0,
            "node-boot",
            WIRE__KIND__KIND_NODE,
            heard->node,
            REJECT_NONE,
            row->fallbacks_count > 0 ? "limited" : "");
        apply_event(
            apply,
            0,
            "node-boot",
            WIRE__KIND__KIND_NODE,
            heard->node,
            row->fallbacks_count > 0 ? row->fallbacks[0] : "");
    }
}

/* The first life that is heard of is a start; every other one is a restart, and an event. */
void apply_process_started(struct apply *apply, const Wire__ProcessStarted *started)
{
    bool node = started->kind == WIRE__KIND__KIND_NODE;
    bool machine = node || started->kind == WIRE__KIND__KIND_CONTROLLER;
    enum state_table table = node ? TABLE_NODE : TABLE_CONTROLLER;
    void *row = machine ? state_find(apply->state, table, started->machine) : NULL;
    enum program program = program_named(started->program);
    if (row == NULL || program == 0 || started->started_ms == 0) {
        return;
    }
    uint64_t *known = node ? &((struct node_row *)row)->processes[program]
                           : &((struct controller_row *)row)->processes[program];
    bool again = *known != 0;
    if (*known == started->started_ms) {
        return; /* Told twice. */
    }
    *known = started->started_ms;
    state_touch(apply->state, table, row);
    if (again) {
        apply_event(
            apply, 0, "process-restart", started->kind, started->machine, program_name(program));
    }
}

/* What cannot be deleted says why for as long as that is true, whichever came first: the delete or
 * the judgement. Looks no further than the node's last instance. INV-LED-6. */
static void deleting_wait(struct apply *apply, const struct node_row *node, bool alive)
{
    uint32_t left = node->instances;
    for (uint32_t at = node->first_placed; at != 0; at = presence_next(apply->state, at)) {
        struct instance_row *row = presence_row(apply->state, at);
        CHECK(left > 0); /* The node's count of instances is the inventory's. */
        left--;
        if (row->state == S(DELETING)) {
            const char *why = alive ? "" : INSTANCE_NOT_HEARD;
            (void)text_copy(row->reason, sizeof(row->reason), slice_text(why));
            row->revision++;
            state_touch(apply->state, TABLE_INSTANCE, row);
        }
    }
    CHECK(left == 0);
}

void apply_node_judged(struct apply *apply, const Wire__NodeJudged *judged)
{
    struct node_row *row = state_find(apply->state, TABLE_NODE, judged->node);
    if (row == NULL || row->liveness == judged->liveness) {
        return;
    }
    bool alive = judged->liveness == WIRE__LIVENESS__LIVENESS_ALIVE;
    row->liveness = judged->liveness;
    (void)text_copy(row->reason, sizeof(row->reason), slice_text(judged->reason));
    state_touch(apply->state, TABLE_NODE, row);
    deleting_wait(apply, row, alive);
    const char *word = alive ? "node-alive" : "node-unknown";
    apply_leaf(apply, 0, word, WIRE__KIND__KIND_NODE, judged->node, REJECT_NONE, "");
    apply_event(apply, 0, word, WIRE__KIND__KIND_NODE, judged->node, row->reason);
    apply_alarm(
        apply,
        "node-unknown",
        WIRE__KIND__KIND_NODE,
        judged->node,
        !alive,
        "not heard; nothing is concluded, nothing is moved");
}

struct condition {
    uint32_t bit;
    const char *alarm;
    const char *why;
};

static const struct condition conditions[] = {
    { WIRE__NODE_CONDITION__NODE_CONDITION_LIBVIRT_AWAY,
      "libvirt-away",
      "libvirtd does not answer; nothing is begun there, guests run on" },
    { WIRE__NODE_CONDITION__NODE_CONDITION_STRANGERS,
      "foreign-guests",
      "guests that are not ours run there; they are left alone" },
};

/* What a node says of itself besides: each is an alarm for as long as it is so. */
void apply_node_conditioned(struct apply *apply, const Wire__NodeConditioned *word)
{
    struct node_row *row = state_find(apply->state, TABLE_NODE, word->node);
    if (row == NULL) {
        return;
    }
    apply->actor_kind = WIRE__KIND__KIND_NODE;
    apply->actor = word->node;
    for (size_t i = 0; i < COUNT_OF(conditions); i++) {
        const struct condition *known = &conditions[i];
        bool is = (word->conditions & known->bit) != 0;
        if (is == ((row->conditions & known->bit) != 0)) {
            continue;
        }
        row->conditions ^= known->bit;
        state_touch(apply->state, TABLE_NODE, row);
        apply_leaf(
            apply,
            0,
            is ? "node-limited" : "node-restored",
            WIRE__KIND__KIND_NODE,
            word->node,
            REJECT_NONE,
            known->alarm);
        apply_alarm(apply, known->alarm, WIRE__KIND__KIND_NODE, word->node, is, known->why);
    }
}

const char *apply_condition_words(uint32_t bits)
{
    for (size_t i = 0; i < COUNT_OF(conditions); i++) {
        if ((bits & conditions[i].bit) != 0) {
            return conditions[i].why;
        }
    }
    return "";
}

/* ---- What became of an instance ---- */

static void changed(
    struct apply *apply, struct instance_row *row, const char *word, const char *why)
{
    (void)text_copy(row->reason, sizeof(row->reason), slice_text(why));
    row->revision++;
    state_touch(apply->state, TABLE_INSTANCE, row);
    if (!MUTANT(AUDIT_LEAF_FOR_REASONS_ONLY) || why[0] != '\0') {
        apply_leaf(
            apply,
            row->tenant.value,
            word,
            WIRE__KIND__KIND_INSTANCE,
            row->head.id,
            REJECT_NONE,
            why);
    }
    apply_event(
        apply, row->tenant.value, word, WIRE__KIND__KIND_INSTANCE, row->head.id, row->reason);
}

static void finish(
    struct apply *apply, struct instance_row *row, enum reject reject, const char *why)
{
    if (row->operation.value != 0) {
        apply_operation_done(apply, row->operation, reject, why);
        row->operation.value = 0;
        state_touch(apply->state, TABLE_INSTANCE, row);
    }
}

/* Repairs are what the node did by itself to keep the desired state: each number is recorded. */
static void repaired(struct apply *apply, struct instance_row *row, const Wire__NodeReported *word)
{
    if (word->repairs == 0) {
        return;
    }
    row->attempts =
        row->attempts + word->repairs < row->attempts ? UINT32_MAX : row->attempts + word->repairs;
    changed(apply, row, "instance-repair", "restarted by its node");
}

static void runs(struct apply *apply, struct instance_row *row)
{
    if (row->state == S(STARTING)) {
        instance_move(row, S(RUNNING));
        instance_commit(apply, row);
        changed(apply, row, "instance-running", "");
        finish(apply, row, REJECT_NONE, "");
    }
}

/* It is not there any more and is not to be restarted: its room on the node is free. */
static void rests(struct apply *apply, struct instance_row *row, bool failed, const char *why)
{
    uint64_t node = row->node.value;
    instance_commit(apply, row); /* It keeps its quota, at rest as in motion. */
    row->desired = WIRE__DESIRED__DESIRED_STOPPED;
    instance_move(row, failed ? S(FAILED) : S(STOPPED));
    instance_unplace(apply, row);
    row->generation++;
    changed(apply, row, failed ? "instance-failed" : "instance-stopped", why);
    finish(apply, row, failed ? REJECT_STATE : REJECT_NONE, why);
    if (failed) {
        apply_alarm(
            apply,
            "instance-failed",
            WIRE__KIND__KIND_INSTANCE,
            row->head.id,
            true,
            "its attempts are used up, or it may not be restarted");
    }
    apply_assign(apply, node, row); /* The node forgets it. */
}

static void ends(struct apply *apply, struct instance_row *row)
{
    finish(apply, row, REJECT_NONE, "");
    changed(apply, row, "instance-gone", "");
    apply_alarm(
        apply, "instance-failed", WIRE__KIND__KIND_INSTANCE, row->head.id, false, "it is gone");
    instance_unplace(apply, row);
    instance_gone(apply, row);
}

/* Leaves hold fixed words of ours. What a node says in any other form is not quoted: it could end
 * every replica at this entry, or carry somebody's text into the log. */
static const char *reason_of(const Wire__NodeReported *word)
{
    size_t size = 0;
    while (size < LIMIT_REASON && word->reason[size] >= ' ' && word->reason[size] <= '~') {
        size++;
    }
    bool ours = size < LIMIT_REASON && word->reason[size] == '\0';
    return ours ? word->reason : "its node gave a reason that is not one of ours";
}

void apply_node_reported(
    struct apply *apply, const Wire__NodeReported *word, struct outcome *outcome)
{
    struct instance_row *row = state_find(apply->state, TABLE_INSTANCE, word->instance);
    if (row == NULL || row->node.value != word->node || row->epoch != word->epoch ||
        row->generation != word->generation) {
        outcome->reject = REJECT_STALE;
        return; /* INV-VM-2: only the owner's word about the newest order counts. */
    }
    apply->actor_kind = WIRE__KIND__KIND_NODE;
    apply->actor = word->node;
    bool wanted = row->desired == WIRE__DESIRED__DESIRED_RUNNING;
    if (row->desired == WIRE__DESIRED__DESIRED_GONE) {
        if (word->observed == WIRE__OBSERVED__OBSERVED_GONE) {
            ends(apply, row);
        }
        return;
    }
    if (wanted) {
        repaired(apply, row, word);
    }
    switch (word->observed) {
    case WIRE__OBSERVED__OBSERVED_RUNNING:
        if (wanted) {
            runs(apply, row);
        }
        return;
    case WIRE__OBSERVED__OBSERVED_STOPPED:
    case WIRE__OBSERVED__OBSERVED_GONE:
        if (!wanted) {
            rests(apply, row, false, "");
        }
        return;
    case WIRE__OBSERVED__OBSERVED_FAILED:
        if (wanted) {
            rests(apply, row, true, word->reason[0] != '\0' ? reason_of(word) : "failed");
        } else {
            rests(apply, row, false, "");
        }
        return;
    case WIRE__OBSERVED__OBSERVED_STARTING:
        if (wanted && row->state == S(RUNNING)) {
            instance_move(row, S(STARTING));
            changed(apply, row, "instance-starting", reason_of(word));
        }
        return;
    case WIRE__OBSERVED__OBSERVED_UNSET:
    case _WIRE__OBSERVED_IS_INT_SIZE: return;
    }
}
