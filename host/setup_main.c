/* udatsu-setup: makes the papers of a cell, a machine or a person, once, as root (a person's: as
 * that person). Decides nothing about who may join: that is the cell's answer, which `adopt` takes
 * in.
 *
 *   cluster-init --config FILE --cell N --operator-out DIR [--operator NAME]
 *   csr          --config FILE | --out DIR --name NAME       prints a PKCS#10 request, DER
 *   csr-again    --out DIR --name NAME      the same, of the key that lies in DIR
 *   sealing-key  --config FILE      prints 32 bytes; controllers, after csr
 *   adopt        --config FILE --cell N --id UUID --certificate DER --ca DER [--sealed BUNDLE]
 *                --controller ID,NAME,LINK,API …
 *   adopt        --out DIR --certificate DER --ca DER
 *
 * Exit: 0 done · 1 failed · 2 usage. Standard output carries results only. */
#include "base/check.h"
#include "host/log.h"
#include "host/setup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { ARENA_BYTES = 256 * 1024 };

static int usage(void)
{
    (void)fprintf(
        stderr,
        "usage: udatsu-setup cluster-init --config FILE --cell N --operator-out DIR "
        "[--operator NAME]\n"
        "       udatsu-setup csr --config FILE | --out DIR --name NAME\n"
        "       udatsu-setup csr-again --out DIR --name NAME\n"
        "       udatsu-setup sealing-key --config FILE\n"
        "       udatsu-setup adopt --config FILE --cell N --id UUID --certificate DER --ca DER "
        "[--sealed BUNDLE] --controller ID,NAME,LINK,API ...\n"
        "       udatsu-setup adopt --out DIR --certificate DER --ca DER\n");
    return 2;
}

static bool take_cell(struct setup *setup, const char *text)
{
    char *end = NULL;
    unsigned long cell = strtoul(text, &end, 10);
    setup->cell = cell <= UINT16_MAX ? (uint16_t)cell : 0;
    return end != text && *end == '\0' && setup->cell != 0;
}

static bool take_option(struct setup *setup, const char *name, const char *value)
{
    const struct {
        const char *name;
        const char **place;
    } texts[] = {
        { "--config", &setup->config },
        { "--out", &setup->out },
        { "--name", &setup->name },
        { "--operator", &setup->first_operator },
        { "--operator-out", &setup->operator_out },
        { "--id", &setup->id },
        { "--certificate", &setup->certificate },
        { "--ca", &setup->ca },
        { "--sealed", &setup->sealed },
    };
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        if (strcmp(name, texts[i].name) == 0) {
            bool once = *texts[i].place == NULL;
            *texts[i].place = value;
            return once;
        }
    }
    if (strcmp(name, "--cell") == 0) {
        return take_cell(setup, value);
    }
    if (strcmp(name, "--controller") == 0 && setup->controllers_count < CONF_PEERS_MAX) {
        setup->controllers[setup->controllers_count++] = value;
        return true;
    }
    return false;
}

static int run(struct setup *setup, const char *verb)
{
    if (strcmp(verb, "cluster-init") == 0 && setup->conf != NULL && setup->cell != 0 &&
        setup->operator_out != NULL && setup->conf->kind == CONF_KIND_CONTROLLER) {
        return setup_cluster_init(setup);
    }
    bool person = setup->out != NULL && setup->conf == NULL;
    if (strcmp(verb, "csr") == 0 && (setup->conf != NULL || (person && setup->name != NULL))) {
        return setup_csr(setup);
    }
    if (strcmp(verb, "csr-again") == 0 && person && setup->name != NULL) {
        return setup_csr_again(setup);
    }
    if (strcmp(verb, "sealing-key") == 0 && setup->conf != NULL) {
        return setup_sealing_key(setup);
    }
    bool papers = setup->certificate != NULL && setup->ca != NULL;
    bool machine = setup->conf != NULL && setup->id != NULL && setup->cell != 0 &&
                   setup->controllers_count > 0;
    if (strcmp(verb, "adopt") == 0 && papers && (machine || person)) {
        return setup_adopt(setup);
    }
    return usage();
}

int main(int argc, char **argv)
{
    static struct setup setup;
    log_start("setup");
    (void)umask(077); /* What is meant for others is given its mode by name. */
    if (argc < 4 || argc % 2 != 0) {
        return usage();
    }
    for (int i = 2; i + 1 < argc; i += 2) {
        if (!take_option(&setup, argv[i], argv[i + 1])) {
            return usage();
        }
    }
    void *memory = calloc(1, ARENA_BYTES);
    CHECK(memory != NULL); /* At the start of a process. */
    arena_init(&setup.arena, memory, ARENA_BYTES);
    char error[CONF_ERROR_MAX];
    if (setup.config != NULL && conf_load(setup.config, &setup.conf, error).code != 0) {
        (void)fprintf(stderr, "udatsu-setup: %s: %s\n", setup.config, error);
        free(memory);
        return 1;
    }
    int status = run(&setup, argv[1]);
    if (setup.conf != NULL) {
        conf_free(setup.conf);
    }
    free(memory);
    return status;
}
