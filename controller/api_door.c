/* Decides whether a certificate is a valid identity of this cell now. Never decides a right. */
#include "controller/api_door.h"

#include "base/check.h"
#include "base/limits.h"

#include <stdlib.h>
#include <string.h>

struct least {
    uint64_t id;
    uint32_t kind;
    uint32_t epoch;
};

struct door {
    struct slice ca; /* Not owned. */
    uint32_t count;
    struct least least[LIMIT_REVOCATIONS]; /* Ascending by id, then kind. */
};

struct door *door_open(struct slice ca)
{
    CHECK(ca.size > 0);
    struct door *door = calloc(1, sizeof(*door));
    CHECK(door != NULL); /* At start; without it there is no api. */
    door->ca = ca;
    return door;
}

void door_close(struct door *door)
{
    free(door);
}

/* Where (id, kind) is, or would be. */
static uint32_t least_at(const struct door *door, uint64_t id, uint32_t kind)
{
    uint32_t low = 0;
    uint32_t high = door->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct least *least = &door->least[middle];
        if (least->id < id || (least->id == id && least->kind < kind)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool least_is(const struct door *door, uint32_t at, uint64_t id, uint32_t kind)
{
    return at < door->count && door->least[at].id == id && door->least[at].kind == kind;
}

void door_least(struct door *door, const Wire__Doors *doors)
{
    CHECK(doors != NULL);
    for (size_t i = 0; i < doors->n_least; i++) {
        const Wire__Identity *told = doors->least[i];
        uint32_t kind = (uint32_t)told->kind;
        uint32_t at = least_at(door, told->id, kind);
        if (least_is(door, at, told->id, kind)) {
            if (told->epoch > door->least[at].epoch) {
                door->least[at].epoch = told->epoch;
            }
            continue;
        }
        if (door->count == LIMIT_REVOCATIONS) {
            continue; /* The cell's own bound; engine refuses what does not fit here. */
        }
        memmove(
            &door->least[at + 1], &door->least[at], (door->count - at) * sizeof(door->least[0]));
        door->least[at] = (struct least){ told->id, kind, told->epoch };
        door->count++;
    }
    CHECK(door->count <= LIMIT_REVOCATIONS);
}

void door_judge(
    const struct door *door,
    bool presented,
    struct slice certificate,
    uint64_t now_seconds,
    struct door_peer *peer_out)
{
    *peer_out = (struct door_peer){ .judged = true, .verdict = DOOR_NO_CERTIFICATE };
    if (!presented) {
        return;
    }
    struct result verified = x509_verify(certificate, door->ca, now_seconds, &peer_out->facts);
    if (verified.code == 0) {
        peer_out->verdict = DOOR_OPEN;
        return;
    }
    peer_out->verdict = verified.code == FAILURE_TIMEOUT ? DOOR_EXPIRED : DOOR_FOREIGN;
}

enum door_verdict door_pass(
    const struct door *door, const struct door_peer *peer, uint64_t now_seconds)
{
    CHECK(peer->judged);
    if (peer->verdict != DOOR_OPEN) {
        return peer->verdict;
    }
    const struct x509_facts *facts = &peer->facts;
    if (now_seconds >= facts->until_seconds) {
        return DOOR_EXPIRED;
    }
    uint32_t kind = (uint32_t)facts->identity.kind;
    uint32_t at = least_at(door, facts->identity.id, kind);
    bool known = least_is(door, at, facts->identity.id, kind);
    /* INV-SEC-3: an epoch below the least is refused, whatever its certificate's time says. */
    return known && facts->identity.epoch < door->least[at].epoch ? DOOR_REVOKED : DOOR_OPEN;
}
