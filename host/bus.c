/* Decides how events fan out inside one machine. The only includer of nanomsg. Never carries a
 * command, never listens outside ipc://, never makes a socket after the sandbox closed. */
#include "host/bus.h"

#include "base/check.h"

#include <errno.h>
#include <nanomsg/nn.h>
#include <nanomsg/pubsub.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BUS_BURST = 64,
    BUS_PATH_MAX = 100, /* sun_path is 108. */
    /* nanomsg tries again at once and then after this long. Both would need a socket, which the
     * sandbox refuses: parent restarts a subscriber together with its publisher. */
    BUS_NEVER_MS = 24 * 3600 * 1000,
};

struct bus {
    uv_poll_t poll; /* Of a subscriber. */
    int socket;
    bool subscriber;
    struct bus_hooks hooks;
};

static RESULT set_bounds(int socket)
{
    int buffer = BUS_BUFFER_BYTES;
    int message = BUS_MESSAGE_BYTES;
    int never = BUS_NEVER_MS;
    const struct {
        int option;
        const int *value;
    } options[] = {
        { NN_RCVBUF, &buffer },       { NN_SNDBUF, &buffer },           { NN_RCVMAXSIZE, &message },
        { NN_RECONNECT_IVL, &never }, { NN_RECONNECT_IVL_MAX, &never },
    };
    for (size_t i = 0; i < COUNT_OF(options); i++) {
        int code =
            nn_setsockopt(socket, NN_SOL_SOCKET, options[i].option, options[i].value, sizeof(int));
        if (code != 0) {
            return FAIL(FAILURE_UNSUPPORTED);
        }
    }
    return OK;
}

static RESULT open_socket(const char *path, int protocol, struct bus **bus_out)
{
    CHECK(path[0] == '/');
    CHECK(strlen(path) <= BUS_PATH_MAX);
    char address[BUS_PATH_MAX + 8];
    int used = snprintf(address, sizeof(address), "ipc://%s", path);
    CHECK(used > 0 && (size_t)used < sizeof(address));
    struct bus *bus = calloc(1, sizeof(*bus));
    if (bus == NULL) {
        return FAIL(FAILURE_NO_SPACE);
    }
    bus->socket = nn_socket(AF_SP, protocol);
    if (bus->socket < 0) {
        free(bus);
        return FAIL(FAILURE_IO);
    }
    struct result set = set_bounds(bus->socket);
    bus->subscriber = protocol == NN_SUB;
    int end = -1;
    if (set.code == 0 && bus->subscriber) {
        int code = nn_setsockopt(bus->socket, NN_SUB, NN_SUB_SUBSCRIBE, "", 0);
        end = code == 0 ? nn_connect(bus->socket, address) : -1;
    } else if (set.code == 0) {
        end = nn_bind(bus->socket, address);
    }
    if (end < 0) {
        (void)nn_close(bus->socket); /* It carried nothing. */
        free(bus);
        return set.code != 0 ? set : FAIL(FAILURE_IO);
    }
    *bus_out = bus;
    return OK;
}

static bool bound;
static bool subscribed;

RESULT bus_publish_open(const char *path, struct bus **bus_out)
{
    TRY(open_socket(path, NN_PUB, bus_out));
    bound = true;
    return OK;
}

bool bus_is_bound(void)
{
    return bound;
}

bool bus_is_subscribed(void)
{
    return subscribed;
}

RESULT bus_publish(struct bus *bus, struct slice message)
{
    CHECK(!bus->subscriber);
    if (message.size == 0 || message.size > BUS_MESSAGE_BYTES) {
        return FAIL(FAILURE_BAD_INPUT);
    }
    int sent = nn_send(bus->socket, message.data, message.size, NN_DONTWAIT);
    return sent == (int)message.size ? OK : FAIL(FAILURE_FULL);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct bus *bus = poll->data;
    (void)events;
    if (status < 0) {
        (void)uv_poll_stop(poll); /* nanomsg's own descriptor broke: nothing more will come. */
        return;
    }
    for (unsigned int i = 0; i < BUS_BURST; i++) { /* Level-triggered: the rest comes next turn. */
        void *bytes = NULL;
        int size = nn_recv(bus->socket, &bytes, NN_MSG, NN_DONTWAIT);
        if (size < 0) {
            return;
        }
        bus->hooks.on_message(bus->hooks.context, slice_of(bytes, (size_t)size));
        (void)nn_freemsg(bytes); /* Fails only for what nanomsg did not make. */
    }
}

RESULT bus_subscribe_open(
    uv_loop_t *loop, const char *path, const struct bus_hooks *hooks, struct bus **bus_out)
{
    CHECK(hooks->on_message != NULL);
    struct bus *bus = NULL;
    TRY(open_socket(path, NN_SUB, &bus));
    bus->hooks = *hooks;
    int fd = -1;
    size_t size = sizeof(fd);
    if (nn_getsockopt(bus->socket, NN_SOL_SOCKET, NN_RCVFD, &fd, &size) != 0 ||
        uv_poll_init(loop, &bus->poll, fd) != 0) {
        (void)nn_close(bus->socket); /* It carried nothing. */
        free(bus);
        return FAIL(FAILURE_IO);
    }
    bus->poll.data = bus;
    int failed = uv_poll_start(&bus->poll, UV_READABLE, on_poll);
    CHECK(failed == 0);
    subscribed = true;
    *bus_out = bus;
    return OK;
}

static void on_closed(uv_handle_t *handle)
{
    struct bus *bus = handle->data;
    (void)nn_close(bus->socket); /* Waits for nobody: nothing lingers in PUB and SUB. */
    free(bus);
}

void bus_close(struct bus *bus)
{
    if (bus == NULL) {
        return;
    }
    if (bus->subscriber) {
        (void)uv_poll_stop(&bus->poll); /* Cannot fail on an initialised handle. */
        uv_close((uv_handle_t *)&bus->poll, on_closed);
        return;
    }
    (void)nn_close(bus->socket);
    free(bus);
}
