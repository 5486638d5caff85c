/* One line per event on standard error: ts level event key=value … The parent collects it.
 * Mains log, once, where a decision was taken; cores never, adapters return. */
#ifndef HOST_LOG_H
#define HOST_LOG_H

#include <stdint.h>

enum log_level { LOG_LEVEL_INFO = 1, LOG_LEVEL_WARN = 2, LOG_LEVEL_ERROR = 3 };

/* Call once: the program's name goes into every line. */
void log_start(const char *program);

/* `event` is a stable lower-case-with-dashes name. `format` makes the key=value pairs; any text
 * that a person or another machine chose goes through log_text first. */
__attribute__((format(printf, 3, 4))) void log_line(
    enum log_level level, const char *event, const char *format, ...);

/* Quoted and escaped into a static ring of buffers (eight calls may live in one line). */
const char *log_text(const char *text);

#endif
