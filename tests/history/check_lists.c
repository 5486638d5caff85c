/* Decides whether what was appended to lists and read from them can have had any order at all. Who
 * wrote what a read saw came before it (wr), who wrote what it did not see yet came after (rw),
 * what was appended earlier came earlier (ww), and what had returned before something else was
 * asked came before that (rt). A cycle of these is an anomaly (Adya 1999), named as Kingsbury and
 * Alvaro (2020) name it. Everything is linear in the history, but for the sorting.
 *
 * Never needs every writer: what nobody is known to have appended is stepped over. */
#include "base/check.h"
#include "tests/history/graph.h"
#include "tests/history/history.h"
#include "tests/history/merge.h"
#include "tests/history/order.h"
#include "tests/history/words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WW = 1, WR = 2, RW = 4, RT = 8, PATH = 4096, TOLD = 12 };
/* Of naming a cycle that was found; it is one with or without its name. */
#define WORK_MAX UINT64_C(50000000)

struct append {
    uint32_t list;
    uint32_t event;
    uint64_t element;
    bool aborted;  /* It was refused. */
    bool doubtful; /* Nobody said OK, and nobody saw it yet. */
    bool inner;    /* The same event appended another one after it. */
    size_t prior;  /* The last that counts, up to here, + 1; 0: none. */
    size_t next;   /* The first that counts, from here on; else past the end. */
};

struct lists {
    const struct history *history;
    struct merge merge;
    struct append *appends; /* Owned; by list and element. */
    size_t appends_count;
    struct graph graph;
    struct history_verdict verdict;
};

static void anomaly(struct lists *lists, const char *name, const char *what)
{
    if (lists->verdict.word == HISTORY_CLEAN) {
        lists->verdict.word = HISTORY_ANOMALY;
        (void)snprintf(
            lists->verdict.sentence, sizeof(lists->verdict.sentence), "%s: %s", name, what);
    }
}

static void event_words(const struct history *history, uint32_t number, char *room, size_t size)
{
    const struct history_event *event = &history->events[number];
    (void)snprintf(
        room,
        size,
        "client %u %s%s%s at %.6f s",
        event->client,
        words_f(event->f),
        event->object == 0 ? "" : " ",
        history_text(history, event->object),
        (double)event->invoke_ns / 1e9);
}

static void list_anomaly(
    struct lists *lists, const char *name, uint32_t list, uint64_t element, uint32_t event)
{
    char who[128];
    char what[320];
    event_words(lists->history, event, who, sizeof(who));
    (void)snprintf(
        what,
        sizeof(what),
        "element %llu of %s, %s",
        (unsigned long long)element,
        history_text(lists->history, list),
        who);
    anomaly(lists, name, what);
}

/* ---- Appends ---- */

static int append_order(const void *one, const void *other)
{
    const struct append *a = one;
    const struct append *b = other;
    if (a->list != b->list) {
        return a->list < b->list ? -1 : 1;
    }
    if (a->element != b->element) {
        return a->element < b->element ? -1 : 1;
    }
    return a->event < b->event ? -1 : a->event > b->event;
}

static bool same(const struct append *a, const struct append *b)
{
    return a->list == b->list && a->element == b->element;
}

static void appends_gather(struct lists *lists)
{
    const struct history *history = lists->history;
    uint32_t *later = calloc((size_t)history->names_count + 1, sizeof(*later));
    lists->appends = calloc((size_t)history->touches_count + 1, sizeof(*lists->appends));
    CHECK(lists->appends != NULL && later != NULL);
    for (uint32_t i = 0; i < history->events_count; i++) {
        const struct history_event *event = &history->events[i];
        for (uint32_t k = event->touches_count; k-- > 0;) { /* The last first. */
            const struct history_touch *touch = &history->touches[event->touches + k];
            if (touch->kind != HISTORY_APPEND || touch->element == 0 ||
                lists->merge.speaker[i] != i) {
                continue;
            }
            struct append *append = &lists->appends[lists->appends_count++];
            append->list = touch->list;
            append->element = touch->element;
            append->event = i;
            append->aborted = event->told.outcome == HISTORY_FAIL;
            append->doubtful = event->told.outcome == HISTORY_INFO;
            append->inner = later[touch->list] == i + 1;
            later[touch->list] = i + 1;
        }
    }
    free(later);
    qsort(lists->appends, lists->appends_count, sizeof(*lists->appends), append_order);
    for (size_t i = 1; i < lists->appends_count; i++) {
        const struct append *append = &lists->appends[i];
        if (same(append, append - 1)) {
            list_anomaly(lists, "appended twice", append->list, append->element, append->event);
        }
    }
}

/* The first append to this list that is above the element. */
static size_t above(const struct lists *lists, uint32_t list, uint64_t element)
{
    size_t low = 0;
    size_t high = lists->appends_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct append *append = &lists->appends[middle];
        bool is_above = append->list > list || (append->list == list && append->element > element);
        low = is_above ? low : middle + 1;
        high = is_above ? middle : high;
    }
    return low;
}

/* ---- Reads ---- */

/* What somebody saw is in no doubt, wherever in the history that stands. */
static void settle(struct lists *lists, uint32_t event, const struct history_touch *touch)
{
    (void)event;
    for (uint32_t i = 0; i < touch->count + (touch->listed ? 0 : 1); i++) {
        uint64_t element =
            touch->listed ? lists->history->elements[touch->elements + i] : touch->element;
        size_t at = element == 0 ? lists->appends_count : above(lists, touch->list, element - 1);
        if (at < lists->appends_count && lists->appends[at].list == touch->list &&
            lists->appends[at].element == element) {
            lists->appends[at].doubtful = false; /* Two of one number are an anomaly. */
        }
    }
}

static bool counts(const struct append *append)
{
    return !append->aborted && !append->doubtful;
}

/* After everything is settled: no read steps over what does not count. */
static void appends_link(struct lists *lists)
{
    size_t prior = 0;
    for (size_t i = 0; i < lists->appends_count; i++) {
        prior = counts(&lists->appends[i]) ? i + 1 : prior;
        lists->appends[i].prior = prior;
    }
    size_t next = lists->appends_count;
    for (size_t i = lists->appends_count; i-- > 0;) {
        next = counts(&lists->appends[i]) ? i : next;
        lists->appends[i].next = next;
    }
}

/* From there on, the first of the list that counts; NULL: none. */
static const struct append *next_of(const struct lists *lists, size_t from, uint32_t list)
{
    size_t at = from < lists->appends_count ? lists->appends[from].next : from;
    bool found = at < lists->appends_count && lists->appends[at].list == list;
    return found ? &lists->appends[at] : NULL;
}

/* What was listed is in order, was not refused, and leaves nothing out. */
static void listed_check(struct lists *lists, uint32_t event, const struct history_touch *touch)
{
    const uint64_t *elements = &lists->history->elements[touch->elements];
    uint64_t before = touch->after;
    for (uint32_t i = 0; i < touch->count && lists->verdict.word == HISTORY_CLEAN; i++) {
        if (elements[i] <= before) {
            list_anomaly(lists, "out of order", touch->list, elements[i], event);
            return;
        }
        const struct append *next = next_of(lists, above(lists, touch->list, before), touch->list);
        if (next != NULL && next->element < elements[i]) {
            list_anomaly(lists, "left out", touch->list, next->element, event);
        }
        size_t at = above(lists, touch->list, elements[i] - 1);
        if (at < lists->appends_count && lists->appends[at].list == touch->list &&
            lists->appends[at].element == elements[i] && lists->appends[at].aborted) {
            list_anomaly(lists, "G1a, read what was refused", touch->list, elements[i], event);
        }
        before = elements[i];
    }
}

static void read_edges(struct lists *lists, uint32_t event, const struct history_touch *touch)
{
    size_t at = above(lists, touch->list, touch->element);
    size_t prior = at == 0 ? 0 : lists->appends[at - 1].prior;
    const struct append *last = prior == 0 ? NULL : &lists->appends[prior - 1];
    if (last != NULL && last->list == touch->list) {
        if (last->inner && last->element == touch->element && !touch->more &&
            last->event != event) {
            list_anomaly(lists, "G1b, read half of it", touch->list, touch->element, event);
        }
        graph_add(&lists->graph, last->event, event, WR);
    }
    const struct append *next = touch->more ? NULL : next_of(lists, at, touch->list);
    if (next != NULL) {
        graph_add(&lists->graph, event, next->event, RW);
    }
}

static void each_read(
    struct lists *lists,
    void (*look)(struct lists *lists, uint32_t event, const struct history_touch *touch),
    bool listed_only)
{
    const struct history *history = lists->history;
    for (uint32_t i = 0; i < history->events_count; i++) {
        const struct history_event *event = &history->events[i];
        for (uint32_t k = 0; event->told.outcome == HISTORY_OK && k < event->touches_count; k++) {
            const struct history_touch *touch = &history->touches[event->touches + k];
            if (touch->kind == HISTORY_SEEN && (touch->listed || !listed_only)) {
                look(lists, i, touch);
            }
        }
    }
}

static void write_edges(struct lists *lists)
{
    const struct append *last = NULL;
    for (size_t i = 0; i < lists->appends_count; i++) {
        const struct append *append = &lists->appends[i];
        if (!counts(append)) {
            continue;
        }
        if (last != NULL && last->list == append->list) {
            graph_add(&lists->graph, last->event, append->event, WW);
        }
        last = append;
    }
}

/* ---- Real time: a chain of moments, so that there are few edges ---- */

static void time_edges(struct lists *lists)
{
    const struct history *history = lists->history;
    struct moment *moments = calloc((size_t)history->events_count * 2 + 1, sizeof(*moments));
    CHECK(moments != NULL);
    size_t count = 0;
    for (uint32_t i = 0; i < history->events_count; i++) {
        const struct history_event *event = &history->events[i];
        if (lists->merge.speaker[i] != i || event->told.outcome == HISTORY_FAIL ||
            event->touches_count == 0) {
            continue;
        }
        moments[count++] = (struct moment){ lists->merge.invoke_ns[i], i, false };
        if (event->told.at_ns != HISTORY_OPEN) {
            moments[count++] = (struct moment){ event->told.at_ns, i, true };
        }
    }
    qsort(moments, count, sizeof(*moments), moment_order);
    uint32_t chain = history->events_count; /* The chain's nodes follow the events. */
    bool begun = false;
    for (size_t i = 0; i < count; i++) {
        if (!moments[i].returns) {
            if (begun) {
                graph_add(&lists->graph, chain, moments[i].of, RT);
            }
            continue;
        }
        if (begun) {
            graph_add(&lists->graph, chain, chain + 1, RT);
            chain++;
        }
        begun = true;
        graph_add(&lists->graph, moments[i].of, chain, RT);
    }
    free(moments);
}

/* ---- Cycles ---- */

static const char *edge_word(uint32_t kind)
{
    switch (kind) {
    case WW: return "ww";
    case WR: return "wr";
    case RW: return "rw";
    default: return "rt";
    }
}

/* Names the ends of the edges; the chain's nodes are stepped over. */
static void cycle_words(
    const struct lists *lists,
    const struct graph_edge *edges,
    size_t count,
    char *room,
    size_t size)
{
    size_t used = 0;
    uint32_t told = 0;
    room[0] = '\0';
    for (size_t i = 0; i < count && told < TOLD; i++) {
        char who[128];
        uint32_t from = edges[i].from;
        if (from >= lists->history->events_count) {
            continue;
        }
        event_words(lists->history, from, who, sizeof(who));
        int more = snprintf(room + used, size - used, "%s -%s-> ", who, edge_word(edges[i].kind));
        if (more < 0 || (size_t)more >= size - used) {
            room[used] = '\0';
            break;
        }
        used += (size_t)more;
        told++;
    }
    (void)snprintf(room + used, size - used, "%s", "the first");
}

/* The shortest way back along other edges than `kind`, for an edge of that kind on a cycle. */
static size_t cycle_with(
    struct lists *lists, uint32_t kind, uint32_t back, struct graph_edge *edges, uint64_t *work)
{
    const struct graph *graph = &lists->graph;
    for (size_t i = 0; i<graph->edges_count && * work> 0; i++) {
        const struct graph_edge *edge = &graph->edges[i];
        if ((edge->kind & kind) == 0 || graph->group[edge->from] != graph->group[edge->to]) {
            continue;
        }
        size_t count =
            graph_path(graph, edge->to, edge->from, back, work, edges + 1, (size_t)PATH - 1);
        if (count > 0) {
            edges[0] = *edge;
            return count + 1;
        }
    }
    return 0;
}

static void cycles(struct lists *lists)
{
    static const struct {
        uint32_t kinds;
        const char *name;
    } looks[] = {
        { WW, "G0" },
        { WW | WR, "G1c" },
        { WW | WR | RW, "G2" },
        { WW | RT, "G0-realtime" },
        { WW | WR | RT, "G1c-realtime" },
        { WW | WR | RW | RT, "G2-realtime" },
    };
    static struct graph_edge edges[PATH];
    for (size_t i = 0; i < COUNT_OF(looks); i++) {
        uint32_t kinds = looks[i].kinds;
        if (!graph_cycles(&lists->graph, kinds)) {
            continue;
        }
        char what[HISTORY_SENTENCE - 40];
        uint64_t work = WORK_MAX;
        size_t count = 0;
        const char *name = looks[i].name;
        if ((kinds & RW) != 0) {
            count = cycle_with(lists, RW, kinds & ~(uint32_t)RW, edges, &work);
            name = count > 0 ? ((kinds & RT) != 0 ? "G-single-realtime" : "G-single") : name;
        }
        if (count == 0) {
            work = WORK_MAX;
            count = cycle_with(lists, kinds & ~(uint32_t)RT, kinds, edges, &work);
        }
        cycle_words(lists, edges, count, what, sizeof(what));
        anomaly(lists, name, what);
        return;
    }
}

struct history_verdict history_check_lists(const struct history *history)
{
    struct lists lists = { .history = history, .verdict = { .word = HISTORY_CLEAN } };
    merge_begin(history, &lists.merge);
    appends_gather(&lists);
    each_read(&lists, settle, false);
    appends_link(&lists);
    each_read(&lists, listed_check, true);
    graph_begin(&lists.graph, history->events_count * 2 + 1);
    write_edges(&lists);
    each_read(&lists, read_edges, false);
    time_edges(&lists);
    graph_seal(&lists.graph);
    if (lists.verdict.word == HISTORY_CLEAN) {
        cycles(&lists);
    }
    lists.verdict.looked = lists.graph.edges_count;
    if (lists.verdict.word == HISTORY_CLEAN) {
        (void)snprintf(
            lists.verdict.sentence,
            sizeof(lists.verdict.sentence),
            "%zu appends and %zu edges, no cycle",
            lists.appends_count,
            lists.graph.edges_count);
    }
    graph_end(&lists.graph);
    merge_end(&lists.merge);
    free(lists.appends);
    return lists.verdict;
}
