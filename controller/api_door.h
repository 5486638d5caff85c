/* Who is at the door: the client's certificate against the cell's CA, its time, and the least epoch
 * that engine told. Decides identity only; what an identity may do is engine's. */
#ifndef CONTROLLER_API_DOOR_H
#define CONTROLLER_API_DOOR_H

#include "base/slice.h"
#include "host/x509.h"

#include <frame.pb-c.h>

enum door_verdict {
    DOOR_OPEN = 1,
    DOOR_NO_CERTIFICATE = 2,
    DOOR_FOREIGN = 3, /* Another CA, another cell, or no identity in it. */
    DOOR_EXPIRED = 4,
    DOOR_REVOKED = 5,
};

/* What was read from a connection's certificate, once. */
struct door_peer {
    bool judged;
    enum door_verdict verdict; /* DOOR_OPEN, DOOR_NO_CERTIFICATE, DOOR_FOREIGN or DOOR_EXPIRED. */
    struct x509_facts facts;
};

struct door;

struct door *door_open(struct slice ca);
void door_close(struct door *door);

/* Epochs only rise: what an older frame raised stays raised. */
void door_least(struct door *door, const Wire__Doors *doors);

void door_judge(
    const struct door *door,
    bool presented,
    struct slice certificate,
    uint64_t now_seconds,
    struct door_peer *peer_out);
/* For every request on the connection: time goes on, and people are revoked. INV-SEC-3. */
enum door_verdict door_pass(
    const struct door *door, const struct door_peer *peer, uint64_t now_seconds);

#endif
