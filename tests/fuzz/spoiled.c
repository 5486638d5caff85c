/* Decoders spoiled on purpose, one for each target's oracle: the linker leads the calls of that
 * target here (--wrap), and its oracle must find it. Decides nothing. Built once for each target,
 * with its own one only. */
#include "base/id.h"
#include "base/slice.h"

#include <protobuf-c/protobuf-c.h>

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
