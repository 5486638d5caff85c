#!/bin/sh
# Runs as PID 1 of the clean room's namespaces: makes the root, enters it, runs the commands.
# Called by room.sh only. Mounts made here are private and die with the namespace.
set -eu
room=$1
target=$room/root
mkdir "$target"
mount --bind "$target" "$target" # The root of a mount namespace is a mount: machines are made in it.
mount -t proc proc /proc

# The machine's own sources: the first one that carries the base suite makes the root.
mirror=$(apt-get indextargets --format '$(CODENAME) $(REPO_URI)' 'Created-By: Packages' |
    sed -n 's/^bookworm //p' | head -n 1)
if [ -z "$mirror" ]; then
    printf 'this machine has no package source for Debian 12\n' >&2
    exit 1
fi
debootstrap --variant=minbase bookworm "$target" "$mirror" >"$room/debootstrap.log" 2>&1 || {
    tail -n 20 "$room/debootstrap.log" >&2
    exit 1
}
rm -rf "$target/etc/apt/sources.list" "$target/etc/apt/sources.list.d"
for name in sources.list sources.list.d trusted.gpg trusted.gpg.d keyrings auth.conf.d; do
    [ ! -e "/etc/apt/$name" ] || cp -a "/etc/apt/$name" "$target/etc/apt/"
done
# How to reach the sources (proxies, checks), as one file; the hooks of other programs stay out.
apt-config dump | grep -E '^Acquire::' |
    grep -Ev '^Acquire::(IndexTargets|Changelogs|Languages)' >"$target/etc/apt/apt.conf.d/90room" ||
    true
for name in resolv.conf hosts; do
    [ ! -e "/etc/$name" ] || cp -L "/etc/$name" "$target/etc/$name"
done
if [ -d /usr/local/share/ca-certificates ]; then
    cp -a /usr/local/share/ca-certificates "$target/usr/local/share/"
fi

mount -t proc proc "$target/proc"
mount --rbind /sys "$target/sys"
# The cgroups again: through the cgroup namespace each shows the room's own group as its root.
if [ -e "$room/groups" ]; then
    mount -t tmpfs -o mode=755 cgroup "$target/sys/fs/cgroup"
    while read -r group; do
        controller=$(basename "$(dirname "$group")")
        mkdir "$target/sys/fs/cgroup/$controller"
        mount -t cgroup -o "$controller" cgroup "$target/sys/fs/cgroup/$controller"
    done <"$room/groups"
fi
mount -t tmpfs -o mode=755 tmpfs "$target/dev"
mkdir "$target/dev/net" "$target/dev/pts" "$target/dev/shm"
for device in null zero full random urandom tty kvm net/tun loop-control \
    loop0 loop1 loop2 loop3 loop4 loop5 loop6 loop7; do
    if [ -e "/dev/$device" ]; then
        : >"$target/dev/$device"
        mount --bind "/dev/$device" "$target/dev/$device"
    fi
done
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$target/dev/pts"
ln -s pts/ptmx "$target/dev/ptmx"
ln -s /proc/self/fd "$target/dev/fd"
ln -s /proc/self/fd/0 "$target/dev/stdin"
ln -s /proc/self/fd/1 "$target/dev/stdout"
ln -s /proc/self/fd/2 "$target/dev/stderr"
mount -t tmpfs -o mode=1777 tmpfs "$target/dev/shm"
mount -t tmpfs -o mode=755 tmpfs "$target/run"

mkdir "$target/root/udatsu"
cp -a "$room/checkout/." "$target/root/udatsu/"
cp "$room/commands" "$target/run/commands"

# The room becomes the root of this mount namespace, not only of a process: whoever enters a
# machine's namespaces from in here must find the room's files, not the host's.
mkdir "$target/run/outside"
cd "$target"
pivot_root . run/outside
umount -l /run/outside
rmdir /run/outside

status=0
while read -r line; do
    began=$(date +%s)
    printf '== clean room: %s\n' "$line"
    # Only what says how to reach the package sources comes in from the outside.
    env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
        LANG=C.UTF-8 http_proxy="${http_proxy:-}" https_proxy="${https_proxy:-}" \
        no_proxy="${no_proxy:-}" \
        sh -c "cd /root/udatsu && $line" </dev/null || status=$?
    spent=$(($(date +%s) - began))
    printf '== clean room: %s: status %d after %d min %02d s\n' "$line" "$status" \
        $((spent / 60)) $((spent % 60))
    [ $status = 0 ] || break
done </run/commands
exit $status
