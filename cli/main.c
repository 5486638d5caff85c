/* udatsu: the command line. Decides nothing: session.c and the table do. */
#include "cli/session.h"

#include <locale.h>
#include <signal.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    /* Widths of characters come from the locale; every text of ours is UTF-8. */
    if (setlocale(LC_CTYPE, "C.UTF-8") == NULL) {
        (void)setlocale(LC_CTYPE, "");
    }
    (void)signal(SIGPIPE, SIG_IGN); /* A closed reader is an error of ours, not a death. */
    return argc < 1 ? (int)EXIT_USAGE : (int)session_run(argc, argv, stdout, stderr);
}
