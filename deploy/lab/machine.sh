#!/bin/sh
# Powers on one machine of the lab: machine.sh NAME, where NAME is c1.. (controller) or n1.. (node).
# Its disk is the state directory; what is there from an earlier life is kept. The machine gets its
# own network, mount, process, host name and cgroup namespaces, and deploy/lab/lab_init.c as PID 1.
# Cutting the power is SIGKILL of that init.
set -eu
. "$(dirname -- "$0")/lib.sh"
need_root
name=${1:?machine.sh NAME}
namespace=$(namespace_of "$name")
group=$(cgroup_of "$name")
disk=$state/machines/$name
octet=$(address_octet "$name")
[ -n "$octet" ] || fail "no machine can be called $name"
if init_pid "$name" >/dev/null; then
    exit 0
fi

plug() { # network namespace, interface, address, mtu
    ip link add "$2" mtu "$4" netns "$namespace" type veth peer name "$name" mtu "$4" netns "$1"
    ip -n "$1" link set "$name" master bridge up
    ip -n "$namespace" addr add "$3" dev "$2"
    ip -n "$namespace" link set "$2" up
}

if ! ip netns list | grep -qw "$namespace"; then
    ip netns add "$namespace"
    ip -n "$namespace" link set lo up
    plug "$management" mg0 "10.98.0.$octet/24" 1500
    case $name in
    n*) plug "$underlay" ul0 "10.99.0.$octet/24" "$underlay_mtu" ;;
    esac
fi

mkdir -p "$disk/etc" "$disk/lib" "$disk/log" "$disk/init"
chmod 755 "$state" "$state/machines" "$disk" "$disk/etc" "$disk/lib" "$disk/log"
"$root/deploy/lab/machine_conf.sh" "$name" >"$disk/etc/machine.yaml"
case $name in
n*)
    mkdir -p "$disk/libvirt/etc" "$disk/libvirt/lib" "$disk/libvirt/cache" "$disk/libvirt/log" \
        "$disk/libvirt/run" "$disk/images" "$disk/log/consoles"
    chmod 755 "$disk/images"
    # A capability probe takes eight seconds; a sister's answer is as good.
    if [ -d "$state/capabilities" ]; then
        cp -a "$state/capabilities/." "$disk/libvirt/cache/"
    fi
    sed -e "s/@OCTET@/$(printf '%02x' "$octet")/" "$root/deploy/lab/libvirtd.conf" \
        >"$disk/libvirt/etc/libvirtd.conf"
    cp "$root/deploy/lab/qemu.conf" "$root/deploy/lab/virtlogd.conf" "$disk/libvirt/etc/"
    ;;
esac

# Its own group in every controller that is mounted, so that the cgroup namespace gives it a root.
groups=
for controller in $cgroup_controllers; do
    if mountpoint -q "$cgroup_root/$controller"; then
        directory=$cgroup_root/$controller/$group
        mkdir -p "$directory"
        groups="$groups $directory"
        if [ "$controller" = cpuset ]; then
            cat "$cgroup_root/cpuset/cpuset.cpus" >"$directory/cpuset.cpus"
            cat "$cgroup_root/cpuset/cpuset.mems" >"$directory/cpuset.mems"
        fi
    fi
done

# The shell that becomes the machine enters its groups first.
# shellcheck disable=SC2086
setsid sh -c '
    init=$1 namespace=$2 inside=$3
    shift 3
    for group in "$@"; do
        echo $$ >"$group/cgroup.procs"
    done
    exec nsenter --net="/run/netns/$namespace" \
        unshare --mount --uts --cgroup --pid --fork --kill-child --propagation private \
        sh "$inside" "$init"' machine \
    "$name" "$namespace" "$root/deploy/lab/machine_inside.sh" $groups \
    </dev/null >>"$disk/init/console.log" 2>&1 &
# Its mounts are made when PID 1 has become the init.
is_booted() {
    pid=$(init_pid "$name") && [ "$(cat "/proc/$pid/comm")" = udatsu-lab-init ]
}
wait_until 30 is_booted || {
    tail -n 5 "$disk/init/console.log" >&2
    fail "$name did not come up"
}
