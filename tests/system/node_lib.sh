#!/bin/sh
# What the tests of one node share: node n1 with images, and a driver that takes a line and answers
# with a line. Sourced, never run; needs $build and $label. Judges nothing itself.
# shellcheck disable=SC2034,SC2154
. "$(dirname -- "$0")/lab_lib.sh"
disk=$state/machines/n1
node() { on n1 "$@"; }
lines() { wc -l <"$state/answers"; }
more_lines() { [ "$(lines)" -gt "$1" ]; }
# One line to the driver, and its one line of answer into $answer.
tell() { # words...
    before=$(lines)
    echo "$*" >&9
    soon more_lines "$before" || return 1
    answer=$(tail -n 1 "$state/answers")
}
says() { # pattern, words...: the answer to the words matches
    pattern=$1
    shift
    tell "$@" && echo "$answer" | grep -q -e "$pattern"
}
guest_pid() { node pgrep -f 'guest=00010009'; }
begin_node() { # driver, initrd: the machine, its driver's program and its images
    "$lab/programs.sh" "$build"
    cp "$build/tests/system/$1" "$state/bin/"
    "$lab/net.sh"
    "$lab/machine.sh" n1
    "$lab/guest/make.sh" "$build/guest"
    kernel=$(digest kernel)
    initrd=$(digest "$2")
    cp "$build/guest/$kernel" "$build/guest/$initrd" "$disk/images/"
    mkdir -p "$disk/log/consoles"
}
begin_driver() { # command...: it reads from descriptor 9
    mkfifo "$state/words"
    : >"$state/answers"
    node "$@" uid=0 gid=0 images=/var/lib/udatsu/images consoles=/var/log/udatsu/consoles \
        libvirt=/run/libvirt/libvirt-sock underlay=10.99.0.101 \
        <"$state/words" >>"$state/answers" 2>"$state/log" &
    exec 9>"$state/words"
    soon grep -q '^ready' "$state/answers"
}
end_node() { # what the programs complained of is shown; the verdict
    exec 9>&-
    grep -e ' error ' "$state/log" | sed 's/^/# /' || true
    enough
}
