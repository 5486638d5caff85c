/* Decides where libFuzzer leaves what it finds: beside the program, in found/, whoever runs it and
 * wherever, unless its command says otherwise. Never in the tree. Only in builds with libFuzzer. */
#include "base/check.h"

#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static char program[4096];
    static char option[sizeof(program) + 64];
    ssize_t size = readlink("/proc/self/exe", program, sizeof(program) - 1);
    CHECK(size > 0 && (size_t)size < sizeof(program) - 1);
    const char *folder = dirname(program);
    int length = snprintf(option, sizeof(option), "-artifact_prefix=%s/found/", folder);
    CHECK(length > 0 && (size_t)length < sizeof(option));
    char **more = calloc((size_t)*argc + 2, sizeof(*more)); /* The process's own: never freed. */
    CHECK(more != NULL);
    more[0] = (*argv)[0];
    more[1] = option; /* In front of all others: of two, libFuzzer takes the last. */
    memcpy(&more[2], &(*argv)[1], (size_t)(*argc - 1) * sizeof(*more));
    *argc += 1;
    *argv = more;
    const char *found = strchr(option, '=') + 1;
    int code = mkdir(found, 0777);
    CHECK(code == 0 || errno == EEXIST);
    return 0;
}
