/* A cell that follows a script. Decides nothing: the script does. */
#include "cli_cell.h"

#include "base/check.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

char cell_certificate[4096];
static char private_key[4096];
char cell_folder[32] = "/tmp/udatsu-cli-XXXXXX";
char cell_ca[64];

void cell_write(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    cr_assert_not_null(file);
    cr_assert_neq(fputs(text, file), EOF);
    (void)fclose(file);
}

void cell_read(const char *path, char *room, size_t size)
{
    FILE *file = fopen(path, "r");
    memset(room, 0, size);
    if (file != NULL) {
        (void)!fread(room, 1, size - 1, file);
        (void)fclose(file);
    }
}

/* A self-signed cell_certificate for 127.0.0.1 that is its own CA. */
void cell_make_certificate(void)
{
    gnutls_x509_privkey_t key;
    gnutls_x509_crt_t crt;
    uint8_t address[4] = { 127, 0, 0, 1 };
    uint8_t serial = 1;
    size_t size = sizeof(cell_certificate);
    gnutls_x509_privkey_init(&key);
    cr_assert_eq(
        gnutls_x509_privkey_generate(
            key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0),
        0);
    gnutls_x509_crt_init(&crt);
    gnutls_x509_crt_set_version(crt, 3);
    gnutls_x509_crt_set_serial(crt, &serial, 1);
    gnutls_x509_crt_set_activation_time(crt, time(NULL) - 3600);
    gnutls_x509_crt_set_expiration_time(crt, time(NULL) + 3600);
    gnutls_x509_crt_set_ca_status(crt, 1);
    gnutls_x509_crt_set_dn(crt, "CN=test cell", NULL);
    gnutls_x509_crt_set_subject_alt_name(
        crt, GNUTLS_SAN_IPADDRESS, address, sizeof(address), GNUTLS_FSAN_SET);
    gnutls_x509_crt_set_key(crt, key);
    cr_assert_eq(gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA256, 0), 0);
    cr_assert_eq(gnutls_x509_crt_export(crt, GNUTLS_X509_FMT_PEM, cell_certificate, &size), 0);
    size = sizeof(private_key);
    cr_assert_eq(gnutls_x509_privkey_export(key, GNUTLS_X509_FMT_PEM, private_key, &size), 0);
    gnutls_x509_crt_deinit(crt);
    gnutls_x509_privkey_deinit(key);
}

static void keep(char *room, size_t size, const char *text)
{
    (void)snprintf(room, size, "%s", text == NULL ? "" : text);
}

static enum MHD_Result on_request(
    void *context,
    struct MHD_Connection *connection,
    const char *url,
    const char *method,
    const char *version,
    const char *data,
    size_t *size,
    void **slot)
{
    struct server *server = context;
    (void)version;
    pthread_mutex_lock(&server->lock);
    struct seen *seen = *slot;
    if (seen == NULL) {
        cr_assert_lt(server->seen_count, SEEN_MAX);
        seen = &server->seen[server->seen_count];
        server->seen_count++;
        *slot = seen;
        keep(seen->method, sizeof(seen->method), method);
        const char *seconds =
            MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "page_token");
        (void)snprintf(
            seen->url,
            sizeof(seen->url),
            "%s%s%s",
            url,
            seconds ? "?" : "",
            seconds ? seconds : "");
        keep(
            seen->first,
            sizeof(seen->first),
            MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "first"));
        keep(
            seen->after,
            sizeof(seen->after),
            MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "after"));
        keep(
            seen->limit,
            sizeof(seen->limit),
            MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "limit"));
        keep(
            seen->actor,
            sizeof(seen->actor),
            MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "actor"));
        keep(
            seen->key,
            sizeof(seen->key),
            MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Idempotency-Key"));
        keep(
            seen->if_match,
            sizeof(seen->if_match),
            MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "If-Match"));
        keep(
            seen->last_event_id,
            sizeof(seen->last_event_id),
            MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Last-Event-ID"));
        pthread_mutex_unlock(&server->lock);
        return MHD_YES;
    }
    if (*size > 0) {
        strncat(seen->body, data, *size < 900 ? *size : 900);
        *size = 0;
        pthread_mutex_unlock(&server->lock);
        return MHD_YES;
    }
    uint32_t at = (uint32_t)(seen - server->seen);
    at = at < server->steps_count ? at : server->steps_count - 1;
    struct step step = server->steps[at];
    pthread_mutex_unlock(&server->lock);
    struct MHD_Response *response = MHD_create_response_from_buffer(
        strlen(step.body), (void *)(uintptr_t)step.body, MHD_RESPMEM_PERSISTENT);
    if (step.retry_after != NULL) {
        MHD_add_response_header(response, "Retry-After", step.retry_after);
    }
    MHD_add_response_header(response, "Request-Id", "req-7");
    enum MHD_Result result = MHD_queue_response(connection, step.status, response);
    MHD_destroy_response(response);
    return result;
}

void cell_start(struct server *server, const struct step *steps, uint32_t count)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    memset(server, 0, sizeof(*server));
    pthread_mutex_init(&server->lock, NULL);
    cr_assert_leq(count, STEPS_MAX);
    memcpy(server->steps, steps, count * sizeof(*steps));
    server->steps_count = count;
    server->daemon = MHD_start_daemon(
        MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_TLS,
        0,
        NULL,
        NULL,
        on_request,
        server,
        MHD_OPTION_SOCK_ADDR,
        &address,
        MHD_OPTION_HTTPS_MEM_KEY,
        private_key,
        MHD_OPTION_HTTPS_MEM_CERT,
        cell_certificate,
        MHD_OPTION_HTTPS_PRIORITIES,
        "NORMAL:-VERS-ALL:+VERS-TLS1.3",
        MHD_OPTION_END);
    cr_assert_not_null(server->daemon);
    server->port = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
}

void cell_stop(struct server *server)
{
    MHD_stop_daemon(server->daemon);
    pthread_mutex_destroy(&server->lock);
}

char cell_out[64 * 1024];
char cell_err[16 * 1024];

enum exit_status cell_run(const char *line)
{
    static char room[4096];
    char *words[WORDS_MAX];
    int count = 0;
    keep(room, sizeof(room), line);
    char *save = NULL;
    for (char *word = strtok_r(room, " ", &save); word != NULL; word = strtok_r(NULL, " ", &save)) {
        cr_assert_lt(count, WORDS_MAX - 1);
        words[count] = word;
        count++;
    }
    memset(cell_out, 0, sizeof(cell_out));
    memset(cell_err, 0, sizeof(cell_err));
    FILE *out = fmemopen(cell_out, sizeof(cell_out), "w");
    FILE *err = fmemopen(cell_err, sizeof(cell_err), "w");
    enum exit_status status = session_run(count, words, out, err);
    (void)fclose(out);
    (void)fclose(err);
    return status;
}

void cell_use(const struct server *first, const struct server *second)
{
    char text[128];
    (void)snprintf(
        text,
        sizeof(text),
        second == NULL ? "127.0.0.1:%u" : "127.0.0.1:%u,127.0.0.1:%u",
        first == NULL ? 1U : first->port,
        second == NULL ? 0U : second->port);
    (void)setenv("UDATSU_ENDPOINTS", text, 1);
}

void cell_begin(void)
{
    static const char *const names[] = { "UDATSU_CERT",    "UDATSU_KEY",
                                         "UDATSU_TENANT",  "UDATSU_OUTPUT",
                                         "UDATSU_CONTEXT", "LC_ALL",
                                         "LC_MESSAGES",    "LANG" };
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        (void)unsetenv(names[i]);
    }
    (void)setlocale(LC_CTYPE, "C.UTF-8");
    (void)setenv("XDG_CONFIG_HOME", "/nonexistent", 1);
    cr_assert_not_null(mkdtemp(cell_folder));
    cell_make_certificate();
    (void)snprintf(cell_ca, sizeof(cell_ca), "%s/ca.pem", cell_folder);
    cell_write(cell_ca, cell_certificate);
    (void)setenv("UDATSU_CA", cell_ca, 1);
}

void cell_end(void)
{
    (void)unlink(cell_ca);
    (void)rmdir(cell_folder);
}
