#!/bin/sh
# KVM is believed only after a real kernel booted under it (INV-VM-7). The node's self-test, with
# TCG in the place of KVM: a real kernel boots, and what only looks like a kernel does not. Then
# `host` itself beside devices that are no KVM: it tests, fails, says why, emulates, and remembers.
# Killed in the middle nothing is left, and what is left is ended. Usage: self_test.sh BUILD. Prints TAP.
set -eu
build=${1:?self_test.sh BUILD}
label=k
. "$(dirname -- "$0")/node_lib.sh"
virsh() { node virsh -q -c 'qemu+unix:///system?socket=/run/libvirt/libvirt-sock' "$@"; }
# The deadline is a bound on a busy machine, not a measure.
test_of() { # accelerator, deadline in ms, kernel
    node /usr/libexec/udatsu/self_test_drive "$1" "$2" /var/lib/udatsu/images /var/lib/udatsu/host \
        "$3" 2>>"$state/tests"
}
told() { # pattern, then as test_of
    pattern=$1
    shift
    answer=$(test_of "$@" || true)
    echo "$answer" | grep -q -e "$pattern"
}
is_there() { virsh list --name | grep -qx udatsu-self-test; }
# Only what libvirt itself says counts: one that does not answer has not said that it is gone.
is_gone() { there=$(virsh list --name) && ! echo "$there" | grep -qx udatsu-self-test; }
no_file() { files=$(find "$disk/lib/host" -name 'self-test.*') && [ -z "$files" ]; }
no_network() { nics=$(virsh domiflist udatsu-self-test) && [ -z "$nics" ]; }
image() { # file: into the node's images under its digest, which is printed
    digest=$(sha256sum "$1" | cut -c1-64)
    install -m 644 "$1" "$disk/images/$digest"
    echo "$digest"
}
test_machine() { # metadata: a running domain of the test machine's name
    virsh create /dev/stdin <<XML
<domain type='qemu'><name>udatsu-self-test</name>$1<memory unit='MiB'>32</memory>
<os><type arch='x86_64' machine='q35'>hvm</type></os></domain>
XML
}
device() { # major, minor: what is called /dev/kvm from now on
    node rm -f /dev/kvm
    node mknod -m 666 /dev/kvm c "$1" "$2"
}
tests_made() { grep -c 'event=self-test verdict=' "$state/log" || true; }
tests_are() { [ "$(tests_made)" = "$1" ]; }

begin_node host_drive test.initrd
cp "$build/tests/system/self_test_drive" "$state/bin/"
mkdir -p "$disk/lib/host"
chmod 711 "$disk/lib/host"

shows 'a real kernel boots' told '^verdict=boots' tcg 60000 "$kernel"
shows 'no machine of the test is left' is_gone
shows 'nor a file' no_file
# The same kernel, but it looks for no program of the initramfs: it says all that a kernel says.
python3 - "$build/guest/$kernel" "$state/mute" <<'PYTHON'
import sys
data = open(sys.argv[1], "rb").read()
assert b"/init\0" in data
open(sys.argv[2], "wb").write(data.replace(b"/init\0", b"/none\0"))
PYTHON
mute=$(image "$state/mute")
shows 'a kernel that never reaches user space does not count, whatever it prints' \
    told '^verdict=fails said="its QEMU stopped, console: \.\.\.' tcg 60000 "$mute"
head -c 65536 "$build/guest/$kernel" >"$state/torn"
torn=$(image "$state/torn")
shows 'what only begins like a kernel does not' told '^verdict=fails' tcg 60000 "$torn"
shows 'the time is bounded' told '^verdict=fails said="still running, ' tcg 1 "$kernel"
shows 'nothing is left of these' eval 'is_gone && no_file'
shows 'an image that is not there says nothing about KVM' \
    told '^verdict=unknown said="not made: not-found"' tcg 60000 "$(printf '%064d' 1)"

test_of tcg 60000 "$kernel" >/dev/null &
shows 'a test runs' soon is_there
shows 'as a user that is no tenant (INV-SEC-2)' \
    sh -c "'$lab/enter.sh' n1 sh -c 'stat -c %u /proc/\$(pgrep -f guest=udatsu-self-test)' | grep -qx 200000"
shows 'without a network' no_network
# shellcheck disable=SC2046
node kill -KILL $(node pgrep -x self_test_drive)
wait $! 2>/dev/null || true
shows 'killed in the middle, it leaves no machine' soon is_gone

# A daemon beside no device, then beside one that is called /dev/kvm and is none.
node rm -f /dev/kvm
rm -f "$disk/images/$mute" "$disk/images/$torn"
begin_driver /usr/libexec/udatsu/host_drive /usr/libexec/udatsu/udatsu-host 1 \
    data=/var/lib/udatsu/host
shows 'without a device it says so' \
    says 'virtualization=tcg .*fallback="KVM: no /dev/kvm here; guests are emulated (TCG)"' survey
device 1 3
shows 'host starts anew' says '^ready' restart
shows 'it finds libvirt' says '^event up' await up
shows 'until the test has passed it emulates' says 'virtualization=tcg .*not proven' survey
shows 'the test runs and fails' soon tests_are 1
shows 'it says what was seen, and emulates' soon says \
    'virtualization=tcg .*fallback="KVM: /dev/kvm is there, no kernel booted with it within 20 s: .*; guests are emulated (TCG)"$' survey
shows 'and goes on serving' says '^told failure=0' observe
shows 'a new start of host' says '^ready' restart
shows 'which finds libvirt' says '^event up' await up
shows 'remembers it' says 'no kernel booted with it' survey
shows 'and does not test again' tests_are 1
if [ -e /sys/module/kvm_pvm ]; then # A real KVM, and one that boots no packaged kernel.
    device 10 232
    shows 'with another device' says '^ready' restart
    shows 'libvirt is there' says '^event up' await up
    shows 'nothing is remembered' says 'not proven' survey
    shows 'a real KVM is tested, and fails' soon tests_are 2
    shows 'with its own words' soon says 'no kernel booted with it within 20 s: .' survey
    echo "# $answer"
fi

test_machine "<metadata><udatsu:test xmlns:udatsu='urn:udatsu:self-test:1'/></metadata>" >/dev/null
shows 'a machine of the test that was left over' is_there
shows 'is no instance and no stranger' says '^told failure=0 reason=$' observe
shows 'the next start of host' says '^ready' restart
shows 'with libvirt' says '^event up' await up
shows 'ends it' soon is_gone
test_machine '' >/dev/null
shows 'a foreign machine of that name is a stranger' says 'reason= strangers=1$' observe
shows 'a test beside it is not made' told '^verdict=unknown said="not made: denied"' tcg 60000 "$kernel"
shows 'and it is left alone' is_there
end_node
