#!/bin/sh
# Runs a command on a machine of the lab, in all its namespaces: enter.sh MACHINE COMMAND...
# `enter.sh --pid MACHINE` prints the pid of the machine's init as seen from here.
# `enter.sh desk COMMAND...` runs it at the operator's desk: here, but on the management network.
set -eu
. "$(dirname -- "$0")/lib.sh"
need_root
if [ "${1:-}" = --pid ]; then
    init_pid "${2:?enter.sh --pid MACHINE}"
    exit
fi
name=${1:?enter.sh MACHINE COMMAND...}
shift
if [ "$name" = desk ]; then
    exec nsenter --net="/run/netns/$management" "$@"
fi
inside "$name" "$@"
