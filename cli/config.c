/* Decides where contexts are kept and how the file is replaced. Never holds a secret: the file
 * names key files. */
#include "base/check.h"
#include "cli/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool settings_config_path(char room[static SETTINGS_PATH])
{
    const char *home = getenv("XDG_CONFIG_HOME");
    const char *middle = "";
    if (home == NULL || home[0] != '/') {
        home = getenv("HOME");
        middle = "/.config";
    }
    if (home == NULL || home[0] != '/') {
        return false;
    }
    int length = snprintf(room, SETTINGS_PATH, "%s%s/udatsu/config", home, middle);
    return length > 0 && length < SETTINGS_PATH;
}

struct json_t *settings_config_load(void)
{
    char path[SETTINGS_PATH];
    if (!settings_config_path(path) || (access(path, F_OK) != 0 && errno == ENOENT)) {
        return doc_object();
    }
    struct json_t *config = doc_load(path, SETTINGS_CONFIG_MAX);
    if (config != NULL && doc_kind(config) != DOC_OBJECT) {
        doc_free(config);
        return NULL;
    }
    return config;
}

/* Makes the two directories above the file. */
static RESULT make_directories(const char *path)
{
    char room[SETTINGS_PATH];
    CHECK(strlen(path) < sizeof(room));
    CHECK(path[0] == '/');
    memcpy(room, path, strlen(path) + 1);
    for (char *at = strchr(room + 1, '/'); at != NULL; at = strchr(at + 1, '/')) {
        *at = '\0';
        if (mkdir(room, 0700) != 0 && errno != EEXIST) {
            return FAIL(FAILURE_IO);
        }
        *at = '/';
    }
    return OK;
}

RESULT settings_config_save(const struct json_t *config)
{
    char path[SETTINGS_PATH];
    char fresh[SETTINGS_PATH + 8];
    CHECK(config != NULL);
    if (!settings_config_path(path)) {
        return FAIL(FAILURE_NOT_FOUND);
    }
    TRY(make_directories(path));
    (void)snprintf(fresh, sizeof(fresh), "%s.new", path);
    int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) {
        return FAIL(FAILURE_IO);
    }
    FILE *file = fdopen(fd, "w");
    if (file == NULL) {
        (void)close(fd); /* Nothing was written. */
        return FAIL(FAILURE_IO);
    }
    bool good = doc_print(file, config, true) && fflush(file) == 0 && fsync(fd) == 0;
    good = fclose(file) == 0 && good;
    if (!good || rename(fresh, path) != 0) {
        (void)unlink(fresh); /* Whatever is left of it is of no use. */
        return FAIL(FAILURE_IO);
    }
    return OK;
}
