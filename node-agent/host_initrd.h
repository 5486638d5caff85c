/* The initramfs of the node's self-test: one tiny program that says one line. Pure. */
#ifndef NODE_AGENT_HOST_INITRD_H
#define NODE_AGENT_HOST_INITRD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    HOST_INITRD_SIZE = 4096,
    HOST_INITRD_LINE = 64, /* Bytes of the line, at most. */
};

/* An ELF program of x86-64 Linux that writes `line` to its standard output and then waits for ever.
 * It uses two system calls that every such kernel has. False: does not fit. */
bool host_initrd_program(const char *line, uint8_t *room, size_t size, size_t *used_out);
/* A cpio archive (newc, as the kernel unpacks it) with that program as /init, and /dev/console,
 * from which the kernel gives it its standard output. The line is nowhere else: who says it is a
 * process of user space that a kernel started. False: does not fit. */
bool host_initrd_write(const char *line, uint8_t *room, size_t size, size_t *used_out);

#endif
