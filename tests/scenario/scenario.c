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

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STORY_BYTES = 64 * 1024 };

static enum story_end tell(const char *path, bool quiet)
{
    static char text[STORY_BYTES];
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        (void)fprintf(stderr, "scenario: cannot read %s\n", path);
        return STORY_WRONG;
    }
    size_t size = fread(text, 1, sizeof(text) - 1, file);
    bool whole = feof(file) != 0;
    (void)fclose(file);
    text[size] = '\0';
    struct story *story = calloc(1, sizeof(*story));
    CHECK(story != NULL);
    story->path = path;
    enum story_end end = whole ? story_tell(story, text) : STORY_WRONG;
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

/* In a process of its own: a broken core may well end it. */
static bool mutant_found(const char *mutant, const char *path)
{
    (void)fflush(NULL);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        struct rlimit none = { 0, 0 };
        (void)setrlimit(RLIMIT_CORE, &none);
        enum story_end end = mutant_choose(mutant) ? tell(path, true) : STORY_WRONG;
        (void)fflush(NULL);
        _exit((int)end);
    }
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child);
    bool checked = WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
    bool untrue = WIFEXITED(status) && WEXITSTATUS(status) == (int)STORY_UNTRUE;
    (void)printf("mutant %s: %s\n", mutant, checked || untrue ? "found" : "NOT FOUND");
    return checked || untrue;
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
        int end = (int)tell(argv[i], wrong);
        end = end == (int)STORY_ELSEWHERE && !wrong ? 0 : end;
        int judged = wrong ? (end == (int)STORY_WRONG ? 0 : 1) : end;
        worst = judged > worst ? judged : worst;
    }
    return worst;
}
