/* Decides which action runs and what is common to all: usage errors, the client, confirmation.
 * Never knows what an action does. */
#include "cli/session.h"

#include "base/check.h"
#include "cli/help.h"
#include "cli/interrupt.h"
#include "cli/join.h"
#include "cli/words.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum exit_status session_usage(struct session *session)
{
    char next[128];
    const struct invocation *invocation = &session->invocation;
    CHECK(invocation->message[0] != '\0');
    const char *noun = invocation->noun == NULL ? "" : invocation->noun;
    const struct verb *verb = invocation->verb;
    if (verb != NULL && *verb->verb != '\0') {
        (void)snprintf(next, sizeof(next), "udatsu help %s %s", verb->noun, verb->verb);
    } else {
        (void)snprintf(next, sizeof(next), "udatsu help%s%.60s", *noun == '\0' ? "" : " ", noun);
    }
    problem_say(
        session->err,
        say("the command line is not understood", "コマンドラインを解釈できない"),
        invocation->message,
        next,
        NULL);
    return EXIT_USAGE;
}

enum exit_status session_no_memory(struct session *session)
{
    problem_say(session->err, say("memory is out", "メモリ不足"), NULL, NULL, NULL);
    return EXIT_FAILED;
}

enum exit_status session_printed(struct session *session, bool printed)
{
    CHECK(session->out != NULL);
    if (printed && fflush(session->out) == 0) {
        return EXIT_DONE;
    }
    problem_say(
        session->err,
        say("standard output did not take the answer", "標準出力に書けない"),
        NULL,
        NULL,
        NULL);
    return EXIT_FAILED;
}

enum exit_status session_client(struct session *session)
{
    CHECK(session->invocation.verb != NULL);
    if (session->client != NULL) {
        return EXIT_DONE;
    }
    if (session->settings.endpoints_count == 0) {
        problem_say(
            session->err,
            say("no endpoint is known", "宛先が分からない"),
            say("neither --endpoints, UDATSU_ENDPOINTS nor a context names one",
                "--endpoints、UDATSU_ENDPOINTS、コンテキストのどれにもない"),
            "udatsu context add NAME --endpoints … --ca … --cert … --key … --use",
            NULL);
        return EXIT_USAGE;
    }
    struct result opened = client_open(&session->settings, &session->client);
    return opened.code == 0 ? EXIT_DONE : session_no_memory(session);
}

enum exit_status session_call(
    struct session *session, const struct call *call, struct json_t **doc_out)
{
    struct http_answer answer;
    const char *repeat = say("to be done once, repeat it with", "二重にならない再実行:");
    CHECK(doc_out != NULL);
    *doc_out = NULL;
    enum exit_status status = session_client(session);
    if (status != EXIT_DONE) {
        return status;
    }
    /* A person who gave a short --timeout gets the news that soon. */
    struct call bounded = *call;
    uint64_t seconds = session->settings.timeout_seconds;
    if (bounded.window_ms == 0 && seconds * 1000 < CLIENT_WINDOW_MS) {
        bounded.window_ms = (uint32_t)seconds * 1000 + 1;
    }
    /* A token or a join has secrets of its own: repeated, it is another one. */
    enum action action = session->invocation.verb->action;
    bool repeatable = call->key != NULL && (action == ACTION_REST || action == ACTION_API);
    bool told = repeatable && session->err == stderr;
    if (told) {
        char next[128];
        (void)snprintf(next, sizeof(next), "%s --idempotency-key %s", repeat, call->key);
        interrupt_begin(say("interrupted, the outcome is unknown", "中断した。結果は不明"), next);
    }
    struct result called = client_call(session->client, &bounded, &answer);
    if (told) {
        interrupt_end();
    }
    if (called.code != 0) {
        status = problem_of_failure(session->err, called, answer.reason);
    } else if (answer.status >= 300) {
        status = problem_of_answer(session->err, &answer);
    } else {
        *doc_out = doc_parse(answer.body == NULL ? "" : answer.body, answer.size);
        if (*doc_out == NULL) {
            problem_say(
                session->err,
                say("the answer is not JSON", "応答がJSONでない"),
                client_endpoint(session->client),
                say("check --endpoints", "--endpoints を確かめる"),
                answer.request_id);
            status = EXIT_FAILED;
        }
    }
    if (status == EXIT_UNREACHABLE && repeatable) {
        (void)fprintf(session->err, "  %s --idempotency-key %s\n", repeat, call->key);
    }
    CHECK((status == EXIT_DONE) == (*doc_out != NULL));
    http_answer_free(&answer);
    return status;
}

enum exit_status session_confirm(struct session *session)
{
    const struct invocation *invocation = &session->invocation;
    const struct verb *verb = invocation->verb;
    CHECK(verb != NULL);
    if ((verb->traits & TRAIT_DESTRUCTIVE) == 0 || session->settings.yes) {
        return EXIT_DONE;
    }
    const char *name = invocation->operands_count > 0 ? invocation->operands[0] : "";
    /* The same name may be another tenant's too. */
    bool owned = verb->path != NULL && strstr(verb->path, "{tenant}/") != NULL;
    if (!isatty(STDIN_FILENO)) {
        problem_say(
            session->err,
            say("this destroys something and nobody is there to be asked",
                "破壊的な操作だが、確認する端末がない"),
            say("standard input is no terminal and --yes was not given",
                "標準入力が端末でなく、--yes もない"),
            say("repeat it with --yes", "--yes を付けて再実行"),
            NULL);
        return EXIT_USAGE;
    }
    char line[16] = { 0 };
    (void)fprintf(
        session->err,
        "%s %s %s%s%s @ %s? [y/N] ",
        verb->noun,
        verb->verb,
        name,
        owned ? say(" of tenant ", " テナント ") : "",
        owned ? session->settings.tenant : "",
        session->settings.endpoints_count > 0 ? session->settings.endpoints[0] : "-");
    bool read = fgets(line, sizeof(line), stdin) != NULL;
    CHECK(line[sizeof(line) - 1] == '\0');
    if (read && (strcmp(line, "y\n") == 0 || strcmp(line, "yes\n") == 0)) {
        return EXIT_DONE;
    }
    problem_say(session->err, say("nothing was done", "何もしなかった"), NULL, NULL, NULL);
    return EXIT_FAILED;
}

static enum exit_status version(struct session *session)
{
    return session_printed(session, fprintf(session->out, "udatsu %s\n", UDATSU_VERSION) > 0);
}

static enum exit_status completion(struct session *session)
{
    const char *shell = args_operand(&session->invocation, "SHELL");
    CHECK(shell != NULL);
    if (!args_choice("bash|zsh|fish", shell)) {
        (void)snprintf(session->invocation.message, ARGS_MESSAGE, "bash|zsh|fish: %.60s", shell);
        return session_usage(session);
    }
    return session_printed(session, help_completion(session->out, shell));
}

static enum exit_status help(struct session *session)
{
    const char *word = args_operand(&session->invocation, "NOUN");
    const char *noun = word == NULL ? NULL : verbs_noun(word);
    if (noun != NULL && !verbs_has_noun(noun)) {
        (void)snprintf(
            session->invocation.message,
            ARGS_MESSAGE,
            "%s: %.60s",
            say("unknown noun", "知らない名詞"),
            word);
        session->invocation.noun = NULL;
        session->invocation.verb = NULL;
        return session_usage(session);
    }
    const char *action = args_operand(&session->invocation, "VERB");
    const struct verb *verb = noun == NULL ? NULL : verbs_find(noun, action == NULL ? "" : action);
    if (action != NULL && verb == NULL) {
        (void)snprintf(
            session->invocation.message,
            ARGS_MESSAGE,
            "%s: %.60s",
            say("unknown verb", "知らない動詞"),
            action);
        session->invocation.noun = noun;
        session->invocation.verb = NULL;
        return session_usage(session);
    }
    CHECK(noun == NULL || *noun != '\0');
    return session_printed(session, help_print(session->out, noun, verb));
}

static enum exit_status dispatch(struct session *session)
{
    const struct verb *verb = session->invocation.verb;
    CHECK(verb != NULL);
    switch (verb->action) {
    case ACTION_REST: return run_rest(session);
    case ACTION_CLUSTER_INIT: return run_cluster_init(session);
    case ACTION_TOKEN: return run_token(session);
    case ACTION_JOIN: return run_join(session);
    case ACTION_ENROLL: return run_enroll(session);
    case ACTION_RENEW: return run_renew(session);
    case ACTION_CONSOLE: return run_console(session);
    case ACTION_OP_WAIT: return run_op_wait(session);
    case ACTION_EVENT_LS: return run_event_ls(session);
    case ACTION_EVENT_WATCH: return run_event_watch(session);
    case ACTION_AUDIT_LS: return run_audit_ls(session);
    case ACTION_AUDIT_EXPORT: return run_audit_export(session);
    case ACTION_AUDIT_VERIFY: return run_audit_verify(session);
    case ACTION_AUDIT_SHOW: return run_audit_show(session);
    case ACTION_ALARM_WATCH: return run_alarm_watch(session);
    case ACTION_CONTEXT_LS: return run_context_ls(session);
    case ACTION_CONTEXT_USE: return run_context_use(session);
    case ACTION_CONTEXT_ADD: return run_context_add(session);
    case ACTION_API: return run_api(session);
    case ACTION_VERSION: return version(session);
    case ACTION_COMPLETION: return completion(session);
    case ACTION_MAN: return session_printed(session, help_man(session->out));
    case ACTION_HELP: return help(session);
    }
    UNREACHABLE();
}

/* Before anything is asked for: a column that is not there must not cost a write. */
static bool choose_columns(struct session *session)
{
    struct invocation *invocation = &session->invocation;
    const struct verb *verb = invocation->verb;
    const char *names = args_text(invocation, "columns");
    enum output_format format = session->settings.output;
    bool across = verb->path != NULL && strstr(verb->path, "[/tenants/{tenant}]") != NULL &&
                  session->settings.tenant[0] == '\0';
    if (names == NULL && verb->columns != NULL) {
        columns_usual(verb->columns, format, across, &session->chosen);
    } else if (names != NULL && !columns_asked(invocation, names, &session->chosen)) {
        return false;
    }
    bool drawn = format == OUTPUT_TABLE || format == OUTPUT_WIDE || format == OUTPUT_CSV;
    if (names != NULL && !drawn) {
        (void)snprintf(
            invocation->message,
            ARGS_MESSAGE,
            "%s",
            say("--columns goes with -o table, wide or csv", "--columns は table wide csv 用"));
        return false;
    }
    session->columns = verb->columns == NULL ? NULL : session->chosen.list;
    return true;
}

enum exit_status session_run(int argc, char **argv, FILE *out, FILE *err)
{
    struct session *session = calloc(1, sizeof(*session));
    CHECK(out != NULL);
    CHECK(err != NULL);
    if (session == NULL) {
        return EXIT_FAILED;
    }
    session->out = out;
    session->err = err;
    enum exit_status status = EXIT_DONE;
    words_choose(words_detect(NULL)); /* For what the parser says, until --lang is known. */
    bool parsed = args_parse(argc, argv, &session->invocation);
    words_choose(words_detect(args_text(&session->invocation, "lang")));
    if (!parsed) {
        status = session_usage(session);
    } else if (session->invocation.help) {
        bool printed = help_print(out, session->invocation.noun, session->invocation.verb);
        status = session_printed(session, printed);
    } else if (!settings_resolve(&session->invocation, &session->settings)) {
        status = session_usage(session);
    } else if (!choose_columns(session)) {
        status = session_usage(session);
    } else {
        status = dispatch(session);
    }
    client_close(session->client);
    free(session);
    return status;
}
