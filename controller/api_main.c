/* udatsu-api: clients' HTTPS. Parses strangers, holds nothing: no file, no private key, no state of
 * the cell. It decides only what is well formed and who is at the door.
 *
 * The happy path: CONFIG → TLS handle, listener, bus and tables → sandbox → READY → loop.
 * What can go wrong: anything before the sandbox → exit 1, parent says so and tries again. */
#include "controller/api.h"
#include "controller/api_openapi.h"
#include "host/log.h"
#include "host/tls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int print_openapi(void)
{
    struct out out;
    struct slice text = SLICE_EMPTY;
    char *room = malloc(OPENAPI_BYTES_MAX);
    if (room == NULL) {
        return 1;
    }
    out_init(&out, room, OPENAPI_BYTES_MAX);
    openapi_write(&out);
    bool done = out_done(&out, &text) && fwrite(text.data, 1, text.size, stdout) == text.size &&
                fflush(stdout) == 0;
    free(room);
    return done ? 0 : 1;
}

/* Where engine publishes: RUN/bus/events, unless told otherwise. */
static const char *bus_path(const struct child *child, char *room, size_t size)
{
    const char *given = child_setting(child, "bus", "");
    const char *run = child_setting(child, "run", "");
    if (given[0] != '\0' || run[0] == '\0') {
        return given;
    }
    int used = snprintf(room, size, "%s/bus/events", run);
    return used > 0 && (size_t)used < size ? room : "";
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--openapi") == 0) {
        return print_openapi();
    }
    static struct child child;
    struct api *api = NULL;
    struct gnutls_privkey_st *key = NULL;
    char bus[96]; /* The bus takes at most 100 bytes. */
    child_start(&child, PROGRAM_API, argc, argv);
    struct slice certificate = SLICE_EMPTY;
    if (child.config->n_certificate > 0) {
        const ProtobufCBinaryData *leaf = &child.config->certificate[0];
        certificate = slice_of(leaf->data, leaf->len);
    }
    if (certificate.size == 0 || tls_machine_key(&child, certificate, &key).code != 0 ||
        api_open(&child, key, bus_path(&child, bus, sizeof(bus)), &api).code != 0) {
        log_line(LOG_LEVEL_ERROR, "api-start-failed", "listen=%s", log_text(child.config->listen));
        return 1;
    }
    static const struct sandbox sandbox = {
        /* STDIO: the loop, the channels, TLS in memory. ACCEPT: clients of parent's listener. */
        .promises = PROMISE_STDIO | PROMISE_ACCEPT,
    };
    child_confine(&child, &sandbox);
    struct channel_hooks hooks = api_hooks(api);
    return child_run(&child, &hooks);
}
