#!/bin/sh
# Makes this machine able to build and run Udatsu: the packages of deploy/packages.txt and the
# system users. Does nothing, and needs no network, when everything is there. Never starts a
# service and never upgrades what is installed. `--with fuzz` also installs what only fuzzing needs.
set -eu
extra=
[ "${1:-}" != --with ] || extra=${2:?--with needs a word of packages.txt}
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)

say() { printf '%s\n' "$*" >&2; }

missing_packages() {
    sed -e 's/#.*//' -e '/^[[:space:]]*$/d' "$here/packages.txt" |
        while read -r name who; do
            [ "$who" != fuzz ] || [ "$extra" = fuzz ] || continue
            state=$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null || true)
            [ "$state" = installed ] || printf '%s\n' "$name"
        done
}

policy=/usr/sbin/policy-rc.d
policy_is_ours=no
drop_policy() {
    if [ $policy_is_ours = yes ]; then
        rm -f $policy
    fi
}

install_packages() {
    # Databases and monitors are wanted as programs, not as running services.
    if [ ! -e $policy ]; then
        policy_is_ours=yes
        trap drop_policy EXIT
        trap 'exit 1' HUP INT TERM
        printf '#!/bin/sh\nexit 101\n' >$policy
        chmod 755 $policy
    fi
    DEBIAN_FRONTEND=noninteractive
    export DEBIAN_FRONTEND
    apt-get -q=2 update
    # Word splitting is wanted: one argument a package.
    # shellcheck disable=SC2086
    apt-get -q=2 -o Dpkg::Use-Pty=0 install -y --no-install-recommends $1 >/dev/null
}

need_group() { getent group "$1" >/dev/null || groupadd --system "$1"; }
need_user() { # name, groups
    getent passwd "$1" >/dev/null ||
        useradd --system --user-group --home-dir /nonexistent --no-create-home \
            --shell /usr/sbin/nologin "$1"
    if [ -n "$2" ]; then
        usermod --append --groups "$2" "$1"
    fi
}

missing=$(missing_packages | tr '\n' ' ')
if [ -n "$missing" ]; then
    if [ "$(id -u)" != 0 ]; then
        say "missing packages, and only root can install them: $missing"
        exit 1
    fi
    say "installing: $missing"
    install_packages "$missing"
fi
if [ "$(id -u)" = 0 ]; then
    # libvirtd refuses to start without this user, whatever qemu.conf says.
    need_group kvm
    getent passwd libvirt-qemu >/dev/null || need_user libvirt-qemu kvm
    # One user a program: a program that falls takes no other with it.
    for program in link keys api engine agent host; do
        getent passwd "udatsu-$program" >/dev/null || need_user "udatsu-$program" ''
    done
fi
