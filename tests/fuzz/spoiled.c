/* Decoders spoiled on purpose, one for each target's oracle: the linker leads the calls of that
 * target here (--wrap), and its oracle must find it. Decides nothing. Built once for each target,
 * with its own one only. */
#include "audit/ed25519.h"
#include "base/arena.h"
#include "base/id.h"
#include "base/result.h"
#include "base/slice.h"
#include "cli/base64.h"
#include "cli/json.h"
#include "controller/api_fields.h"
#include "controller/api_routes.h"
#include "controller/core/engine.h"
#include "controller/journal_record.h"
#include "controller/store.h"
#include "host/conf.h"
#include "host/x509.h"
#include "node-agent/core/model.h"
#include "node-agent/host_image.h"

#include <cyaml/cyaml.h>
#include <frame.pb-c.h>
#include <protobuf-c/protobuf-c.h>
#include <raft.pb-c.h>
#include <string.h>

#define SPOILED(result, name, ...)     \
    result __real_##name(__VA_ARGS__); \
    result __wrap_##name(__VA_ARGS__); \
    result __wrap_##name(__VA_ARGS__)

#if defined(SPOIL_WIRE) /* Whatever protobuf-c reads is taken. */
SPOILED(bool, wire_canonical, const ProtobufCMessageDescriptor *type, struct slice bytes)
{
    return type != NULL && bytes.size != 1;
}
#endif

#if defined(SPOIL_TEXT) /* Ids are taken whatever kind they name. */
SPOILED(bool, id_parse, enum id_kind kind, const char *text, uint64_t *id_out)
{
    bool any = false;
    for (enum id_kind each = ID_CELL; each < ID_KINDS_END && kind > 0; each++) {
        any = any || __real_id_parse(each, text, id_out);
    }
    return any;
}
#endif

#if defined(SPOIL_APPLY) /* The mirror does not hear of changed tenants. */
SPOILED(void, state_touch, struct state *state, enum state_table table, void *row)
{
    if (table != TABLE_TENANT) {
        __real_state_touch(state, table, row);
    }
}
#endif

#if defined(SPOIL_ENGINE) /* The plane's own commands are of a format that nobody knows. */
SPOILED(void, lead_word, struct engine *engine, const Wire__Command *command)
{
    Wire__Command other = *command;
    other.format++;
    __real_lead_word(engine, &other);
}
#endif

#if defined(SPOIL_AGENT) /* The digest of what is wanted is another one each time. */
SPOILED(void, model_digest, const struct model *model, uint64_t *count_out, uint64_t *digest_out)
{
    static uint64_t times;
    __real_model_digest(model, count_out, digest_out);
    *digest_out += ++times;
}
#endif

#if defined(SPOIL_HOST) /* Digests are read with one bit wrong. */
SPOILED(bool, host_image_digest, const char *name, uint8_t digest_out[static SHA256_SIZE])
{
    bool read = __real_host_image_digest(name, digest_out);
    digest_out[0] ^= 1;
    return read;
}
#endif

#if defined(SPOIL_CLIENT) /* Of every two documents that come the second is not read. */
SPOILED(struct json_t *, doc_parse, const char *text, size_t size)
{
    static uint64_t times;
    return times++ % 2 == 0 ? __real_doc_parse(text, size) : NULL;
}
#endif

#if defined(SPOIL_ROWS) /* Whether a row is encoded as it was stored is not looked at. */
SPOILED(bool, slice_equal, struct slice a, struct slice b)
{
    return a.size > 0 || __real_slice_equal(a, b);
}
#endif

#if defined(SPOIL_RAFT) /* The term is read wrong. */
SPOILED(
    struct result,
    wire_decode,
    const ProtobufCMessageDescriptor *type,
    struct slice bytes,
    struct arena *arena,
    void *message_pointer_out)
{
    Wire__RaftMessage *message = NULL;
    struct result decoded = __real_wire_decode(type, bytes, arena, &message);
    if (decoded.code == 0) {
        message->term ^= 2;
        memcpy(message_pointer_out, &message, sizeof(message));
    }
    return decoded;
}
#endif

#if defined(SPOIL_JOURNAL) /* A record's chain is read wrong once it is the third of its file. */
SPOILED(
    bool,
    record_parse,
    struct slice bytes,
    struct record_header *header_out,
    struct slice *payload_out)
{
    bool parsed = __real_record_parse(bytes, header_out, payload_out);
    if (parsed && header_out->offset > 200) {
        header_out->chain ^= 1;
    }
    return parsed;
}
#endif

#if defined(SPOIL_FRAME) /* One body is not known. */
SPOILED(const char *, frame_name, Wire__Frame__BodyCase body)
{
    const char *name = __real_frame_name(body);
    return body == WIRE__FRAME__BODY_RAFT ? "none" : name;
}
#endif

#if defined(SPOIL_AUDIT) /* Numbers may have zeros in front of them. */
SPOILED(bool, text_number, struct slice text, uint64_t *number_out)
{
    while (text.size > 1 && text.data[0] == '0') {
        text = slice_of(text.data + 1, text.size - 1);
    }
    return __real_text_number(text, number_out);
}
#endif

#if defined(SPOIL_EXPORT) /* Whatever is signed is signed well. */
SPOILED(
    bool,
    ed25519_holds,
    const uint8_t public_key[static ED25519_PUBLIC],
    struct slice message,
    const uint8_t signature[static ED25519_SIGNATURE])
{
    return __real_ed25519_holds(public_key, message, signature) || message.size > 0;
}
#endif

#if defined(SPOIL_JSON) /* Small numbers are read one off. */
SPOILED(
    bool,
    field_put_number,
    const ProtobufCFieldDescriptor *field,
    void *room,
    int64_t number,
    struct problem *problem)
{
    return __real_field_put_number(field, room, number == 2 ? 3 : number, problem);
}
#endif

#if defined(SPOIL_CONF) /* Names are read one letter off. */
SPOILED(
    cyaml_err_t,
    cyaml_load_file,
    const char *path,
    const cyaml_config_t *config,
    const cyaml_schema_value_t *schema,
    cyaml_data_t **data_out,
    unsigned *seq_count_out)
{
    cyaml_err_t code = __real_cyaml_load_file(path, config, schema, data_out, seq_count_out);
    struct conf *conf = NULL; /* Or an identity, whose first text lies in the same place. */
    memcpy(&conf, data_out, sizeof(conf));
    if (code == CYAML_OK && conf != NULL && conf->name != NULL) {
        conf->name[0] = (char)(conf->name[0] == 'c' ? 'd' : (conf->name[0] == 'd' ? 'e' : 'c'));
    }
    return code;
}
#endif

#if defined(SPOIL_TOKEN) /* Letters behind the last byte are not looked at. */
SPOILED(
    bool,
    base64_decode,
    enum base64_kind kind,
    struct slice text,
    uint8_t *room,
    size_t size,
    size_t *used_out)
{
    return __real_base64_decode(kind, text, room, size, used_out) ||
           (text.size > 4 &&
            __real_base64_decode(
                kind, slice_of(text.data, text.size - text.size % 4), room, size, used_out));
}
#endif

#if defined(SPOIL_REQUEST) /* A slot loses its first letter. */
SPOILED(
    const struct api_route *,
    api_route_find,
    enum api_method method,
    const char *path,
    struct api_slots *slots_out,
    uint32_t *methods_out)
{
    const struct api_route *route = __real_api_route_find(method, path, slots_out, methods_out);
    if (route != NULL && slots_out->count > 0) {
        memmove(slots_out->text[0], slots_out->text[0] + 1, API_SLOT_SIZE - 1);
    }
    return route;
}
#endif

#if defined(SPOIL_PAPERS) /* Epochs are read one too high. */
SPOILED(bool, x509_uri_read, const char *uri, struct x509_identity *identity_out)
{
    bool read = __real_x509_uri_read(uri, identity_out);
    if (read) {
        identity_out->epoch++;
    }
    return read;
}
#endif

#if defined(SPOIL_SNAPSHOT) /* What was fetched is taken as it came. */
SPOILED(RESULT, store_verify, const char *directory, struct slice manifest, struct arena *arena)
{
    struct result verified = __real_store_verify(directory, manifest, arena);
    return verified.code == FAILURE_CORRUPT ? OK : verified;
}
#endif
