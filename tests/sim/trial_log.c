/* What happens in a trial, written down: a line per event for people, and every event raw for
 * programs. Decides the words; never what happens. */
#include "base/check.h"
#include "tests/sim/trial.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { LINE = 512 };

void trial_log_legend(FILE *log)
{
    static const char *const lines[] = {
        "time   seconds since the cell began; the workload begins where fault says so",
        "who    c1 c2 … controllers; n1 n2 … nodes; client N, of which 0 is the first operator;",
        "       operator, who replaces controllers; fault, the experiment's schedule; cell, all of "
        "it",
        "what   asks M: WORD NAME             a request leaves for controller M",
        "       M answers WORD NAME: N at I   N: 0 done, else a reject (base/reject.h); I: the "
        "index",
        "                                     of the state that answered",
        "       leads in T                    it won the election of term T",
        "       sees M come, sees M go        its link to M",
        "       starts I …, destroys I, erases I   a guest, by its id",
        "       VIOLATION …                   a checker refuses, and the trial ends here",
    };
    for (uint32_t i = 0; i < COUNT_OF(lines); i++) {
        (void)fprintf(log, "# %s\n", lines[i]);
    }
}

/* m0 is c1, m7 is n1: machines by the names that people know. */
static void name_machines(const char *from, char to[static LINE])
{
    size_t used = 0;
    bool word = true; /* A word may begin here. */
    while (*from != '\0' && used + 16 < LINE) {
        if (word && from[0] == 'm' && isdigit((unsigned char)from[1])) {
            char *end = NULL;
            unsigned long machine = strtoul(from + 1, &end, 10);
            if (machine < PLANE_CONTROLLERS + PLANE_NODES && !isalnum((unsigned char)*end)) {
                used += (size_t)snprintf(
                    to + used, LINE - used, "%s", experiment_machine((uint32_t)machine));
                from = end;
                word = false;
                continue;
            }
        }
        word = !isalnum((unsigned char)*from);
        to[used++] = *from++;
    }
    to[used] = '\0';
}

static void line(const struct plane *plane, const char *who, int size, const char *what)
{
    (void)fprintf(
        plane->trial->log,
        "%6llu.%03llu  %-10.*s %s\n",
        (unsigned long long)(plane->now_ms / 1000),
        (unsigned long long)(plane->now_ms % 1000),
        size,
        who,
        what);
}

/* Who the first words name; how long that is. */
static size_t speaker(const char *text)
{
    size_t size = strcspn(text, " :");
    bool machine = (text[0] == 'c' || text[0] == 'n') && isdigit((unsigned char)text[1]);
    if (machine || (strncmp(text, "operator", size) == 0 && size == 8)) {
        return size;
    }
    if (strncmp(text, "client ", 7) == 0) {
        return 7 + strcspn(text + 7, " :");
    }
    return 0;
}

void trial_says(struct plane *plane, const char *format, va_list arguments)
{
    char raw[LINE];
    char named[LINE];
    if (plane->trial == NULL || plane->trial->log == NULL) {
        return;
    }
    (void)vsnprintf(raw, sizeof(raw), format, arguments);
    name_machines(raw, named);
    size_t size = speaker(named);
    const char *what = named + size + strspn(named + size, ": ");
    line(plane, size > 0 ? named : "cell", size > 0 ? (int)size : 4, what);
}

void trial_log_fault(struct plane *plane, const char *words, const char *what)
{
    char text[LINE];
    if (plane->trial->log != NULL) {
        (void)snprintf(text, sizeof(text), "%s %s", words, what);
        line(plane, "fault", 5, text);
    }
}

static const char *kind_name(enum plane_kind kind)
{
    switch (kind) {
    case PLANE_TICK: return "tick";
    case PLANE_TURN: return "turn";
    case PLANE_FREE: return "free";
    case PLANE_LETTER: return "frame";
    case PLANE_RAFT: return "raft";
    case PLANE_ASK: return "ask";
    case PLANE_LINK_UP: return "link-up";
    case PLANE_LINK_DOWN: return "link-down";
    case PLANE_CONNECT: return "connect";
    case PLANE_BREAK: return "break";
    case PLANE_KEYS: return "keys";
    case PLANE_RESTART: return "restart";
    case PLANE_FLUSHED: return "flushed";
    case PLANE_AGENT_TICK: return "agent-tick";
    case PLANE_VERB: return "verb";
    case PLANE_TOLD: return "told";
    case PLANE_GUEST_ENDS: return "guest-ends";
    case PLANE_HOST_BACK: return "host-back";
    case PLANE_CLIENT: return "client";
    case PLANE_ANSWER: return "answer";
    case PLANE_FAULT: return "fault";
    case PLANE_WEATHER: return "weather";
    case PLANE_CUT_OFF: return "cut-off";
    case PLANE_MEND: return "mend";
    case PLANE_OPERATE: return "operate";
    case PLANE_ROOM: return "room";
    case PLANE_TRIAL: return "trial";
    }
    UNREACHABLE();
    return "";
}

void trial_happens(struct plane *plane, const struct plane_event *event)
{
    if (plane->trial == NULL || plane->trial->events == NULL) {
        return;
    }
    (void)fprintf(
        plane->trial->events,
        "{\"t_us\":%llu,\"event\":\"%s\",\"machine\":\"%s\",\"a\":%llu,\"b\":%llu,\"bytes\":%zu}\n",
        (unsigned long long)event->at_us,
        kind_name(event->kind),
        experiment_machine(event->machine),
        (unsigned long long)event->a,
        (unsigned long long)event->b,
        event->size);
}

void trial_flush(struct plane *plane)
{
    if (plane->trial != NULL && plane->trial->log != NULL) {
        (void)fflush(plane->trial->log);
    }
    if (plane->trial != NULL && plane->trial->events != NULL) {
        (void)fflush(plane->trial->events);
    }
}
