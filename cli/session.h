/* One run of the command: what was asked, with which settings, and where answers go. Each action of
 * the table is one function here; all of them answer the exit status. */
#ifndef CLI_SESSION_H
#define CLI_SESSION_H

#include "cli/client.h"
#include "cli/columns.h"
#include "cli/problem.h"
#include "cli/request.h"

struct session {
    struct invocation invocation;
    struct settings settings;
    const struct column *columns; /* Of the verb, those that are printed; NULL: it has none. */
    struct columns chosen;        /* Where they lie. */
    struct client *client;        /* Made when first needed; owned. */
    FILE *out;                    /* Data. */
    FILE *err;                    /* Everything else. */
};

/* Parses, resolves, runs. The whole command. */
enum exit_status session_run(int argc, char **argv, FILE *out, FILE *err);

/* The client, made on first use; EXIT_DONE, or the reason was said. */
enum exit_status session_client(struct session *session);
/* A message of the invocation as a usage error. */
enum exit_status session_usage(struct session *session);
enum exit_status session_no_memory(struct session *session);
/* EXIT_DONE, or EXIT_FAILED when standard output did not take it. */
enum exit_status session_printed(struct session *session, bool printed);
/* One call and its JSON answer (owned by the caller; NULL unless EXIT_DONE). Refusals are said. */
enum exit_status session_call(
    struct session *session, const struct call *call, struct json_t **doc_out);
/* EXIT_DONE when the person, or --yes, agrees. */
enum exit_status session_confirm(struct session *session);

/* run.c */
enum exit_status run_rest(struct session *session);
enum exit_status run_op_wait(struct session *session);
enum exit_status run_api(struct session *session);
enum exit_status run_console(struct session *session);
/* events.c */
enum exit_status run_event_ls(struct session *session);
/* watch.c */
enum exit_status run_event_watch(struct session *session);
/* alarm.c */
enum exit_status run_alarm_watch(struct session *session);
/* contexts.c */
enum exit_status run_context_ls(struct session *session);
enum exit_status run_context_use(struct session *session);
enum exit_status run_context_add(struct session *session);
/* audit.c */
enum exit_status run_audit_ls(struct session *session);
/* export.c */
enum exit_status run_audit_export(struct session *session);
/* verify.c */
enum exit_status run_audit_verify(struct session *session);
enum exit_status run_audit_show(struct session *session);
/* tokens.c */
enum exit_status run_token(struct session *session);

/* pages.c: the items of every page of a list, in order, into `all`. */
enum exit_status pages_read(struct session *session, const char *first, struct json_t *all);
/* wait.c: waits for the operation, which is replaced by its last form. */
enum exit_status wait_operation(struct session *session, struct json_t **operation);

#endif
