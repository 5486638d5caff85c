#!/bin/sh
# First thing that runs inside a lab machine's namespaces: makes its mounts and becomes its init.
# Called by machine.sh only. Everything mounted here is private and dies with the machine.
set -eu
. "$(dirname -- "$0")/lib.sh"
name=$1
disk=$state/machines/$name

hostname "udatsu-$name"
mount -t proc proc /proc

over() { # directory on the disk, place in the machine
    mkdir -p "$2"
    mount --bind "$1" "$2"
}
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/lock /run/udatsu
if [ -d "$disk/bin" ]; then # Programs of its own: another build beside the others'.
    over "$disk/bin" /usr/libexec/udatsu
else
    over "$state/bin" /usr/libexec/udatsu
fi
over "$disk/etc" /etc/udatsu
over "$disk/lib" /var/lib/udatsu
over "$disk/log" /var/log/udatsu
over "$disk/init" /run/init

# A controller whose disk is small, for whoever wants to see it full.
if [ -e "$disk/engine.ext4" ]; then
    mount -o loop "$disk/engine.ext4" /var/lib/udatsu/engine
fi
# The same for the mirror alone, to see its disk fail while the log's is sound.
if [ -e "$disk/rows.ext4" ]; then
    mount -o loop "$disk/rows.ext4" /var/lib/udatsu/engine/rows
fi

case $name in
n*)
    mkdir -p /run/libvirt
    # Nobody on the node writes images: a QEMU that broke out cannot change what others boot, and
    # libvirt cannot give the file to one tenant's user.
    over "$disk/images" /var/lib/udatsu/images
    mount -o remount,bind,ro /var/lib/udatsu/images
    over "$disk/libvirt/run" /run/libvirt
    over "$disk/libvirt/etc" /etc/libvirt
    over "$disk/libvirt/lib" /var/lib/libvirt
    over "$disk/libvirt/cache" /var/cache/libvirt
    over "$disk/libvirt/log" /var/log/libvirt
    ;;
esac

# A sysfs of this network namespace; libvirt reads /sys/class/net. Then the cgroups again, which
# the fresh sysfs hides; through the cgroup namespace each shows this machine's own group as root.
umount -R /sys 2>/dev/null || umount -l /sys
mount -t sysfs sysfs /sys
mount -t tmpfs -o mode=755 cgroup "$cgroup_root"
for controller in $cgroup_controllers; do
    if grep -q "[:,]${controller}[:,]" /proc/self/cgroup; then
        mkdir -p "$cgroup_root/$controller"
        mount -t cgroup -o "$controller" cgroup "$cgroup_root/$controller" 2>/dev/null ||
            rmdir "$cgroup_root/$controller"
    fi
done

# Devices of its own, and no KVM where that boots no packaged kernel: libvirt would find it as root,
# miss it as the guests' user, and ask QEMU what it can do anew (seconds) at every start of a guest.
mkdir /run/dev
mount -t tmpfs -o mode=755 dev /run/dev
for device in null zero full random urandom tty net/tun kvm; do
    if [ $device = kvm ] && [ -e /sys/module/kvm_pvm ]; then
        continue
    fi
    [ ! -e /dev/$device ] || (cd /dev && cp -a --parents $device /run/dev/)
done
mkdir /run/dev/pts /run/dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 devpts /run/dev/pts
mount -t tmpfs -o mode=1777 shm /run/dev/shm
ln -s pts/ptmx /run/dev/ptmx
ln -s /proc/self/fd /run/dev/fd
ln -s fd/0 /run/dev/stdin
ln -s fd/1 /run/dev/stdout
ln -s fd/2 /run/dev/stderr
# Not over the old one: libvirt reads the list of mounts and would meet /dev/pts twice.
umount -R /dev 2>/dev/null || umount -R -l /dev
mount --move /run/dev /dev

# A machine does not see its neighbours' disks.
mount -t tmpfs -o mode=700 tmpfs "$state"

set -- /usr/libexec/udatsu/udatsu-lab-init /run/init
case $name in
n*)
    rm -f /run/libvirt/*.pid
    set -- "$@" \
        -- virtlogd /usr/sbin/virtlogd -f /etc/libvirt/virtlogd.conf -p /run/virtlogd.pid \
        -- libvirtd /usr/sbin/libvirtd -f /etc/libvirt/libvirtd.conf -p /run/libvirtd.pid
    ;;
esac
# Without an identity there is nothing to run yet; udatsu-setup brings it.
if [ -x /usr/libexec/udatsu/udatsu-parent ]; then
    set -- "$@" -- parent /bin/sh -c '
        until [ -e /var/lib/udatsu/identity.yaml ]; do sleep 0.1; done
        exec /usr/libexec/udatsu/udatsu-parent --config /etc/udatsu/machine.yaml'
fi
exec "$@"
