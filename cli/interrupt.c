/* Decides what is said when the command is ended from outside: how to go on. Never stops, undoes or
 * repeats anything at the cell.
 *
 * The happy path: the words are made before the signal can come; the handler writes them and lets
 * the signal end the process. What can go wrong: nobody reads them; then only the words are lost.
 */
#include "cli/interrupt.h"

#include "base/check.h"
#include "cli/words.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char words[512];
static size_t words_size;

/* Only async-signal-safe calls. The signal is blocked here and has its default again, so the raised
 * one ends the process on return. */
static void on_signal(int number)
{
    ssize_t written = write(STDERR_FILENO, words, words_size);
    (void)written; /* Nobody is left to be told. */
    (void)raise(number);
}

static void set_handler(void (*handler)(int))
{
    static const int numbers[] = { SIGINT, SIGTERM };
    struct sigaction action;
    memset(&action, 0, sizeof(action));
    action.sa_handler = handler;
    action.sa_flags = (int)SA_RESETHAND;
    CHECK(sigemptyset(&action.sa_mask) == 0);
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        struct sigaction before;
        /* Who was started with the signal ignored, as by nohup, keeps it so. */
        bool known = sigaction(numbers[i], NULL, &before) == 0;
        if (known && before.sa_handler != SIG_IGN) {
            (void)sigaction(numbers[i], &action, NULL); /* A valid signal: it cannot fail. */
        }
    }
}

void interrupt_begin(const char *what, const char *next)
{
    CHECK(what != NULL);
    CHECK(next != NULL);
    set_handler(SIG_DFL); /* The words change now. */
    int length = snprintf(
        words, sizeof(words), "\nudatsu: %.150s\n  %s %.150s\n", what, say("next:", "次に:"), next);
    CHECK(length > 0 && (size_t)length < sizeof(words));
    words_size = (size_t)length;
    set_handler(on_signal);
}

void interrupt_end(void)
{
    CHECK(words_size < sizeof(words));
    set_handler(SIG_DFL);
}
