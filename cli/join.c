/* Decides the order in which a machine or a person comes into a cell. Never makes a key, never sees
 * a private one: udatsu-setup does both.
 *
 * The happy path: read the token; find the CA that it pins; udatsu-setup makes a key and a request
 * (and, on controllers, a sealing key); POST /v1/join with the secret over TLS to that CA; the CA
 * in the answer is compared once more; udatsu-setup adopts what came.
 * What can go wrong: another cell at the endpoints → refused before the secret is sent; the answer
 * is lost → the same idempotency key is asked again; adopt fails → the cell has a row for a machine
 * that never speaks, which an operator sees and removes. */
#include "cli/join.h"

#include "base/check.h"
#include "base/id.h"
#include "cli/base64.h"
#include "cli/pin.h"
#include "cli/setup.h"
#include "cli/words.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    JOIN_PEER = 512,             /* ID,NAME,LINK,API of one controller. */
    JOIN_SEALED_MAX = 64 * 1024, /* The sealed bundle is a few hundred bytes. */
    JOIN_SEALING_KEY = 32,
};

struct join {
    struct session *session;
    struct secret token;
    char folder[64]; /* Private, for what is handed to udatsu-setup; gone at the end. */
    char ca[96];
    struct json_t *answer; /* Owned. */
    const char *config;    /* A machine's; NULL for a person. */
    char out[SETTINGS_PATH];
};

static enum exit_status no_token(struct session *session)
{
    CHECK(session != NULL);
    problem_say(
        session->err,
        say("there is no token of this kind", "この種類のトークンがない"),
        say("--token-file, or standard input without it, must hold one token",
            "--token-file または標準入力にトークンが1つ要る"),
        say("ask an operator for one: udatsu controller|node|user token NAME",
            "運用者に頼む: udatsu controller|node|user token NAME"),
        NULL);
    return EXIT_USAGE;
}

static enum exit_status read_token(struct join *join)
{
    const char *path = args_text(&join->session->invocation, "token-file");
    bool input = path == NULL || strcmp(path, "-") == 0;
    struct secret text;
    if (secret_make(TOKEN_TEXT, &text).code != 0) {
        return session_no_memory(join->session);
    }
    FILE *file = input ? stdin : fopen(path, "rbe");
    size_t size = 0;
    if (file != NULL) {
        (void)setvbuf(file, NULL, _IONBF, 0); /* The secret stays out of stdio's buffer. */
        size = fread(text.data, 1, TOKEN_TEXT - 1, file);
        if (!input) {
            (void)fclose(file); /* Only read. */
        }
    }
    CHECK(size < TOKEN_TEXT);
    struct result read = token_read(slice_of(text.data, size), &join->token);
    secret_free(&text);
    if (read.code != 0) {
        return no_token(join->session);
    }
    const char *noun = join->session->invocation.verb->noun;
    enum token_kind wanted = strcmp(noun, "user") == 0   ? TOKEN_USER
                             : strcmp(noun, "node") == 0 ? TOKEN_NODE
                                                         : TOKEN_CONTROLLER;
    return token_in(&join->token)->kind == wanted ? EXIT_DONE : no_token(join->session);
}

static bool write_file(struct join *join, const char *name, struct slice bytes, char room[96])
{
    CHECK(bytes.size > 0);
    (void)snprintf(room, 96, "%s/%s", join->folder, name);
    FILE *file = fopen(room, "wxe");
    if (file == NULL) {
        return false;
    }
    bool good = fwrite(bytes.data, 1, bytes.size, file) == bytes.size;
    return fclose(file) == 0 && good;
}

/* What says where keys and certificates belong. */
static void add_place(const struct join *join, struct setup_call *call)
{
    CHECK(join->config != NULL || join->out[0] == '/');
    setup_add(
        call,
        join->config != NULL ? "--config" : "--out",
        join->config != NULL ? join->config : join->out);
}

/* Runs a setup verb and puts its output into the body as hex. */
static enum exit_status add_output(
    struct join *join, const char *verb, const char *member, struct json_t *body)
{
    struct setup_call call;
    struct program_end end;
    if (!setup_begin(join->session, verb, &call)) {
        return EXIT_FAILED;
    }
    add_place(join, &call);
    if (join->config == NULL) {
        setup_add(&call, "--name", "user"); /* Only a wish; the cell knows the name. */
    }
    enum exit_status status = setup_run(join->session, &call, &end);
    if (status != EXIT_DONE) {
        return status;
    }
    CHECK(end.size <= PROGRAM_OUTPUT_MAX);
    char *hex = malloc(2 * end.size + 1);
    bool good = hex != NULL && end.size > 0;
    if (good) {
        hex_encode(slice_of(end.output, end.size), hex);
        good = doc_set(body, member, doc_of_text(hex));
    }
    free(hex);
    program_end_free(&end);
    return good ? EXIT_DONE : session_no_memory(join->session);
}

/* {"secret":"…", and the rest of the body }: the secret never enters a JSON tree. */
static bool body_with_secret(const struct join *join, const struct json_t *body, struct secret *out)
{
    static const char front[] = "{\"secret\":\"";
    const struct token *token = token_in(&join->token);
    char *rest = doc_dump(body);
    size_t size = rest == NULL ? 0 : strlen(rest);
    CHECK(size == 0 || rest[0] == '{');
    bool good = size > 2 && secret_make(sizeof(front) + 2 * TOKEN_SECRET + size + 2, out).code == 0;
    if (good) {
        char *at = (char *)out->data;
        memcpy(at, front, sizeof(front) - 1);
        at += sizeof(front) - 1;
        hex_encode(slice_of(token->secret, TOKEN_SECRET), at);
        at += 2 * TOKEN_SECRET;
        memcpy(at, "\",", 2);
        memcpy(at + 2, rest + 1, size); /* With its terminator. */
        CHECK((uint8_t *)at + 2 + size <= out->data + out->size);
    }
    free(rest);
    return good;
}

static enum exit_status post(struct join *join, const struct json_t *body)
{
    struct secret text;
    char key[LIMIT_IDEMPOTENCY_KEY];
    if (!client_key_make(key) || !body_with_secret(join, body, &text)) {
        return session_no_memory(join->session);
    }
    struct call call = {
        .method = "POST",
        .path = join->session->invocation.verb->path,
        .body = (const char *)text.data,
        .key = key,
    };
    CHECK(join->answer == NULL);
    /* INV-SEC-41: the secret goes to the holder of the pinned CA and to nobody else. */
    CHECK(strcmp(join->session->settings.ca, join->ca) == 0);
    CHECK(join->session->settings.cert[0] == '\0');
    enum exit_status status = session_call(join->session, &call, &join->answer);
    secret_free(&text);
    return status;
}

static enum exit_status ask_cell(struct join *join)
{
    struct session *session = join->session;
    const struct token *token = token_in(&join->token);
    struct json_t *body = doc_object();
    bool controller = token->kind == TOKEN_CONTROLLER;
    bool good = doc_set(body, "kind", doc_of_text(session->invocation.verb->noun));
    good = good && request_body(&session->invocation, body);
    enum exit_status status = good ? EXIT_DONE : session_no_memory(session);
    if (status == EXIT_DONE) {
        status = add_output(join, "csr", "csr", body);
    }
    if (status == EXIT_DONE && controller) {
        status = add_output(join, "sealing-key", "sealing_key", body);
    }
    if (status == EXIT_DONE) {
        status = post(join, body);
    }
    CHECK(status != EXIT_DONE || join->answer != NULL);
    doc_free(body);
    return status;
}

static enum exit_status bad_answer(struct join *join, const char *member)
{
    CHECK(member != NULL);
    problem_say(
        join->session->err,
        say("the cell's answer to the join is not usable", "参加要求への応答が使えない"),
        member,
        say("ask an operator for a new token and try again",
            "運用者に新しいトークンをもらい再実行"),
        NULL);
    return EXIT_INTEGRITY;
}

/* A member in hex → a file whose name is added to the call. */
static bool add_file(
    struct join *join,
    struct setup_call *call,
    const char *option,
    const char *member,
    char room[96])
{
    const char *hex = doc_text(doc_get(join->answer, member));
    uint8_t *bytes = malloc(JOIN_SEALED_MAX);
    size_t size = 0;
    CHECK(option != NULL);
    bool good = bytes != NULL && hex != NULL && hex_decode(hex, bytes, JOIN_SEALED_MAX, &size) &&
                size > 0 && write_file(join, member, slice_of(bytes, size), room);
    free(bytes);
    if (good) {
        setup_add(call, option, room);
    }
    return good;
}

/* ID,NAME,LINK,API; an id as a number becomes its text. */
static bool peer_words(const struct json_t *peer, char room[static JOIN_PEER])
{
    char id[ID_TEXT_SIZE];
    char words[3][LIMIT_ADDRESS * 2];
    static const char *const keys[] = { "name", "link_address", "api_address" };
    uint64_t number = 0;
    if (doc_number(doc_get(peer, "id"), &number)) {
        if (number >> 48 == 0 || number << 16 == 0) {
            return false;
        }
        id_format(ID_CONTROLLER, number, id);
    } else {
        doc_words(doc_get(peer, "id"), id, sizeof(id));
    }
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        doc_words(doc_get(peer, keys[i]), words[i], sizeof(words[i]));
        if (words[i][0] == '\0' || strpbrk(words[i], ", ") != NULL) {
            return false;
        }
    }
    CHECK(JOIN_PEER > ID_TEXT_SIZE + sizeof(words) + 4);
    (void)snprintf(room, JOIN_PEER, "%s,%s,%s,%s", id, words[0], words[1], words[2]);
    return true;
}

static enum exit_status adopt_run(struct join *join, struct setup_call *call)
{
    struct program_end end;
    CHECK(call->count > 2);
    enum exit_status status = setup_run(join->session, call, &end);
    if (status == EXIT_DONE) {
        program_end_free(&end);
    }
    return status;
}

static enum exit_status adopt(struct join *join)
{
    struct setup_call call;
    char files[3][96];
    char cell[24];
    char id[64];
    char peers[LIMIT_CONTROLLERS][JOIN_PEER];
    const struct json_t *list = doc_get(join->answer, "controllers");
    uint64_t number = 0;
    bool renews = join->token.data == NULL; /* TLS proved the cell by the CA that we have. */
    if (!renews && !pin_holds(token_in(&join->token), doc_text(doc_get(join->answer, "ca")))) {
        return bad_answer(join, "ca");
    }
    if (!setup_begin(join->session, "adopt", &call)) {
        return EXIT_FAILED;
    }
    add_place(join, &call);
    if (!add_file(join, &call, "--certificate", "certificate", files[0]) ||
        !add_file(join, &call, "--ca", "ca", files[1])) {
        return bad_answer(join, "certificate");
    }
    if (join->config == NULL) {
        return adopt_run(join, &call);
    }
    doc_words(doc_get(join->answer, "id"), id, sizeof(id));
    if (!doc_number(doc_get(join->answer, "cell"), &number) || doc_count(list) == 0 ||
        doc_count(list) > LIMIT_CONTROLLERS || id[0] == '\0') {
        return bad_answer(join, "cell, id, controllers");
    }
    (void)snprintf(cell, sizeof(cell), "%" PRIu64, number);
    setup_add(&call, "--cell", cell);
    setup_add(&call, "--id", id);
    for (size_t i = 0; i < doc_count(list); i++) {
        CHECK(i < LIMIT_CONTROLLERS);
        if (!peer_words(doc_at(list, i), peers[i])) {
            return bad_answer(join, "controllers");
        }
        setup_add(&call, "--controller", peers[i]);
    }
    bool controller = token_in(&join->token)->kind == TOKEN_CONTROLLER;
    if (controller && !add_file(join, &call, "--sealed", "sealed", files[2])) {
        return bad_answer(join, "sealed");
    }
    return adopt_run(join, &call);
}

static void clean(struct join *join)
{
    static const char *const names[] = { "ca.pem", "certificate", "ca", "sealed" };
    char path[96];
    for (size_t i = 0; i < COUNT_OF(names) && join->folder[0] == '/'; i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", join->folder, names[i]);
        (void)unlink(path); /* Not every one was written. */
    }
    if (join->folder[0] == '/') {
        (void)rmdir(join->folder);
    }
    doc_free(join->answer);
    secret_free(&join->token);
    CHECK(join->token.data == NULL);
}

static enum exit_status come_in(struct join *join)
{
    static const char template[] = "/tmp/udatsu-join-XXXXXX";
    enum exit_status status = read_token(join);
    if (status != EXIT_DONE) {
        return status;
    }
    memcpy(join->folder, template, sizeof(template));
    if (mkdtemp(join->folder) == NULL) { /* Mode 0700. */
        join->folder[0] = '\0';
        return session_no_memory(join->session);
    }
    (void)snprintf(join->ca, sizeof(join->ca), "%s/ca.pem", join->folder);
    CHECK(join->session->client == NULL);
    status = pin_cell(join->session, token_in(&join->token), join->ca);
    status = status == EXIT_DONE ? ask_cell(join) : status;
    return status == EXIT_DONE ? adopt(join) : status;
}

enum exit_status run_join(struct session *session)
{
    struct join join = { .session = session };
    join.config = args_text(&session->invocation, "config");
    CHECK(join.config != NULL); /* The table requires it. */
    enum exit_status status = come_in(&join);
    if (status == EXIT_DONE) {
        char id[64];
        doc_words(doc_get(join.answer, "id"), id, sizeof(id));
        status = session_printed(session, fprintf(session->out, "%s\n", id) > 0);
    }
    clean(&join);
    return status;
}

enum exit_status run_enroll(struct session *session)
{
    struct join join = { .session = session };
    const char *out = args_text(&session->invocation, "out");
    char here[SETTINGS_PATH] = "";
    CHECK(out != NULL);
    if (out[0] != '/' && getcwd(here, sizeof(here)) == NULL) {
        return session_no_memory(session);
    }
    const char *slash = out[0] == '/' ? "" : "/";
    int length = snprintf(join.out, sizeof(join.out), "%s%s%s", here, slash, out);
    if (length < 0 || (size_t)length >= sizeof(join.out)) {
        (void)snprintf(session->invocation.message, ARGS_MESSAGE, "--out: %.60s", out);
        return session_usage(session);
    }
    enum exit_status status = setup_out_is_free(session, join.out) ? come_in(&join) : EXIT_CONFLICT;
    if (status == EXIT_DONE) {
        status = session_printed(session, fprintf(session->out, "%s\n", join.out) > 0);
    }
    clean(&join);
    return status;
}

/* Where key and certificate of the settings lie together, as `enroll` left them. */
static bool own_directory(struct session *session, char room[static SETTINGS_PATH])
{
    static const char cert[] = "/cert.pem";
    static const char key[] = "/key.pem";
    const struct settings *settings = &session->settings;
    size_t size = strlen(settings->cert);
    if (settings->cert[0] != '/' || size < sizeof(cert) ||
        strcmp(settings->cert + size - (sizeof(cert) - 1), cert) != 0) {
        return false;
    }
    memcpy(room, settings->cert, size + 1);
    room[size - (sizeof(cert) - 1)] = '\0';
    size_t directory = strlen(room);
    CHECK(directory < SETTINGS_PATH);
    return strncmp(settings->key, room, directory) == 0 &&
           strcmp(settings->key + directory, key) == 0;
}

static enum exit_status renew(struct join *join)
{
    static const char template[] = "/tmp/udatsu-renew-XXXXXX";
    struct session *session = join->session;
    char key[LIMIT_IDEMPOTENCY_KEY];
    memcpy(join->folder, template, sizeof(template));
    if (mkdtemp(join->folder) == NULL) { /* Mode 0700. */
        join->folder[0] = '\0';
        return session_no_memory(session);
    }
    struct json_t *body = doc_object();
    enum exit_status status = add_output(join, "csr-again", "csr", body);
    char *text = status == EXIT_DONE ? doc_dump(body) : NULL;
    doc_free(body);
    if (status == EXIT_DONE && (text == NULL || !client_key_make(key))) {
        status = session_no_memory(session);
    }
    if (status == EXIT_DONE) {
        struct call call = {
            .method = "POST", .path = session->invocation.verb->path, .body = text, .key = key
        };
        status = session_call(session, &call, &join->answer);
    }
    free(text);
    return status == EXIT_DONE ? adopt(join) : status;
}

enum exit_status run_renew(struct session *session)
{
    struct join join = { .session = session };
    if (!own_directory(session, join.out)) {
        (void)snprintf(
            session->invocation.message,
            ARGS_MESSAGE,
            "%s",
            say("--cert and --key must be DIR/cert.pem and DIR/key.pem, with the whole path",
                "--cert と --key は同じディレクトリの cert.pem と key.pem(絶対パス)"));
        return session_usage(session);
    }
    enum exit_status status = renew(&join);
    if (status == EXIT_DONE) {
        status = session_printed(session, fprintf(session->out, "%s\n", join.out) > 0);
    }
    clean(&join);
    return status;
}

enum exit_status run_cluster_init(struct session *session)
{
    static const struct {
        const char *flag;
        const char *option;
    } rows[] = {
        { "config", "--config" },
        { "cell", "--cell" },
        { "operator-out", "--operator-out" },
        { "operator", "--operator" },
    };
    struct setup_call call;
    struct program_end end;
    if (!setup_begin(session, "cluster-init", &call)) {
        return EXIT_FAILED;
    }
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *value = args_text(&session->invocation, rows[i].flag);
        if (value != NULL) {
            setup_add(&call, rows[i].option, value);
        }
    }
    enum exit_status status = setup_run(session, &call, &end);
    if (status == EXIT_DONE) {
        bool printed = end.size == 0 || fwrite(end.output, 1, end.size, session->out) == end.size;
        program_end_free(&end);
        status = session_printed(session, printed);
    }
    return status;
}
