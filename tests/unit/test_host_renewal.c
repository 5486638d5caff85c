/* Renewal of a machine's certificate: when, and whose counts. */
#include "base/check.h"
#include "base/id.h"
#include "host/keys_renew.h"
#include "host/renewal.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NOW = 1800000000, CELL = 7, LIFE = 24 * 3600 };

/* ---- When ---- */

static struct renewal begun(uint64_t seed)
{
    struct renewal renewal;
    Wire__Papers papers = WIRE__PAPERS__INIT;
    papers.from_seconds = NOW;
    papers.until_seconds = NOW + LIFE;
    renewal_init(&renewal, seed);
    renewal_papers(&renewal, &papers);
    return renewal;
}

Test(renewal, it_is_due_at_two_thirds_of_its_life_or_a_jitter_before)
{
    uint64_t earliest = UINT64_MAX;
    uint64_t latest = 0;
    for (uint64_t seed = 1; seed <= 500; seed++) {
        struct renewal renewal = begun(seed);
        Wire__RenewAsk ask;
        uint64_t due = renewal_due_seconds(&renewal);
        cr_assert_leq(due, (uint64_t)NOW + LIFE * 2 / 3);
        cr_assert_geq(due, (uint64_t)NOW + LIFE * 7 / 12);
        earliest = due < earliest ? due : earliest;
        latest = due > latest ? due : latest;
        cr_assert_not(renewal_clock(&renewal, 1, due - 1, &ask));
        cr_assert(renewal_clock(&renewal, 1, due, &ask));
        cr_assert_eq(ask.certificate.len, 0);
        cr_assert_not(renewal_late(&renewal, due));
        cr_assert(renewal_late(&renewal, NOW + LIFE - 60));
    }
    cr_assert_gt(latest - earliest, LIFE / 24); /* Not all machines at once. */
}

Test(renewal, before_keys_has_spoken_nothing_is_due)
{
    struct renewal renewal;
    Wire__RenewAsk ask;
    renewal_init(&renewal, 1);
    cr_assert_not(renewal_clock(&renewal, 1, UINT64_MAX, &ask));
}

Test(renewal, who_gets_no_answer_asks_again_later_and_later_up_to_a_bound)
{
    struct renewal renewal = begun(1);
    Wire__RenewAsk ask;
    uint64_t at = 1;
    for (uint32_t i = 0; i < 12; i++) {
        cr_assert(renewal_clock(&renewal, at, NOW + LIFE, &ask));
        uint64_t wait = renewal.next_ms - at;
        cr_assert_geq(wait, RENEWAL_RETRY_MIN_MS);
        cr_assert_lt(wait, RENEWAL_RETRY_MAX_MS * 3 / 2);
        cr_assert_not(renewal_clock(&renewal, renewal.next_ms - 1, NOW + LIFE, &ask));
        at = renewal.next_ms;
    }
}

Test(renewal, only_answers_to_the_try_under_way_count)
{
    struct renewal renewal = begun(1);
    Wire__RenewAsk ask;
    uint8_t bytes[4] = { 1 };
    struct slice made = slice_of(bytes, sizeof(bytes));
    Wire__RenewTold told = WIRE__RENEW_TOLD__INIT;
    told.csr = (ProtobufCBinaryData){ sizeof(bytes), bytes };
    cr_assert_not(renewal_certificate(&renewal, renewal.handle, made, &ask)); /* Nobody asked. */
    cr_assert(renewal_clock(&renewal, 1, NOW + LIFE, &ask));
    uint64_t first = renewal.handle;
    cr_assert(renewal_clock(&renewal, renewal.next_ms, NOW + LIFE, &ask));
    told.handle = first;
    cr_assert_not(renewal_told(&renewal, &told));
    told.handle = renewal.handle;
    cr_assert(renewal_told(&renewal, &told));
    cr_assert_not(renewal_certificate(&renewal, first, made, &ask));
    cr_assert_not(renewal_certificate(&renewal, renewal.handle, SLICE_EMPTY, &ask)); /* Refused. */
    cr_assert(renewal_certificate(&renewal, renewal.handle, made, &ask));
    cr_assert_eq(ask.certificate.len, sizeof(bytes));
    cr_assert_not(renewal_certificate(&renewal, renewal.handle, made, &ask)); /* Said twice. */
}

Test(renewal, newer_papers_begin_a_new_life_and_the_same_ones_do_not)
{
    struct renewal renewal = begun(1);
    Wire__RenewAsk ask;
    Wire__Papers papers = WIRE__PAPERS__INIT;
    cr_assert(renewal_clock(&renewal, 1, NOW + LIFE, &ask));
    papers.from_seconds = NOW;
    papers.until_seconds = NOW + LIFE; /* keys was started again. */
    renewal_papers(&renewal, &papers);
    cr_assert_not(renewal_clock(&renewal, 2, NOW + LIFE, &ask));
    papers.from_seconds = NOW + LIFE;
    papers.until_seconds = NOW + 2 * LIFE;
    renewal_papers(&renewal, &papers);
    cr_assert_not(renewal_clock(&renewal, UINT64_MAX / 2, NOW + LIFE, &ask));
    papers.until_seconds = 3; /* Before it began: nothing that keys would say. */
    renewal_papers(&renewal, &papers);
    cr_assert_eq(renewal.until_seconds, NOW + 2 * LIFE);
}

/* ---- Whose ---- */

static _Alignas(16) uint8_t memory[512 * 1024];

struct bench {
    struct arena arena;
    struct secret ca_key;
    struct slice ca;
    struct keyring keyring;
    struct keys_renew renew;
    char directory[40];
    char path[64];
    struct slice csr;
};

static struct slice issue(
    struct bench *bench, struct slice csr, const struct x509_identity *who, uint64_t now)
{
    struct x509_request request = { .identity = *who, .name = "n1", .now_seconds = now };
    struct slice made = SLICE_EMPTY;
    struct result issued =
        x509_issue(&bench->ca_key, bench->ca, csr, &request, &bench->arena, &made);
    cr_assert_eq(issued.code, 0);
    return made;
}

static struct slice csr_of(struct bench *bench, const struct secret *key)
{
    struct slice csr = SLICE_EMPTY;
    cr_assert_eq(x509_csr_make(key, "n1", &bench->arena, &csr).code, 0);
    return csr;
}

static const struct x509_identity self = { .kind = WIRE__KIND__KIND_NODE,
                                           .id = ((uint64_t)CELL << 48) | 9,
                                           .epoch = 2 };

static void bench_open(struct bench *bench)
{
    *bench = (struct bench){ .directory = "/tmp/udatsu-renewal-XXXXXX" };
    arena_init(&bench->arena, memory, sizeof(memory));
    cr_assert_not_null(mkdtemp(bench->directory));
    (void)snprintf(bench->path, sizeof(bench->path), "%s/keyring", bench->directory);
    cr_assert_eq(x509_key_make(X509_KEY_P256, &bench->ca_key).code, 0);
    cr_assert_eq(x509_ca_make(&bench->ca_key, CELL, NOW, &bench->arena, &bench->ca).code, 0);
    cr_assert_eq(x509_key_make(X509_KEY_P256, &bench->keyring.machine).code, 0);
    struct slice first = issue(bench, csr_of(bench, &bench->keyring.machine), &self, NOW - 1000);
    struct result begun =
        keys_renew_begin(&bench->renew, &bench->keyring, bench->path, bench->ca, &self, first);
    cr_assert_eq(begun.code, 0);
    cr_assert_eq(keys_renew_request(&bench->renew, "n1", &bench->arena, &bench->csr).code, 0);
}

static void bench_close(struct bench *bench)
{
    keys_renew_end(&bench->renew);
    keyring_free(&bench->keyring);
    secret_free(&bench->ca_key);
    (void)unlink(bench->path);
    (void)rmdir(bench->directory);
}

static bool adopts(struct bench *bench, struct slice certificate)
{
    return keys_renew_adopt(&bench->renew, certificate, NOW).code == 0;
}

Test(keys_renew, the_new_key_and_its_certificate_take_the_place_of_the_old_on_the_disk_too)
{
    struct bench bench;
    bench_open(&bench);
    uint8_t before[X509_DIGEST];
    uint8_t after[X509_DIGEST];
    memcpy(before, bench.renew.shown, sizeof(before));
    struct slice next = issue(&bench, bench.csr, &self, NOW);
    const struct secret *used = keys_renew_key(&bench.renew, slice_of(before, sizeof(before)));
    cr_assert_not_null(used);
    struct secret old = { 0 };
    cr_assert_eq(secret_copy(secret_slice(used), &old).code, 0);
    cr_assert(adopts(&bench, next));
    x509_digest(next, after);
    const struct secret *fresh = keys_renew_key(&bench.renew, slice_of(after, sizeof(after)));
    cr_assert_not_null(fresh);
    cr_assert(x509_belongs(next, fresh));
    cr_assert_not(x509_belongs(next, &old));
    /* A handshake that began with the old one is signed with the old one. */
    used = keys_renew_key(&bench.renew, slice_of(before, sizeof(before)));
    cr_assert_not_null(used);
    cr_assert(secret_equal(used, secret_slice(&old)));
    after[0] ^= 1U;
    cr_assert_null(keys_renew_key(&bench.renew, slice_of(after, sizeof(after))));
    struct keyring back = { 0 };
    cr_assert_eq(keyring_read(bench.path, &back).code, 0);
    cr_assert(secret_equal(&back.certificate, next));
    cr_assert(x509_belongs(next, &back.machine));
    struct keys_renew again;
    struct result begun = keys_renew_begin(&again, &back, bench.path, bench.ca, &self, SLICE_EMPTY);
    cr_assert_eq(begun.code, 0);
    cr_assert_eq(again.facts.until_seconds, NOW + X509_TTL_MACHINE_SECONDS);
    keyring_free(&back);
    secret_free(&old);
    bench_close(&bench);
}

/* INV-SEC-31: what is wrong with each is one thing; the last line shows that nothing else was. */
Test(keys_renew, nothing_but_our_own_next_certificate_is_adopted)
{
    struct bench bench;
    bench_open(&bench);
    struct x509_identity another = self;
    struct x509_identity older = self;
    struct x509_identity kind = self;
    another.id++;
    older.epoch--;
    kind.kind = WIRE__KIND__KIND_CONTROLLER;
    struct secret stranger = { 0 };
    cr_assert_eq(x509_key_make(X509_KEY_P256, &stranger).code, 0);
    struct slice next = issue(&bench, bench.csr, &self, NOW);
    cr_assert_not(adopts(&bench, issue(&bench, bench.csr, &another, NOW)), "wrong name");
    cr_assert_not(adopts(&bench, issue(&bench, bench.csr, &kind, NOW)), "wrong kind");
    cr_assert_not(adopts(&bench, issue(&bench, bench.csr, &older, NOW)), "older epoch");
    cr_assert_not(adopts(&bench, issue(&bench, bench.csr, &self, NOW - 90000)), "expired");
    cr_assert_not(adopts(&bench, issue(&bench, bench.csr, &self, NOW - 1000)), "no newer");
    cr_assert_not(adopts(&bench, issue(&bench, csr_of(&bench, &stranger), &self, NOW)), "key");
    cr_assert_not(adopts(&bench, secret_slice(&bench.keyring.certificate)), "the old one");
    cr_assert_not(adopts(&bench, slice_of(next.data, next.size - 1)), "cut");
    struct secret own_ca = bench.ca_key;
    struct slice ca = bench.ca;
    bench.ca_key = stranger;
    cr_assert_eq(x509_ca_make(&stranger, CELL, NOW, &bench.arena, &bench.ca).code, 0);
    struct slice foreign = issue(&bench, bench.csr, &self, NOW);
    bench.ca_key = own_ca;
    bench.ca = ca;
    cr_assert_not(adopts(&bench, foreign), "foreign CA");
    struct stat about;
    cr_assert_neq(stat(bench.path, &about), 0, "nothing was written");
    cr_assert(adopts(&bench, next));
    cr_assert_not(adopts(&bench, next), "replay");
    secret_free(&stranger);
    bench_close(&bench);
}

Test(keys_renew, a_request_that_was_made_anew_voids_the_one_before)
{
    struct bench bench;
    bench_open(&bench);
    struct slice first = issue(&bench, bench.csr, &self, NOW);
    cr_assert_eq(keys_renew_request(&bench.renew, "n1", &bench.arena, &bench.csr).code, 0);
    cr_assert_not(adopts(&bench, first));
    cr_assert(adopts(&bench, issue(&bench, bench.csr, &self, NOW)));
    bench_close(&bench);
}

Test(keys_renew, when_the_disk_refuses_the_old_ones_stay)
{
    struct bench bench;
    bench_open(&bench);
    struct slice next = issue(&bench, bench.csr, &self, NOW);
    bench.renew.path = "/no/such/directory/keyring";
    cr_assert_not(adopts(&bench, next));
    cr_assert(x509_belongs(secret_slice(&bench.keyring.certificate), &bench.keyring.machine));
    bench.renew.path = bench.path;
    cr_assert(adopts(&bench, next));
    bench_close(&bench);
}

Test(keys_renew, a_certificate_of_another_key_is_no_beginning)
{
    struct bench bench;
    bench_open(&bench);
    struct slice next = issue(&bench, bench.csr, &self, NOW);
    struct keyring other = { 0 };
    struct keys_renew renew;
    cr_assert_eq(x509_key_make(X509_KEY_P256, &other.machine).code, 0);
    struct result begun = keys_renew_begin(&renew, &other, bench.path, bench.ca, &self, next);
    cr_assert_eq(begun.code, FAILURE_CORRUPT);
    keyring_free(&other);
    bench_close(&bench);
}

Test(x509_late, an_end_is_forgiven_for_the_grace_and_no_longer)
{
    struct bench bench;
    bench_open(&bench);
    struct slice made = issue(&bench, bench.csr, &self, NOW);
    struct x509_facts facts;
    uint64_t end = NOW + X509_TTL_MACHINE_SECONDS;
    cr_assert_eq(x509_verify(made, bench.ca, end + 1, &facts).code, FAILURE_TIMEOUT);
    cr_assert_eq(x509_verify_late(made, bench.ca, end + 1, 10, &facts).code, 0);
    cr_assert_eq(x509_verify_late(made, bench.ca, end + 10, 10, &facts).code, 0);
    cr_assert_eq(x509_verify_late(made, bench.ca, end + 11, 10, &facts).code, FAILURE_TIMEOUT);
    cr_assert_eq(x509_verify_late(made, bench.ca, NOW - 400, 10, &facts).code, FAILURE_TIMEOUT);
    bench_close(&bench);
}
