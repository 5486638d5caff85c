#!/bin/sh
# One node's agent and host together, with a controller played by node_drive.c: nothing happens
# before a leader's complete list (INV-VM-4), a guest boots by order, a killed QEMU is repaired and
# the repair is told, agent, host and libvirtd die in turn and together and the guest stays the same
# process, orders of an older term do nothing (INV-VM-2), what a complete list leaves out is erased.
# Usage: node_agent.sh BUILD. Prints TAP.
set -eu
build=${1:?node_agent.sh BUILD}
label=a
. "$(dirname -- "$0")/node_lib.sh"
other_guest() { now=$(guest_pid) && [ "$now" != "$1" ]; }
one_guest() { [ "$(guest_pid | wc -l)" = 1 ]; }
sends() { says '^sent' "$@"; }
console_says() { # text
    says '^sent' console 20 && says "$1" told-console
}

begin_node node_drive plain.initrd
mkdir -p "$disk/lib/agent"
begin_driver /usr/libexec/udatsu/node_drive /usr/libexec/udatsu/udatsu-agent \
    /usr/libexec/udatsu/udatsu-host 1 /var/lib/udatsu/agent

order20="20 1 run 1 $kernel $initrd 7 10.5.0.2"
shows 'a controller is reached' sends link up
shows 'the node introduces itself' says 'hello vcpus=[1-9][0-9]* images=2 .*virtualization=tcg' hello
# shellcheck disable=SC2086
shows 'an order without a welcome' sends order 5 part $order20
shows 'starts nothing' says '^quiet' quiet 3 20 running
shows 'the controller leads' sends welcome 5
# shellcheck disable=SC2086
shows 'its order' sends order 5 whole $order20
shows 'becomes a running guest' says '^report' report 20 running
shows 'which is there once' one_guest
shows 'and boots a real kernel' soon console_says 'UDATSU-GUEST-READY .*10.5.0.2/24'
guest=$(guest_pid)
# shellcheck disable=SC2086
shows 'an older term' sends order 4 part 20 9 gone 1 "$kernel" "$initrd" 7 10.5.0.2
shows 'does nothing (INV-VM-2)' says '^quiet' quiet 2 20 gone

libvirtd=$(pid_in n1 libvirtd)
for victim in host agent both; do
    shows "$victim is killed" says "^killed $victim" kill $victim
    shows 'the controller is reached again' sends link up
    shows 'and introduced to' says '^hello' hello
    shows 'it leads' sends welcome 6
    # shellcheck disable=SC2086
    shows 'it says the same' sends order 6 whole $order20
    shows 'the guest is told of' says '^report' report 20 running
    shows 'it is the same process' test "$(guest_pid)" = "$guest"
done
node kill -KILL "$libvirtd"
shows 'libvirtd is killed and comes back' soon other_pid n1 libvirtd "$libvirtd"
# shellcheck disable=SC2086
shows 'asked again' sends order 6 part $order20
shows 'the node tells the guest' says '^report' report 20 running
shows 'it is the same process' test "$(guest_pid)" = "$guest"

shows 'no repair was told so far' says 'repairs=0$' report 20 running
node kill -KILL "$guest"
shows 'a killed guest is being started' says '^report' report 20 starting
shows 'and runs again, as one repair' says 'repairs=1$' report 20 running
shows 'as another process, once' one_guest
shows 'not the old one' other_guest "$guest"
guest=$(guest_pid)
# shellcheck disable=SC2086
shows 'a higher boot number' sends order 6 part 20 2 run 2 "$kernel" "$initrd" 7 10.5.0.2
shows 'is a boot' says '^report' report 20 running 2 # One of the order before may be on its way.
shows 'of another process' other_guest "$guest"
# shellcheck disable=SC2086
shows 'an order to stop' sends order 6 part 20 3 stop 2 "$kernel" "$initrd" 7 10.5.0.2
shows 'stops it' says '^report' report 20 stopped
shows 'there is no guest' not guest_pid
# shellcheck disable=SC2086
shows 'an order to run' sends order 6 part 20 4 run 3 "$kernel" "$initrd" 7 10.5.0.2
shows 'runs it' says '^report' report 20 running

guest=$(guest_pid)
node kill -KILL "$(pid_in n1 libvirtd)" "$guest"
shows 'everything is killed at once' says '^killed both' kill both
shows 'the controller comes, and does not lead yet' sends link up
shows 'nothing starts (INV-VM-4)' says '^quiet' quiet 4 20 running
shows 'there is no guest' not guest_pid
shows 'and is introduced to' says '^hello' hello
shows 'it leads' sends welcome 7
# shellcheck disable=SC2086
shows 'and says what it wants' sends order 7 whole 20 4 run 3 "$kernel" "$initrd" 7 10.5.0.2
shows 'it runs again' says '^report' report 20 running
shows 'once' one_guest
shows 'a complete list of nothing' sends empty 7
shows 'leaves nothing' says '^report' report 20 gone
shows 'no guest' not guest_pid
no_device() { [ -z "$(node ip -o link show | grep -e ' u[btx]0' || true)" ]; }
shows 'no device of ours' soon no_device
shows 'no log' test -z "$(find "$disk/log/consoles" -type f)"
end_node
