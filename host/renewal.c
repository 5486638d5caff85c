/* Decides when a certificate is renewed and which answer counts. Never holds a key, never speaks.
 */
#include "host/renewal.h"

#include "base/check.h"

#include <string.h>

/* splitmix64: spreads whatever comes in. */
static uint64_t mix(uint64_t word)
{
    word += UINT64_C(0x9e3779b97f4a7c15);
    word = (word ^ (word >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    word = (word ^ (word >> 27)) * UINT64_C(0x94d049bb133111eb);
    return word ^ (word >> 31);
}

void renewal_init(struct renewal *renewal, uint64_t seed)
{
    *renewal = (struct renewal){ .seed = seed, .step = RENEWAL_IDLE };
}

void renewal_papers(struct renewal *renewal, const Wire__Papers *papers)
{
    bool newer = papers->until_seconds != renewal->until_seconds;
    if (papers->until_seconds <= papers->from_seconds || !newer) {
        return; /* keys came back with what we know. */
    }
    renewal->from_seconds = papers->from_seconds;
    renewal->until_seconds = papers->until_seconds;
    renewal->step = RENEWAL_IDLE;
    renewal->next_ms = 0;
    renewal->tries = 0;
}

uint64_t renewal_due_seconds(const struct renewal *renewal)
{
    CHECK(renewal->until_seconds > renewal->from_seconds);
    uint64_t life = renewal->until_seconds - renewal->from_seconds;
    uint64_t jitter = mix(renewal->seed ^ renewal->until_seconds) % (life / 12 + 1);
    return renewal->until_seconds - life / 3 - jitter;
}

bool renewal_late(const struct renewal *renewal, uint64_t wall_seconds)
{
    uint64_t life = renewal->until_seconds - renewal->from_seconds;
    return wall_seconds >= renewal->until_seconds - life / 6;
}

bool renewal_clock(
    struct renewal *renewal, uint64_t now_ms, uint64_t wall_seconds, Wire__RenewAsk *ask_out)
{
    if (renewal->until_seconds == 0 || now_ms < renewal->next_ms ||
        wall_seconds < renewal_due_seconds(renewal)) {
        return false;
    }
    uint64_t wait_ms = renewal->tries < 4 ? (uint64_t)RENEWAL_RETRY_MIN_MS << renewal->tries
                                          : RENEWAL_RETRY_MAX_MS;
    CHECK(wait_ms <= RENEWAL_RETRY_MAX_MS);
    uint64_t spread = mix(renewal->seed + renewal->handle) % (wait_ms / 2);
    renewal->next_ms = now_ms + wait_ms + spread;
    renewal->tries++;
    renewal->handle++;
    renewal->step = RENEWAL_REQUEST;
    wire__renew_ask__init(ask_out);
    ask_out->handle = renewal->handle;
    return true;
}

bool renewal_told(struct renewal *renewal, const Wire__RenewTold *told)
{
    if (told->handle != renewal->handle) {
        return false;
    }
    if (renewal->step == RENEWAL_REQUEST && told->csr.len > 0) {
        renewal->step = RENEWAL_CELL;
        return true;
    }
    renewal->step = RENEWAL_IDLE; /* Adopted, and PAPERS says so; or refused, and we try again. */
    return false;
}

bool renewal_certificate(
    struct renewal *renewal, uint64_t handle, struct slice certificate, Wire__RenewAsk *ask_out)
{
    if (renewal->step != RENEWAL_CELL || handle != renewal->handle || certificate.size == 0) {
        return false;
    }
    renewal->step = RENEWAL_ADOPT;
    wire__renew_ask__init(ask_out);
    ask_out->handle = renewal->handle;
    memcpy(&ask_out->certificate.data, &certificate.data, sizeof(ask_out->certificate.data));
    ask_out->certificate.len = certificate.size; /* Only read. */
    return true;
}
