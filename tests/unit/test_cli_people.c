/* The command line and people: their key, their certificate, and what may not happen to them. */
#include "cli_cell.h"

#include "base/check.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

TestSuite(cli_people, .init = cell_begin, .fini = cell_end);

Test(cli_people, papers_in_use_are_not_written_over_for_a_token_of_unknown_worth)
{
    char line[256];
    char key[96];
    char cert[96];
    (void)snprintf(key, sizeof(key), "%s/key.pem", cell_folder);
    (void)snprintf(cert, sizeof(cert), "%s/cert.pem", cell_folder);
    cell_write(key, "precious");
    cell_write(cert, "precious");
    (void)snprintf(
        line, sizeof(line), "udatsu user enroll --token-file /dev/null --out %s", cell_folder);
    cr_assert_eq(cell_run(line), EXIT_CONFLICT);
    cr_assert_not_null(strstr(cell_err, "there already"), "%s", cell_err);
    cr_assert_not_null(strstr(cell_err, "udatsu user renew"), "%s", cell_err);
    (void)unlink(cert); /* A key alone is what is left of an enrolment that failed. */
    cr_assert_eq(cell_run(line), EXIT_USAGE);
    cr_assert_null(strstr(cell_err, "there already"), "%s", cell_err);
    (void)unlink(key);
}

Test(cli_people, files_of_ours_that_are_no_papers_are_said_at_once)
{
    struct server server;
    char path[96];
    const struct step steps[] = { { 200, NULL, "{\"items\":[]}" } };
    (void)snprintf(path, sizeof(path), "%s/key.pem", cell_folder);
    cell_write(path, "no key");
    cell_start(&server, steps, 1);
    cell_use(&server, NULL);
    (void)setenv("UDATSU_CERT", cell_ca, 1);
    (void)setenv("UDATSU_KEY", path, 1);
    cr_assert_eq(cell_run("udatsu node ls"), EXIT_USAGE, "%s", cell_err);
    cr_assert_not_null(strstr(cell_err, "belong together"), "%s", cell_err);
    cr_assert_eq(server.seen_count, 0);
    cell_stop(&server);
    (void)unlink(path);
}
