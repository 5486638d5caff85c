/* What a node's own files and its kernel, nft and libvirt give back: the agent's state, what self-
 * tests said, the metadata element of a domain, listings of rules. The oracles: what is taken is
 * written again as the same bytes or says the same when it is read again, regular expressions for
 * the element, and listings taken apart word by word. */
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/message.h"

#include "audit/sha256.h"
#include "base/check.h"
#include "isolation/network.h"
#include "node-agent/agent_state.h"
#include "node-agent/host_kvm_memory.h"
#include "node-agent/host_rules.h"
#include "node-agent/host_xml.h"
#include "tests/fuzz/judge.h"

#include <fcntl.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum kind {
    KIND_STATE,  /* The agent's file. */
    KIND_SEALED, /* The same, with the magic in front and the digest behind that it would have. */
    KIND_MEMORY, /* What self-tests said, behind the head and the key. */
    KIND_ELEMENT,
    KIND_CHAIN,  /* A chain that nft lists. */
    KIND_CHAINS, /* All chains. */
    KIND_TAIL,   /* A console. */
    KIND_RULES,  /* Which rules a chain has: one byte each. */
    KINDS
};

enum { TAPS = 64, INSTANCE = 5, NETWORK = 7, ADDRESS = 0x0a010002, PREFIX = 24, RULES = 32 };

static char directory[64];
static struct agent_state_file state;
static struct agent_saved saved;
static struct agent_saved again;
static const char head[] = "udatsu-self-test 1 key\n";

const ProtobufCMessageDescriptor *fuzz_type(uint8_t kind)
{
    (void)kind;
    return NULL;
}

/* ---- Files ---- */

static void leave(void)
{
    int code = 0;
    char path[128];
    static const char *const names[] = { "agent.state", "memory" };
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", directory, names[i]);
        code = unlink(path);
    }
    code = rmdir(directory);
    (void)code; /* What it is about is over. */
}

/* What no input brings about: there is no file yet, and then something that does not read. */
static void hold_refusals(void)
{
    char path[128];
    MUST(agent_state_read(&state, &saved).code == FAILURE_NOT_FOUND);
    (void)snprintf(path, sizeof(path), "%s/agent.state", directory);
    int code = mkdir(path, 0700);
    CHECK(code == 0);
    MUST(agent_state_read(&state, &saved).code == FAILURE_IO);
    code = rmdir(path);
    CHECK(code == 0);
}

static void begin(void)
{
    if (directory[0] != '\0') {
        return;
    }
    bool fast = access("/dev/shm", W_OK) == 0;
    (void)snprintf(directory, sizeof(directory), "%s/fuzz-host-XXXXXX", fast ? "/dev/shm" : "/tmp");
    CHECK(mkdtemp(directory) != NULL);
    struct result opened = agent_state_open(&state, directory);
    CHECK(opened.code == 0);
    hold_refusals();
    int code = atexit(leave);
    CHECK(code == 0);
    fuzz_leave = leave;
}

static void put_file(const char *name, struct slice bytes)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CHECK(fd >= 0);
    ssize_t done = bytes.size == 0 ? 0 : write(fd, bytes.data, bytes.size);
    int code = close(fd);
    CHECK(done == (ssize_t)bytes.size && code == 0);
}

static void hold_file_is(const char *name, struct slice bytes)
{
    static uint8_t room[FUZZ_INPUT_MAX + 64];
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0);
    ssize_t size = read(fd, room, sizeof(room));
    int code = close(fd);
    CHECK(size >= 0 && code == 0);
    MUST(slice_equal(slice_of(room, (size_t)size), bytes));
}

static void hold_state(struct slice bytes)
{
    static uint8_t large[64 * 1024];
    if (bytes.size == 1) { /* Longer than any of ours. */
        bytes = slice_of(large, sizeof(large));
    }
    put_file("agent.state", bytes);
    struct result read = agent_state_read(&state, &saved);
    MUST(read.code == 0 || read.code == FAILURE_CORRUPT);
    if (read.code == 0) {
        struct result written = agent_state_write(&state, &saved);
        CHECK(written.code == 0);
        hold_file_is("agent.state", bytes);
        MUST(agent_state_read(&state, &again).code == 0);
        MUST(memcmp(&saved, &again, sizeof(saved)) == 0);
    }
}

static void hold_sealed(struct slice bytes)
{
    static uint8_t room[FUZZ_INPUT_MAX + 64];
    static const uint8_t magic[8] = { 'u', 'd', 'a', 't', 's', 'u', 'a', 1 };
    memcpy(room, magic, sizeof(magic));
    memcpy(room + sizeof(magic), bytes.data, bytes.size);
    size_t size = sizeof(magic) + bytes.size;
    sha256_of(slice_of(room, size), room + size);
    hold_state(slice_of(room, size + SHA256_SIZE));
}

static void hold_memory(struct slice bytes)
{
    static char room[FUZZ_INPUT_MAX];
    static struct kvm_memory found;
    static struct kvm_memory back;
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/memory", directory);
    bool bare = bytes.size > 0 && bytes.data[0] == '!'; /* Without our head. */
    size_t size = bare ? 0 : sizeof(head) - 1;
    memcpy(room, head, size);
    memcpy(room + size, bytes.data, bytes.size);
    put_file("memory", slice_of((const uint8_t *)room, size + bytes.size));
    memset(&found, 0xff, sizeof(found));
    memset(&back, 0, sizeof(back));
    (void)snprintf(found.key, sizeof(found.key), "key");
    (void)snprintf(back.key, sizeof(back.key), "key");
    kvm_memory_load(path, &found);
    MUST(strcmp(found.key, "key") == 0 && found.failed_count <= KVM_MEMORY_FAILED);
    MUST(!bare || (!found.boots && found.failed_count == 0));
    MUST(strlen(found.said) < sizeof(found.said));
    struct result written = kvm_memory_save(path, &found);
    CHECK(written.code == 0);
    kvm_memory_load(path, &back);
    MUST(found.boots == back.boots);
    if (!found.boots) { /* One boot is the last word; what failed before it is not kept. */
        MUST(found.failed_count == back.failed_count);
        for (uint32_t i = 0; i < found.failed_count; i++) {
            MUST(kvm_memory_has_failed(&back, found.failed[i]));
        }
    }
    uint8_t other[SHA256_SIZE] = { 1, 2, 3 };
    (void)kvm_memory_has_failed(&back, other);
}

/* ---- libvirt's element ---- */

/* The only value of this attribute, as regular expressions see it. */
static bool attribute(const char *element, const char *name, uint64_t *value_out)
{
    char pattern[96];
    regex_t begins;
    regex_t whole;
    regmatch_t match[4];
    char digits[32];
    (void)snprintf(pattern, sizeof(pattern), " %s=[\"']", name);
    int code = regcomp(&begins, pattern, REG_EXTENDED);
    CHECK(code == 0);
    (void)snprintf(pattern, sizeof(pattern), " %s=(\"([0-9]+)\"|'([0-9]+)')", name);
    code = regcomp(&whole, pattern, REG_EXTENDED);
    CHECK(code == 0);
    uint32_t count = 0;
    for (const char *at = element; regexec(&begins, at, 1, match, 0) == 0; at += match[0].rm_eo) {
        count++;
    }
    bool found = count == 1 && regexec(&whole, element, 4, match, 0) == 0;
    if (found) {
        regmatch_t value = match[2].rm_so >= 0 ? match[2] : match[3];
        size_t size = (size_t)(value.rm_eo - value.rm_so);
        const char *from = element + value.rm_so;
        while (size > 1 && *from == '0') { /* Any number of zeros in front. */
            from++;
            size--;
        }
        found = size < sizeof(digits);
        memcpy(digits, from, found ? size : 0);
        digits[found ? size : 0] = '\0';
        found = found && judge_number(digits, value_out);
    }
    regfree(&begins);
    regfree(&whole);
    return found;
}

static void hold_element(const char *element)
{
    struct host_xml_metadata read = { 77, 78, 79 };
    struct host_xml_metadata seen = { 0 };
    bool taken = host_xml_read_metadata(element, &read);
    bool sound = attribute(element, "generation", &seen.generation) &&
                 attribute(element, "epoch", &seen.epoch) &&
                 attribute(element, "boots", &seen.boots);
    MUST(taken == sound);
    MUST(
        taken ? memcmp(&read, &seen, sizeof(read)) == 0
              : read.generation == 77 && read.epoch == 78 && read.boots == 79);
}

/* ---- nft's listings ---- */

static struct network_nic nic_make(void)
{
    struct network_nic nic;
    network_nic_make(id_make(1, INSTANCE), 0, id_make(1, NETWORK), ADDRESS, PREFIX, &nic);
    return nic;
}

/* The comments of the listing's rules, in order; a rule has one, and a handle. */
static bool comments_are(const char *listing, const struct network_rule *rules, uint32_t count)
{
    static const char rule[] = "{\"rule\": {";
    uint32_t seen = 0;
    for (const char *at = strstr(listing, rule); at != NULL; seen++) {
        const char *end = strstr(at + 1, rule);
        size_t size = end == NULL ? strlen(at) : (size_t)(end - at);
        char *piece = strndup(at, size);
        char wanted[96];
        CHECK(piece != NULL);
        (void)snprintf(
            wanted, sizeof(wanted), "\"comment\": \"%s\"", seen < count ? rules[seen].name : "\n");
        const char *first = strstr(piece, "\"comment\": \"");
        bool good = strstr(piece, "\"handle\": ") != NULL && first != NULL &&
                    strncmp(first, wanted, strlen(wanted)) == 0;
        free(piece);
        if (!good) {
            return false;
        }
        at = end;
    }
    return seen == count;
}

static void hold_chain(const char *listing)
{
    struct network_nic nic = nic_make();
    struct network_rule rules[NETWORK_RULES_MAX];
    uint32_t count = network_rules(&nic, rules);
    MUST(host_rules_match(&nic, listing) == comments_are(listing, rules, count));
}

/* A listing as nft would write it, of just these rules: true only of all of them in their order. */
static void hold_rules(struct slice which)
{
    static char listing[16 * 1024];
    struct network_nic nic = nic_make();
    struct network_rule rules[NETWORK_RULES_MAX];
    uint32_t count = network_rules(&nic, rules);
    size_t used = (size_t)snprintf(listing, sizeof(listing), "{\"nftables\": [{\"chain\": {}}");
    bool all = which.size == count;
    CHECK(count <= RULES);
    for (size_t i = 0; i < which.size && i < RULES; i++) {
        uint32_t rule = which.data[i] % count;
        all = all && rule == i;
        used += (size_t)snprintf(
            listing + used,
            sizeof(listing) - used,
            ", {\"rule\": {\"comment\": \"%s\", \"handle\": %zu, \"expr\": []}}",
            rules[rule].name,
            i);
        CHECK(used < sizeof(listing));
    }
    MUST(host_rules_match(&nic, listing) == all);
    hold_chain(listing);
}

static void hold_chains(const char *listing)
{
    static const char word[] = "\"name\": \"";
    char tap[NETWORK_NAME];
    const char *at = listing;
    const char *slow = listing;
    for (uint32_t taps = 0; taps < TAPS; taps++) {
        char name[NETWORK_NAME] = "";
        bool found = false;
        while (!found && (slow = strstr(slow, word)) != NULL) {
            uint64_t id = 0;
            uint32_t nic = 0;
            slow += strlen(word);
            size_t size = strcspn(slow, "\"");
            (void)snprintf(name, sizeof(name), "%.*s", (int)(size < 99 ? size : 99), slow);
            found = size < sizeof(name) && network_name_parse(name, &id, &nic) == NETWORK_NAME_TAP;
        }
        at = host_rules_next_tap(at, tap);
        MUST((at != NULL) == found);
        if (at == NULL) {
            return;
        }
        MUST(strcmp(tap, name) == 0);
        slow = at;
    }
}

static void hold_tail(struct slice said)
{
    char out[SELF_TEST_SAID];
    host_self_test_tail((const char *)said.data, said.size, out, sizeof(out));
    size_t size = strlen(out);
    MUST(size < sizeof(out));
    for (size_t i = 0; i < size; i++) {
        MUST(out[i] >= ' ' && out[i] <= '~');
        MUST(i == 0 || out[i] != ' ' || out[i - 1] != ' ');
    }
    MUST(size == 0 || out[size - 1] != ' ');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = slice_of(data, size);
    struct fuzz_part part;
    begin();
    while (fuzz_part_next(&rest, &part)) {
        uint8_t *exact = fuzz_copy(part.bytes);
        struct slice bytes = slice_of(exact, part.bytes.size);
        char *text = fuzz_text(bytes);
        switch ((enum kind)(part.kind % KINDS)) {
        case KIND_STATE: hold_state(bytes); break;
        case KIND_SEALED: hold_sealed(bytes); break;
        case KIND_MEMORY: hold_memory(bytes); break;
        case KIND_ELEMENT: hold_element(text); break;
        case KIND_CHAIN: hold_chain(text); break;
        case KIND_CHAINS: hold_chains(text); break;
        case KIND_TAIL: hold_tail(bytes); break;
        case KIND_RULES: hold_rules(bytes); break;
        case KINDS: break;
        }
        free(text);
        free(exact);
    }
    return 0;
}

/* ---- First inputs ---- */

#define HEX64  "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

#define FAILED "fails " HEX64 " no\n"

static const struct {
    enum kind kind;
    const char *text;
} seeds[] = {
    { KIND_STATE, "" },
    { KIND_STATE, "x" },
    { KIND_STATE, "udatsua" },
    { KIND_MEMORY, "boots\n" },
    { KIND_MEMORY, "fails " HEX64 " Kernel panic\n" },
    { KIND_MEMORY, "fails " HEX64 " a\nfails " HEX64 " b\nboots\n" },
    { KIND_MEMORY, "boots\nfails " HEX64 " late\n" },
    { KIND_MEMORY, "fails " HEX64 "\n" },
    { KIND_MEMORY, "fails 00 short\n" },
    { KIND_MEMORY, "fells " HEX64 " word\n" },
    { KIND_MEMORY, "fails " HEX64 "-word\n" },
    { KIND_MEMORY,
      "fails zz0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f no hex\n" },
    { KIND_MEMORY, "boots" },
    { KIND_MEMORY, "!udatsu-self-test 1 other\nboots\n" },
    { KIND_MEMORY, "!udatsu-self-test 2 key\nboots\n" },
    { KIND_MEMORY, "!udatsu-self-test 1 keys\n" },
    { KIND_MEMORY, "!udatsu-self-test 1 kex\nboots\n" },
    { KIND_MEMORY, "!udatsu-self-test 1 key boots\n" },
    { KIND_MEMORY, FAILED FAILED FAILED FAILED FAILED FAILED FAILED FAILED FAILED },
    { KIND_MEMORY, "!" },
    { KIND_ELEMENT, "<instance generation=\"7\" epoch='8' boots=\"9\"/>" },
    { KIND_ELEMENT, "<instance generation='18446744073709551615' epoch='0' boots='01'/>" },
    { KIND_ELEMENT, "<instance generation='18446744073709551616' epoch='0' boots='1'/>" },
    { KIND_ELEMENT, "<instance generation='99999999999999999999' epoch='0' boots='1'/>" },
    { KIND_ELEMENT, "<instance generation='1' generation='1' epoch='2' boots='3'/>" },
    { KIND_ELEMENT, "<instance generation='1\" epoch='2' boots='3'/>" },
    { KIND_ELEMENT, "<instance xgeneration='1' generation=1 epoch='' boots='3'/>" },
    { KIND_ELEMENT, "<instance generation='1' epoch='2x' boots='3'/>" },
    { KIND_ELEMENT, "<instance generation='1' epoch='2' boots" },
    { KIND_ELEMENT, "generation='1' epoch='2' boots='3'" },
    { KIND_CHAIN, "{\"nftables\": [{\"rule\": {\"comment\": \"x\", \"handle\": 3}}]}" },
    { KIND_CHAIN, "{\"rule\": {\"handle\": 3}}, {\"rule\": {\"comment\": \"x\"}}" },
    { KIND_CHAIN, "" },
    { KIND_CHAINS, "{\"chain\": {\"name\": \"in\"}}, {\"chain\": {\"name\": \"u0000000005.0\"}}" },
    { KIND_CHAINS, "\"name\": \"\" \"name\": \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\" \"name\": \"" },
    { KIND_TAIL, "[    1.0] Kernel panic - not syncing\r\n\n" },
    { KIND_TAIL, "\x01\xff" },
    { KIND_RULES, "" },
};

/* A file of two rows, sound but for one thing. */
static size_t seed_sealed(uint32_t number, uint8_t room[static FUZZ_INPUT_MAX])
{
    enum { ROWS_AT = 8 + AGENT_BOOT_ID_SIZE + 8, ROW = 32 };
    uint8_t bytes[ROWS_AT + 2 * ROW] = { 7 };
    size_t used = 0;
    bytes[ROWS_AT - 8] = number == 1 ? 3 : 2;
    bytes[ROWS_AT] = 5;
    bytes[ROWS_AT + ROW - 8] = (uint8_t)number;
    bytes[ROWS_AT - 1] = number == 3 ? 1 : 0;
    if (number == 5) { /* Our magic, and a digest that is not. */
        static const char whole[] = "udatsua\1and what is no digest of it, whatever is behind "
                                    "these letters, for it is text and no more than that";
        (void)fuzz_part_put(room, FUZZ_INPUT_MAX, &used, KIND_STATE, slice_text(whole));
        return used;
    }
    (void)fuzz_part_put(
        room, FUZZ_INPUT_MAX, &used, KIND_SEALED, slice_of(bytes, sizeof(bytes) - (number == 4)));
    return used;
}

static size_t seed_rules(uint32_t number, uint8_t room[static FUZZ_INPUT_MAX])
{
    struct network_nic nic = nic_make();
    struct network_rule rules[NETWORK_RULES_MAX];
    uint8_t order[RULES];
    size_t used = 0;
    uint32_t count = network_rules(&nic, rules);
    CHECK(count > 2 && count < RULES);
    for (uint8_t i = 0; i < RULES; i++) {
        order[i] = i;
    }
    order[1] = number == 1 ? 0 : 1;
    count += number == 2 ? 1 : 0;
    count -= number == 3 ? 1 : 0;
    if (number == 4) { /* A rule whose name goes on. */
        char listing[256];
        int length = snprintf(
            listing,
            sizeof(listing),
            "{\"rule\": {\"comment\": \"%s-more\", \"handle\": 1}}",
            rules[0].name);
        (void)fuzz_part_put(
            room,
            FUZZ_INPUT_MAX,
            &used,
            KIND_CHAIN,
            slice_of((const uint8_t *)listing, (size_t)length));
        return used;
    }
    (void)fuzz_part_put(room, FUZZ_INPUT_MAX, &used, KIND_RULES, slice_of(order, count));
    char taps[128];
    int size =
        snprintf(taps, sizeof(taps), "\"name\": \"%s\", \"name\": \"%s\"", nic.tap, nic.bridge);
    (void)fuzz_part_put(
        room, FUZZ_INPUT_MAX, &used, KIND_CHAINS, slice_of((const uint8_t *)taps, (size_t)size));
    return used;
}

size_t fuzz_seed(uint32_t number, uint8_t room[static FUZZ_INPUT_MAX])
{
    enum { SEALED = 6, ORDERS = 5 };
    if (number < COUNT_OF(seeds)) {
        return fuzz_one_text((uint8_t)seeds[number].kind, seeds[number].text, room);
    }
    number -= (uint32_t)COUNT_OF(seeds);
    return number < SEALED            ? seed_sealed(number, room)
           : number < SEALED + ORDERS ? seed_rules(number - SEALED, room)
                                      : 0;
}
