/* Decides which bench of the API runs. Never measures itself. */
#include "tests/bench/bench_api.h"

#include "base/check.h"
#include "tests/bench/figures.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t number_of(const char *name, const char *text)
{
    char *end = NULL;
    unsigned long value = strtoul(text, &end, 10);
    if (text[0] == '\0' || *end != '\0' || value > UINT32_MAX) {
        figures_die(name, "not a number");
    }
    return (uint32_t)value;
}

struct argument {
    const char *name;
    const char **text;
    uint32_t *number;
};

static void argument_take(struct bench_arguments *arguments, const char *given)
{
    int32_t *pid = &arguments->pid;
    uint32_t pid_number = 0;
    const struct argument known[] = {
        { "ca", &arguments->papers.ca, NULL },
        { "cert", &arguments->papers.cert, NULL },
        { "key", &arguments->papers.key, NULL },
        { "tenant", &arguments->tenant, NULL },
        { "image", &arguments->image, NULL },
        { "prefix", &arguments->prefix, NULL },
        { "names", &arguments->names, NULL },
        { "in_flight", NULL, &arguments->in_flight },
        { "batch", NULL, &arguments->batch },
        { "seconds", NULL, &arguments->seconds },
        { "most", NULL, &arguments->most },
        { "first", NULL, &arguments->first },
        { "pid", NULL, &pid_number },
    };
    const char *value = strchr(given, '=');
    if (value == NULL) {
        figures_die(given, "NAME=VALUE was expected");
    }
    size_t size = (size_t)(value - given);
    if (size == strlen("endpoint") && strncmp(given, "endpoint", size) == 0) {
        if (arguments->endpoints_count == BENCH_ENDPOINTS) {
            figures_die(given, "too many endpoints");
        }
        arguments->endpoints[arguments->endpoints_count++] = value + 1;
        return;
    }
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strlen(known[i].name) != size || strncmp(given, known[i].name, size) != 0) {
            continue;
        }
        if (known[i].text != NULL) {
            *known[i].text = value + 1;
        } else {
            *known[i].number = number_of(given, value + 1);
        }
        *pid = pid_number != 0 ? (int32_t)pid_number : *pid;
        return;
    }
    figures_die(given, "unknown argument");
}

size_t bench_create_body(
    const struct bench_arguments *arguments, uint32_t number, char *room, size_t size)
{
    int used = snprintf(
        room,
        size,
        "{\"name\":\"%s-%06u\",\"image\":\"%s\",\"vcpus\":1,\"memory_bytes\":67108864,"
        "\"stopped\":true}",
        arguments->prefix,
        number,
        arguments->image);
    CHECK(used > 0 && (size_t)used < size);
    return (size_t)used;
}

int main(int argc, char **argv)
{
    struct bench_arguments arguments = { .tenant = "bench",
                                         .image = "plain",
                                         .prefix = "b",
                                         .in_flight = 1,
                                         .batch = 1,
                                         .seconds = 3,
                                         .most = 1000 };
    for (int i = 2; i < argc; i++) {
        argument_take(&arguments, argv[i]);
    }
    const struct https_papers *papers = &arguments.papers;
    if (argc < 3 || arguments.endpoints_count == 0 || papers->ca == NULL || papers->cert == NULL ||
        papers->key == NULL || arguments.batch == 0 || arguments.batch > BENCH_BATCH_MAX ||
        arguments.in_flight < arguments.batch ||
        arguments.in_flight / arguments.batch > HTTPS_CONNECTIONS_MAX) {
        (void)fputs(
            "usage: bench_api create|list|delete|failover endpoint=HOST:PORT... ca=F cert=F key=F\n"
            "  create: tenant= image= prefix= names=F in_flight= batch=1..128 seconds= most=\n"
            "  list, delete: tenant= names=F    failover: tenant= image= prefix= pid= first=\n",
            stderr);
        return 2;
    }
    if (strcmp(argv[1], "create") == 0) {
        return bench_create(&arguments);
    }
    if (strcmp(argv[1], "list") == 0 && arguments.names != NULL) {
        return bench_list(&arguments);
    }
    if (strcmp(argv[1], "delete") == 0 && arguments.names != NULL) {
        return bench_delete(&arguments);
    }
    if (strcmp(argv[1], "failover") == 0 && arguments.pid > 1) {
        return bench_failover(&arguments);
    }
    figures_die(argv[1], "no such bench, or an argument is missing");
}
