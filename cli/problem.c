/* Decides how a refusal is said and which exit status carries it. Never decides what is refused. */
#include "cli/problem.h"

#include "base/check.h"
#include "base/reject.h"
#include "cli/words.h"

#include <string.h>

struct advice {
    enum reject reject;
    enum exit_status status;
    const char *next_en;
    const char *next_ja;
};

static const struct advice advices[] = {
    { REJECT_DENIED,
      EXIT_DENIED,
      "an operator or an auditor sees with udatsu audit access what each principal may do",
      "運用者か監査者が udatsu audit access で各主体の権限を見る" },
    { REJECT_REVOKED,
      EXIT_DENIED,
      "ask an operator for a new token, then: udatsu user enroll",
      "運用者に新しいトークンをもらい udatsu user enroll" },
    { REJECT_TOKEN,
      EXIT_DENIED,
      "ask an operator for a new token",
      "運用者に新しいトークンを頼む" },
    { REJECT_NOT_FOUND,
      EXIT_NOT_FOUND,
      "list what is there with the verb ls; look at --tenant",
      "ls で一覧を見る。--tenant も確かめる" },
    { REJECT_QUOTA, EXIT_CONFLICT, "udatsu quota show", "udatsu quota show" },
    { REJECT_FLOOR, EXIT_CONFLICT, "udatsu explain capacity", "udatsu explain capacity" },
    { REJECT_NO_CAPACITY, EXIT_CONFLICT, "udatsu explain capacity", "udatsu explain capacity" },
    { REJECT_IDEMPOTENCY_BODY,
      EXIT_CONFLICT,
      "use another --idempotency-key, or repeat the first request exactly",
      "別の --idempotency-key を使うか、最初と同じ要求を送る" },
    { REJECT_BAD_NAME,
      EXIT_USAGE,
      "names are a-z, 0-9 and -, start with a letter, at most 63",
      "名前は英小文字で始まり a-z 0-9 - で63字まで" },
    { REJECT_BAD_FIELD, EXIT_USAGE, NULL, NULL },
    { REJECT_MALFORMED, EXIT_USAGE, NULL, NULL },
    { REJECT_UNSUPPORTED, EXIT_FAILED, NULL, NULL },
    { REJECT_NO_LEADER,
      EXIT_UNREACHABLE,
      "udatsu cluster status --consistency stale says who is there; then try again",
      "udatsu cluster status --consistency stale を見てから再実行" },
    { REJECT_OUTCOME_UNKNOWN,
      EXIT_UNREACHABLE,
      "try again with the same --idempotency-key",
      "同じ --idempotency-key で再実行" },
    { REJECT_PRECONDITION,
      EXIT_CONFLICT,
      "show it again, decide, and name what you saw with --revision",
      "show で見直し、--revision で版を指定する" },
    { REJECT_UNFIT, EXIT_UNREACHABLE, "udatsu alarm ls", "udatsu alarm ls" },
};

static const struct advice *advice_for(const char *code)
{
    CHECK(code != NULL);
    for (size_t i = 0; i < COUNT_OF(advices); i++) {
        CHECK(advices[i].reject != REJECT_NONE);
        if (strcmp(reject_name(advices[i].reject), code) == 0) {
            return &advices[i];
        }
    }
    return NULL;
}

enum exit_status problem_exit(const char *code, uint64_t status)
{
    const struct advice *advice = code == NULL ? NULL : advice_for(code);
    if (advice != NULL) {
        return advice->status;
    }
    /* A failed operation's problem has a code and no status. */
    for (int i = REJECT_DENIED; status == 0 && code != NULL && i < REJECTS_END; i++) {
        if (strcmp(reject_name((enum reject)i), code) == 0) {
            status = reject_status((enum reject)i);
        }
    }
    CHECK(status <= UINT16_MAX);
    if (status == 400 || status == 422) {
        return EXIT_USAGE;
    }
    if (status == 401 || status == 403) {
        return EXIT_DENIED;
    }
    if (status == 404) {
        return EXIT_NOT_FOUND;
    }
    if (status == 409 || status == 412 || status == 428) {
        return EXIT_CONFLICT;
    }
    return status == 502 || status == 503 || status == 504 ? EXIT_UNREACHABLE : EXIT_FAILED;
}

void problem_say(FILE *err, const char *what, const char *why, const char *next, const char *id)
{
    CHECK(err != NULL);
    CHECK(what != NULL);
    (void)fprintf(err, "udatsu: %s\n", what);
    if (why != NULL && *why != '\0') {
        (void)fprintf(err, "  %s %s\n", say("why:", "理由:"), why);
    }
    if (next != NULL && *next != '\0') {
        (void)fprintf(err, "  %s %s\n", say("next:", "次に:"), next);
    }
    if (id != NULL && *id != '\0') {
        (void)fprintf(err, "  %s %s\n", say("request:", "要求ID:"), id);
    }
}

/* Appends " word=value" for a member that is there and says something. */
static void why_add(
    char *room, size_t size, const struct json_t *problem, const char *key, const char *word)
{
    char value[192];
    size_t used = strlen(room);
    CHECK(used < size);
    doc_words(doc_get(problem, key), value, sizeof(value));
    if (value[0] != '\0' && strcmp(value, "0") != 0) {
        (void)snprintf(room + used, size - used, "%s%s=%s", used == 0 ? "" : " ", word, value);
    }
}

static void why_make(char *room, size_t size, const struct json_t *problem)
{
    static const char *const keys[] = { "dimension", "limit", "usage",  "requested",
                                        "holder",    "rule",  "pointer" };
    CHECK(size > 0);
    room[0] = '\0';
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        why_add(room, size, problem, keys[i], keys[i]);
    }
    const struct json_t *constraints = doc_get(problem, "constraints");
    for (size_t i = 0; i < doc_count(constraints); i++) {
        char name[64];
        doc_words(doc_get(doc_at(constraints, i), "constraint"), name, sizeof(name));
        why_add(room, size, doc_at(constraints, i), "nodes", name);
    }
}

enum exit_status problem_of_doc(FILE *err, const struct json_t *problem, const char *request_id)
{
    char what[512];
    char why[1024];
    char clean[64];
    const char *code = doc_text(doc_get(problem, "code"));
    const char *title = doc_text(doc_get(problem, "title"));
    const char *detail = doc_text(doc_get(problem, "detail"));
    const char *hint = doc_text(doc_get(problem, "hint"));
    const char *id = doc_text(doc_get(problem, "request_id"));
    uint64_t status = 0;
    (void)doc_number(doc_get(problem, "status"), &status);
    const char *sentence = detail != NULL && *detail != '\0' ? detail : title;
    (void)snprintf(
        what,
        sizeof(what),
        "%.400s%s%.60s%s",
        sentence == NULL ? say("the request was refused", "要求は拒否された") : sentence,
        code == NULL ? "" : " (",
        code == NULL ? "" : code,
        code == NULL ? "" : ")");
    why_make(why, sizeof(why), problem);
    const struct advice *advice = code == NULL ? NULL : advice_for(code);
    const char *next = hint;
    if ((next == NULL || *next == '\0') && advice != NULL && advice->next_en != NULL) {
        next = say(advice->next_en, advice->next_ja);
    }
    (void)snprintf(clean, sizeof(clean), "%.60s", id != NULL && *id != '\0' ? id : request_id);
    problem_say(err, what, why, next, clean);
    return problem_exit(code, status > 999 ? 0 : status);
}

enum exit_status problem_of_answer(FILE *err, const struct http_answer *answer)
{
    CHECK(answer->status >= 100);
    struct json_t *doc = doc_parse(answer->body == NULL ? "" : answer->body, answer->size);
    enum exit_status status = problem_exit(NULL, answer->status);
    if (doc != NULL && doc_kind(doc) == DOC_OBJECT && doc_get(doc, "code") != NULL) {
        status = problem_of_doc(err, doc, answer->request_id);
    } else {
        char what[64];
        (void)snprintf(
            what,
            sizeof(what),
            "%s %u",
            say("the server answered", "サーバーの応答は"),
            (unsigned int)answer->status);
        problem_say(err, what, NULL, NULL, answer->request_id);
    }
    doc_free(doc);
    CHECK(status != EXIT_DONE);
    return status;
}

enum exit_status problem_of_failure(FILE *err, struct result failure, const char *reason)
{
    CHECK(failure.code != FAILURE_NONE);
    CHECK(failure.code < FAILURE_END);
    if (failure.code == FAILURE_DENIED) {
        problem_say(
            err,
            say("the two ends do not trust each other", "証明書の検証に失敗した"),
            reason,
            say("check --ca, --cert and --key, or enroll again",
                "--ca --cert --key を確かめるか、再登録する"),
            NULL);
        return EXIT_DENIED;
    }
    if (failure.code == FAILURE_NOT_FOUND) {
        problem_say(
            err,
            say("a certificate or key file cannot be used", "証明書または鍵のファイルが使えない"),
            reason,
            say("check that --ca, --cert and --key are there, readable and belong together",
                "--ca --cert --key が読め、対になっているか確かめる"),
            NULL);
        return EXIT_USAGE;
    }
    if (failure.code == FAILURE_FULL || failure.code == FAILURE_BAD_INPUT) {
        problem_say(
            err, say("the exchange could not be made", "通信を行えなかった"), reason, NULL, NULL);
        return EXIT_FAILED;
    }
    problem_say(
        err,
        failure.code == FAILURE_TIMEOUT
            ? say("no answer came; the outcome is unknown", "応答がなく、結果は不明")
            : say("no endpoint answers", "どの宛先にも繋がらない"),
        reason,
        say("check --endpoints and the network, then try again",
            "--endpoints と網を確かめて再実行"),
        NULL);
    return EXIT_UNREACHABLE;
}
