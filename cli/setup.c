/* Decides which program is udatsu-setup and how it is called. Never touches a key itself. */
#include "cli/setup.h"

#include "base/check.h"
#include "cli/words.h"

#include <string.h>
#include <unistd.h>

/* The folder of the running program, with a slash, into SETTINGS_PATH bytes. */
static bool own_folder(char *room)
{
    CHECK(room != NULL);
    ssize_t size = readlink("/proc/self/exe", room, SETTINGS_PATH - 1);
    if (size <= 0) {
        return false;
    }
    room[size] = '\0';
    char *slash = strrchr(room, '/');
    CHECK(slash != NULL); /* The kernel answers an absolute path. */
    CHECK(slash < room + size);
    slash[1] = '\0';
    return true;
}

bool setup_begin(struct session *session, const char *verb, struct setup_call *call_out)
{
    static const char name[] = "udatsu-setup";
    const char *told = args_text(&session->invocation, "setup");
    CHECK(verb != NULL);
    memset(call_out, 0, sizeof(*call_out));
    char *path = call_out->path;
    bool found = false;
    if (told != NULL) {
        int length = snprintf(path, SETTINGS_PATH, "%s", told);
        found = told[0] == '/' && length > 0 && length < SETTINGS_PATH;
    } else if (own_folder(path) && strlen(path) + sizeof(name) <= SETTINGS_PATH) {
        memcpy(path + strlen(path), name, sizeof(name));
        found = true;
    }
    if (!found || access(path, X_OK) != 0) {
        problem_say(
            session->err,
            say("the local program udatsu-setup is not there", "udatsu-setup が見つからない"),
            path,
            say("install it beside udatsu, or name it with --setup",
                "udatsu と同じ場所に置くか --setup で指定する"),
            NULL);
        return false;
    }
    call_out->words[0] = path;
    call_out->words[1] = verb;
    call_out->count = 2;
    return true;
}

void setup_add(struct setup_call *call, const char *option, const char *value)
{
    CHECK(call->count + 2 < SETUP_WORDS);
    CHECK(option != NULL);
    CHECK(value != NULL);
    call->words[call->count] = option;
    call->words[call->count + 1] = value;
    call->count += 2;
}

enum exit_status setup_run(
    struct session *session, struct setup_call *call, struct program_end *end)
{
    CHECK(call->count >= 2);
    CHECK(call->words[call->count] == NULL);
    struct program program = {
        .argv = call->words,
        .timeout_ms = SETUP_TIMEOUT_MS,
        .collect = true,
    };
    call->words[0] = call->path;
    struct result result = program_run(&program, end);
    if (result.code == 0 && end->status == 0) {
        return EXIT_DONE;
    }
    char what[128];
    (void)snprintf(
        what,
        sizeof(what),
        "udatsu-setup %.40s: %s (%d)",
        call->words[1],
        result.code == 0 ? say("it refused", "失敗した") : result_name(result),
        end->status);
    problem_say(session->err, what, NULL, NULL, NULL);
    program_end_free(end);
    return EXIT_FAILED;
}

/* Papers that are in use are never written over: the token may turn out to be worth nothing. */
bool setup_out_is_free(struct session *session, const char *out)
{
    static const char *const names[] = { "key.pem", "cert.pem" };
    char path[SETTINGS_PATH];
    uint32_t there = 0;
    CHECK(out[0] == '/');
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        int length = snprintf(path, sizeof(path), "%s/%s", out, names[i]);
        there += length > 0 && (size_t)length < sizeof(path) && access(path, F_OK) == 0 ? 1 : 0;
    }
    if (there < COUNT_OF(names)) {
        return true; /* A key without a certificate is what is left of an enrolment that failed. */
    }
    problem_say(
        session->err,
        say("somebody's key and certificate are there already", "鍵と証明書が既にある"),
        out,
        say("name another --out, or renew these: udatsu user renew",
            "別の --out を指定するか、更新する: udatsu user renew"),
        NULL);
    return false;
}
