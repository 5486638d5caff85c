#!/bin/sh
# A node whose libvirtd hangs (SIGSTOP), is dead, or runs somebody else's guest. While it hangs the
# node says so, which is an alarm; calls under way end by their deadline; guests run on as the same
# processes; nothing is placed twice (INV-VM-1) and nothing acts before it has observed (INV-VM-3).
# Afterwards what was ordered meanwhile is made, once. A guest that is not ours is told of and left
# alone (INV-VM-4). The guard off is the same node while its libvirtd is whole: no alarm.
# Usage: bad_libvirt.sh BUILD. Prints TAP.
set -eu
build=${1:?bad_libvirt.sh BUILD}
. "$(dirname -- "$0")/bad_lib.sh"
begin_cell 1 1
"$udatsu" image create plain --kernel "$(digest kernel)" --initramfs "$(digest plain.initrd)" \
    >/dev/null
"$udatsu" tenant create acme --cap vcpus=8,memory=2G,instances=8,networks=4 >/dev/null
enrol acme
as acme network create front --cidr 10.1.0.0/24 >/dev/null
create() { # name, flags
    name=$1
    shift
    as acme "$@" instance create "$name" --image plain --vcpus 1 --memory 96M --network front
}
alarmed() { # alarm: is it raised now?
    "$udatsu" -o json alarm ls |
        jq -e "[(.items? // .)[] | select(.name == \"$1\" and .cleared_at == null)] | length == 1"
}
runs() { [ "$(as acme -o json instance show "$1" | jq -r .state)" = running ]; }
node_says() { "$udatsu" -o json node show n1 | jq -r "$1"; } # jq filter
libvirtd() { on n1 cat /run/libvirtd.pid; }
guests() { on n1 pgrep -f 'guest=00010009' | sort; }
guests_are() { [ "$(guests | wc -l)" = "$1" ]; }
keeps() { guests | grep -qx "$1"; }

shows 'a guest is made' create web-1
shows 'it runs' soon runs web-1
first=$(guests)
shows 'no alarm while libvirtd is whole' not alarmed libvirt-away
refusals() { grep -c 'event=verb-refused' "$state/machines/n1/init/parent.log" || true; }
before=$(refusals)
another_refusal() { [ "$(refusals)" -gt "$before" ]; }
on n1 kill -STOP "$(libvirtd)"
shows 'libvirtd hangs, and a guest is asked for' create web-2 --no-wait
shows 'the call under way ends by its deadline' soon another_refusal
shows 'the node says so: an alarm' soon alarmed libvirt-away
shows 'the node is alive' test "$(node_says .liveness)" = alive
shows 'and says why it does nothing' test "$(node_says .reason)" = \
    'libvirtd does not answer; nothing is begun there, guests run on'
shows 'the first guest is the same process' keeps "$first"
shows 'the second is not there' guests_are 1
on n1 kill -CONT "$(libvirtd)"
shows 'libvirtd goes on: the second guest runs' soon runs web-2
shows 'two guests, each once' guests_are 2
shows 'the first is the same process' keeps "$first"
shows 'the alarm is over' soon not alarmed libvirt-away

both=$(guests)
dead=$(libvirtd)
on n1 kill -KILL "$dead"
back() { now=$(libvirtd) && [ "$now" != "$dead" ]; }
shows 'libvirtd dies and another one comes' soon back
shows 'a guest is asked for and runs' create web-3
shows 'three guests' soon guests_are 3
same() { for guest in $both; do keeps "$guest" || return 1; done; }
shows 'the two are the same processes' same

shows 'nobody else runs guests there' not alarmed foreign-guests
cat >"$state/machines/n1/lib/stranger.xml" <<XML
<domain type='qemu'><name>stranger</name><memory unit='MiB'>32</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type></os></domain>
XML
shows 'somebody starts a guest by hand' on n1 virsh -q create /var/lib/udatsu/stranger.xml
shows 'the node tells of it: an alarm' soon alarmed foreign-guests
shows 'it is left alone' on n1 virsh -q domid stranger
shows 'so are ours' guests_are 3
on n1 virsh -q destroy stranger
shows 'it is gone: the alarm is over' soon not alarmed foreign-guests
enough
