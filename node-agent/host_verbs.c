/* Decides the order of the steps inside a verb, and undoes what it began. Never decides that a verb
 * is needed (the agent does), never runs two for one instance (the agent does not ask).
 *
 * The happy path of a start: images verified → rules installed and read back → domain made, paused
 * → pace and memory limit → resumed.
 * What can go wrong: any step refuses: what was made is destroyed, and the answer says which; this
 * process dies in between: the domain stays paused and Observe reports it so. */
#include "node-agent/host_verbs.h"

#include "base/check.h"
#include "host/log.h"
#include "node-agent/host_console.h"
#include "node-agent/host_net.h"
#include "node-agent/host_nft.h"

#include <stdlib.h>
#include <string.h>

static void *take(struct arena *arena, size_t size)
{
    CHECK(size > 0);
    void *memory = arena_take(arena, size);
    CHECK(memory != NULL); /* HOST_ARENA_BYTES holds the largest answer. */
    return memory;
}

/* ---- Observe. ---- */

enum { SEEN_MAX = LIMIT_NODE_INSTANCES };
_Static_assert(
    SEEN_MAX *(
        sizeof(struct host_domain_seen) + sizeof(Wire__HostInstance) + 8 + 8 + NETWORK_NAME) +
            LIMIT_NODE_SEGMENTS * (sizeof(Wire__HostSegment) + 8) <
        HOST_ARENA_BYTES,
    "a full node's observation fits");

static Wire__HostInstance *told_instance(
    struct arena *arena, Wire__VerbTold *told, uint64_t instance)
{
    CHECK(instance != 0);
    for (size_t i = 0; i < told->n_instances; i++) {
        if (told->instances[i]->instance == instance) {
            return told->instances[i];
        }
    }
    if (told->n_instances == SEEN_MAX) {
        return NULL;
    }
    Wire__HostInstance *line = take(arena, sizeof(*line));
    wire__host_instance__init(line);
    line->instance = instance;
    told->instances[told->n_instances++] = line;
    return line;
}

static void told_leftover(
    const struct host *host, struct arena *arena, Wire__VerbTold *told, uint64_t instance)
{
    if (!isolation_id_valid(instance) || id_cell(instance) != host->cell) {
        return;
    }
    Wire__HostInstance *line = told_instance(arena, told, instance);
    if (line != NULL && !line->running && !line->paused) {
        line->leftovers = true;
    }
    CHECK(told->n_instances <= SEEN_MAX);
}

static RESULT observe_domains(struct host *host, struct arena *arena, Wire__VerbTold *told)
{
    struct host_domain_seen *seen = take(arena, SEEN_MAX * sizeof(*seen));
    uint32_t count = 0;
    TRY(host_domains_list(host->domains, seen, SEEN_MAX, &count, &told->strangers));
    for (uint32_t i = 0; i < count; i++) {
        Wire__HostInstance *line = told_instance(arena, told, seen[i].instance);
        CHECK(line != NULL);
        line->running = seen[i].running;
        line->paused = seen[i].paused;
        line->generation = seen[i].metadata.generation;
        line->epoch = seen[i].metadata.epoch;
        line->boots = seen[i].metadata.boots;
    }
    CHECK(told->n_instances == count);
    return OK;
}

static RESULT observe_leftovers(struct host *host, struct arena *arena, Wire__VerbTold *told)
{
    uint32_t count = 0;
    uint64_t *logs = take(arena, SEEN_MAX * sizeof(logs[0]));
    TRY(host_console_list(host->console_directory, logs, SEEN_MAX, &count));
    CHECK(count <= SEEN_MAX);
    for (uint32_t i = 0; i < count; i++) {
        told_leftover(host, arena, told, logs[i]);
    }
    char(*taps)[NETWORK_NAME] = take(arena, SEEN_MAX * sizeof(taps[0]));
    TRY(host_nft_taps(taps, SEEN_MAX, &count));
    for (uint32_t i = 0; i < count; i++) {
        uint64_t instance = 0;
        uint32_t nic = 0;
        if (network_name_parse(taps[i], &instance, &nic) == NETWORK_NAME_TAP) {
            told_leftover(host, arena, told, instance);
        }
    }
    return OK;
}

static RESULT observe_segments(struct host *host, struct arena *arena, Wire__VerbTold *told)
{
    struct host_segment *segments = calloc(LIMIT_NODE_SEGMENTS, sizeof(*segments));
    if (segments == NULL) {
        return FAIL(FAILURE_NO_SPACE);
    }
    uint32_t count = 0;
    struct result result = host_net_list(segments, LIMIT_NODE_SEGMENTS, &count);
    told->segments = take(arena, LIMIT_NODE_SEGMENTS * sizeof(told->segments[0]));
    for (uint32_t i = 0; result.code == 0 && i < count; i++) {
        if (id_cell(segments[i].network) != host->cell) {
            continue;
        }
        Wire__HostSegment *line = take(arena, sizeof(*line));
        wire__host_segment__init(line);
        line->network = segments[i].network;
        line->vni = segments[i].vni;
        line->generation = segments[i].generation;
        told->segments[told->n_segments++] = line;
    }
    free(segments);
    CHECK(told->n_segments <= LIMIT_NODE_SEGMENTS);
    return result;
}

static RESULT do_observe(struct host *host, struct arena *arena, Wire__VerbTold *told)
{
    told->instances = take(arena, SEEN_MAX * sizeof(told->instances[0]));
    /* INV-NET-12: whoever flushed the rules silenced our taps, no more. */
    TRY(host_nft_base(host->underlay));
    TRY(observe_domains(host, arena, told));
    TRY(observe_leftovers(host, arena, told));
    return observe_segments(host, arena, told);
}

/* ---- Segments. ---- */

static void told_segment(
    struct arena *arena, Wire__VerbTold *told, const struct host_segment *segment)
{
    CHECK(segment->network != 0);
    CHECK(told->n_segments == 0);
    Wire__HostSegment *line = take(arena, sizeof(*line));
    wire__host_segment__init(line);
    line->network = segment->network;
    line->vni = segment->vni;
    line->generation = segment->generation;
    told->segments = take(arena, sizeof(told->segments[0]));
    told->segments[told->n_segments++] = line;
}

static RESULT do_ensure(
    struct host *host, const Wire__EnsureSegment *verb, struct arena *arena, Wire__VerbTold *told)
{
    const Wire__Segment *order = verb->segment;
    if (order == NULL || !isolation_id_valid(order->network) ||
        id_cell(order->network) != host->cell || !network_vni_valid(order->vni) ||
        order->n_peers > LIMIT_SEGMENT_PEERS) {
        return FAIL(FAILURE_BAD_INPUT);
    }
    struct host_segment segment = {
        .network = order->network,
        .generation = order->generation,
        .vni = order->vni,
        .underlay = host->underlay,
        .peers_count = (uint32_t)order->n_peers,
    };
    for (size_t i = 0; i < order->n_peers; i++) {
        if (!network_address_parse(order->peers[i], &segment.peers[i])) {
            return FAIL(FAILURE_BAD_INPUT);
        }
    }
    /* INV-NET-12, INV-NET-13: before the bridge can carry a frame to this machine. */
    TRY(host_nft_base(host->underlay));
    TRY(host_net_ensure(&segment));
    told_segment(arena, told, &segment);
    CHECK(told->n_segments == 1);
    return OK;
}

/* ---- Start. ---- */

static RESULT install_rules(const struct host *host, const struct domain *domain)
{
    CHECK(domain->nic_count <= LIMIT_INSTANCE_NETWORKS);
    TRY(host_nft_base(host->underlay));
    for (uint32_t i = 0; i < domain->nic_count; i++) {
        TRY(host_nft_tap(&domain->nics[i]));
    }
    return OK;
}

/* The domain is there and paused: nothing of the guest has run. */
static RESULT finish_start(struct host *host, const struct domain *domain)
{
    CHECK(domain->memory_bytes > 0);
    for (uint32_t i = 0; i < domain->nic_count; i++) {
        TRY(host_net_pace(domain->nics[i].tap));
    }
    uint64_t hard_limit = 0;
    bool fits = !__builtin_add_overflow(
        domain->memory_bytes, (uint64_t)HOST_OVERHEAD_MIB << 20, &hard_limit);
    CHECK(fits);
    TRY(host_domain_limit(host->domains, domain->instance, hard_limit));
    return host_domain_resume(host->domains, domain->instance);
}

static RESULT do_start(
    struct host *host, const Wire__StartInstance *verb, struct arena *arena, Wire__VerbTold *told)
{
    struct domain domain;
    TRY(host_describe(host, verb, &domain));
    /* INV-VM-6: before every boot, whatever was true yesterday. */
    TRY(host_image_verify(host->image_directory, verb->assignment->kernel_sha256.data));
    TRY(host_image_verify(host->image_directory, verb->assignment->initramfs_sha256.data));
    char *xml = take(arena, HOST_XML_SIZE);
    if (!host_xml_write(&domain, xml, HOST_XML_SIZE)) {
        return FAIL(FAILURE_BAD_INPUT);
    }
    TRY(install_rules(host, &domain)); /* INV-NET-12: before the tap exists. */
    TRY(host_domain_create(host->domains, domain.instance, xml));
    struct result result = finish_start(host, &domain);
    if (result.code != 0) {
        struct result undone = host_domain_destroy(host->domains, domain.instance);
        log_line(
            LOG_LEVEL_WARN,
            "start-undone",
            "instance=%s failure=%s undone=%s",
            domain.uuid,
            result_name(result),
            result_name(undone));
        return result;
    }
    told->instances = take(arena, sizeof(told->instances[0]));
    Wire__HostInstance *line = told_instance(arena, told, domain.instance);
    CHECK(line != NULL);
    line->running = true;
    line->generation = domain.generation;
    line->epoch = domain.epoch;
    line->boots = domain.boots;
    return OK;
}

/* ---- Stop and erase. ---- */

static RESULT do_stop(struct host *host, const Wire__StopInstance *verb)
{
    if (!isolation_id_valid(verb->instance) || id_cell(verb->instance) != host->cell) {
        return FAIL(FAILURE_BAD_INPUT);
    }
    CHECK(host->domains != NULL);
    return verb->force ? host_domain_destroy(host->domains, verb->instance)
                       : host_domain_ask_stop(host->domains, verb->instance);
}

static RESULT do_erase(struct host *host, const Wire__EraseInstance *verb, struct arena *arena)
{
    if (!isolation_id_valid(verb->instance) || id_cell(verb->instance) != host->cell) {
        return FAIL(FAILURE_BAD_INPUT);
    }
    struct result destroyed = host_domain_destroy(host->domains, verb->instance);
    if (destroyed.code != 0 && destroyed.code != FAILURE_NOT_FOUND) {
        return destroyed;
    }
    uint32_t count = 0;
    char(*taps)[NETWORK_NAME] = take(arena, SEEN_MAX * sizeof(taps[0]));
    TRY(host_nft_taps(taps, SEEN_MAX, &count));
    for (uint32_t i = 0; i < count; i++) {
        uint64_t instance = 0;
        uint32_t nic = 0;
        if (network_name_parse(taps[i], &instance, &nic) == NETWORK_NAME_TAP &&
            instance == verb->instance) {
            TRY(host_nft_drop(taps[i]));
        }
    }
    CHECK(count <= SEEN_MAX);
    return host_console_remove(host->console_directory, verb->instance);
}

/* ---- Console and survey. ---- */

static RESULT do_console(
    struct host *host, const Wire__ReadConsole *verb, struct arena *arena, Wire__VerbTold *told)
{
    if (!isolation_id_valid(verb->instance) || id_cell(verb->instance) != host->cell) {
        return FAIL(FAILURE_BAD_INPUT);
    }
    uint8_t *room = take(arena, LIMIT_CONSOLE);
    size_t used = 0;
    uint64_t offset = 0;
    uint64_t size = 0;
    TRY(host_console_read(
        host->console_directory, verb->instance, verb->offset, room, &used, &offset, &size));
    CHECK(used <= LIMIT_CONSOLE);
    told->console = take(arena, sizeof(*told->console));
    wire__node_console_told__init(told->console);
    told->console->data = (ProtobufCBinaryData){ used, room };
    told->console->offset = offset;
    told->console->size = size;
    return OK;
}

static RESULT do_survey(struct host *host, struct arena *arena, Wire__VerbTold *told)
{
    TRY(host_images_survey(&host->images, host->image_directory));
    Wire__NodeHello *survey = take(arena, sizeof(*survey));
    wire__node_hello__init(survey);
    survey->vcpus = host->vcpus;
    survey->memory_bytes = host->memory_bytes;
    const struct host_virtualization *now = host->virtualization;
    survey->virtualization = now->type == DOMAIN_KVM ? "kvm" : "tcg";
    survey->fallbacks = take(arena, sizeof(survey->fallbacks[0]));
    if (now->fallback[0] != '\0') {
        char *fallback = take(arena, sizeof(now->fallback));
        memcpy(fallback, now->fallback, sizeof(now->fallback));
        survey->fallbacks[survey->n_fallbacks++] = fallback;
    }
    survey->images = take(arena, LIMIT_NODE_IMAGES * sizeof(survey->images[0]));
    CHECK(host->images.count <= LIMIT_NODE_IMAGES);
    for (uint32_t i = 0; i < host->images.count; i++) {
        uint8_t *digest = take(arena, SHA256_SIZE);
        memcpy(digest, host->images.items[i].digest, SHA256_SIZE);
        survey->images[survey->n_images++] = (ProtobufCBinaryData){ SHA256_SIZE, digest };
    }
    told->survey = survey;
    return OK;
}

static RESULT perform(
    struct host *host, const Wire__Verb *verb, struct arena *arena, Wire__VerbTold *told)
{
    CHECK(told->n_instances == 0);
    switch (verb->verb_case) {
    case WIRE__VERB__VERB_OBSERVE: return do_observe(host, arena, told);
    case WIRE__VERB__VERB_ENSURE_SEGMENT: return do_ensure(host, verb->ensure_segment, arena, told);
    case WIRE__VERB__VERB_DROP_SEGMENT:
        return isolation_id_valid(verb->drop_segment->network) &&
                       id_cell(verb->drop_segment->network) == host->cell
                   ? host_net_drop(verb->drop_segment->network)
                   : FAIL(FAILURE_BAD_INPUT);
    case WIRE__VERB__VERB_START: return do_start(host, verb->start, arena, told);
    case WIRE__VERB__VERB_STOP: return do_stop(host, verb->stop);
    case WIRE__VERB__VERB_ERASE: return do_erase(host, verb->erase, arena);
    case WIRE__VERB__VERB_READ_CONSOLE: return do_console(host, verb->read_console, arena, told);
    case WIRE__VERB__VERB_SURVEY: return do_survey(host, arena, told);
    case WIRE__VERB__VERB__NOT_SET:
    case _WIRE__VERB__VERB__CASE_IS_INT_SIZE: break;
    }
    return FAIL(FAILURE_BAD_INPUT);
}

void host_perform(
    struct host *host, const Wire__Verb *verb, struct arena *arena, Wire__VerbTold *told)
{
    CHECK(host->cell != 0);
    wire__verb_told__init(told);
    struct result result = perform(host, verb, arena, told);
    if (result.code != 0) { /* Half an answer is none. */
        wire__verb_told__init(told);
        told->failure = result.code;
        told->reason = result_name(result);
    }
    told->handle = verb->handle;
    CHECK(told->failure == result.code);
}
