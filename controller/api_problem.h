/* A refusal by api itself, before engine was asked: what becomes an RFC 9457 document. */
#ifndef CONTROLLER_API_PROBLEM_H
#define CONTROLLER_API_PROBLEM_H

#include "base/reject.h"
#include "controller/api_out.h"

#include <api.pb-c.h>

enum { PROBLEM_DETAIL_SIZE = 192, PROBLEM_POINTER_SIZE = 128 };

struct problem {
    uint16_t status;
    const char *code;
    const char *hint; /* NULL: none. */
    uint32_t retry_after_seconds;
    char detail[PROBLEM_DETAIL_SIZE];
    char pointer[PROBLEM_POINTER_SIZE]; /* JSON pointer of the field, or "". */
};

/* Always false, so that a reader may `return problem_set(…)`. A text that does not fit is cut. */
__attribute__((format(printf, 4, 5))) bool problem_set(
    struct problem *problem, uint16_t status, const char *code, const char *format, ...);
/* 400 malformed. */
__attribute__((format(printf, 2, 3))) bool problem_malformed(
    struct problem *problem, const char *format, ...);
/* Says where in the body it is: a JSON pointer, cut if it is too long. */
void problem_place(struct problem *problem, const char *pointer);

void problem_write(struct out *out, const struct problem *problem, const char *request_id);
/* The refusal that engine gave. */
void problem_write_answer(struct out *out, const Wire__Answer *answer, const char *request_id);
/* "Not Found": RFC 9110's words, for the title. */
const char *status_title(uint16_t status);

#endif
