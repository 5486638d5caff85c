/* Decides how a refusal reads. Never decides what is refused. */
#include "controller/api_problem.h"

#include "base/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Cuts back to whole code points; what cannot be shown becomes a question mark. */
static void tidy(char *text)
{
    size_t size = strlen(text);
    while (size > 0 && !text_is_clean(slice_of(text, size)) && ((uint8_t)text[size - 1] & 0x80)) {
        text[--size] = '\0';
    }
    if (text_is_clean(slice_of(text, size))) {
        return;
    }
    for (size_t i = 0; i < size; i++) {
        if ((uint8_t)text[i] < 0x20 || (uint8_t)text[i] >= 0x7f) {
            text[i] = '?';
        }
    }
}

bool problem_set(
    struct problem *problem, uint16_t status, const char *code, const char *format, ...)
{
    CHECK(status >= 400);
    CHECK(code != NULL);
    *problem = (struct problem){ .status = status, .code = code };
    va_list list;
    va_start(list, format);
    (void)vsnprintf(problem->detail, sizeof(problem->detail), format, list); /* Cut if too long. */
    va_end(list);
    tidy(problem->detail);
    return false;
}

void problem_place(struct problem *problem, const char *pointer)
{
    CHECK(pointer != NULL);
    (void)snprintf(problem->pointer, sizeof(problem->pointer), "%s", pointer); /* Cut, too. */
    tidy(problem->pointer);
}

bool problem_malformed(struct problem *problem, const char *format, ...)
{
    CHECK(format != NULL);
    *problem = (struct problem){ .status = 400, .code = reject_name(REJECT_MALFORMED) };
    va_list list;
    va_start(list, format);
    (void)vsnprintf(problem->detail, sizeof(problem->detail), format, list); /* Cut if too long. */
    va_end(list);
    tidy(problem->detail);
    return false;
}

static void head(
    struct out *out, uint16_t status, const char *code, const char *detail, const char *request_id)
{
    char type[96];
    int size = snprintf(type, sizeof(type), "urn:udatsu:problem:%s", code);
    CHECK(size > 0);
    out_object(out);
    out_pair(out, "type", (size_t)size < sizeof(type) ? type : "about:blank");
    out_pair(out, "title", status_title(status));
    out_key(out, "status");
    out_number(out, status);
    out_pair(out, "code", code);
    out_pair(out, "detail", detail);
    out_pair(out, "request_id", request_id);
}

static void pair_if(struct out *out, const char *key, const char *text)
{
    if (text != NULL && text[0] != '\0') {
        out_pair(out, key, text);
    }
}

static void number_if(struct out *out, bool wanted, const char *key, uint64_t number)
{
    if (wanted) {
        out_key(out, key);
        out_number(out, number);
    }
}

void problem_write(struct out *out, const struct problem *problem, const char *request_id)
{
    CHECK(problem->status >= 400);
    CHECK(request_id != NULL);
    head(out, problem->status, problem->code, problem->detail, request_id);
    pair_if(out, "hint", problem->hint);
    pair_if(out, "pointer", problem->pointer);
    out_object_end(out);
}

void problem_write_answer(struct out *out, const Wire__Answer *answer, const char *request_id)
{
    CHECK(answer->reject > 0 && answer->reject < REJECTS_END);
    enum reject reject = (enum reject)answer->reject;
    static const Wire__Problem none = WIRE__PROBLEM__INIT;
    const Wire__Problem *problem = answer->problem == NULL ? &none : answer->problem;
    const char *code = problem->code[0] == '\0' ? reject_name(reject) : problem->code;
    head(out, reject_status(reject), code, problem->detail, request_id);
    pair_if(out, "dimension", problem->dimension);
    /* Numbers of a bound come together or not at all. */
    bool bound = problem->limit != 0 || problem->usage != 0 || problem->requested != 0;
    number_if(out, bound, "limit", problem->limit);
    number_if(out, bound, "usage", problem->usage);
    number_if(out, bound, "requested", problem->requested);
    pair_if(out, "holder", problem->holder);
    pair_if(out, "hint", problem->hint);
    pair_if(out, "rule", problem->rule);
    pair_if(out, "pointer", problem->pointer);
    if (problem->n_constraints > 0) {
        out_key(out, "constraints");
        out_array(out);
        for (size_t i = 0; i < problem->n_constraints; i++) {
            out_object(out);
            out_pair(out, "constraint", problem->constraints[i]->constraint);
            number_if(out, true, "nodes", problem->constraints[i]->nodes);
            out_object_end(out);
        }
        out_array_end(out);
    }
    pair_if(out, "leader_address", answer->leader_address);
    out_object_end(out);
}

const char *status_title(uint16_t status)
{
    static const struct {
        uint16_t status;
        const char *title;
    } titles[] = {
        { 400, "Bad Request" },
        { 401, "Unauthorized" },
        { 403, "Forbidden" },
        { 404, "Not Found" },
        { 405, "Method Not Allowed" },
        { 409, "Conflict" },
        { 412, "Precondition Failed" },
        { 413, "Content Too Large" },
        { 415, "Unsupported Media Type" },
        { 422, "Unprocessable Content" },
        { 428, "Precondition Required" },
        { 429, "Too Many Requests" },
        { 500, "Internal Server Error" },
        { 503, "Service Unavailable" },
        { 507, "Insufficient Storage" },
    };
    for (size_t i = 0; i < COUNT_OF(titles); i++) {
        if (titles[i].status == status) {
            return titles[i].title;
        }
    }
    return "Error";
}
