#!/bin/sh
# Makes a cell of machines: cluster.sh CONTROLLERS NODES. The first controller begins it; everybody
# else joins with a one-time token that pins the CA and fixes the labels. Then waits until each says
# that it is there.
set -eu
. "$(dirname -- "$0")/lib.sh"
here=$root/deploy/lab
controllers=${1:?cluster.sh CONTROLLERS NODES}
nodes=${2:?cluster.sh CONTROLLERS NODES}
udatsu=$state/desk/udatsu
conf=/etc/udatsu/machine.yaml

"$here/desk.sh" "$controllers"
"$here/machine.sh" c1
inside c1 /usr/libexec/udatsu/udatsu-setup cluster-init --config $conf --cell 1 \
    --operator-out /var/lib/udatsu/first-operator
find "$state/machines/c1/lib/first-operator" -type f -exec mv {} "$state/desk/" \;
rmdir "$state/machines/c1/lib/first-operator"
wait_until 60 "$udatsu" cluster status || {
    "$udatsu" cluster status >&2 || true
    fail 'the first controller does not answer'
}

join() { # kind, machine, rack, flags of that kind
    kind=$1 machine=$2 rack=$3
    shift 3
    token=$state/machines/$machine/etc/token
    (umask 077 && "$udatsu" "$kind" token "$machine" --rack "$rack" --site lab --country JP >"$token")
    inside "$machine" /usr/libexec/udatsu/udatsu "$kind" join --config $conf \
        --token-file /etc/udatsu/token \
        --link-address "10.98.0.$(address_octet "$machine"):7443" "$@" >/dev/null
    say "$machine joined"
    rm -f "$token"
}
rack_of() { printf 'rack-%d' $(((${1#?} - 1) % 3 + 1)); } # machine

for number in $(seq 2 "$controllers"); do
    "$here/machine.sh" "c$number"
    join controller "c$number" "$(rack_of "c$number")" \
        --api-address "10.98.0.$(address_octet "c$number"):8443"
done

images=${UDATSU_LAB_GUEST:-$root/build/guest}
for number in $(seq "$nodes"); do
    node=n$number
    "$here/machine.sh" "$node"
    # Images are imported locally, by hand of whoever runs the node; no path ever comes from the API.
    while read -r _ digest; do
        install -m 644 "$images/$digest" "$state/machines/$node/images/$digest"
    done <"$images/images"
    if [ "$number" = 1 ]; then
        wait_until 60 virsh -q -c \
            "qemu+unix:///system?socket=$state/machines/n1/libvirt/run/libvirt-sock" capabilities ||
            fail 'the first libvirtd does not answer'
        cp -a "$state/machines/n1/libvirt/cache" "$state/capabilities"
    fi
    join node "$node" "$(rack_of "$node")" --underlay-address "10.99.0.$(address_octet "$node")"
done

counted() { # kind, jq filter, number
    [ "$("$udatsu" -o json "$1" ls | jq "[.[] | select($2)] | length")" = "$3" ]
}
wait_until 60 counted controller '.reachable' "$controllers" || fail 'not all controllers are there'
wait_until 60 counted node '.liveness == "alive"' "$nodes" || {
    "$udatsu" node ls >&2
    fail 'not all nodes are alive'
}
