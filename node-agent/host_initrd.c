/* Decides what the self-test's kernel starts: the least program whose words nobody else could say.
 * Never compresses (not every kernel has every unpacker), never reads a file. */
#include "node-agent/host_initrd.h"

#include "base/check.h"

#include <linux/elf.h>
#include <stdio.h>
#include <string.h>

enum {
    LOAD_AT = 0x400000, /* Where the program lies in memory, headers first. */
    /* Of the code below: what its three numbers are. */
    CODE_LINE_AT = 6,
    CODE_SIZE_AT = 11,
};

/* write(1, line, size), then pause() for ever: an init that ends would be a panic. */
static const uint8_t code[] = {
    0xbf, 0x01, 0x00, 0x00, 0x00, /* mov edi, 1 */
    0xbe, 0x00, 0x00, 0x00, 0x00, /* mov esi, LINE */
    0xba, 0x00, 0x00, 0x00, 0x00, /* mov edx, SIZE */
    0xb8, 0x01, 0x00, 0x00, 0x00, /* mov eax, 1 (write) */
    0x0f, 0x05,                   /* syscall */
    0xb8, 0x22, 0x00, 0x00, 0x00, /* mov eax, 34 (pause) */
    0x0f, 0x05,                   /* syscall */
    0xeb, 0xf7,                   /* jmp to the mov above */
};

static void put_u32(uint8_t *to, uint32_t value)
{
    CHECK(to != NULL);
    for (uint32_t i = 0; i < 4; i++) {
        to[i] = (uint8_t)(value >> (8 * i));
    }
}

bool host_initrd_program(const char *line, uint8_t *room, size_t size, size_t *used_out)
{
    Elf64_Ehdr head = { 0 };
    Elf64_Phdr load = { 0 };
    size_t length = strlen(line);
    size_t begin = sizeof(head) + sizeof(load);
    size_t whole = begin + sizeof(code) + length;
    CHECK(room != NULL);
    if (length == 0 || length > HOST_INITRD_LINE || whole > size) {
        return false;
    }
    memcpy(head.e_ident, ELFMAG, SELFMAG);
    head.e_ident[EI_CLASS] = ELFCLASS64;
    head.e_ident[EI_DATA] = ELFDATA2LSB;
    head.e_ident[EI_VERSION] = EV_CURRENT;
    head.e_type = ET_EXEC;
    head.e_machine = EM_X86_64;
    head.e_version = EV_CURRENT;
    head.e_entry = LOAD_AT + begin;
    head.e_phoff = sizeof(head);
    head.e_ehsize = sizeof(head);
    head.e_phentsize = sizeof(load);
    head.e_phnum = 1;
    load.p_type = PT_LOAD;
    load.p_flags = PF_R | PF_X;
    load.p_vaddr = LOAD_AT;
    load.p_paddr = LOAD_AT;
    load.p_filesz = whole;
    load.p_memsz = whole;
    load.p_align = 0x1000;
    memcpy(room, &head, sizeof(head));
    memcpy(room + sizeof(head), &load, sizeof(load));
    memcpy(room + begin, code, sizeof(code));
    put_u32(room + begin + CODE_LINE_AT, (uint32_t)(LOAD_AT + begin + sizeof(code)));
    put_u32(room + begin + CODE_SIZE_AT, (uint32_t)length);
    memcpy(room + begin + sizeof(code), line, length);
    CHECK(whole <= size);
    *used_out = whole;
    return true;
}

/* ---- The archive. ---- */

struct archive {
    uint8_t *room;
    size_t size;
    size_t used;
    uint32_t inode;
    bool full;
};

static void archive_bytes(struct archive *archive, const void *bytes, size_t size)
{
    size_t padded = (size + 3) / 4 * 4; /* Every part begins at a multiple of four. */
    if (archive->full || padded > archive->size - archive->used) {
        archive->full = true;
        return;
    }
    memset(archive->room + archive->used, 0, padded);
    if (size > 0) {
        memcpy(archive->room + archive->used, bytes, size);
    }
    archive->used += padded;
    CHECK(archive->used <= archive->size);
}

static void archive_entry(
    struct archive *archive,
    const char *name,
    uint32_t mode,
    uint32_t device_major,
    uint32_t device_minor,
    const uint8_t *data,
    size_t size)
{
    char head[6 + 13 * 8 + 32];
    CHECK(size <= UINT32_MAX);
    archive->inode++;
    /* Magic; inode, mode, uid, gid, links, time, size, device, special device, name's size, sum. */
    int used = snprintf(
        head,
        sizeof(head),
        "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%s",
        archive->inode,
        mode,
        0U,
        0U,
        1U,
        0U,
        (unsigned)size,
        0U,
        0U,
        device_major,
        device_minor,
        (unsigned)strlen(name) + 1,
        0U,
        name);
    CHECK(used > 0 && (size_t)used < sizeof(head));
    archive_bytes(archive, head, (size_t)used + 1); /* The name's end is part of it. */
    archive_bytes(archive, data, size);
}

bool host_initrd_write(const char *line, uint8_t *room, size_t size, size_t *used_out)
{
    uint8_t program[512];
    size_t program_size = 0;
    CHECK(room != NULL);
    if (!host_initrd_program(line, program, sizeof(program), &program_size)) {
        return false;
    }
    struct archive archive = { .room = room, .size = size };
    archive_entry(&archive, "dev", 0040755, 0, 0, NULL, 0);
    archive_entry(&archive, "dev/console", 0020600, 5, 1, NULL, 0);
    archive_entry(&archive, "init", 0100755, 0, 0, program, program_size);
    archive_entry(&archive, "TRAILER!!!", 0, 0, 0, NULL, 0);
    if (archive.full) {
        return false;
    }
    CHECK(archive.used % 4 == 0);
    *used_out = archive.used;
    return true;
}
