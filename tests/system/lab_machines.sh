#!/bin/sh
# The lab's machines, without any program of ours but their init: each has namespaces of its own, a
# node runs its own libvirtd and a real guest, what is killed comes back, the guest stays, and after
# a kill -9 of everything `down` leaves nothing. Usage: lab_machines.sh BUILD. Prints TAP.
set -eu
build=${1:?lab_machines.sh BUILD}
label=t
. "$(dirname -- "$0")/lab_lib.sh"
virsh_on() { # machine, command...
    node=$1
    shift
    virsh -q -c "qemu+unix:///system?socket=$state/machines/$node/libvirt/run/libvirt-sock" "$@"
}
has_said() { grep -q "$2" "$1" 2>/dev/null; } # file, text
qemu_pid() { on n1 pgrep -f '^/usr/bin/qemu-system'; }
leftovers() {
    find /run/netns -name "ud-$UDATSU_LAB_LABEL-*" 2>/dev/null
    find /sys/fs/cgroup -maxdepth 2 -name "udatsu-$UDATSU_LAB_LABEL-*" 2>/dev/null
    grep -l "udatsu-$UDATSU_LAB_LABEL-" /proc/[0-9]*/cgroup 2>/dev/null
    find "$state" -maxdepth 0 2>/dev/null
}

refused() { # words that must be said, command...
    words=$1
    shift
    if answer=$("$@" </dev/null 2>&1); then return 1; fi
    printf '%s' "$answer" | grep -q -- "$words"
}
mkdir -p "$state"
shows 'a command that is not there is named' refused 'no command bogus' "$root/lab" bogus
shows 'an option that is not there is named' refused 'no option --bogus' "$root/lab" up --bogus
shows 'an option without its value is named' refused '--nodes needs a number' "$root/lab" up --nodes
shows 'logs of no lab say so' refused 'no lab of this checkout runs' "$root/lab" logs
mkdir -p /run/lock
exec 8>"/run/lock/udatsu-lab-$UDATSU_LAB_LABEL"
flock -n 8
shows 'a second up does not remove the machines of the first' refused 'under way' "$root/lab" up
exec 8>&-

"$lab/programs.sh" "$build"
"$lab/net.sh"
for machine in c1 n1 n2; do
    "$lab/machine.sh" $machine
done

shows 'each machine has its own host name' test "$(on n1 hostname)" = udatsu-n1
shows 'machines reach each other over management' on c1 ping -c 1 -W 2 10.98.0.101
shows 'nodes reach each other over the underlay' on n1 ping -c 1 -W 2 10.99.0.102
shows 'a controller is up' on c1 true
shows 'a controller is not on the underlay' not on c1 ping -c 1 -W 1 10.99.0.101
shows 'a machine does not see the processes of this one' not on n1 test -e "/proc/$$"
shows 'a machine does not see the disks of others' not on n1 test -e "$state/machines"
shows 'the libvirtd of a node answers' soon virsh_on n1 list
shows 'each libvirtd is its own' soon virsh_on n2 list
shows 'no libvirtd listens on TCP' test -z "$(on n1 ss -Hltn)"

"$lab/guest/make.sh" "$build/guest"
images=$state/machines/n1/images
cp "$build/guest/$(digest kernel)" "$build/guest/$(digest plain.initrd)" "$images/"
on n1 ip link add br100 type bridge stp_state 0 forward_delay 0
on n1 ip addr add 10.1.0.1/24 dev br100
on n1 ip link set br100 up
cat >"$state/guest.xml" <<XML
<domain type='qemu'><name>by-hand</name><memory unit='MiB'>96</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='q35'>hvm</type>
<kernel>/var/lib/udatsu/images/$(digest kernel)</kernel>
<initrd>/var/lib/udatsu/images/$(digest plain.initrd)</initrd>
<cmdline>console=ttyS0 panic=-1 quiet no_timer_check udatsu.nic0=52:54:00:00:00:11,10.1.0.11/24</cmdline></os>
<features><acpi/><apic/></features>
<cpu mode='custom' match='exact' check='none'><model fallback='forbid'>qemu64</model></cpu>
<devices><emulator>/usr/bin/qemu-system-x86_64</emulator>
<controller type='usb' model='none'/><memballoon model='none'/>
<interface type='bridge'><mac address='52:54:00:00:00:11'/><source bridge='br100'/>
<model type='virtio'/></interface>
<serial type='file'><source path='/var/log/libvirt/by-hand.log' append='on'/></serial></devices>
</domain>
XML
console=$state/machines/n1/libvirt/log/by-hand.log
shows 'nobody on the node can write its images' not on n1 touch /var/lib/udatsu/images/x
shows 'a guest starts by hand' virsh_on n1 create "$state/guest.xml"
shows 'a real kernel boots and takes its address' \
    soon has_said "$console" 'UDATSU-GUEST-READY .*52:54:00:00:00:11,10.1.0.11/24'
shows 'the guest answers' soon on n1 ping -c 1 -W 1 10.1.0.11
shows 'its QEMU is found' qemu_pid
shows 'its QEMU is not root' not on n1 pgrep -u root -f '^/usr/bin/qemu-system'
before=$(qemu_pid)
libvirtd=$(pid_in n1 libvirtd)
on n1 kill -KILL "$libvirtd"
shows 'a killed libvirtd comes back' soon other_pid n1 libvirtd "$libvirtd"
shows 'it finds the guest again' soon virsh_on n1 domstate by-hand
shows 'the guest is the same process' test "$(qemu_pid)" = "$before"

# The power goes: every process of every machine, at once.
for machine in c1 n1 n2; do
    kill -KILL "$("$lab/enter.sh" --pid $machine)"
done
trap - EXIT
removed=yes
"$lab/down.sh" || removed=no
count=$((count + 1))
left=$(leftovers || true)
if [ $removed = yes ] && [ -z "$left" ]; then
    echo "ok $count - down leaves nothing after a kill -9 of everything"
else
    echo "not ok $count - down leaves nothing after a kill -9 of everything"
    echo "# $left"
    failed=$((failed + 1))
fi
enough
