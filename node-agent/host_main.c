/* The program near libvirt, netlink, nft and images. Decides which pool thread does which verb, and
 * nothing else: what a verb needs is derived in host_describe.c, its steps are in host_verbs.c.
 * Never reads a network, never takes XML, a path or rule text from anyone.
 *
 * The happy path: a VERB frame → copied into a free job → a pool thread performs it → VERB_TOLD.
 * What can go wrong: no job is free (FAILURE_FULL at once); the agent goes away (work goes on, its
 * answers are unknown handles to the next agent); Observe comes while work of an earlier agent is
 * under way (it waits: an observation never overlaps an act); libvirt goes away (HOST_EVENT). */
#include "base/check.h"
#include "base/slice.h"
#include "host/child.h"
#include "host/log.h"
#include "isolation/network.h"
#include "node-agent/host_kvm.h"
#include "node-agent/host_machine.h"
#include "node-agent/host_nft.h"
#include "node-agent/host_verbs.h"
#include "wire/wire.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
    JOBS = LIMIT_NODE_VERBS + 8 + 2, /* Acts, console reads, Observe and Survey. */
    JOB_IN_BYTES = 64 * 1024,        /* Two copies of the largest verb: 256 peers. */
};

struct host_program;

struct job {
    uv_work_t work;
    struct host_program *program;
    bool used;
    bool waiting;    /* An Observe that waits for acts to end. */
    uint8_t *memory; /* Ours, for ever: JOB_IN_BYTES, then HOST_ARENA_BYTES. */
    struct arena in;
    struct arena out;
    Wire__Verb *verb;
    Wire__VerbTold told;
};

struct host_program {
    struct child child;
    struct host host;
    struct host_kvm kvm;
    struct job jobs[JOBS];
    bool libvirt_up;
};

static struct host_program program;

/* ---- Jobs. ---- */

static bool is_act(const Wire__Verb *verb)
{
    CHECK(verb != NULL);
    return verb->verb_case != WIRE__VERB__VERB_OBSERVE &&
           verb->verb_case != WIRE__VERB__VERB_SURVEY &&
           verb->verb_case != WIRE__VERB__VERB_READ_CONSOLE;
}

static uint32_t acts_under_way(const struct host_program *self)
{
    uint32_t acts = 0;
    for (uint32_t i = 0; i < JOBS; i++) {
        acts += self->jobs[i].used && is_act(self->jobs[i].verb) ? 1 : 0;
    }
    CHECK(acts <= JOBS);
    return acts;
}

static void tell(struct host_program *self, Wire__Frame *frame)
{
    struct channel *agent = self->child.to[PROGRAM_AGENT];
    CHECK(frame->body_case != WIRE__FRAME__BODY__NOT_SET);
    if (agent == NULL) {
        return; /* The next agent observes. */
    }
    struct result sent = channel_send(agent, frame);
    if (sent.code != 0) {
        log_line(LOG_LEVEL_WARN, "agent-not-told", "failure=%s", result_name(sent));
    }
}

static void tell_told(struct host_program *self, Wire__VerbTold *told)
{
    Wire__Frame frame = WIRE__FRAME__INIT;
    CHECK(told->handle != 0);
    frame.body_case = WIRE__FRAME__BODY_VERB_TOLD;
    frame.verb_told = told;
    tell(self, &frame);
}

static void job_perform(uv_work_t *work)
{
    struct job *job = work->data;
    CHECK(job->used);
    CHECK(!job->waiting);
    host_perform(&job->program->host, job->verb, &job->out, &job->told);
}

static void jobs_look(struct host_program *self);

static void job_done(uv_work_t *work, int status)
{
    struct job *job = work->data;
    CHECK(job->used);
    CHECK(status == 0);
    if (job->told.failure != FAILURE_NONE) {
        log_line(
            LOG_LEVEL_WARN,
            "verb-refused",
            "verb=%d failure=%s",
            (int)job->verb->verb_case,
            job->told.reason);
    }
    tell_told(job->program, &job->told);
    if (job->told.survey != NULL) {
        host_kvm_on_survey(&job->program->kvm, job->told.survey);
    }
    job->used = false;
    jobs_look(job->program);
}

/* Begins what may begin now. */
static void jobs_look(struct host_program *self)
{
    for (uint32_t i = 0; i < JOBS; i++) {
        struct job *job = &self->jobs[i];
        if (job->used && job->waiting && acts_under_way(self) == 0) {
            job->waiting = false;
            CHECK(uv_queue_work(&self->child.loop, &job->work, job_perform, job_done) == 0);
        }
    }
}

static void refuse(struct host_program *self, uint64_t handle, enum failure failure)
{
    Wire__VerbTold told = WIRE__VERB_TOLD__INIT;
    CHECK(failure != FAILURE_NONE);
    told.handle = handle;
    told.failure = failure;
    told.reason = result_name(FAIL((uint16_t)failure));
    tell_told(self, &told);
}

static struct job *job_take(struct host_program *self, const Wire__Verb *verb)
{
    for (uint32_t i = 0; i < JOBS; i++) {
        struct job *job = &self->jobs[i];
        if (job->used) {
            continue;
        }
        arena_init(&job->in, job->memory, JOB_IN_BYTES);
        arena_init(&job->out, job->memory + JOB_IN_BYTES, HOST_ARENA_BYTES);
        struct slice bytes = SLICE_EMPTY;
        if (wire_encode(verb, &job->in, &bytes).code != 0 ||
            wire_decode(&wire__verb__descriptor, bytes, &job->in, &job->verb).code != 0) {
            return NULL;
        }
        CHECK(job->verb->handle == verb->handle);
        job->used = true;
        job->work.data = job;
        return job;
    }
    return NULL;
}

static void on_verb(struct host_program *self, const Wire__Verb *verb)
{
    if (verb->handle == 0) {
        return; /* Nobody could be answered. */
    }
    struct job *job = job_take(self, verb);
    if (job == NULL) {
        refuse(self, verb->handle, FAILURE_FULL);
        return;
    }
    job->waiting = true;
    if (job->verb->verb_case == WIRE__VERB__VERB_OBSERVE) {
        jobs_look(self);
        return;
    }
    job->waiting = false;
    CHECK(uv_queue_work(&self->child.loop, &job->work, job_perform, job_done) == 0);
}

/* ---- Events. ---- */

static void tell_libvirt(struct host_program *self)
{
    Wire__HostEvent event = WIRE__HOST_EVENT__INIT;
    event.event_case = WIRE__HOST_EVENT__EVENT_LIBVIRT_UP;
    event.libvirt_up = self->libvirt_up;
    Wire__Frame frame = WIRE__FRAME__INIT;
    frame.body_case = WIRE__FRAME__BODY_HOST_EVENT;
    frame.host_event = &event;
    CHECK(self == &program);
    tell(self, &frame);
}

static void on_up(void *context, bool up)
{
    struct host_program *self = context;
    CHECK(self == &program);
    self->libvirt_up = up;
    tell_libvirt(self);
    host_kvm_on_libvirt(&self->kvm, up);
}

static void on_ended(void *context, uint64_t instance, uint32_t why)
{
    Wire__InstanceEnded ended = WIRE__INSTANCE_ENDED__INIT;
    Wire__HostEvent event = WIRE__HOST_EVENT__INIT;
    Wire__Frame frame = WIRE__FRAME__INIT;
    CHECK(instance != 0);
    CHECK(why >= 1 && why <= 3);
    ended.instance = instance;
    ended.why = why;
    event.event_case = WIRE__HOST_EVENT__EVENT_ENDED;
    event.ended = &ended;
    frame.body_case = WIRE__FRAME__BODY_HOST_EVENT;
    frame.host_event = &event;
    tell(context, &frame);
}

static void on_frame(void *context, struct channel *channel, const Wire__Frame *frame)
{
    struct host_program *self = context;
    CHECK(channel != NULL);
    if (frame->body_case == WIRE__FRAME__BODY_VERB) {
        on_verb(self, frame->verb);
    }
}

static void on_open(void *context, struct channel *channel)
{
    CHECK(channel != NULL);
    if (channel_other(channel) == PROGRAM_AGENT) {
        tell_libvirt(context);
    }
}

static void on_close(void *context, struct channel *channel)
{
    CHECK(context == &program);
    log_line(LOG_LEVEL_INFO, "channel-closed", "peer=%s", program_name(channel_other(channel)));
}

/* ---- Birth. ---- */

static _Noreturn void refuse_to_start(const char *setting)
{
    log_line(LOG_LEVEL_ERROR, "bad-setting", "name=%s", setting);
    exit(2);
}

static void setting_path(const char *name, char room[static DOMAIN_PATH])
{
    const char *value = child_setting(&program.child, name, "");
    if (value[0] != '/' || !text_copy(room, DOMAIN_PATH, slice_text(value))) {
        refuse_to_start(name);
    }
    CHECK(room[0] == '/');
}

static uint64_t setting_number(const char *name)
{
    const char *value = child_setting(&program.child, name, "0");
    char *end = NULL;
    unsigned long long number = strtoull(value, &end, 10);
    if (value[0] < '0' || value[0] > '9' || *end != '\0') {
        refuse_to_start(name);
    }
    CHECK(end != value);
    return number;
}

static void configure(char socket_path[static DOMAIN_PATH])
{
    struct host *host = &program.host;
    CHECK(program.child.config != NULL);
    setting_path("images", host->image_directory);
    setting_path("consoles", host->console_directory);
    setting_path("libvirt", socket_path);
    if (mkdir(host->console_directory, 0700) != 0 && errno != EEXIST) {
        refuse_to_start("consoles");
    }
    if (!network_address_parse(child_setting(&program.child, "underlay", ""), &host->underlay)) {
        refuse_to_start("underlay");
    }
    if (program.child.config->cell == 0 || program.child.config->cell > UINT16_MAX) {
        refuse_to_start("cell");
    }
    host->cell = (uint16_t)program.child.config->cell;
    host_machine_measure(host, setting_number("vcpus"), setting_number("memory_mib"));
    const char *wanted = child_setting(&program.child, "virtualization", "auto");
    const char *own = program.child.config->data_directory;
    if (!host_kvm_begin(&program.kvm, host, &program.child.loop, wanted, own, "/dev/kvm")) {
        refuse_to_start("virtualization");
    }
    CHECK(host->virtualization != NULL);
}

static void confine(void)
{
    const struct sandbox_path paths[] = {
        { .path = program.host.image_directory },
        { .path = program.host.console_directory, .write = true },
        /* The self-test's files. Without such a directory, nothing more. */
        { .path = program.kvm.directory[0] != '\0' ? program.kvm.directory
                                                   : program.host.console_directory,
          .write = true },
        { .path = HOST_NFT_PATH, .execute = true },
        /* What it is loaded with. */
        { .path = "/lib64/ld-linux-x86-64.so.2", .execute = true },
        { .path = "/usr/lib/x86_64-linux-gnu" },
        { .path = "/etc/ld.so.cache" },
    };
    const struct sandbox sandbox = {
        .promises = PROMISE_STDIO
                    /* Images, console logs. */
                    | PROMISE_FILES
                    /* The pool of callers, and libvirt's events. */
                    | PROMISE_THREADS
                    /* libvirtd's socket. */
                    | PROMISE_UNIX
                    /* nft, by its absolute path. */
                    | PROMISE_EXEC
                    /* Bridges, VXLAN ends, flood lists, paces; nft's own. */
                    | PROMISE_NETLINK,
        /* Links, paces and nft: nothing else needs a right. */
        .capabilities = UINT64_C(1) << CAP_NET_ADMIN,
        .paths = paths,
        .paths_count = COUNT_OF(paths),
    };
    CHECK(sandbox.paths_count == 7);
    child_confine(&program.child, &sandbox);
}

int main(int argc, char **argv)
{
    char socket_path[DOMAIN_PATH];
    log_start("host");
    CHECK(uv_os_setenv("UV_THREADPOOL_SIZE", "13") == 0); /* More than acts and a test. */
    child_start(&program.child, PROGRAM_HOST, argc, argv);
    for (uint32_t i = 0; i < JOBS; i++) {
        program.jobs[i].program = &program;
        program.jobs[i].memory = aligned_alloc(16, JOB_IN_BYTES + HOST_ARENA_BYTES);
        CHECK(program.jobs[i].memory != NULL);
    }
    configure(socket_path);
    confine();
    struct host_domain_hooks domain_hooks = { &program, on_up, on_ended };
    struct result opened = host_domains_open(
        &program.child.loop, socket_path, program.host.cell, &domain_hooks, &program.host.domains);
    if (opened.code != 0) {
        log_line(LOG_LEVEL_ERROR, "no-libvirt-client", "failure=%s", result_name(opened));
        return 1;
    }
    const struct channel_hooks hooks = {
        .context = &program,
        .on_frame = on_frame,
        .on_close = on_close,
        .on_open = on_open,
    };
    return child_run(&program.child, &hooks);
}
