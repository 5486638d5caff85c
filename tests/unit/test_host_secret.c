/* Where a secret lives, and that it is gone afterwards. */
#include "host/secret.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* VmFlags of the mapping that holds `address`: "lo" locked, "dd" not dumped, "dc" not forked. */
static bool has_flag(const void *address, const char *flag)
{
    FILE *maps = fopen("/proc/self/smaps", "re");
    cr_assert_not_null(maps);
    char line[512];
    bool inside = false;
    bool found = false;
    while (fgets(line, sizeof(line), maps) != NULL) {
        unsigned long from = 0;
        unsigned long to = 0;
        if (sscanf(line, "%lx-%lx ", &from, &to) == 2) {
            inside = (unsigned long)address >= from && (unsigned long)address < to;
        }
        if (inside && strncmp(line, "VmFlags:", 8) == 0) {
            found = strstr(line, flag) != NULL;
        }
    }
    (void)fclose(maps);
    return found;
}

Test(secret, its_pages_are_locked_and_left_out_of_dumps_and_forks) /* INV-SEC-23 */
{
    struct secret secret = { 0 };
    cr_assert_eq(secret_copy(slice_text("correct horse"), &secret).code, 0);
#if !defined(__SANITIZE_ADDRESS__) /* The sanitizer makes mlock do nothing. */
    cr_assert(has_flag(secret.data, " lo"));
#endif
    cr_assert(has_flag(secret.data, " dd"));
    cr_assert(has_flag(secret.data, " dc"));
    static uint8_t ordinary[4096 * 3];
    cr_assert_not(has_flag(ordinary + 4096, " lo"));
    pid_t pid = fork();
    if (pid == 0) { /* The page is not there: touching it kills. */
        volatile uint8_t byte = secret.data[0];
        _exit(byte == 'c' ? 77 : 0);
    }
    int status = 0;
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert_not(WIFEXITED(status) && WEXITSTATUS(status) == 77);
    secret_free(&secret);
    cr_assert_null(secret.data);
    secret_free(&secret); /* An empty one is accepted. */
}

Test(secret, equality_is_of_all_bytes)
{
    struct secret secret = { 0 };
    cr_assert_eq(secret_copy(slice_text("abcd"), &secret).code, 0);
    cr_assert(secret_equal(&secret, slice_text("abcd")));
    cr_assert_not(secret_equal(&secret, slice_text("abce")));
    cr_assert_not(secret_equal(&secret, slice_text("abc")));
    cr_assert_not(secret_equal(&secret, slice_text("abcde")));
    secret_free(&secret);
}

Test(secret, two_random_ones_differ)
{
    struct secret a = { 0 };
    struct secret b = { 0 };
    cr_assert_eq(secret_random(32, &a).code, 0);
    cr_assert_eq(secret_random(32, &b).code, 0);
    cr_assert_not(secret_equal(&a, secret_slice(&b)));
    secret_free(&a);
    secret_free(&b);
}
