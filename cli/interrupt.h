/* What a person reads who ends the command (Ctrl-C) while something of his is under way at the
 * cell. The command still ends by the signal. */
#ifndef CLI_INTERRUPT_H
#define CLI_INTERRUPT_H

/* From now until interrupt_end an end by SIGINT or SIGTERM says `what` and `next` on standard
 * error. The newer words take the place of the older ones. */
void interrupt_begin(const char *what, const char *next);
void interrupt_end(void);

#endif
