/* Images: files named by their SHA-256, in one directory, verified before every boot. */
#ifndef NODE_AGENT_HOST_IMAGE_H
#define NODE_AGENT_HOST_IMAGE_H

#include "audit/sha256.h"
#include "base/limits.h"
#include "base/result.h"

#include <stddef.h>

/* An image's name, and back; false, and nothing is sound, unless it is 64 lower-case hex digits. */
void host_image_name(
    const uint8_t digest[static SHA256_SIZE], char out[static 2 * SHA256_SIZE + 1]);
bool host_image_digest(const char *text, uint8_t digest_out[static SHA256_SIZE]);
/* "directory/<64 hex digits>". False: does not fit. */
bool host_image_path(
    const char *directory, const uint8_t digest[static SHA256_SIZE], char *path, size_t size);
/* Reads the whole file: FAILURE_NOT_FOUND, FAILURE_CORRUPT when its bytes have another digest,
 * FAILURE_DENIED when it is no plain file. */
RESULT host_image_verify(const char *directory, const uint8_t digest[static SHA256_SIZE]);

/* Does it begin as a kernel of x86 does: an ELF file, or a boot image with its header? A hint: what
 * it is shows itself when it boots. False too when it cannot be read. */
bool host_image_is_kernel(const char *directory, const uint8_t digest[static SHA256_SIZE]);

/* Files that verified; a file is read again only when its inode, size or times changed, for the
 * report's sake. A boot never relies on this memory. */
struct host_images {
    uint32_t count;
    struct host_image {
        uint8_t digest[SHA256_SIZE];
        uint64_t inode;
        uint64_t size;
        int64_t changed_s;
        int64_t changed_ns;
        bool seen;
    } items[LIMIT_NODE_IMAGES];
};
/* At most LIMIT_NODE_IMAGES; what is beyond is not reported. */
RESULT host_images_survey(struct host_images *images, const char *directory);

#endif
