/* Tells stories on the stage that this program was linked with.
 *
 *   scenario STORY…                  every one must be true, or say itself that it is not told here
 *   scenario --mutant NAME STORY     the core is broken on purpose: the story must be found untrue,
 *                                    or a CHECK must have ended it
 *   scenario --wrong STORY…          none is a story: each must be refused with its line
 *
 * Exit status: 0 as expected, 1 not, 2 not a story. Decides nothing about stories. */
#include "base/check.h"
#include "tests/scenario/mutant.h"
#include "tests/scenario/story.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STORY_BYTES = 64 * 1024, STAGE_DIED = 100 };

/* False: the story says why not. What stands behind a zero byte would be passed over. */
static bool read_whole(struct story *story, char text[static STORY_BYTES])
{
    FILE *file = fopen(story->path, "re");
    if (file == NULL) {
        return story_wrong(story, "cannot be read: %s", strerror(errno));
    }
    size_t size = fread(text, 1, STORY_BYTES - 1, file);
    int failed = ferror(file) == 0 ? 0 : errno;
    bool whole = feof(file) != 0;
    (void)fclose(file); /* Nothing was written. */
    text[size] = '\0';
    if (!whole) {
        const char *why = failed != 0 ? strerror(failed) : "it is larger than 64 KiB";
        return story_wrong(story, "cannot be read: %s", why);
    }
    for (const char *at = text; *at != '\0'; at++) {
        story->line += *at == '\n' ? 1 : 0;
    }
    if (strlen(text) != size) {
        story->line++;
        return story_wrong(story, "a zero byte is in it: a story is text");
    }
    story->line = 0;
    return true;
}

static enum story_end tell(const char *path, bool quiet)
{
    static char text[STORY_BYTES];
    struct story *story = calloc(1, sizeof(*story));
    CHECK(story != NULL);
    story->path = path;
    enum story_end end = read_whole(story, text) ? story_tell(story, text) : STORY_WRONG;
    const char *name = strrchr(path, '/') == NULL ? path : strrchr(path, '/') + 1;
    if (end == STORY_TRUE) {
        (void)printf(
            "true    %s: %u clauses, %u checks of what holds always\n",
            name,
            (unsigned int)story->clauses,
            (unsigned int)story->checks);
    } else if (end == STORY_ELSEWHERE) {
        (void)printf("not on %s: %s: %s\n", stage_runner(), name, story->why);
    } else if (!quiet) {
        (void)printf("%s  %s\n", end == STORY_UNTRUE ? "UNTRUE" : "WRONG ", story->why);
    } else {
        (void)printf("found   %s\n", story->why);
    }
    if (story->stage != NULL) {
        stage_close(story->stage);
    }
    free(story);
    return end;
}

/* In a process of its own: a broken core, or a stage that judges, may well end it. */
static enum story_end apart(const char *path, const char *mutant, bool quiet)
{
    const char *words = stage_last_words();
    (void)fflush(NULL);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        struct rlimit none = { 0, 0 };
        (void)setrlimit(RLIMIT_CORE, &none);
        bool sound = mutant == NULL || mutant_choose(mutant);
        enum story_end end = sound ? tell(path, quiet) : STORY_WRONG;
        (void)fflush(NULL);
        exit((int)end); /* Not _exit: the leak checker runs here. */
    }
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child);
    int end = WIFEXITED(status) ? WEXITSTATUS(status) : STAGE_DIED;
    if (end <= (int)STORY_ELSEWHERE) {
        return (enum story_end)end;
    }
    const char *name = strrchr(path, '/') == NULL ? path : strrchr(path, '/') + 1;
    bool said = words != NULL && words[0] != '\0';
    bool checked = WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
    (void)printf(
        "%s  %s: %s\n",
        quiet ? "found " : "UNTRUE",
        name,
        said      ? words
        : checked ? "a CHECK ended it"
                  : "it died");
    return said || checked ? STORY_UNTRUE : STORY_WRONG;
}

static bool mutant_found(const char *mutant, const char *path)
{
    bool found = apart(path, mutant, true) == STORY_UNTRUE;
    (void)printf("mutant %s: %s\n", mutant, found ? "found" : "NOT FOUND");
    return found;
}

int main(int argc, char **argv)
{
    bool wrong = argc > 1 && strcmp(argv[1], "--wrong") == 0;
    bool mutant = argc == 4 && strcmp(argv[1], "--mutant") == 0;
    if (argc < 2 || (argv[1][0] == '-' && !wrong && !mutant)) {
        (void)fprintf(stderr, "usage: scenario [--wrong | --mutant NAME] STORY...\n");
        return 2;
    }
    if (mutant) {
        return mutant_found(argv[2], argv[3]) ? 0 : 1;
    }
    int worst = 0;
    for (int i = wrong ? 2 : 1; i < argc; i++) {
        int end = (int)apart(argv[i], NULL, wrong);
        end = end == (int)STORY_ELSEWHERE && !wrong ? 0 : end;
        int judged = wrong ? (end == (int)STORY_WRONG ? 0 : 1) : end;
        worst = judged > worst ? judged : worst;
    }
    return worst;
}
