/* Decides which files are images: those whose name is the digest of their bytes. Never follows a
 * link out of the directory, never takes a path from anyone. */
#include "node-agent/host_image.h"

#include "base/check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HEX_SIZE = 2 * SHA256_SIZE, BLOCK = 64 * 1024 };

void host_image_name(const uint8_t digest[static SHA256_SIZE], char out[static HEX_SIZE + 1])
{
    static const char digits[] = "0123456789abcdef";
    for (uint32_t i = 0; i < SHA256_SIZE; i++) {
        out[2 * i] = digits[digest[i] >> 4];
        out[2 * i + 1] = digits[digest[i] & 15];
    }
    out[HEX_SIZE] = '\0';
    CHECK(strlen(out) == HEX_SIZE);
}

bool host_image_digest(const char *text, uint8_t digest_out[static SHA256_SIZE])
{
    CHECK(text != NULL);
    if (strlen(text) != HEX_SIZE) {
        return false;
    }
    for (uint32_t i = 0; i < HEX_SIZE; i++) {
        bool decimal = text[i] >= '0' && text[i] <= '9';
        bool letter = text[i] >= 'a' && text[i] <= 'f';
        if (!decimal && !letter) {
            return false;
        }
        uint8_t value = (uint8_t)(decimal ? text[i] - '0' : text[i] - 'a' + 10);
        digest_out[i / 2] = (uint8_t)(i % 2 == 0 ? value << 4 : digest_out[i / 2] | value);
    }
    return true;
}

bool host_image_path(
    const char *directory, const uint8_t digest[static SHA256_SIZE], char *path, size_t size)
{
    CHECK(directory[0] == '/');
    CHECK(path != NULL);
    char name[HEX_SIZE + 1];
    host_image_name(digest, name);
    int used = snprintf(path, size, "%s/%s", directory, name);
    return used > 0 && (size_t)used < size;
}

static RESULT open_image(const char *path, int *fd_out, struct stat *about_out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) {
        return FAIL(errno == ENOENT ? FAILURE_NOT_FOUND : FAILURE_DENIED);
    }
    if (fstat(fd, about_out) != 0 || !S_ISREG(about_out->st_mode)) {
        (void)close(fd);
        return FAIL(FAILURE_DENIED);
    }
    CHECK(fd >= 0);
    *fd_out = fd;
    return OK;
}

static RESULT digest_of(int fd, uint8_t digest_out[static SHA256_SIZE])
{
    struct sha256 sha;
    uint8_t block[BLOCK];
    CHECK(fd >= 0);
    sha256_start(&sha);
    for (;;) {
        ssize_t got = read(fd, block, sizeof(block));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return FAIL(FAILURE_IO);
        }
        if (got == 0) {
            break;
        }
        CHECK((size_t)got <= sizeof(block));
        sha256_add(&sha, slice_of(block, (size_t)got));
    }
    sha256_end(&sha, digest_out);
    return OK;
}

RESULT host_image_verify(const char *directory, const uint8_t digest[static SHA256_SIZE])
{
    char path[512];
    if (!host_image_path(directory, digest, path, sizeof(path))) {
        return FAIL(FAILURE_BAD_INPUT);
    }
    int fd = -1;
    struct stat about;
    TRY(open_image(path, &fd, &about));
    CHECK(fd >= 0);
    uint8_t found[SHA256_SIZE];
    struct result result = digest_of(fd, found);
    (void)close(fd);
    TRY(result);
    return memcmp(found, digest, SHA256_SIZE) == 0 ? OK : FAIL(FAILURE_CORRUPT);
}

bool host_image_is_kernel(const char *directory, const uint8_t digest[static SHA256_SIZE])
{
    enum { HEADER_AT = 0x202 }; /* Linux, Documentation/arch/x86/boot.rst */
    uint8_t begin[HEADER_AT + 4];
    char path[512];
    int fd = -1;
    struct stat about;
    if (!host_image_path(directory, digest, path, sizeof(path)) ||
        open_image(path, &fd, &about).code != 0) {
        return false;
    }
    ssize_t got = pread(fd, begin, sizeof(begin), 0);
    (void)close(fd);
    return got == (ssize_t)sizeof(begin) && (memcmp(
                                                 begin,
                                                 "\x7f"
                                                 "ELF",
                                                 4) == 0 ||
                                             memcmp(begin + HEADER_AT, "HdrS", 4) == 0);
}

static bool unchanged(const struct host_image *image, const struct stat *about)
{
    CHECK(image != NULL);
    CHECK(about != NULL);
    return image->inode == about->st_ino && image->size == (uint64_t)about->st_size &&
           image->changed_s == about->st_ctim.tv_sec && image->changed_ns == about->st_ctim.tv_nsec;
}

static struct host_image *image_of(
    struct host_images *images, const uint8_t digest[static SHA256_SIZE])
{
    CHECK(images->count <= LIMIT_NODE_IMAGES);
    for (uint32_t i = 0; i < images->count; i++) {
        if (memcmp(images->items[i].digest, digest, SHA256_SIZE) == 0) {
            return &images->items[i];
        }
    }
    if (images->count == LIMIT_NODE_IMAGES) {
        return NULL;
    }
    struct host_image *image = &images->items[images->count++];
    *image = (struct host_image){ 0 };
    memcpy(image->digest, digest, SHA256_SIZE);
    return image;
}

static void survey_one(struct host_images *images, const char *directory, const char *name)
{
    uint8_t digest[SHA256_SIZE];
    char path[512];
    int fd = -1;
    struct stat about;
    CHECK(directory != NULL);
    if (!host_image_digest(name, digest) ||
        !host_image_path(directory, digest, path, sizeof(path)) ||
        open_image(path, &fd, &about).code != 0) {
        return;
    }
    struct host_image *image = image_of(images, digest);
    if (image != NULL && !unchanged(image, &about)) {
        uint8_t found[SHA256_SIZE];
        bool right = digest_of(fd, found).code == 0 && memcmp(found, digest, SHA256_SIZE) == 0;
        image->inode = right ? about.st_ino : 0;
        image->size = (uint64_t)about.st_size;
        image->changed_s = about.st_ctim.tv_sec;
        image->changed_ns = about.st_ctim.tv_nsec;
        image->seen = right;
    } else if (image != NULL) {
        image->seen = true;
    }
    (void)close(fd);
    CHECK(fd >= 0);
}

RESULT host_images_survey(struct host_images *images, const char *directory)
{
    CHECK(images != NULL);
    DIR *open_directory = opendir(directory);
    if (open_directory == NULL) {
        return FAIL(FAILURE_NOT_FOUND);
    }
    for (uint32_t i = 0; i < images->count; i++) {
        images->items[i].seen = false;
    }
    for (const struct dirent *entry = readdir(open_directory); entry != NULL;
         entry = readdir(open_directory)) {
        survey_one(images, directory, entry->d_name);
    }
    (void)closedir(open_directory);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < images->count; i++) {
        if (images->items[i].seen) {
            images->items[kept++] = images->items[i];
        }
    }
    images->count = kept;
    CHECK(kept <= LIMIT_NODE_IMAGES);
    return OK;
}
