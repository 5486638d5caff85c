/* udatsu-verify FILE --key log.pub: decides what an export proves, without the cluster, the network
 * or anything else of ours. Never takes a key from the export, never writes a file.
 *
 * Prints what was proven to standard output and ends with 0; or says the first wrong leaf or
 * checkpoint on standard error and ends with 9 (8 when nothing is signed, 2 for wrong use, 1 when a
 * file cannot be read). */
#include "base/check.h"
#include "base/id.h"
#include "cli/lines.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TENANTS_MAX = 1 << 16, /* Tenants that ever had a leaf. */
    KEYS_MAX = AUDIT_SIGNATURES_MAX,
};

enum exit_code {
    EXIT_PROVEN = 0,
    EXIT_NOT_READ = 1,
    EXIT_USED_WRONGLY = 2,
    EXIT_UNDECIDED = 8,
    EXIT_REFUTED = 9,
};

static struct audit_verifier verifier;
static struct audit_verify_tenant tenants[TENANTS_MAX];
static struct audit_key keys[KEYS_MAX];
static uint32_t keys_count;
static struct line line;

/* False: the file could not be read to where the verdict fell. */
static bool read_export(const char *path)
{
    FILE *file = fopen(path, "rbe");
    if (file == NULL) {
        return false;
    }
    CHECK(keys_count > 0);
    audit_verify_start(&verifier, keys, keys_count, tenants, TENANTS_MAX);
    bool good = lines_feed(file, &line, &verifier);
    (void)fclose(file); /* Only read. */
    return good;
}

/* Of what the verdict speaks: a tenant's sub-log is not the cell's whole log. */
static void scope_words(char room[static ID_TEXT_SIZE])
{
    CHECK(verifier.started);
    if (verifier.scope.all || verifier.scope.tenant == 0) {
        (void)snprintf(room, ID_TEXT_SIZE, "%s", verifier.scope.all ? "all" : "provider");
        return;
    }
    id_format(ID_TENANT, verifier.scope.tenant, room);
}

static enum exit_code say_proven(const struct audit_verdict *verdict)
{
    char scope[ID_TEXT_SIZE];
    CHECK(verdict->finding == AUDIT_SOUND);
    scope_words(scope);
    int printed = printf(
        "sound: %s, scope %s: %" PRIu64 " leaves are signed by the checkpoint of %" PRIu64
        " (log time %" PRIu64 " ms), %" PRIu64 " more are not yet signed\n",
        verifier.origin,
        scope,
        verdict->signed_leaves,
        verdict->checkpoint,
        verdict->log_time_ms,
        verdict->unsigned_leaves);
    return printed > 0 && fflush(stdout) == 0 ? EXIT_PROVEN : EXIT_NOT_READ;
}

static enum exit_code say_refuted(const struct audit_verdict *verdict)
{
    CHECK(verdict->finding != AUDIT_SOUND);
    (void)fprintf(
        stderr,
        "%s: %s\n",
        audit_finding_name(verdict->finding),
        audit_finding_words(verdict->finding));
    if (verdict->names_leaf) {
        (void)fprintf(stderr, "leaf %" PRIu64 ", ", verdict->leaf);
    } else {
        (void)fprintf(
            stderr,
            "checkpoint %" PRIu64 ", good before it: %" PRIu64 ", ",
            verdict->checkpoint,
            verdict->checkpoint_before);
    }
    (void)fprintf(stderr, "line %" PRIu64 "\n", verdict->lines);
    bool open = verdict->finding == AUDIT_UNSIGNED || verdict->finding == AUDIT_TOO_MANY_TENANTS;
    return open ? EXIT_UNDECIDED : EXIT_REFUTED;
}

int main(int argc, char **argv)
{
    const char *path = NULL;
    const char *key_path = NULL;
    bool good = true;
    for (int i = 1; i < argc && good; i++) {
        if (strcmp(argv[i], "--key") == 0 && i + 1 < argc && key_path == NULL) {
            key_path = argv[++i];
        } else if (argv[i][0] != '-' && path == NULL) {
            path = argv[i];
        } else {
            good = false;
        }
    }
    if (!good || path == NULL || key_path == NULL) {
        (void)fprintf(stderr, "usage: udatsu-verify FILE --key log.pub\n");
        return EXIT_USED_WRONGLY;
    }
    if (!lines_keys(key_path, &line, keys, KEYS_MAX, &keys_count)) {
        (void)fprintf(stderr, "udatsu-verify: %s holds no verifier keys\n", key_path);
        return EXIT_NOT_READ;
    }
    if (!read_export(path)) {
        (void)fprintf(stderr, "udatsu-verify: %s cannot be read\n", path);
        return EXIT_NOT_READ;
    }
    const struct audit_verdict *verdict = audit_verify_end(&verifier);
    return (int)(verdict->finding == AUDIT_SOUND ? say_proven(verdict) : say_refuted(verdict));
}
