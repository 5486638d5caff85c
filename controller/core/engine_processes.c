/* Decides when a program of a machine is said to have another life than its row knows of. What is
 * told is how things are, never what happened, so that nothing is lost with a message or a leader;
 * two restarts between two words are one. Never decides who is restarted: parents do. */
#include "base/check.h"
#include "controller/core/engine_inner.h"
#include "wire/frame.h"

void processes_told(struct engine *engine, const Wire__ProcessRestarted *process)
{
    enum program program = program_named(process->program);
    if (program != 0) {
        CHECK(program < PROGRAMS_END);
        engine->processes[program] = process->started_ms;
    }
}

static void word(
    struct engine *engine,
    Wire__Kind kind,
    uint64_t machine,
    enum program program,
    uint64_t started_ms)
{
    Wire__ProcessStarted started = WIRE__PROCESS_STARTED__INIT;
    started.kind = kind;
    started.machine = machine;
    started.program = program_name(program);
    started.started_ms = started_ms;
    Wire__Command command;
    lead_word_of(&command, WIRE__COMMAND__BODY_PROCESS_STARTED);
    command.process_started = &started;
    lead_word(engine, &command);
}

static const uint64_t *known(const struct engine *engine, Wire__Kind kind, uint64_t machine)
{
    if (kind == WIRE__KIND__KIND_NODE) {
        const struct node_row *row = state_find(&engine->state, TABLE_NODE, machine);
        return row == NULL ? NULL : row->processes;
    }
    CHECK(kind == WIRE__KIND__KIND_CONTROLLER);
    const struct controller_row *row = state_find(&engine->state, TABLE_CONTROLLER, machine);
    return row == NULL ? NULL : row->processes;
}

void processes_said(
    struct engine *engine,
    Wire__Kind kind,
    uint64_t machine,
    size_t count,
    Wire__ProcessRestarted *const *list)
{
    const uint64_t *row = known(engine, kind, machine);
    if (engine->role != ENGINE_LEADING || row == NULL) {
        return;
    }
    for (size_t i = 0; i < count && i < PROGRAMS_END; i++) {
        enum program program = program_named(list[i]->program);
        bool news = program != 0 && list[i]->started_ms != 0 && row[program] != list[i]->started_ms;
        if (news && (kind != WIRE__KIND__KIND_NODE || nodes_may_say(engine, machine))) {
            word(engine, kind, machine, program, list[i]->started_ms);
        }
    }
}

void processes_stand(struct engine *engine, Wire__Standing *standing)
{
    standing->processes = engine_take(engine, sizeof(*standing->processes) * PROGRAMS_END);
    for (enum program program = PROGRAM_PARENT; program < PROGRAMS_END; program++) {
        if (engine->processes[program] != 0) {
            Wire__ProcessRestarted *process = engine_take(engine, sizeof(*process));
            wire__process_restarted__init(process);
            process->program = program_name(program);
            process->started_ms = engine->processes[program];
            standing->processes[standing->n_processes++] = process;
        }
    }
    CHECK(standing->n_processes < PROGRAMS_END);
}

void processes_clock(struct engine *engine)
{
    const uint64_t *row = known(engine, WIRE__KIND__KIND_CONTROLLER, engine->conf.self);
    for (enum program program = PROGRAM_PARENT; row != NULL && program < PROGRAMS_END; program++) {
        if (engine->processes[program] != 0 && engine->processes[program] != row[program]) {
            word(
                engine,
                WIRE__KIND__KIND_CONTROLLER,
                engine->conf.self,
                program,
                engine->processes[program]);
        }
    }
}
