/* Decides which alarms are handed on and what counts as delivered. Never decides what an alarm is.
 *
 * The happy path: every interval the list of alarms is read; each one that is new, or newly
 * cleared, is handed to the program or the webhook; what was delivered is remembered by id, in the
 * state file if one is named, so that a restart does not repeat it. What can go wrong: the cell
 * does not answer → said on standard error, tried again next time; the hook fails → ALARM_TRIES
 * times now, again next time, never forgotten while the alarm is listed; more alarms than
 * ALARM_PER_LOOK → the rest wait for the next look. */
#include "base/check.h"
#include "cli/program.h"
#include "cli/session.h"
#include "cli/words.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    ALARM_TRIES = 3,       /* Of one hook in one look. */
    ALARM_PER_LOOK = 64,   /* One slow hook must not make the list arbitrarily old. */
    ALARM_HOOK_MS = 10000, /* A hook that takes longer is stuck. */
    ALARM_STATE_MAX = 1 << 20,
    ALARM_WHY = 192, /* One line about a hook that failed. */
};

struct lookout {
    struct session *session;
    const char *program;
    const char *webhook;
    const char *state;        /* File, NULL: memory only. */
    struct json_t *delivered; /* id → "raised" or "cleared"; owned. */
    bool failed;              /* Something of the last look was not delivered. */
    struct http *http;        /* For the webhook only: the cell's certificate never goes there. */
};

static bool hand_to_program(const struct lookout *lookout, const char *text, char *why)
{
    const char *argv[] = { lookout->program, NULL };
    struct program program = {
        .argv = argv,
        .input = slice_text(text),
        .timeout_ms = ALARM_HOOK_MS,
    };
    struct program_end end;
    CHECK(lookout->program[0] == '/');
    struct result result = program_run(&program, &end);
    bool good = result.code == 0 && end.status == 0;
    if (result.code != 0) {
        (void)snprintf(why, ALARM_WHY, "%.120s: %s", lookout->program, result_name(result));
    } else if (!good) {
        (void)snprintf(why, ALARM_WHY, "%.120s: exit status %d", lookout->program, end.status);
    }
    program_end_free(&end);
    return good;
}

static bool hand_to_webhook(
    const struct lookout *lookout, const char *text, const char *id, char *why)
{
    struct http_answer answer;
    struct http_request request = {
        .method = "POST",
        .url = lookout->webhook,
        .body = text,
        .idempotency_key = id, /* The receiver may see it twice, and can tell. */
        .timeout_ms = ALARM_HOOK_MS,
    };
    CHECK(lookout->http != NULL);
    CHECK(request.cert == NULL);
    struct result result = http_exchange(lookout->http, &request, &answer);
    bool good = result.code == 0 && answer.status >= 200 && answer.status < 300;
    if (result.code != 0) {
        (void)snprintf(why, ALARM_WHY, "%.80s: %.80s", lookout->webhook, answer.reason);
    } else if (!good) {
        unsigned int status = (unsigned int)answer.status;
        (void)snprintf(why, ALARM_WHY, "%.120s: HTTP %u", lookout->webhook, status);
    }
    http_answer_free(&answer);
    return good;
}

static bool hand_on(struct lookout *lookout, const struct json_t *alarm, const char *id)
{
    CHECK(alarm != NULL);
    if (lookout->program == NULL && lookout->webhook == NULL) {
        return doc_print(lookout->session->out, alarm, false) && fflush(lookout->session->out) == 0;
    }
    char *text = doc_dump(alarm);
    char why[ALARM_WHY] = "";
    bool good = false;
    for (uint32_t try = 0; try < ALARM_TRIES && text != NULL && !good; try++) {
        if (try > 0) {
            client_pause((uint32_t)CLIENT_PAUSE_MIN_MS << try);
        }
        good = (lookout->program == NULL || hand_to_program(lookout, text, why)) &&
               (lookout->webhook == NULL || hand_to_webhook(lookout, text, id, why));
    }
    free(text);
    if (!good) {
        lookout->failed = true;
        char what[96];
        (void)snprintf(
            what, sizeof(what), "%s: %.36s", say("alarm not delivered", "警報を配信できない"), id);
        problem_say(
            lookout->session->err,
            what,
            why,
            say("it is tried again at the next look", "次の確認時に再試行する"),
            NULL);
    }
    return good;
}

static bool save(const struct lookout *lookout)
{
    char fresh[SETTINGS_PATH];
    CHECK(lookout->delivered != NULL);
    if (lookout->state == NULL) {
        return true;
    }
    int length = snprintf(fresh, sizeof(fresh), "%s.new", lookout->state);
    if (length < 0 || (size_t)length >= sizeof(fresh)) {
        return false;
    }
    int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
    if (file == NULL) {
        if (fd >= 0) {
            (void)close(fd); /* Nothing was written. */
        }
        return false;
    }
    bool good = doc_print(file, lookout->delivered, false) && fflush(file) == 0 && fsync(fd) == 0;
    good = fclose(file) == 0 && good;
    return good && rename(fresh, lookout->state) == 0;
}

static const char *phase_of(const struct json_t *alarm)
{
    char cleared[40];
    doc_words(doc_get(alarm, "cleared_at"), cleared, sizeof(cleared));
    bool none = cleared[0] == '\0' || strcmp(cleared, "0") == 0 ||
                strncmp(cleared, "1970-01-01T00:00:00", 19) == 0;
    CHECK(alarm != NULL);
    return none ? "raised" : "cleared";
}

/* Hands on what is new; keeps in `delivered` only what is still listed. */
static void look_at(struct lookout *lookout, const struct json_t *items)
{
    struct json_t *kept = doc_object();
    uint32_t handed = 0;
    CHECK(lookout->delivered != NULL);
    for (size_t i = 0; i < doc_count(items); i++) {
        const struct json_t *alarm = doc_at(items, i);
        const char *id = doc_text(doc_get(alarm, "id"));
        if (id == NULL || strlen(id) != 36 || strchr(id, '.') != NULL) {
            continue;
        }
        const char *phase = phase_of(alarm);
        const char *before = doc_text(doc_get(lookout->delivered, id));
        bool known = before != NULL && strcmp(before, phase) == 0;
        if (!known && handed < ALARM_PER_LOOK) {
            handed++;
            known = hand_on(lookout, alarm, id);
        }
        const char *now = known ? phase : before;
        if (now != NULL) {
            (void)doc_set(kept, id, doc_of_text(now)); /* Lost memory means delivered again. */
        }
    }
    if (kept != NULL) {
        doc_free(lookout->delivered);
        lookout->delivered = kept;
    }
    if (!save(lookout)) {
        (void)fprintf(
            lookout->session->err,
            "%s: %s\n",
            say("the state cannot be written", "記録を書けない"),
            lookout->state);
    }
}

static enum exit_status look_once(struct lookout *lookout)
{
    struct json_t *items = doc_list();
    CHECK(lookout->delivered != NULL);
    lookout->failed = false;
    if (items == NULL) {
        return session_no_memory(lookout->session);
    }
    const char *path = lookout->session->invocation.verb->path;
    enum exit_status status = pages_read(lookout->session, path, items);
    if (status == EXIT_DONE) {
        look_at(lookout, items);
    }
    doc_free(items);
    return status;
}

static bool open_lookout(struct lookout *lookout, uint64_t *seconds_out)
{
    struct invocation *invocation = &lookout->session->invocation;
    lookout->program = args_text(invocation, "exec");
    lookout->webhook = args_text(invocation, "webhook");
    lookout->state = args_text(invocation, "state");
    const char *interval = args_text(invocation, "interval");
    *seconds_out = 5;
    CHECK(invocation->verb != NULL);
    bool good = interval == NULL ||
                (args_seconds(interval, seconds_out) && *seconds_out > 0 && *seconds_out <= 3600);
    good = good && (lookout->program == NULL ||
                    (lookout->program[0] == '/' && access(lookout->program, X_OK) == 0));
    good = good && (lookout->webhook == NULL || strncmp(lookout->webhook, "https://", 8) == 0);
    if (!good) {
        (void)snprintf(
            invocation->message,
            ARGS_MESSAGE,
            "%s",
            say("--exec takes the absolute path of a program that is there, --webhook an https "
                "URL, "
                "--interval 1s to 1h",
                "--exec は実行できるファイルの絶対パス、--webhook は https、--interval は 1s〜1h"));
        return false;
    }
    struct json_t *known =
        lookout->state == NULL ? NULL : doc_load(lookout->state, ALARM_STATE_MAX);
    if (known != NULL && doc_kind(known) != DOC_OBJECT) {
        doc_free(known);
        known = NULL;
    }
    lookout->delivered = known != NULL ? known : doc_object();
    return true;
}

enum exit_status run_alarm_watch(struct session *session)
{
    struct lookout lookout = { .session = session };
    uint64_t seconds = 0;
    if (!open_lookout(&lookout, &seconds)) {
        return session_usage(session);
    }
    enum exit_status status = session_client(session);
    struct result opened = status == EXIT_DONE ? http_open(&lookout.http) : OK;
    if (opened.code != 0 || lookout.delivered == NULL) {
        status = session_no_memory(session);
    }
    bool once = args_given(&session->invocation, "once");
    bool stays = status == EXIT_DONE;
    while (stays) {
        status = look_once(&lookout);
        /* What no waiting mends ends the watch; its supervisor sees why. */
        bool hopeless = status == EXIT_DENIED || status == EXIT_USAGE || status == EXIT_NOT_FOUND;
        stays = !once && !hopeless;
        /* Who looks once has no next look: its caller must know. */
        status = once && status == EXIT_DONE && lookout.failed ? EXIT_FAILED : status;
        CHECK(seconds > 0);
        if (stays) {
            client_pause((uint32_t)seconds * 1000);
        }
    }
    http_close(lookout.http);
    doc_free(lookout.delivered);
    return status;
}
