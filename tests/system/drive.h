/* What the drivers of tests/system share: a program of ours as a child over socketpairs, frames to
 * and from it, and scripts on standard input. */
#ifndef TESTS_SYSTEM_DRIVE_H
#define TESTS_SYSTEM_DRIVE_H

#include "wire/frame.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { DRIVE_WORDS = 32, DRIVE_PEERS = 2 };

struct drive_child {
    pid_t pid;
    int to_parent; /* We are its parent. */
};

/* Says why and ends; the shell script cleans up. */
_Noreturn void drive_fail(const char *why);
void drive_say(int fd, Wire__Frame *frame);
/* The same with a descriptor, which is closed here. */
void drive_hand(int fd, Wire__Frame *frame, int descriptor);
/* The next frame; it lives until the next call. Ends the driver after a minute of silence. */
Wire__Frame *drive_hear(int fd);
/* Forks and executes; `peer` is the one program that it has a channel to. Returns our end of it. */
int drive_spawn(struct drive_child *child, const char *path, const char *peer);
/* The same with both ends of its channels given; they are closed here. */
void drive_spawn_with(
    struct drive_child *child,
    const char *path,
    const char *const peers[DRIVE_PEERS],
    const int ends[DRIVE_PEERS]);
void drive_config(int fd, uint16_t cell, const char *data, char **settings, int count);
void drive_await_ready(int fd);
void drive_digest(const char *hex, uint8_t out[static 32]);
/* One line of standard input, cut into words. -1: the end. */
int drive_words(char *line, size_t size, char *words[DRIVE_WORDS]);

#endif
