/* Small texts: ids, names, clean text, numbers, base64, addresses, networks, interface names,
 * times, identities, query escapes. Each against a second opinion (regex, iconv, inet_pton,
 * strtoull, timegm), and what is taken must be written again in the same letters. */
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/judge.h"

#include "audit/text.h"
#include "base/check.h"
#include "base/id.h"
#include "controller/api_out.h"
#include "controller/api_request.h"
#include "host/address.h"
#include "host/x509.h"
#include "isolation/network.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define UUID_FORM "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"

static void hold_id(const char *text)
{
    static const char form[] = "[0-9a-f]{8}-0000-8000-8000-[0-9a-f]{12}";
    unsigned int cell = 0;
    unsigned int kind = 0;
    unsigned long long sequence = 0;
    bool shaped = judge_form(text, form) &&
                  sscanf(text, "%4x%4x-0000-8000-8000-%12llx", &cell, &kind, &sequence) == 3;
    for (enum id_kind wanted = ID_CELL; wanted < ID_KINDS_END; wanted++) {
        uint64_t id = 0;
        bool taken = id_parse(wanted, text, &id);
        MUST(taken == (shaped && cell != 0 && sequence != 0 && kind == (unsigned int)wanted));
        if (taken) {
            char again[ID_TEXT_SIZE];
            id_format(wanted, id, again);
            MUST(strcmp(again, text) == 0 && id_cell(id) == cell && id_sequence(id) == sequence);
        }
    }
}

static void hold_name(const char *text)
{
    static const char form[] = "[a-z]|[a-z][a-z0-9-]{0,61}[a-z0-9]";
    static const char uuid[] = UUID_FORM;
    MUST(text_is_name(text) == (judge_form(text, form) && !judge_form(text, uuid)));
}

static void hold_clean(struct slice text)
{
    char room[24];
    bool clean = text_is_clean(text);
    MUST(clean == judge_clean(text));
    bool kept = text_copy(room, sizeof(room), text);
    MUST(kept == (clean && text.size < sizeof(room)));
    MUST(!kept || (strlen(room) == text.size && memcmp(room, text.data, text.size) == 0));
    MUST(kept || room[0] == '\0');
}

static void hold_number(const char *text)
{
    static const char form[] = "0|[1-9][0-9]*";
    uint64_t number = 0;
    uint64_t theirs = 0;
    bool taken = text_number(slice_text(text), &number);
    MUST(taken == (judge_form(text, form) && judge_number(text, &theirs)));
    if (taken) {
        char room[32];
        struct text_writer writer = { .room = room, .size = sizeof(room) };
        text_put_number(&writer, number);
        MUST(slice_equal(slice_of(room, writer.used), slice_text(text)) && number == theirs);
    }
}

static void hold_base64(struct slice text)
{
    static const char form[] = "([A-Za-z0-9+/]{4})*"
                               "([A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?";
    uint8_t bytes[96];
    char again[BASE64_SIZE(96)];
    size_t used = 0;
    char *whole = fuzz_text(text);
    bool shaped = strlen(whole) == text.size && judge_form(whole, form);
    size_t pads = 0;
    while (pads < text.size && text.data[text.size - 1 - pads] == '=') {
        pads++;
    }
    bool taken = text_base64(text, bytes, sizeof(bytes), &used);
    MUST(taken == (shaped && text.size / 4 * 3 - pads <= sizeof(bytes)));
    if (taken) {
        struct text_writer writer = { .room = again, .size = sizeof(again) };
        text_put_base64(&writer, slice_of(bytes, used));
        MUST(!writer.full && slice_equal(slice_of(again, writer.used), text));
    }
    free(whole);
}

static void hold_cut(struct slice text)
{
    struct slice rest = text;
    struct slice front = SLICE_EMPTY;
    size_t mark = 0;
    while (mark < text.size && text.data[mark] != '\n') {
        mark++;
    }
    MUST(text_cut(&rest, '\n', &front) == (mark < text.size));
    MUST(
        mark == text.size ? rest.size == text.size
                          : front.size == mark && rest.size == text.size - mark - 1);
}

static void hold_network(const char *text)
{
    static const char form[] = "([0-9]{1,3}[.]){3}[0-9]{1,3}/([1-9][0-9]?|0)";
    struct in_addr theirs = { 0 };
    struct network_cidr cidr = { 0 };
    uint32_t address = 0;
    bool plain = inet_pton(AF_INET, text, &theirs) == 1;
    MUST(network_address_parse(text, &address) == plain);
    if (plain) {
        char again[NETWORK_ADDRESS_TEXT];
        network_address_format(address, again);
        MUST(address == ntohl(theirs.s_addr) && strcmp(again, text) == 0);
    }
    char front[32] = "";
    unsigned int prefix = 0;
    bool shaped = judge_form(text, form) && sscanf(text, "%31[0-9.]/%u", front, &prefix) == 2 &&
                  inet_pton(AF_INET, front, &theirs) == 1;
    uint32_t base = ntohl(theirs.s_addr);
    shaped = shaped && prefix >= 16 && prefix <= 29 && (base & (UINT32_MAX >> prefix)) == 0 &&
             base >> 24 != 0 && base >> 24 != 127 && base >> 28 < 14 && base >> 16 != 0xa9fe;
    MUST(network_cidr_parse(text, &cidr) == shaped);
    if (shaped) {
        char again[NETWORK_CIDR_TEXT];
        uint32_t index = 0;
        uint32_t count = network_address_count(cidr);
        network_cidr_format(cidr, again);
        MUST(strcmp(again, text) == 0 && cidr.base == base && cidr.prefix == prefix);
        MUST(!network_address_index(cidr, base + 1, &index));
        MUST(network_address_index(cidr, network_address_at(cidr, count - 1), &index));
        MUST(index == count - 1 && !network_address_index(cidr, base + 2 + count, &index));
    }
}

static void hold_interface(const char *text)
{
    uint64_t id = 0;
    uint32_t nic = 9;
    char again[NETWORK_NAME] = "";
    switch (network_name_parse(text, &id, &nic)) {
    case NETWORK_NAME_FOREIGN: MUST(id == 0 && nic == 9); return;
    case NETWORK_NAME_BRIDGE: network_bridge_name(id, again); break;
    case NETWORK_NAME_VXLAN: network_vxlan_name(id, again); break;
    case NETWORK_NAME_TAP: network_tap_name(id, nic, again); break;
    }
    MUST(strcmp(again, text) == 0);
}

static void hold_mac(struct slice bytes)
{
    uint8_t mac[NETWORK_MAC_SIZE] = { 0 };
    uint8_t again[NETWORK_MAC_SIZE];
    uint64_t sequence = 0;
    uint32_t nic = 0;
    if (bytes.size < sizeof(mac)) {
        return;
    }
    memcpy(mac, bytes.data, sizeof(mac));
    bool taken = network_mac_parse(mac, &sequence, &nic);
    MUST(taken || (mac[0] & 3U) != 2 || (memcmp(mac, "\x52\x54\0\0\0", 5) == 0 && mac[5] < 4));
    if (taken) {
        network_mac(id_make(1, sequence), nic, again);
        MUST(memcmp(mac, again, sizeof(mac)) == 0);
    }
}

static void hold_time(const char *text)
{
    static const char form[] = "[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
                               "T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]{3})?Z";
    uint64_t at_ms = 0;
    struct tm parts = { 0 };
    unsigned int ms = 0;
    bool shaped = judge_form(text, form) && strptime(text, "%Y-%m-%dT%H:%M:%S", &parts) != NULL &&
                  parts.tm_year >= 70;
    struct tm same = parts;
    shaped = shaped && timegm(&same) >= 0 && same.tm_mday == parts.tm_mday &&
             same.tm_mon == parts.tm_mon && same.tm_year == parts.tm_year;
    MUST(time_parse(text, &at_ms) == shaped);
    if (shaped) {
        char again[TIME_TEXT_SIZE];
        (void)(strlen(text) > 20 && sscanf(text + 20, "%3u", &ms) == 1);
        MUST(at_ms == (uint64_t)timegm(&parts) * 1000 + ms);
        time_format(at_ms, again);
        MUST(strncmp(again, text, 19) == 0 && (strlen(text) == 20 || strcmp(again, text) == 0));
    }
}

static void hold_identity(const char *text)
{
    static const char form[] = "udatsu://[0-9a-f]{4}/(cell|controller|node|user)/" UUID_FORM
                               "[?]epoch=(0|[1-9][0-9]{0,9})";
    struct x509_identity identity = { 0 };
    char again[X509_URI_MAX];
    if (x509_uri_read(text, &identity)) {
        MUST(judge_form(text, form));
        MUST(x509_uri_write(&identity, again) && strcmp(again, text) == 0);
    } else if (judge_form(text, form)) { /* Then its parts contradict each other. */
        char word[16] = "";
        char id[ID_TEXT_SIZE] = "";
        unsigned long long epoch = 0;
        unsigned int cell = 0;
        uint64_t parsed = 0;
        int parts =
            sscanf(text, "udatsu://%4x/%15[a-z]/%36[^?]?epoch=%llu", &cell, word, id, &epoch);
        MUST(parts == 4);
        for (enum id_kind kind = ID_CELL; kind < ID_KINDS_END; kind++) {
            bool says = strcmp(word, id_kind_name(kind)) == 0 && id_parse(kind, id, &parsed);
            MUST(!says || id_cell(parsed) != cell || epoch > UINT32_MAX);
        }
    }
}

static void hold_address(const char *text)
{
    struct sockaddr_storage address = { 0 };
    socklen_t size = 0;
    char host[INET6_ADDRSTRLEN] = "";
    char again[LIMIT_ADDRESS];
    struct sockaddr_storage second = { 0 };
    if (address_parse(text, &address, &size).code != 0) {
        static const char four[] = "([0-9]{1,2}[.]){3}[0-9]{1,2}:[1-9][0-9]{0,3}";
        struct in_addr theirs;
        bool plain = judge_form(text, four) && sscanf(text, "%45[0-9.]", host) == 1;
        MUST(!plain || inet_pton(AF_INET, host, &theirs) != 1);
        return;
    }
    bool six = address.ss_family == AF_INET6;
    const void *from = six ? (const void *)&((const struct sockaddr_in6 *)&address)->sin6_addr
                           : (const void *)&((const struct sockaddr_in *)&address)->sin_addr;
    MUST(six == (text[0] == '[') && inet_ntop(address.ss_family, from, host, sizeof(host)) != NULL);
    unsigned int port = ntohs(
        six ? ((const struct sockaddr_in6 *)&address)->sin6_port
            : ((const struct sockaddr_in *)&address)->sin_port);
    (void)snprintf(again, sizeof(again), six ? "[%s]:%u" : "%s:%u", host, port);
    MUST(port == strtoul(strrchr(text, ':') + 1, NULL, 10) && port > 0);
    MUST(address_parse(again, &second, &size).code == 0);
    MUST(memcmp(&address, &second, sizeof(address)) == 0);
}

static void hold_escapes(struct slice text)
{
    static const char trace[] = "00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}";
    char *ours = fuzz_text(text);
    char *theirs = fuzz_text(text);
    size_t used = 0;
    MUST(api_traceparent_valid(ours) == judge_form(ours, trace));
    for (const char *at = theirs; *at != '\0';) {
        unsigned int value = 0;
        int end = 0;
        char digits[3] = { at[1], at[1] == '\0' ? '\0' : at[2], '\0' };
        bool hex = *at == '%' && strspn(digits, "0123456789abcdefABCDEF") == 2 &&
                   sscanf(digits, "%2x%n", &value, &end) == 1 && end == 2;
        char c = *at == '%' ? (hex && value != 0 ? (char)value : '\1') : *at;
        at += hex ? 3 : 1;
        theirs[used++] = c;
    }
    theirs[used] = '\0';
    MUST(api_unescape(ours) == used && strcmp(ours, theirs) == 0);
    free(ours);
    free(theirs);
}

enum kind {
    KIND_ID,
    KIND_NAME,
    KIND_CLEAN,
    KIND_DECIMAL,
    KIND_BASE64,
    KIND_CUT,
    KIND_NETWORK,
    KIND_INTERFACE,
    KIND_MAC,
    KIND_TIME,
    KIND_IDENTITY,
    KIND_ADDRESS,
    KIND_ESCAPES,
    KINDS,
};

static void hold(enum kind kind, struct slice bytes)
{
    char *text = fuzz_text(bytes);
    switch (kind) {
    case KIND_ID: hold_id(text); break;
    case KIND_NAME: hold_name(text); break;
    case KIND_CLEAN: hold_clean(bytes); break;
    case KIND_DECIMAL: hold_number(text); break;
    case KIND_BASE64: hold_base64(bytes); break;
    case KIND_CUT: hold_cut(bytes); break;
    case KIND_NETWORK: hold_network(text); break;
    case KIND_INTERFACE: hold_interface(text); break;
    case KIND_MAC: hold_mac(bytes); break;
    case KIND_TIME: hold_time(text); break;
    case KIND_IDENTITY: hold_identity(text); break;
    case KIND_ADDRESS: hold_address(text); break;
    case KIND_ESCAPES: hold_escapes(bytes); break;
    case KINDS: break;
    }
    free(text);
}

const ProtobufCMessageDescriptor *fuzz_type(uint8_t kind)
{
    (void)kind;
    return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = slice_of(data, size);
    struct fuzz_part part;
    while (fuzz_part_next(&rest, &part)) {
        uint8_t *bytes = fuzz_copy(part.bytes);
        hold((enum kind)(part.kind % KINDS), slice_of(bytes, part.bytes.size));
        free(bytes);
    }
    return 0;
}

size_t fuzz_seed(uint32_t number, uint8_t room[static FUZZ_INPUT_MAX])
{
    static const struct {
        enum kind kind;
        const char *text;
    } seeds[] = {
        { KIND_ID, "00010009-0000-8000-8000-00000000002a" },
        { KIND_ID, "00010004-0000-8000-8000-ffffffffffff" },
        { KIND_NAME, "web-1" },
        { KIND_NAME, "00010009-0000-8000-8000-00000000002a" },
        { KIND_NAME, "a0010009-0000-8000-8000-00000000002a" },
        { KIND_CLEAN, "plain ASCII that is long enough" },
        { KIND_CLEAN, "\xe5\x8d\xaf\xe5\xbb\xba \xf0\x9f\x98\x80" },
        { KIND_CLEAN, "\xe2\x80\xae\xed\xa0\x80" },
        { KIND_CLEAN, "\xf4\x8f\xbf\xbf\xd8\x9c" },
        { KIND_DECIMAL, "18446744073709551615" },
        { KIND_DECIMAL, "18446744073709551616" },
        { KIND_BASE64, "aGVsbG8=" },
        { KIND_BASE64, "/+8AAA==" },
        { KIND_CUT, "one\ntwo" },
        { KIND_NETWORK, "10.1.0.0/29" },
        { KIND_NETWORK, "169.254.0.0/16" },
        { KIND_NETWORK, "255.0.1.10" },
        { KIND_INTERFACE, "ut0000800000009" },
        { KIND_INTERFACE, "ub0002000000001" },
        { KIND_INTERFACE, "ux000g000000001" },
        { KIND_MAC, "\x52\x54\x07\x07\x07\x07" },
        { KIND_TIME, "2026-01-31T12:00:00Z" },
        { KIND_TIME, "2024-02-29T23:59:59.999Z" },
        { KIND_IDENTITY, "udatsu://0001/node/00010003-0000-8000-8000-00000000002a?epoch=7" },
        { KIND_IDENTITY, "udatsu://0001/cell/00010001-0000-8000-8000-000000000001?epoch=0" },
        { KIND_ADDRESS, "10.0.0.1:7443" },
        { KIND_ADDRESS, "[fd00::1]:7443" },
        { KIND_ESCAPES, "a%20b%2Fc%00d%zz%4" },
        { KIND_ESCAPES, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" },
    };
    return number < COUNT_OF(seeds)
               ? fuzz_one_text((uint8_t)seeds[number].kind, seeds[number].text, room)
               : 0;
}
