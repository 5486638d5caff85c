/* What happens in a trial, written down: a line per event for people, and every event raw for
 * programs. Decides the words; never what happens. */
#include "base/check.h"
#include "tests/sim/trial.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE = TRIAL_LOG_LINE };

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
        "       welcomed, complete            a node is known; the cell has begun",
        "       instance-ended, verb-failed, observed   what a node reports of a guest",
        "       at I NAME … is starting …     the state of index I says so of an instance",
        "       healed                        nothing fails any more",
        "names  c320, n29: an instance, a network, made by the 320th and 29th request of all (they",
        "       stand behind the WORD; machines stand in front, or behind `asks`)",
        "       VIOLATION …                   a checker refuses, and the trial ends here",
    };
    for (uint32_t i = 0; i < COUNT_OF(lines); i++) {
        (void)fprintf(log, "# %s\n", lines[i]);
    }
}

void trial_log_names(const char *from, char to[static TRIAL_LOG_LINE])
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
    trial_log_names(raw, named);
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

static bool of_cell(enum plane_kind kind)
{
    return kind == PLANE_CLIENT || kind == PLANE_FAULT || kind == PLANE_WEATHER ||
           kind == PLANE_OPERATE || kind == PLANE_TRIAL;
}

void trial_happens(struct plane *plane, const struct plane_event *event)
{
    struct trial *trial = plane->trial;
    if (trial != NULL && trial->control->stop != 0) {
        trial_flush(plane);
        _exit(TRIAL_INTERRUPTED);
    }
    if (trial == NULL || trial->events == NULL) {
        return;
    }
    int size = fprintf(
        trial->events,
        "{\"t_us\":%llu,\"event\":\"%s\",\"machine\":\"%s\",\"a\":%llu,\"b\":%llu,\"bytes\":%zu}\n",
        (unsigned long long)event->at_us,
        kind_name(event->kind),
        of_cell(event->kind) ? "cell" : experiment_machine(event->machine),
        (unsigned long long)event->a,
        (unsigned long long)event->b,
        event->size);
    trial->events_waiting += size > 0 ? (size_t)size : 0;
    if (trial->events_waiting >= TRIAL_EVENTS_ROOM / 2) { /* Never in the midst of a line. */
        trial_flush(plane);
    }
}

void trial_flush(struct plane *plane)
{
    struct trial *trial = plane->trial;
    FILE *files[] = { trial == NULL ? NULL : trial->log, trial == NULL ? NULL : trial->events };
    for (uint32_t i = 0; i < COUNT_OF(files); i++) {
        if (files[i] != NULL && (fflush(files[i]) != 0 || ferror(files[i]) != 0)) {
            trial->control->unwritten = true;
        }
    }
    if (trial != NULL) {
        trial->events_waiting = 0;
    }
}
