/* Runs the operator's command and the machine room's script. Never decides what an answer means. */
#include "base/check.h"
#include "base/slice.h"
#include "tests/scenario/stage_lab.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

void lab_word(struct lab_line *line, const char *format, ...)
{
    va_list list;
    CHECK(line->count + 1 < LAB_ARGS);
    char *at = line->room + line->used;
    size_t left = sizeof(line->room) - line->used;
    va_start(list, format);
    int size = vsnprintf(at, left, format, list);
    va_end(list);
    CHECK(size >= 0 && (size_t)size < left);
    line->words[line->count++] = at;
    line->words[line->count] = NULL;
    line->used += (uint32_t)size + 1;
}

void lab_line_begin(const struct stage *stage, const char *who, struct lab_line *line)
{
    char name[STAGE_NAME];
    line->used = 0;
    line->count = 0;
    if (strcmp(who, "root") != 0) {
        lab_name(stage, who, name);
        lab_word(line, "/usr/bin/env");
        lab_word(line, "UDATSU_CERT=%s/desk/%s/cert.pem", stage->state, name);
        lab_word(line, "UDATSU_KEY=%s/desk/%s/key.pem", stage->state, name);
    }
    lab_word(line, "%s/desk/udatsu", stage->state);
    lab_word(line, "--lang");
    lab_word(line, "en");
    lab_word(line, "--output");
    lab_word(line, "json");
    lab_word(line, "--timeout");
    lab_word(line, "60s");
    lab_word(line, "--yes");
    lab_word(line, "--no-wait");
}

void lab_start(const struct lab_line *line, struct lab_process *process)
{
    CHECK(line->count > 0);
    process->out = memfd_create("said", MFD_CLOEXEC);
    process->err = memfd_create("complained", MFD_CLOEXEC);
    CHECK(process->out >= 0 && process->err >= 0);
    (void)fflush(NULL);
    process->pid = fork();
    CHECK(process->pid >= 0);
    if (process->pid == 0) {
        if (dup2(process->out, STDOUT_FILENO) < 0 || dup2(process->err, STDERR_FILENO) < 0 ||
            freopen("/dev/null", "r", stdin) == NULL) {
            _exit(126);
        }
        (void)execv(line->words[0], line->words);
        _exit(127);
    }
}

static const char *said(int file, char *room)
{
    ssize_t size = pread(file, room, LAB_SAID - 1, 0);
    CHECK(size >= 0 && size < LAB_SAID - 1);
    room[size] = '\0';
    (void)close(file);
    return room;
}

int lab_finish(struct lab_process *process, const char **out, const char **err)
{
    static char rooms[2][LAB_SAID];
    int status = 0;
    pid_t done = -1;
    do {
        done = waitpid(process->pid, &status, 0);
    } while (done < 0 && errno == EINTR);
    CHECK(done == process->pid);
    *out = said(process->out, rooms[0]);
    *err = said(process->err, rooms[1]);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int lab_run(const struct lab_line *line, const char **out, const char **err)
{
    struct lab_process process;
    lab_start(line, &process);
    return lab_finish(&process, out, err);
}

struct json_t *lab_json(struct stage *stage, struct lab_line *line)
{
    enum { TRIES = 60, NOT_THERE = 4 };
    const char *out = "";
    const char *err = "";
    for (int i = 0; i < TRIES; i++) {
        int status = lab_run(line, &out, &err);
        if (status == NOT_THERE) {
            return NULL;
        }
        struct json_t *doc = status == 0 ? doc_parse(out, strlen(out)) : NULL;
        if (doc != NULL) {
            return doc;
        }
        lab_pause(LAB_WAIT_MS);
    }
    (void)snprintf(
        stage->wrong,
        sizeof(stage->wrong),
        "%s %s is not answered: %.120s",
        line->words[line->count - 2],
        line->words[line->count - 1],
        err);
    return NULL;
}

bool lab_world(struct stage *stage, const char *verb, const char *subject, const char **out)
{
    struct lab_line line = { .count = 0 };
    const char *ignored = "";
    const char *err = "";
    lab_word(&line, "%s/tests/accept/simulator/world.sh", UDATSU_SOURCE);
    lab_word(&line, "%s", verb);
    lab_word(&line, "%s", subject);
    int status = lab_run(&line, out == NULL ? &ignored : out, &err);
    if (status != 0) {
        (void)snprintf(
            stage->wrong, sizeof(stage->wrong), "%s %s did not happen: %.120s", verb, subject, err);
    }
    return status == 0;
}

void lab_pause(uint64_t ms)
{
    struct timespec left = { .tv_sec = (time_t)(ms / 1000),
                             .tv_nsec = (long)(ms % 1000) * 1000 * 1000 };
    while (nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
}

const char *lab_text(const struct json_t *doc, const char *path)
{
    const char *text = doc == NULL ? NULL : doc_text(doc_path(doc, path));
    return text == NULL ? "" : text;
}

uint64_t lab_number(const struct json_t *doc, const char *path)
{
    uint64_t number = 0;
    return doc != NULL && doc_number(doc_path(doc, path), &number) ? number : 0;
}
