/* "host:port" and "[v6]:port", numeric: no program of ours asks a name server. */
#ifndef HOST_ADDRESS_H
#define HOST_ADDRESS_H

#include "base/result.h"

#include <sys/socket.h>

/* FAILURE_BAD_INPUT: not of that form. */
RESULT address_parse(const char *text, struct sockaddr_storage *address_out, socklen_t *size_out);

#endif
