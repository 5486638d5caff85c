/* A cell that follows a script, for tests of the command line: real TLS on the loopback. */
#ifndef TESTS_UNIT_CLI_CELL_H
#define TESTS_UNIT_CLI_CELL_H

#include "cli/session.h"

#include <microhttpd.h>
#include <pthread.h>

enum { SEEN_MAX = 16, STEPS_MAX = 8, WORDS_MAX = 32 };

struct step {
    unsigned int status;
    const char *retry_after;
    const char *body;
};

struct seen {
    char method[8];
    char url[256];
    char first[24]; /* Arguments of the query. */
    char actor[24];
    char after[24];
    char limit[24];
    char key[80];
    char body[1024];
    char if_match[32];
    char last_event_id[32];
};

/* One controller's API. After the last step the last one is repeated. */
struct server {
    struct MHD_Daemon *daemon;
    unsigned int port;
    struct step steps[STEPS_MAX];
    uint32_t steps_count;
    struct seen seen[SEEN_MAX];
    uint32_t seen_count;
    pthread_mutex_t lock;
};

extern char cell_certificate[4096]; /* PEM; of the server, and its own CA. */
extern char cell_folder[32];
extern char cell_ca[64]; /* The file that UDATSU_CA names. */
extern char cell_out[64 * 1024];
extern char cell_err[16 * 1024];

/* Fresh certificate, clean environment. */
void cell_begin(void);
void cell_end(void);
/* Another key and certificate take the place of those before. */
void cell_make_certificate(void);
void cell_write(const char *path, const char *text);
/* The whole file, as text; "" when it is not there. */
void cell_read(const char *path, char *room, size_t size);
void cell_start(struct server *server, const struct step *steps, uint32_t count);
void cell_stop(struct server *server);
/* The whole command in this process; what it said is in cell_out and cell_err. */
enum exit_status cell_run(const char *line);
/* UDATSU_ENDPOINTS; NULL first: a port where nobody listens. */
void cell_use(const struct server *first, const struct server *second);

#endif
