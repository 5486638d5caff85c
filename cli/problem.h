/* Errors for people: one sentence what, one why, one next command, the request id. And the exit
 * status that says the same to a script. */
#ifndef CLI_PROBLEM_H
#define CLI_PROBLEM_H

#include "base/result.h"
#include "cli/exits.h"
#include "cli/http.h"
#include "cli/json.h"

/* Any of the texts but `what` may be NULL. */
void problem_say(FILE *err, const char *what, const char *why, const char *next, const char *id);
/* The refusal in an HTTP answer. */
enum exit_status problem_of_answer(FILE *err, const struct http_answer *answer);
/* The problem object inside a failed operation. */
enum exit_status problem_of_doc(FILE *err, const struct json_t *problem, const char *request_id);
/* No answer at all. */
enum exit_status problem_of_failure(FILE *err, struct result failure, const char *reason);
/* By the problem's code, else by its status; 0: unknown. */
enum exit_status problem_exit(const char *code, uint64_t status);

#endif
