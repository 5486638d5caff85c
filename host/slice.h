/* Short turns on the processor. A request passes several programs, each of which works for some
 * microseconds and sleeps again; beside a busy neighbour each would wait at every waking until the
 * neighbour's turn of some milliseconds is over. Who asks for short turns is let in at once, and
 * gets no more processor for it. */
#ifndef HOST_SLICE_H
#define HOST_SLICE_H

#include <stdbool.h>

enum { SLICE_US = 100 }; /* The kernel takes nothing shorter. */

/* For the calling thread, not for those it makes (RocksDB's work in the background has time). A
 * kernel before 6.12 agrees and has one length for all. False: refused; nothing else is different.
 */
bool slice_shorten(void);

#endif
