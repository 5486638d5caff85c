#!/bin/sh
# Prints what a lab machine is told about itself (machine.yaml): machine_conf.sh NAME. A node's size
# is what the lab claims for it, not what the shared machine has.
set -eu
. "$(dirname -- "$0")/lib.sh"
name=${1:?machine_conf.sh NAME}
octet=$(address_octet "$name")

cat <<YAML
name: $name
data: /var/lib/udatsu
run: /run/udatsu
programs: /usr/libexec/udatsu
YAML
case $name in
c*)
    cat <<YAML
kind: controller
api: 10.98.0.$octet:8443
link: 10.98.0.$octet:7443
YAML
    if [ -n "${UDATSU_LAB_IDEMPOTENCY:-}${UDATSU_LAB_RATE:-}" ]; then
        echo settings:
    fi
    if [ -n "${UDATSU_LAB_IDEMPOTENCY:-}" ]; then # The cell's bound of keys for one tenant.
        cat <<YAML
  - { program: engine, name: idempotency-limit, value: "$UDATSU_LAB_IDEMPOTENCY" }
YAML
    fi
    if [ -n "${UDATSU_LAB_RATE:-}" ]; then # Requests a second, of one principal and of a tenant.
        cat <<YAML
  - { program: engine, name: requests-per-second, value: "$UDATSU_LAB_RATE" }
  - { program: engine, name: tenant-requests-per-second, value: "$UDATSU_LAB_RATE" }
YAML
    fi
    ;;
n*)
    cat <<YAML
kind: node
underlay: 10.99.0.$octet
settings:
  - { program: host, name: underlay, value: 10.99.0.$octet }
  - { program: host, name: images, value: /var/lib/udatsu/images }
  - { program: host, name: consoles, value: /var/log/udatsu/consoles }
  - { program: host, name: libvirt, value: /run/libvirt/libvirt-sock }
  - { program: host, name: vcpus, value: "16" }
  - { program: host, name: memory_mib, value: "4096" }
YAML
    ;;
esac
