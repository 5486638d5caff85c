#!/bin/sh
# The clean room: a fresh Debian 12 root, made with this machine's own package sources, in its own
# mount, PID and cgroup namespace (the network is shared), in which the project's commands are run as a
# stranger would: from a fresh checkout, on a machine that has nothing. So no install step can be
# missing. Nothing is kept from one run to the next.
#
#   room.sh COMMAND...    each argument is one shell line, run in the checkout, in order
#
# The happy path: state directory → debootstrap → checkout → namespaces → commands → removed.
# What can go wrong: a command fails → its status is ours, the room is removed; a signal → the same;
# kill -9 of this script → the namespaces die with it (parent-death signal), and the janitor, which
# waits for the end of a pipe that only we hold open, removes the directory and the groups.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
root=$(CDPATH='' cd -- "$here/../.." && pwd)

if [ "$(id -u)" != 0 ]; then
    printf 'the clean room needs root\n' >&2
    exit 77
fi
command -v debootstrap >/dev/null || {
    apt-get -q=2 update
    DEBIAN_FRONTEND=noninteractive apt-get -q=2 install -y --no-install-recommends debootstrap >&2
}

room=$(mktemp -d /var/tmp/udatsu-cleanroom.XXXXXX)
mkfifo "$room/alive"
# A group of its own in every controller: what is made in the room has its name in there only.
group=udatsu-room-${room##*.}
for controller in cpu cpuacct cpuset memory devices freezer blkio pids; do
    directory=/sys/fs/cgroup/$controller
    mountpoint -q "$directory" || continue
    mkdir "$directory/$group"
    printf '%s\n' "$directory/$group" >>"$room/groups"
    [ $controller != cpuset ] || for of in cpus mems; do
        cat "$directory/cpuset.$of" >"$directory/$group/cpuset.$of"
    done
    # As much as the six machines, the desk and the build in it would weigh without it.
    [ $controller != cpu ] || echo 8192 >"$directory/$group/cpu.shares"
done
setsid sh -c '
    read -r _ <"$1/alive" || true
    for attempt in 1 2 3 4 5 6 7 8 9 10; do
        find /sys/fs/cgroup -depth -path "/sys/fs/cgroup/*/$2*" -type d -exec rmdir {} + 2>/dev/null
        [ -n "$(find /sys/fs/cgroup -maxdepth 2 -name "$2")" ] ||
            { rm -rf --one-file-system "$1" 2>/dev/null && exit 0; }
        sleep 1
    done
    rm -rf --one-file-system "$1"' janitor "$room" "$group" </dev/null >/dev/null 2>&1 &
exec 9>"$room/alive"

child=
finish() { # The janitor sees our end of the pipe close; we wait until the room is gone.
    if [ -n "$child" ]; then
        kill -KILL "$child" 2>/dev/null || true
        wait "$child" 2>/dev/null || true
    fi
    exec 9>&-
    waited=0
    while [ -e "$room" ] && [ "$waited" -lt 20 ]; do
        sleep 0.5
        waited=$((waited + 1))
    done
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# What is committed is what is tested; without git, the tree without its build directories.
mkdir "$room/checkout"
if [ -e "$root/.git" ] && command -v git >/dev/null; then
    git -c safe.directory='*' -C "$root" archive HEAD | tar -x -C "$room/checkout"
else
    tar -C "$root" --exclude='./build*' --exclude=./.git -c . | tar -x -C "$room/checkout"
fi

: >"$room/commands"
for line in "$@"; do
    printf '%s\n' "$line" >>"$room/commands"
done

# setpriv ends unshare with us, unshare ends the room's PID 1 with itself, PID 1 ends everybody.
setpriv --pdeathsig KILL sh -c '
    [ ! -e "$2/groups" ] || while read -r group; do
        echo $$ >"$group/cgroup.procs"
    done <"$2/groups"
    exec unshare --mount --pid --cgroup --fork --kill-child --propagation private sh "$1" "$2"' \
    room "$here/inside.sh" "$room" 9>&- &
child=$!
status=0
wait "$child" || status=$?
child=
exit $status
