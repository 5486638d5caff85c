/* Decides what a machine's address looks like. Never resolves a name. */
#include "host/address.h"

#include "base/check.h"
#include "base/limits.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static bool parse_port(const char *text, in_port_t *port_out)
{
    char *end = NULL;
    unsigned long port = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || port == 0 || port > UINT16_MAX) {
        return false;
    }
    *port_out = htons((uint16_t)port);
    return true;
}

RESULT address_parse(const char *text, struct sockaddr_storage *address_out, socklen_t *size_out)
{
    CHECK(text != NULL);
    char host[LIMIT_ADDRESS];
    const char *colon = strrchr(text, ':');
    if (colon == NULL || strlen(text) >= sizeof(host)) {
        return FAIL(FAILURE_BAD_INPUT);
    }
    bool bracketed = text[0] == '[' && colon > text + 1 && colon[-1] == ']';
    size_t size = (size_t)(colon - text) - (bracketed ? 2 : 0);
    memcpy(host, text + (bracketed ? 1 : 0), size);
    host[size] = '\0';
    struct sockaddr_in four = { .sin_family = AF_INET };
    struct sockaddr_in6 six = { .sin6_family = AF_INET6 };
    memset(address_out, 0, sizeof(*address_out));
    if (!bracketed && inet_pton(AF_INET, host, &four.sin_addr) == 1 &&
        parse_port(colon + 1, &four.sin_port)) {
        memcpy(address_out, &four, sizeof(four));
        *size_out = sizeof(four);
        return OK;
    }
    if (bracketed && inet_pton(AF_INET6, host, &six.sin6_addr) == 1 &&
        parse_port(colon + 1, &six.sin6_port)) {
        memcpy(address_out, &six, sizeof(six));
        *size_out = sizeof(six);
        return OK;
    }
    return FAIL(FAILURE_BAD_INPUT);
}
