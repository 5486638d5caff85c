#!/bin/sh
# in every running daemon an unpromised system call is killed or refused, injected from outside
set -eu
. "$(dirname -- "$0")/../lib.sh"
lab_is_up
inject=$checkout/build/tests/accept/inject
all_there() { # machine, programs...
    machine=$1
    shift
    for wanted in "$@"; do
        on "$machine" pgrep -x "udatsu-$wanted" >/dev/null || return 1
    done
}
stopped() { # machine, program, question...
    pid=$(on "$1" sh -c "cat /proc/\$(pgrep -ox udatsu-$2)/status" | awk '/^Pid:/ { print $2 }')
    shift_machine=$1
    shift 2
    answer=$(on "$shift_machine" "$inject" "$pid" "$@") || return 1
    printf '  %s\n' "$answer"
    [ "${answer%% *}" != allowed ]
}
check() { # machine, programs...
    machine=$1
    shift
    for program in "$@"; do
        for question in 'execve /bin/true' socket 'open /etc/shadow' ptrace \
            'connect /run/udatsu/bus/foreign'; do
            # link makes connections to other machines: an AF_INET socket is its promise.
            if [ "$program $question" = 'link socket' ]; then
                continue
            fi
            must "$machine has all its programs" within 30 all_there "$machine" "$@"
            # shellcheck disable=SC2086
            must "$machine: $program may not $question" stopped "$machine" "$program" $question
        done
    done
}
check c3 link keys api engine
check n3 link keys agent host
