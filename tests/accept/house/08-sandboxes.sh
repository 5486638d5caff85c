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
        for question in 'execve /bin/true' socket 'open /etc/hostname' ptrace \
            'connect /run/foreign/events'; do
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
# A bus that is real and somebody else's.
foreign_bus() { # machine
    on "$1" sh -c 'mkdir -p -m 700 /run/foreign && chown udatsu-link /run/foreign &&
        rm -f /run/foreign/events'
    on "$1" python3 -c '
import socket, time
bus = socket.socket(socket.AF_UNIX)
bus.bind("/run/foreign/events")
bus.listen()
time.sleep(180)' &
    must "$1 has a foreign bus" within 10 on "$1" test -S /run/foreign/events
}
breaches() { grep -c "event=process-kill program=$2 .*why=breach" "$state/machines/$1/init/parent.log" || true; }
# The write went through; its writer may be ended before it is seen to return.
said() { [ "$1" = 'allowed 4' ] || [ "$1" = 'killed 9' ]; }
# What only a parent may hear is said to a peer: whoever says it is ended, and starts anew.
breach() { # machine, program, the peer it is said to
    on "$1" pkill -KILL -x "udatsu-$2"
    must "$1: $2 has fresh channels" within 30 all_there "$1" "$2" "$3"
    sleep 1
    before=$(breaches "$1" "$2")
    pid=$(on "$1" pgrep -ox "udatsu-$2")
    fd=$(on "$1" sh -c "tr '\\0' '\\n' </proc/$pid/cmdline" | sed -n "s/^$3=//p")
    answer=$(on "$1" "$inject" "$pid" say "$fd")
    must "$1: $2 says what is not its to say to $3" said "$answer"
    ended() { [ "$(breaches "$1" "$2")" -gt "$before" ]; }
    must "$1: and is ended for it" within 30 ended "$1" "$2"
    must "$1: and runs again" within 30 all_there "$1" "$2" "$3"
}
foreign_bus c3
foreign_bus n3
check c3 link keys api engine
check n3 link keys agent host
breach c3 link engine
breach c3 api engine
breach c3 keys engine
breach n3 link agent
breach n3 keys link
breach n3 agent host
breach n3 host agent
