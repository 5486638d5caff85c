#!/bin/sh
# The hand in the lab's machine room, for stories that are told there: world.sh VERB [SUBJECT].
# Decides nothing about stories. Processes are ended by their id, in this lab's own namespaces.
#   images           the images story-1, story-2, story-3: on n1; on n1 and n2; on all three
#   enroll PERSON    papers for a user that exists
#   audit TENANT     its own export, verified where there is no network
#   cut, heard NODE  nobody hears the node any more; it is heard again
#   dark, light NODE it loses power, with its guests; it boots
#   programs NODE    its agent and its host die
#   guest ID         that guest's process dies
#   leader           the leader's engine dies
#   die, back        all controllers lose power; they boot
#   guests           NODE PID ID of every guest that runs
set -eu
verb=${1:?world.sh VERB [SUBJECT]}
subject=${2:-}
. "$(dirname -- "$0")/../lib.sh"

pids() { ip netns pids "ud-$label-$1"; }         # machine
comm() { cat "/proc/$1/comm" 2>/dev/null || true; } # pid
guests() { # machine
    for pid in $(pids "$1"); do
        name=
        read -r name 2>/dev/null <"/proc/$pid/comm" || true
        case $name in
        qemu-system*)
            id=$(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null |
                sed -n 's/^[^ ]*qemu-system[^ ]* -name guest=\([-0-9a-f]*\).*/\1/p')
            [ -z "$id" ] || echo "$1 $pid $id"
            ;;
        esac
    done
}
dark() { # machine
    init=$(deploy/lab/enter.sh --pid "$1")
    kill -KILL "$init"
    off() { [ ! -e "/proc/$init" ]; }
    within 30 off
}
an_image() { # name, nodes...: the plain guest, with a tail that makes other bytes of it
    name=$1
    shift
    file=$(mktemp)
    plain=$(sed -n 's/^plain.initrd //p' build/guest/images)
    { cat "build/guest/$plain" && head -c "$((512 * $#))" /dev/zero; } >"$file"
    digest=$(sha256sum "$file" | cut -c1-64)
    for node; do
        install -m 644 "$file" "$state/machines/$node/images/$digest"
    done
    rm -f "$file"
    known() { "$udatsu" image show "$name" >/dev/null 2>&1; }
    known || "$udatsu" image create "$name" --initramfs "$digest" \
        --kernel "$(sed -n 's/^kernel //p' build/guest/images)" >/dev/null
    wanted=$#
    held() { [ "$("$udatsu" -o json image show "$name" | jq .nodes)" = "$wanted" ]; }
    within 60 held
}

case $verb in
images)
    an_image story-1 n1
    an_image story-2 n1 n2
    an_image story-3 n1 n2 n3
    ;;
enroll) "$udatsu" user token "$subject" | "$udatsu" user enroll --out "$state/desk/$subject" ;;
audit)
    as "$subject" audit export "$state/desk/$subject/audit" >/dev/null
    env -i unshare --net "$state/bin/udatsu-verify" "$state/desk/$subject/audit" \
        --key "$state/desk/log.pub"
    ;;
cut) on "$subject" ip link set mg0 down ;;
heard) on "$subject" ip link set mg0 up ;;
dark) dark "$subject" ;;
light) deploy/lab/machine.sh "$subject" ;;
programs)
    for pid in $(pids "$subject"); do
        case $(comm "$pid") in
        udatsu-agent | udatsu-host) kill -KILL "$pid" ;;
        esac
    done
    ;;
guest)
    pid=$(for node in n1 n2 n3; do guests $node; done | sed -n "s/^n[0-9] \([0-9]*\) $subject\$/\1/p")
    kill -KILL "$pid"
    ;;
leader)
    leads() { leading=$(leader) && [ -n "$leading" ] && engine=$(engine_of "$leading") && [ -n "$engine" ]; }
    within 60 leads
    kill -KILL "$engine"
    ;;
die) for machine in c1 c2 c3; do dark $machine; done ;;
back) for machine in c1 c2 c3; do deploy/lab/machine.sh $machine; done ;;
guests) for node in n1 n2 n3; do guests $node; done ;;
*)
    echo "world.sh knows no $verb" >&2
    exit 2
    ;;
esac
