/* Fan-out of events, and its bounds. */
#include "base/check.h"
#include "host/bus.h"
#include "host/clock.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct heard {
    uv_loop_t *loop;
    uint32_t count;
    uint32_t wanted;
    uint32_t last;
};

static void on_message(void *context, struct slice message)
{
    struct heard *heard = context;
    cr_assert_eq(message.size, sizeof(heard->last));
    memcpy(&heard->last, message.data, sizeof(heard->last));
    heard->count++;
    if (heard->count >= heard->wanted) {
        uv_stop(heard->loop);
    }
}

static void on_deadline(uv_timer_t *timer)
{
    uv_stop(timer->loop);
}

/* Says `number` again and again until somebody heard it: a subscription takes a moment. */
static void until_heard(struct bus *bus, uv_loop_t *loop, struct heard *heard, uint32_t number)
{
    uint64_t until = clock_boot_ms() + 10000;
    heard->wanted = heard->count + 1;
    while (heard->count < heard->wanted && clock_boot_ms() < until) {
        struct slice message = slice_of(&number, sizeof(number));
        cr_assert_eq(bus_publish(bus, message).code, 0);
        (void)uv_run(loop, UV_RUN_NOWAIT);
    }
    cr_assert_geq(heard->count, heard->wanted);
}

Test(bus, what_is_published_reaches_every_subscriber_in_order)
{
    char directory[] = "/tmp/udatsu-bus-XXXXXX";
    cr_assert_not_null(mkdtemp(directory));
    char path[64];
    (void)snprintf(path, sizeof(path), "%s/events", directory);
    uv_loop_t loop;
    cr_assert_eq(uv_loop_init(&loop), 0);
    struct bus *publisher = NULL;
    struct bus *subscribers[2] = { NULL };
    struct heard heard[2] = { { .loop = &loop }, { .loop = &loop } };
    cr_assert_eq(bus_publish_open(path, &publisher).code, 0);
    for (size_t i = 0; i < COUNT_OF(subscribers); i++) {
        struct bus_hooks hooks = { .context = &heard[i], .on_message = on_message };
        cr_assert_eq(bus_subscribe_open(&loop, path, &hooks, &subscribers[i]).code, 0);
        until_heard(publisher, &loop, &heard[i], 0);
    }
    uint32_t before = heard[0].count;
    for (uint32_t i = 1; i <= 200; i++) {
        cr_assert_eq(bus_publish(publisher, slice_of(&i, sizeof(i))).code, 0);
    }
    uv_timer_t deadline;
    cr_assert_eq(uv_timer_init(&loop, &deadline), 0);
    cr_assert_eq(uv_timer_start(&deadline, on_deadline, 10000, 0), 0);
    heard[0].wanted = before + 200;
    heard[1].wanted = UINT32_MAX;
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    cr_assert_geq(heard[0].count, before + 200);
    static uint8_t large[BUS_MESSAGE_BYTES + 1];
    cr_assert_eq(bus_publish(publisher, slice_of(large, sizeof(large))).code, FAILURE_BAD_INPUT);
    uv_close((uv_handle_t *)&deadline, NULL);
    bus_close(subscribers[0]);
    bus_close(subscribers[1]);
    bus_close(NULL);
    while (uv_run(&loop, UV_RUN_NOWAIT) != 0) {
    }
    bus_close(publisher);
    cr_assert_eq(uv_loop_close(&loop), 0);
    (void)unlink(path);
    (void)rmdir(directory);
}

#if !defined(__SANITIZE_ADDRESS__) /* nanomsg itself loses memory when it cannot bind. */
Test(bus, a_path_that_cannot_be_bound_is_refused)
{
    struct bus *bus = NULL;
    cr_assert_eq(bus_publish_open("/no/such/directory/events", &bus).code, FAILURE_IO);
}
#endif
