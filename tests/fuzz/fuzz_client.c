/* What the command reads: the event stream of a cell, however it is cut, and its person's file of
 * contexts. The oracles: the stream read line by line as a whole, an event printed once and in its
 * order, the next connection asking for what comes behind the last one printed; endpoints taken
 * apart with strtok; the file read member by member. The cell is played by the linker (--wrap). */
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/message.h"
#include "tests/fuzz/slow_stream.h"

#include "base/check.h"
#include "cli/session.h"
#include "host/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum kind { KIND_STREAM, KIND_CUT, KIND_ENDPOINTS, KIND_CONFIG, KINDS };

enum {
    STREAMS = 8,
    REPEAT = 6, /* A line may be longer than an input. */
    COUNT = 3,  /* Of --count, when it is given. */
    OUTPUT_TRIES = 7,
};

static struct {
    struct slice streams[STREAMS];
    uint32_t count;
    uint32_t next;
    uint32_t cut;              /* How pieces are cut. */
    bool repeats;              /* Each stream comes six times over, without an end between. */
    bool bounded;              /* --count. */
    char ids[STREAMS + 1][32]; /* With which each was to be asked for. */
    uint64_t now_ms;
} cell;

const ProtobufCMessageDescriptor *fuzz_type(uint8_t kind)
{
    (void)kind;
    return NULL;
}

/* ---- The cell ---- */

struct result __wrap_client_stream(
    struct client *client,
    const char *path,
    const char *last_event_id,
    bool (*on_piece)(void *context, const char *data, size_t size),
    void *context,
    struct http_answer *answer);
void __wrap_client_pause(uint32_t ms);
uint64_t __wrap_clock_boot_ms(void);
enum exit_status __wrap_session_client(struct session *session);

struct result __wrap_client_stream(
    struct client *client,
    const char *path,
    const char *last_event_id,
    bool (*on_piece)(void *context, const char *data, size_t size),
    void *context,
    struct http_answer *answer)
{
    CHECK(client == NULL && path != NULL);
    *answer = (struct http_answer){ .status = 200 };
    MUST(cell.next <= cell.count);
    MUST(strcmp(last_event_id == NULL ? "" : last_event_id, cell.ids[cell.next]) == 0);
    if (cell.next == cell.count) {
        return FAIL(FAILURE_DENIED);
    }
    struct slice stream = cell.streams[cell.next++];
    for (uint32_t turn = 0; turn < (cell.repeats ? REPEAT : 1U); turn++) {
        for (size_t at = 0; at < stream.size;) {
            size_t piece = 1 + (at * 7919U + cell.cut * 31U) % (cell.cut % 3 == 0 ? 5 : 4096);
            piece = piece < stream.size - at ? piece : stream.size - at;
            if (!on_piece(context, (const char *)stream.data + at, piece)) {
                return FAIL(FAILURE_CLOSED);
            }
            at += piece;
        }
    }
    return cell.cut % 2 == 0 ? OK : FAIL(FAILURE_CLOSED);
}

void __wrap_client_pause(uint32_t ms)
{
    cell.now_ms += ms;
}

uint64_t __wrap_clock_boot_ms(void)
{
    return cell.now_ms;
}

enum exit_status __wrap_session_client(struct session *session)
{
    CHECK(session->client == NULL);
    return EXIT_DONE;
}

/* ---- The stream ---- */

/* What a person types; it lasts until the next one. */
static void command(const char *line, struct invocation *invocation_out)
{
    static char room[64];
    char *words[8];
    char *rest = NULL;
    int count = 0;
    (void)snprintf(room, sizeof(room), "%s", line);
    for (char *word = strtok_r(room, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
        words[count++] = word;
    }
    bool parsed = args_parse(count, words, invocation_out);
    CHECK(parsed);
}

static void hold_streams(void)
{
    char *wanted = NULL;
    char *printed = NULL;
    size_t sizes[2] = { 0, 0 };
    struct slow_stream slow = { .out = open_memstream(&wanted, &sizes[0]),
                                .left = cell.bounded ? COUNT : UINT64_MAX };
    struct session *session = calloc(1, sizeof(*session));
    CHECK(slow.out != NULL && session != NULL);
    uint32_t asked = 0;
    while (asked < cell.count && !slow.refused && slow.left > 0) {
        memcpy(cell.ids[asked], slow.id, sizeof(slow.id));
        slow_stream(&slow, cell.streams[asked++], cell.repeats ? REPEAT : 1);
    }
    memcpy(cell.ids[asked], slow.id, sizeof(slow.id));
    session->out = open_memstream(&printed, &sizes[1]);
    session->err = fopen("/dev/null", "we");
    CHECK(session->out != NULL && session->err != NULL);
    command(
        cell.bounded ? "udatsu event watch --count 3" : "udatsu event watch", &session->invocation);
    enum exit_status status = run_event_watch(session);
    int code = fclose(session->out) | fclose(slow.out) | fclose(session->err);
    CHECK(code == 0);
    MUST(sizes[0] == sizes[1] && memcmp(wanted, printed, sizes[0]) == 0);
    MUST(cell.next == asked);
    MUST((status == EXIT_DONE) == (slow.left == 0 && !slow.refused));
    free(wanted);
    free(printed);
    free(session);
}

/* ---- Settings ---- */

static bool endpoint_is(const char *token, const char *taken)
{
    char wanted[SETTINGS_URL + 16];
    bool scheme = strstr(token, "://") != NULL;
    size_t size = strlen(token);
    while (size > 0 && token[size - 1] == '/') {
        size--;
    }
    (void)snprintf(
        wanted,
        sizeof(wanted),
        "%s%.*s",
        scheme ? "" : "https://",
        (int)(size < 170 ? size : 170),
        token);
    return strcmp(wanted, taken) == 0 && strncmp(wanted, "https://", 8) == 0 && wanted[8] != '\0' &&
           strlen(wanted) < SETTINGS_URL;
}

static void hold_endpoints(const char *text)
{
    static struct settings settings;
    char *copy = strdup(text);
    char *rest = NULL;
    uint32_t count = 0;
    CHECK(copy != NULL);
    settings.endpoints_count = 0;
    bool taken = settings_endpoints_add(&settings, text);
    bool first = text[0] == ',' || text[0] == ' ';
    for (char *token = strtok_r(copy, ", ", &rest); token != NULL && !first;
         token = strtok_r(NULL, ", ", &rest)) {
        if (count == settings.endpoints_count) {
            MUST(!taken); /* This one was refused. */
            break;
        }
        MUST(endpoint_is(token, settings.endpoints[count]));
        count++;
    }
    MUST(count == settings.endpoints_count && count <= SETTINGS_ENDPOINTS);
    MUST(!first || !taken);
    for (int i = 0; i < OUTPUT_TRIES; i++) {
        enum output_format format = OUTPUT_TABLE;
        (void)settings_output_parse(text, &format);
        MUST(format >= OUTPUT_TABLE && format <= OUTPUT_NAME);
    }
    free(copy);
}

static char directory[64];

static void leave_nothing(void);

static void begin(void)
{
    static const char *const variables[] = { "UDATSU_CONTEXT",  "UDATSU_CA",     "UDATSU_CERT",
                                             "UDATSU_KEY",      "UDATSU_TENANT", "UDATSU_OUTPUT",
                                             "UDATSU_ENDPOINTS" };
    char path[96];
    CHECK(directory[0] == '\0');
    bool fast = access("/dev/shm", W_OK) == 0;
    (void)snprintf(
        directory, sizeof(directory), "%s/fuzz-client-XXXXXX", fast ? "/dev/shm" : "/tmp");
    CHECK(mkdtemp(directory) != NULL);
    fuzz_leave = leave_nothing;
    (void)snprintf(path, sizeof(path), "%s/udatsu", directory);
    int code = mkdir(path, 0700) | setenv("XDG_CONFIG_HOME", directory, 1);
    for (size_t i = 0; i < COUNT_OF(variables); i++) {
        code |= unsetenv(variables[i]);
    }
    code |= atexit(leave_nothing);
    CHECK(code == 0);
}

static void leave_nothing(void)
{
    char path[96];
    if (directory[0] != '\0') {
        (void)snprintf(path, sizeof(path), "%s/udatsu/config", directory);
        int code = unlink(path);
        (void)snprintf(path, sizeof(path), "%s/udatsu", directory);
        code = rmdir(path);
        code = rmdir(directory);
        (void)code; /* What it is about is over. */
    }
}

/* What no input brings about: an environment that says nowhere, or where nothing can be. */
static void hold_places(void)
{
    static const struct {
        const char *home;
        bool empty; /* Nothing is there, so nothing was set; else it does not read. */
    } places[] = { { "not-from-the-root", true }, { "/dev/null", false }, { "", true } };
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        const char *home = places[i].home[0] == '\0' ? directory : places[i].home;
        int code = setenv("XDG_CONFIG_HOME", home, 1) | setenv("HOME", home, 1);
        CHECK(code == 0);
        struct json_t *config = settings_config_load();
        MUST((config != NULL) == places[i].empty && (config == NULL || doc_count(config) == 0));
        doc_free(config);
    }
}

/* A reader who is gone, at once or when what was kept back is written. */
static void hold_full(int mode)
{
    static const char event[] = "id: 7\ndata: {\"index\":7}\n\n";
    struct session *session = calloc(1, sizeof(*session));
    CHECK(session != NULL);
    memset(&cell, 0, sizeof(cell));
    cell.streams[0] = slice_text(event);
    cell.count = 1;
    session->out = fopen("/dev/full", "we");
    session->err = fopen("/dev/null", "we");
    CHECK(session->out != NULL && session->err != NULL);
    int code = setvbuf(session->out, NULL, mode, BUFSIZ);
    CHECK(code == 0);
    command("udatsu event watch", &session->invocation);
    MUST(run_event_watch(session) != EXIT_DONE);
    code = fclose(session->out) & fclose(session->err); /* The first says again that it is full. */
    CHECK(code == 0);
    free(session);
    memset(&cell, 0, sizeof(cell));
}

/* A member of a context is taken as it stands there, or the file is refused. */
static void hold_member(const struct json_t *context, const char *name, const char *taken)
{
    const char *text = doc_text(doc_get(context, name));
    MUST(strcmp(text == NULL ? "" : text, taken) == 0);
}

/* `how`: which context is named, and whether endpoints are typed. */
static void hold_config(uint32_t how, struct slice bytes)
{
    static const struct {
        const char *line;
        const char *context; /* NULL: the file's own. */
    } typed[] = {
        { "udatsu instance ls", NULL },
        { "udatsu instance ls --context a", "a" },
        { "udatsu instance ls --context b", "b" },
        { "udatsu instance ls --endpoints x:1", NULL },
        { "udatsu instance ls --endpoints ftp://x", NULL },
    };
    static struct settings settings;
    static struct invocation invocation;
    char path[96];
    (void)snprintf(path, sizeof(path), "%s/udatsu/config", directory);
    FILE *file = fopen(path, "wbe");
    CHECK(file != NULL);
    size_t done = fwrite(bytes.data, 1, bytes.size, file);
    int code = fclose(file);
    CHECK(done == bytes.size && code == 0);
    how %= (uint32_t)COUNT_OF(typed);
    command(typed[how].line, &invocation);
    struct json_t *config = doc_parse((const char *)bytes.data, bytes.size);
    bool object = config != NULL && doc_kind(config) == DOC_OBJECT;
    bool resolved = settings_resolve(&invocation, &settings);
    MUST(resolved == (invocation.message[0] == '\0'));
    MUST(!resolved || object);
    if (resolved) {
        const char *name = typed[how].context;
        name = name == NULL ? doc_text(doc_get(config, "current")) : name;
        const struct json_t *context =
            name == NULL ? NULL : doc_get(doc_get(config, "contexts"), name);
        hold_member(context, "ca", settings.ca);
        hold_member(context, "cert", settings.cert);
        hold_member(context, "key", settings.key);
        hold_member(context, "tenant", settings.tenant);
        MUST(settings.endpoints_count <= SETTINGS_ENDPOINTS);
        for (uint32_t i = 0; i < settings.endpoints_count; i++) {
            MUST(strncmp(settings.endpoints[i], "https://", 8) == 0);
        }
        struct result saved = settings_config_save(config);
        struct json_t *again = settings_config_load();
        MUST(saved.code == 0 && again != NULL && doc_count(again) == doc_count(config));
        doc_free(again);
    }
    doc_free(config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = slice_of(data, size);
    struct fuzz_part part;
    if (directory[0] == '\0') {
        begin();
        hold_places();
        hold_full(_IONBF);
        hold_full(_IOFBF);
    }
    memset(&cell, 0, sizeof(cell));
    while (fuzz_part_next(&rest, &part)) {
        char *text = fuzz_text(part.bytes);
        switch ((enum kind)(part.kind % KINDS)) {
        case KIND_STREAM:
            if (cell.count < STREAMS) {
                cell.streams[cell.count++] = part.bytes;
            }
            break;
        case KIND_CUT:
            cell.cut = (uint32_t)fuzz_number(part.bytes, 0, 2);
            cell.repeats = (fuzz_number(part.bytes, 2, 1) & 1U) != 0;
            cell.bounded = (fuzz_number(part.bytes, 2, 1) & 2U) != 0;
            break;
        case KIND_ENDPOINTS: hold_endpoints(text); break;
        case KIND_CONFIG: hold_config(part.kind / KINDS, part.bytes); break;
        case KINDS: break;
        }
        free(text);
    }
    if (cell.count > 0) {
        hold_streams();
    }
    return 0;
}

/* ---- First inputs ---- */

#define TEN             "0123456789"
#define HTTP_LONG       TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN
#define EVENT           "id: 7\ndata: {\"index\":7,\"name\":\"node-boot\"}\n\n"
#define CONTEXT(member) "{\"current\":\"a\",\"contexts\":{\"a\":{" member "}}}"

static const struct {
    enum kind kind;
    const char *text;
} seeds[] = {
    { KIND_STREAM, EVENT EVENT EVENT EVENT },
    { KIND_STREAM, ": a comment\r\nid:8\r\ndata:[1, 2]\r\n\r\n" },
    { KIND_STREAM, "data: 1\ndata: 2\n\n" },
    { KIND_STREAM, "data: {\"a\":\n\n" EVENT },
    { KIND_STREAM, "\n\n\nid: 0123456789012345678901234567890123456789\n" EVENT "id: 9" },
    { KIND_STREAM, "id\ndata\nretry: 3\nidx: 1\n: \n\n" EVENT },
    { KIND_ENDPOINTS, "a:1,b:2 https://c:3/" },
    { KIND_ENDPOINTS, "http://a:1" },
    { KIND_ENDPOINTS, "https://" },
    { KIND_ENDPOINTS, "https:///" },
    { KIND_ENDPOINTS, "/" },
    { KIND_ENDPOINTS, "a,,b" },
    { KIND_ENDPOINTS, ",a" },
    { KIND_ENDPOINTS, "1,2,3,4,5,6,7,8" },
    { KIND_ENDPOINTS, "table" },
    { KIND_ENDPOINTS, "jsonl" },
    { KIND_ENDPOINTS, "x-" HTTP_LONG },
    { KIND_CONFIG, "" },
    { KIND_CONFIG, "[]" },
    { KIND_CONFIG, "{}" },
    { KIND_CONFIG, CONTEXT("") },
    { KIND_CONFIG, CONTEXT("\"ca\":\"/a\",\"cert\":\"/b\",\"key\":\"/c\",\"tenant\":\"t\"") },
    { KIND_CONFIG, CONTEXT("\"endpoints\":[\"a:1\",\"https://b:2\"]") },
    { KIND_CONFIG, CONTEXT("\"endpoints\":[\"ftp://b:2\"]") },
    { KIND_CONFIG, CONTEXT("\"endpoints\":[7]") },
    { KIND_CONFIG, CONTEXT("\"tenant\":\"" HTTP_LONG "\"") },
    { KIND_CONFIG, "{\"current\":\"b\",\"contexts\":{\"a\":{}}}" },
};

size_t fuzz_seed(uint32_t number, uint8_t room[static FUZZ_INPUT_MAX])
{
    static const uint8_t cuts[][3] = { { 0, 0, 0 }, { 1, 0, 1 }, { 5, 0, 2 } };
    static uint8_t line[12000]; /* Six times over it is longer than a line may be. */
    size_t used = 0;
    if (number == COUNT_OF(seeds) * COUNT_OF(cuts)) {
        memset(line, 'x', sizeof(line));
        (void)fuzz_part_put(room, FUZZ_INPUT_MAX, &used, KIND_CUT, slice_of(cuts[1], 3));
        (void)fuzz_part_put(room, FUZZ_INPUT_MAX, &used, KIND_STREAM, slice_of(line, sizeof(line)));
        return used;
    }
    if (number > COUNT_OF(seeds) * COUNT_OF(cuts)) {
        return 0;
    }
    uint32_t cut = number / (uint32_t)COUNT_OF(seeds);
    number %= (uint32_t)COUNT_OF(seeds);
    (void)fuzz_part_put(room, FUZZ_INPUT_MAX, &used, KIND_CUT, slice_of(cuts[cut], 3));
    for (uint32_t times = 0; times <= cut; times++) {
        (void)fuzz_part_put(
            room,
            FUZZ_INPUT_MAX,
            &used,
            (uint8_t)(seeds[number].kind + KINDS * (times + cut)),
            slice_text(seeds[number].text));
    }
    return used;
}
