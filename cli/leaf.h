/* An audit leaf, as its canonical bytes, made readable. */
#ifndef CLI_LEAF_H
#define CLI_LEAF_H

#include "base/slice.h"
#include "cli/json.h"

/* NULL when the bytes are not a leaf. Ids become their text form, times RFC 3339. */
struct json_t *leaf_doc(struct slice bytes);
/* Its place in the cell's log; false when the bytes are not a leaf. */
bool leaf_seq(struct slice bytes, uint64_t *seq_out);

#endif
