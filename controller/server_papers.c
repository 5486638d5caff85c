/* Decides what this controller's shell hears of certificates. Decides none of them. */
#include "controller/server_inner.h"

void server_ring(struct server *server)
{
    if (server->host.ring != NULL) {
        server->host.ring(server->host.context);
    }
}

void server_renew(
    struct server *server,
    uint64_t now_ms,
    uint64_t wall_ms,
    struct slice csr,
    uint32_t epoch,
    bool late)
{
    server_now(server, now_ms, wall_ms);
    struct engine_event event = { .kind = ENGINE_RENEW, .csr = csr, .epoch = epoch, .late = late };
    server_step(server, &event);
}
