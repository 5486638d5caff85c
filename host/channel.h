/* Frames between two programs of one machine, over the SEQPACKET socketpair that parent made.
 * One message is one encoded Frame. The receiver knows who is at the other end from the descriptor
 * and refuses what that program may not say (wire/frame.h): the channel then closes with a log
 * line, which ends the peer's usefulness; parent restarts it.
 *
 * The happy path: uv_poll says readable → recv → wire_decode into the channel's arena → rule →
 * on_frame. The frame and everything in it is gone when on_frame returns.
 * What can go wrong: oversized or undecodable message → close, but a body that link only carries →
 * dropped: another machine made it; peer gone → on_close; peer slow → messages queue up to
 * CHANNEL_QUEUE_BYTES, then channel_send answers FAILURE_FULL. */
#ifndef HOST_CHANNEL_H
#define HOST_CHANNEL_H

#include "base/result.h"
#include "host/envelope.h"
#include "wire/frame.h"

#include <uv.h>

enum {
    CHANNEL_QUEUE_BYTES = 32 * 1024 * 1024, /* Waiting for a slow peer; then FAILURE_FULL. */
    CHANNEL_BURST = 64,                     /* Messages read from one peer in one turn. */
};

struct channel;

struct channel_hooks {
    void *context;
    void (*on_frame)(void *context, struct channel *channel, const Wire__Frame *frame);
    /* Called once, from the loop, never inside channel_send or channel_close; the channel is freed
     * afterwards. */
    void (*on_close)(void *context, struct channel *channel);

    /* Optional from here on. */

    /* A channel to a program is there: at the start, and again after that program was restarted.
     * A main that sets it survives its peers (see child.h) and must here say again what a new peer
     * has to know. */
    void (*on_open)(void *context, struct channel *channel);
    /* Instead of on_frame: the bytes undecoded, the envelope checked against the rule. For link,
     * which carries what engine and agent say; child.c uses it for channels to these two only. */
    void (*on_bytes)(
        void *context,
        struct channel *channel,
        const struct envelope *envelope,
        struct slice bytes);
    /* The queue that had begun to fill is empty again. */
    void (*on_drain)(void *context, struct channel *channel);
    /* The peer said what it may not say; the channel closes next. child.c tells parent. */
    void (*on_breach)(void *context, struct channel *channel);
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
/* May our end say this to the other? */
bool channel_may_send(const struct channel *channel, Wire__Frame__BodyCase body);
/* A frame that is already encoded, in two parts. The caller has checked the rule of its body. */
RESULT channel_send_parts(struct channel *channel, struct slice head, struct slice rest);
/* Sends a frame and waits for the next frame from the peer, without the loop: for the one peer that
 * only ever answers (keys). The answer lives until the channel's next frame. */
RESULT channel_ask(
    struct channel *channel, Wire__Frame *frame, int deadline_ms, const Wire__Frame **answer_out);
/* Only parent has one to pass on, and only what comes from parent may carry one. -1: none came with
 * the frame that on_frame is looking at. The caller of take owns it. */
RESULT channel_send_descriptor(struct channel *channel, Wire__Frame *frame, int fd);
int channel_take_descriptor(struct channel *channel);
/* Bytes that wait for the peer. */
size_t channel_queued(const struct channel *channel);
void channel_close(struct channel *channel);

#endif
