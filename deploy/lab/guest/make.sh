#!/bin/sh
# Makes the lab's guest images from Debian's own cloud kernel and its static busybox:
#   make.sh DIRECTORY
# DIRECTORY then holds kernel, plain.initrd, test.initrd and forge.initrd as files named by their SHA-256, and
# `images`, one line each: NAME SHA-256. The initrds are the same bytes on every run. What is there
# already is kept, so a second run needs no network.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
mkdir -p "${1:?make.sh DIRECTORY}"
directory=$(CDPATH='' cd -- "$1" && pwd)

is_complete() { # Every listed file is there, is what its name says and newer than its recipe.
    [ -s "$directory/images" ] &&
        [ -z "$(find "$here/init" "$here/make.sh" -newer "$directory/images")" ] &&
        while read -r _ digest; do
            printf '%s  %s\n' "$digest" "$directory/$digest"
        done <"$directory/images" | sha256sum --check --status
}
if is_complete; then
    exit 0
fi

work=$(mktemp -d /var/tmp/udatsu-guest.XXXXXX)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

download() {
    package=$(apt-cache depends linux-image-cloud-amd64 2>/dev/null |
        sed -n 's/^ *Depends: \(linux-image-[^ ]*\)$/\1/p' | head -n 1)
    [ -n "$package" ] && (cd "$work" && apt-get -q=2 -o APT::Sandbox::User=root download "$package")
}
kept=$(find "$directory" -maxdepth 1 -name 'linux-image-*.deb' | sort | tail -n 1)
if [ -z "$kept" ]; then
    download || {
        apt-get -q=2 update
        download
    }
    mv "$work"/linux-image-*.deb "$directory/"
    kept=$(find "$directory" -maxdepth 1 -name 'linux-image-*.deb' | sort | tail -n 1)
fi
dpkg-deb -x "$kept" "$work/kernel"

# The payload is LZ4 and starts at its magic; booting the ELF inside (PVH) saves a second under TCG.
vmlinuz=$(find "$work/kernel/boot" -name 'vmlinuz-*')
python3 - "$vmlinuz" "$work/payload" <<'PYTHON'
import sys
data = open(sys.argv[1], "rb").read()
start = data.find(bytes.fromhex("02214c18"))
if start < 0:
    sys.exit("no LZ4 payload in the kernel")
open(sys.argv[2], "wb").write(data[start:])
PYTHON
# lz4 complains about what follows the payload; the ELF header below decides.
lz4 -q -d -f "$work/payload" "$work/vmlinux" 2>/dev/null || true
[ "$(od -An -tx1 -N4 "$work/vmlinux" | tr -d ' ')" = 7f454c46 ] || {
    printf 'the kernel could not be unpacked\n' >&2
    exit 1
}

tree=$work/tree
mkdir -p "$tree/bin" "$tree/modules" "$tree/dev" "$tree/proc" "$tree/sys" "$tree/tmp"
cp /bin/busybox "$tree/bin/busybox"
cp "$here/init" "$tree/init"
for module in virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci \
    failover net_failover virtio_net; do
    file=$(find "$work/kernel/lib/modules" -name "$module.ko" | head -n 1)
    if [ -n "$file" ]; then
        cp "$file" "$tree/modules/"
        printf '%s.ko\n' "$module" >>"$tree/modules/order"
    fi
done
chmod -R u=rwX,go=rX "$tree"

pack() { # output; the same tree gives the same bytes
    find "$tree" -exec touch -h -d @0 {} +
    (cd "$tree" && find . -print0 | LC_ALL=C sort -z |
        cpio --quiet --null --create --format=newc --owner=0:0 --reproducible) | gzip -9n >"$1"
}
pack "$work/plain"
: >"$tree/test"
pack "$work/test"

: >"$work/images"
store() { # name, file
    digest=$(sha256sum "$2" | cut -c1-64)
    install -m 644 "$2" "$directory/$digest"
    printf '%s %s\n' "$1" "$digest" >>"$work/images"
}
rm "$tree/test"
: >"$tree/forge"
pack "$work/forge"

store kernel "$work/vmlinux"
store plain.initrd "$work/plain"
store test.initrd "$work/test"
store forge.initrd "$work/forge"
mv "$work/images" "$directory/images"
