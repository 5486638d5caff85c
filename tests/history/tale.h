/* A history told in lines of text, for tests: one event a line,
 *
 *   CLIENT INVOKE RETURN F OBJECT SAID [WORD=VALUE]...
 *
 * RETURN is - for what never returned; F is a word of words.c; SAID is ok, info, the word of a
 * refusal, or, of a read, the stage that was seen. Times are of no unit. Words: id op rev epoch
 * value match done key account amounts=V,M,I,N charged=… inventory=… append=LIST:N
 * seen=LIST:[AFTER/]N,N (what follows is not known: N,N+) newest=LIST:N final=LIST:N,N whole=1
 * sight=OBJECT:STAGE:ID, other=… the same of a network. The kind is a network if the object begins
 * with n, a value if with q, else an instance. */
#ifndef HISTORY_TALE_H
#define HISTORY_TALE_H

#include "tests/history/history.h"

/* Freed by tale_free. Ends the process at a line that it does not understand. */
struct history *tale_new(void);
void tale_tell(struct history *history, const char *lines);
void tale_free(struct history *history);

#endif
