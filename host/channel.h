/* Frames between two programs of one machine, over the SEQPACKET socketpair that parent made.
 * One message is one encoded Frame. The receiver knows who is at the other end from the descriptor
 * and refuses what that program may not say (wire/frame.h): the channel then closes with a log line,
 * which ends the peer's usefulness; parent restarts it.
 *
 * The happy path: uv_poll says readable → recv → wire_decode into the channel's arena → rule →
 * on_frame. The frame and everything in it is gone when on_frame returns.
 * What can go wrong: oversized or undecodable message → close; peer gone → on_close; peer slow →
 * messages queue up to CHANNEL_QUEUE_BYTES, then channel_send answers FAILURE_FULL. */
#ifndef HOST_CHANNEL_H
#define HOST_CHANNEL_H

#include "base/result.h"
#include "wire/frame.h"

#include <uv.h>

enum { CHANNEL_QUEUE_BYTES = 32 * 1024 * 1024 };

struct channel;

struct channel_hooks {
    void *context;
    void (*on_frame)(void *context, struct channel *channel, const Wire__Frame *frame);
    /* Called once, never inside channel_send; the channel is freed afterwards. */
    void (*on_close)(void *context, struct channel *channel);
};

/* Takes the descriptor. At most CHANNEL_BURST messages are read per turn, so that no peer starves
 * the others. */
RESULT channel_open(
    uv_loop_t *loop,
    int fd,
    enum program self,
    enum program other,
    const struct channel_hooks *hooks,
    struct channel **channel_out);
enum program channel_other(const struct channel *channel);
/* Encodes and sends, or queues. `frame->format` is set here. CHECKs that self may send it. */
RESULT channel_send(struct channel *channel, Wire__Frame *frame);
void channel_close(struct channel *channel);

#endif
