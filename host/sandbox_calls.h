/* The seccomp half of the sandbox: which system calls each promise is made of. */
#ifndef HOST_SANDBOX_CALLS_H
#define HOST_SANDBOX_CALLS_H

#include "base/result.h"

#include <stdint.h>

/* On every thread of this process: what no promise names kills the process. */
RESULT sandbox_calls_limit(uint32_t promises);

#endif
