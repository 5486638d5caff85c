#!/bin/sh
# Makes the operator's desk: a directory with the operator's papers and a `udatsu` that speaks to
# this lab's controllers from the management network. desk.sh CONTROLLERS
set -eu
. "$(dirname -- "$0")/lib.sh"
endpoints=
for number in $(seq "${1:?desk.sh CONTROLLERS}"); do
    endpoints="$endpoints${endpoints:+,}https://10.98.0.$(address_octet "c$number"):8443"
done
mkdir -p "$state/desk"
chmod 700 "$state/desk"
cat >"$state/desk/udatsu" <<WRAPPER
#!/bin/sh
# udatsu as the operator of lab $label, on its management network.
UDATSU_ENDPOINTS=\${UDATSU_ENDPOINTS:-$endpoints}
UDATSU_CA=\${UDATSU_CA:-$state/desk/ca.pem}
UDATSU_CERT=\${UDATSU_CERT:-$state/desk/cert.pem}
UDATSU_KEY=\${UDATSU_KEY:-$state/desk/key.pem}
export UDATSU_ENDPOINTS UDATSU_CA UDATSU_CERT UDATSU_KEY
exec nsenter --net=/run/netns/$management $state/bin/udatsu "\$@"
WRAPPER
chmod 755 "$state/desk/udatsu"
