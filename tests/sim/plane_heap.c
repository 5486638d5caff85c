/* Counts what is asked of the heap inside the step functions of the cores, engine_step and
 * agent_step, whoever asks: our code or a library's. The linker leads every call of the two through
 * here; malloc and its kin are this file's, over the C library's own. Decides only that a step
 * which asks for memory breaks its promise. Shells may ask: mirror, log, consensus and the loops
 * are not counted, nor is the store when a step hands it a row. */
#include "base/check.h"
#include "controller/core/engine.h"
#include "controller/store.h"
#include "node-agent/core/agent.h"
#include "tests/sim/plane_check.h"

#include <stdlib.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) && !defined(__SANITIZE_ADDRESS__)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif

static struct plane *watched; /* NULL: nobody counts. */
static bool inside;           /* A step. */
static uint64_t asked;        /* Times, inside of this step; */
static size_t asked_bytes;    /* the first. */
static bool spoilt;           /* A lie: the next step asks for memory. */

static void count(size_t size)
{
    if (inside) {
        asked_bytes = asked == 0 ? size : asked_bytes;
        asked++;
    }
}

#ifdef __SANITIZE_ADDRESS__
/* Of the sanitizer, whose heap it is then; gcc brings no header for it. */
int __sanitizer_install_malloc_and_free_hooks(
    void (*taken)(const volatile void *block, size_t size),
    void (*given)(const volatile void *block));

static void hook(const volatile void *block, size_t size)
{
    CHECK(block != NULL);
    count(size);
}

static void hook_nothing(const volatile void *block)
{
    (void)block;
}
#else
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);

void *malloc(size_t size)
{
    count(size);
    return __libc_malloc(size);
}

void *calloc(size_t many, size_t size)
{
    count(many * size);
    return __libc_calloc(many, size);
}

void *realloc(void *block, size_t size)
{
    count(size);
    return __libc_realloc(block, size);
}
#endif

void plane_heap_begin(struct plane *plane)
{
    watched = plane;
#ifdef __SANITIZE_ADDRESS__
    static bool hooked;
    int installed = hooked ? 1 : __sanitizer_install_malloc_and_free_hooks(hook, hook_nothing);
    CHECK(installed != 0);
    hooked = true;
#endif
}

void plane_heap_end(void)
{
    watched = NULL;
}

void plane_heap_spoil(void)
{
    spoilt = true;
}

static void step_begins(void)
{
    CHECK(!inside);
    asked = 0;
    inside = true;
    if (spoilt) {
        free(plane_zeroed(1, 48));
        spoilt = false;
    }
}

static void step_ends(const char *who, unsigned int kind)
{
    inside = false;
    if (watched == NULL) {
        return;
    }
    plane_checked(watched, PLANE_CHECK_ALLOCATES);
    if (asked > 0) {
        plane_fail(
            watched,
            "ALLOCATES %s of kind %u asks the heap %llu times, first for %zu bytes",
            who,
            kind,
            (unsigned long long)asked,
            asked_bytes);
    }
}

void __real_engine_step(
    struct engine *engine, const struct engine_event *event, struct effects *effects);
void __wrap_engine_step(
    struct engine *engine, const struct engine_event *event, struct effects *effects);
void __real_agent_step(
    struct agent *agent, const struct agent_event *event, struct agent_effects *effects);
void __wrap_agent_step(
    struct agent *agent, const struct agent_event *event, struct agent_effects *effects);

void __wrap_engine_step(
    struct engine *engine, const struct engine_event *event, struct effects *effects)
{
    step_begins();
    __real_engine_step(engine, event, effects);
    step_ends("a step of an engine", event->kind);
}

void __wrap_agent_step(
    struct agent *agent, const struct agent_event *event, struct agent_effects *effects)
{
    step_begins();
    __real_agent_step(agent, event, effects);
    step_ends("a step of an agent", event->kind);
}

/* ---- What a step hands to the shell ---- */

void __real_store_put(struct store *store, struct slice key, struct slice value);
void __wrap_store_put(struct store *store, struct slice key, struct slice value);
void __real_store_delete(struct store *store, struct slice key);
void __wrap_store_delete(struct store *store, struct slice key);

void __wrap_store_put(struct store *store, struct slice key, struct slice value)
{
    bool was_inside = inside;
    inside = false;
    __real_store_put(store, key, value);
    inside = was_inside;
}

void __wrap_store_delete(struct store *store, struct slice key)
{
    bool was_inside = inside;
    inside = false;
    __real_store_delete(store, key);
    inside = was_inside;
}
