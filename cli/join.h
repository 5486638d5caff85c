/* With a one-time token into a cell: a machine, or a person. */
#ifndef CLI_JOIN_H
#define CLI_JOIN_H

#include "cli/session.h"

enum exit_status run_join(struct session *session);
enum exit_status run_enroll(struct session *session);
enum exit_status run_renew(struct session *session);
enum exit_status run_cluster_init(struct session *session);

#endif
