#!/bin/sh
# What this machine offers, asked by trying it; what is used instead of what is missing; and what is
# then not shown. Changes nothing. A fallback never changes meaning silently: the lab prints this
# table at every start. `doctor.sh --virtualization` prints only kvm or tcg.
set -eu
. "$(dirname -- "$0")/lib.sh"

row() { printf '%-16s %-34s %-24s %s\n' "$1" "$2" "$3" "$4"; } # what, found, used, not shown

# A host that lists KVM may still be unable to boot a packaged kernel; kvm_pvm is known for it. Each
# node boots a real kernel before it believes in KVM.
kvm_may_work() {
    [ ! -e /sys/module/kvm_pvm ] && [ -r /dev/kvm ] && [ -w /dev/kvm ] &&
        { [ -e /sys/module/kvm_intel ] || [ -e /sys/module/kvm_amd ]; }
}
if [ "${1:-}" = --virtualization ]; then
    if kvm_may_work; then echo kvm; else echo tcg; fi
    exit 0
fi

can() { # in namespaces that end with the command
    unshare --net --mount sh -c "$1" >/dev/null 2>&1
}
landlock_abi() {
    python3 -c '
import ctypes
print(max(0, ctypes.CDLL(None, use_errno=True).syscall(444, None, 0, 1)))' 2>/dev/null || echo 0
}

row WHAT FOUND USED 'NOT SHOWN THEN'
if [ "$(id -u)" = 0 ] && can true; then
    row root 'root, namespaces' namespaces -
else
    row root 'no root or no namespaces' none './lab up: it needs them'
fi
if kvm_may_work; then
    row kvm 'hardware' 'KVM, after a boot test' -
else
    if [ -e /sys/module/kvm_pvm ]; then found='PVM: no packaged kernel boots'; else found=none; fi
    row kvm "$found" 'TCG (emulated)' 'speed, CPU side channels'
fi
if can 'ip link add bridge0 type bridge && ip link add vxlan0 type vxlan id 1 dstport 4789 local 127.0.0.1'; then
    row overlay 'bridge, VXLAN' VXLAN -
else
    row overlay missing none 'tenant networks over nodes'
fi
if can 'nft add table bridge t && nft add chain bridge t c "{ type filter hook prerouting priority -300 ; }"'; then
    row rules 'nft, bridge family' nft -
else
    row rules missing none 'forged frames dropped'
fi
mounted=
for controller in $cgroup_controllers; do
    if mountpoint -q "$cgroup_root/$controller"; then
        mounted="$mounted $controller"
    fi
done
if [ -n "$mounted" ]; then
    row cgroups 'version 1' 'a group a machine' -
elif [ -e $cgroup_root/cgroup.controllers ]; then
    row cgroups 'version 2 only' none 'CPU shares, memory limits'
else
    row cgroups none none 'CPU shares, memory limits'
fi
abi=$(landlock_abi)
if [ "$abi" -gt 0 ]; then
    row landlock "ABI $abi" "Landlock and seccomp" -
else
    row landlock none 'seccomp only' 'files outside refused by path'
fi
if [ -d /run/systemd/system ]; then found=running; else found=none; fi
row systemd "$found" 'own supervisor' 'unit hardening'
if [ -e /dev/loop-control ]; then
    row loop 'loop devices' 'small filesystems' -
else
    row loop none none 'a full disk'
fi
row clock 'this machine alone' 'its own clock' 'offset to an agreed source'
memory=$(awk '/^MemAvailable:/ { print int($2 / 1024) }' /proc/meminfo)
disk=$(df -Pm /var/tmp | awk 'NR == 2 { print $4 }')
if [ "$memory" -ge 4096 ] && [ "$disk" -ge 4096 ]; then used='as asked'; else used='fewer guests'; fi
row room "$memory MiB, $(nproc) CPUs, $disk MiB disk" "$used" -
