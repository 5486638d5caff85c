/* The api program without its birth: everything between the listening socket and engine's channel.
 * Tests give it a child of their own making. */
#ifndef CONTROLLER_API_H
#define CONTROLLER_API_H

#include "base/result.h"
#include "host/child.h"

struct api;
struct gnutls_privkey_st;

/* child->config has cell, certificate chain and CA; child->listen_fd the listener; `key` is taken.
 * bus: path of engine's event bus, or "" for none. */
RESULT api_open(
    struct child *child, struct gnutls_privkey_st *key, const char *bus, struct api **api_out);
/* For child_run, or for channels that a test opens. */
struct channel_hooks api_hooks(struct api *api);
/* After its channels are closed. Every request that waits gets its answer first. Memory goes with
 * the loop's next turns. */
void api_close(struct api *api);

#endif
