/* The command line and people: slips of the fingers, things forgotten, Ctrl-C. */
#include "cli_cell.h"

#include "base/check.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(cli_people, .init = cell_begin, .fini = cell_end);

Test(cli_people, a_slip_is_answered_with_the_word_that_was_meant)
{
    static const struct {
        const char *line;
        const char *said;
    } rows[] = {
        { "udatsu instace ls", "unknown noun: instace; did you mean instance?" },
        { "udatsu isntance ls", "did you mean instance?" },
        { "udatsu net ls", "did you mean network?" },
        { "udatsu instance lst", "unknown verb: lst; did you mean ls?" },
        { "udatsu instance rebot web", "did you mean reboot?" },
        { "udatsu instance ls --lable a=b", "unknown flag: --lable; did you mean --label?" },
        { "udatsu instance ls --ouput=json", "did you mean --output?" },
        { "udatsu instance frobnicate", "unknown verb: frobnicate\n" },
        { "udatsu x ls", "unknown noun: x\n" },
        { "udatsu instance ls --aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "aaaa\n" },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        cr_assert_eq(cell_run(rows[i].line), EXIT_USAGE);
        cr_assert_not_null(strstr(cell_err, rows[i].said), "%s: %s", rows[i].line, cell_err);
    }
}

Test(cli_people, what_is_missing_is_said_at_once_with_its_form_and_its_help)
{
    cr_assert_eq(cell_run("udatsu instance create web --tenant acme"), EXIT_USAGE);
    cr_assert_not_null(
        strstr(cell_err, "missing: --image IMAGE, --vcpus N, --memory SIZE\n"), "%s", cell_err);
    cr_assert_not_null(strstr(cell_err, "udatsu help instance create\n"), "%s", cell_err);
    cr_assert_eq(cell_run("udatsu help instance create"), EXIT_DONE);
    cr_assert_not_null(strstr(cell_out, "usage: udatsu instance create NAME"));
    cr_assert_not_null(strstr(cell_out, "--on-failure"));
    cr_assert_eq(cell_run("udatsu help instance frobnicate"), EXIT_USAGE);
    cr_assert_not_null(strstr(cell_err, "udatsu help instance\n"), "%s", cell_err);
}

Test(cli_people, a_value_of_another_form_is_answered_with_the_form)
{
    static const struct {
        const char *flags;
        const char *said;
    } rows[] = {
        { "--vcpus two --memory 96M", "--vcpus two (wanted: a whole number)" },
        { "--vcpus 2 --memory 2GB", "--memory 2GB (wanted: a size such as 512M or 2G)" },
        { "--vcpus 2 --memory 2G --label web", "--label web (wanted: KEY=VALUE)" },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char line[256];
        (void)snprintf(
            line,
            sizeof(line),
            "udatsu instance create web --tenant acme --image i %s",
            rows[i].flags);
        cr_assert_eq(cell_run(line), EXIT_USAGE);
        cr_assert_not_null(strstr(cell_err, rows[i].said), "%s", cell_err);
    }
    cr_assert_eq(cell_run("udatsu quota set acme --cap vcpu=2"), EXIT_USAGE);
    cr_assert_not_null(strstr(cell_err, "(wanted: vcpus=N,memory=SIZE,"), "%s", cell_err);
    /* A limit is replaced whole: what was forgotten must not become 0. */
    cr_assert_eq(cell_run("udatsu quota set acme --cap vcpus=2"), EXIT_USAGE);
    cr_assert_not_null(strstr(cell_err, "all four must be named"), "%s", cell_err);
}

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

#define RUNNING                                                                    \
    "{\"id\":\"00010010-0000-8000-8000-000000000007\",\"kind\":\"tenant-create\"," \
    "\"state\":\"running\",\"progress\":50,\"resource_name\":\"acme\"}"

/* The command as a process of its own, with its standard error in a pipe. */
static pid_t start(int error)
{
    static char program[] = "udatsu";
    static char noun[] = "tenant";
    static char verb[] = "create";
    static char name[] = "acme";
    char *words[] = { program, noun, verb, name, NULL };
    pid_t pid = fork();
    cr_assert_geq(pid, 0);
    if (pid == 0) {
        (void)dup2(error, STDERR_FILENO);
        _exit((int)session_run(4, words, stdout, stderr));
    }
    return pid;
}

Test(cli_people, who_leaves_a_wait_is_told_how_to_come_back, .timeout = 60)
{
    struct server server;
    const struct step steps[] = { { 202, NULL, RUNNING } };
    int ends[2];
    char said[512] = "";
    cell_start(&server, steps, 1);
    cell_use(&server, NULL);
    cr_assert_eq(pipe(ends), 0);
    pid_t pid = start(ends[1]);
    (void)close(ends[1]);
    uint32_t seen = 0;
    while (seen < 2) { /* The second request is the wait. */
        (void)poll(NULL, 0, 5);
        pthread_mutex_lock(&server.lock);
        seen = server.seen_count;
        pthread_mutex_unlock(&server.lock);
    }
    cr_assert_eq(kill(pid, SIGINT), 0);
    int status = 0;
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
    cr_assert_gt(read(ends[0], said, sizeof(said) - 1), 0);
    (void)close(ends[0]);
    cr_assert_not_null(strstr(said, "interrupted, the work goes on"), "%s", said);
    cr_assert_not_null(
        strstr(said, "next: udatsu op wait 00010010-0000-8000-8000-000000000007"), "%s", said);
    cell_stop(&server);
}

Test(cli_people, a_token_that_failed_is_not_to_be_repeated_by_its_key)
{
    struct server server;
    const struct step steps[] = { { 503, "0", "{\"code\":\"no-leader\",\"status\":503}" } };
    cell_start(&server, steps, 1);
    cell_use(&server, NULL);
    cr_assert_eq(cell_run("udatsu node token n4 --timeout 0"), EXIT_UNREACHABLE);
    cr_assert_null(strstr(cell_err, "--idempotency-key"), "%s", cell_err);
    cr_assert_eq(cell_run("udatsu tenant create acme --timeout 0"), EXIT_UNREACHABLE);
    cr_assert_not_null(strstr(cell_err, "--idempotency-key"), "%s", cell_err);
    cell_stop(&server);
}

Test(cli_people, who_leaves_before_the_answer_is_told_the_key, .timeout = 60)
{
    struct server server;
    const struct step steps[] = { { 503, "5", "{\"code\":\"no-leader\",\"status\":503}" } };
    int ends[2];
    char said[512] = "";
    char key[96];
    cell_start(&server, steps, 1);
    cell_use(&server, NULL);
    cr_assert_eq(pipe(ends), 0);
    pid_t pid = start(ends[1]);
    (void)close(ends[1]);
    uint32_t seen = 0;
    while (seen < 1) {
        (void)poll(NULL, 0, 5);
        pthread_mutex_lock(&server.lock);
        seen = server.seen_count;
        (void)snprintf(key, sizeof(key), "--idempotency-key %.40s\n", server.seen[0].key);
        pthread_mutex_unlock(&server.lock);
    }
    cr_assert_eq(kill(pid, SIGINT), 0);
    int status = 0;
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
    cr_assert_gt(read(ends[0], said, sizeof(said) - 1), 0);
    (void)close(ends[0]);
    cr_assert_not_null(strstr(said, "the outcome is unknown"), "%s", said);
    cr_assert_not_null(strstr(said, key), "%s", said);
    cell_stop(&server);
}
