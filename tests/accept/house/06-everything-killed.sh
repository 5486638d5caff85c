#!/bin/sh
# each program killed in turn and all at once: repaired, recorded; the audit export verifies alone
set -eu
. "$(dirname -- "$0")/../lib.sh"
lab_is_up
wanted=$(count instance 'select(.state == "running") | .name')
healthy() {
    [ "$(count instance 'select(.state == "running") | .name')" = "$wanted" ] &&
        [ "$(count node 'select(.liveness == "alive") | .name')" = 3 ] && controllers_agree &&
        [ "$(qemus | wc -l)" = "$wanted" ]
}
must 'all is well before' within 60 healthy
for program in parent link keys api engine; do
    on c2 pkill -KILL -x "udatsu-$program"
    must "c2: $program killed, repaired" within 60 healthy
done
for program in parent link keys agent host; do
    on n1 pkill -KILL -x "udatsu-$program"
    must "n1: $program killed, repaired" within 60 healthy
done
on n1 pkill -KILL -x libvirtd
must 'n1: libvirtd killed, repaired' within 60 healthy
victim=$(qemus | head -n 1)
on "${victim% *}" kill -KILL "${victim#* }"
must 'a killed guest is started again' within 120 healthy
on n2 pkill -KILL 'udatsu-(parent|link|keys|agent|host)|libvirtd|qemu-system' || true
must 'n2: everything at once, repaired' within 180 healthy
restarts() { "$udatsu" -o json event ls --limit 500 | grep -c 'process' || true; }
must 'process restarts are events' test "$(restarts)" -ge 8
repairs() { "$udatsu" -o json audit ls --limit 500 | grep -c 'repair' || true; }
must 'the repair is a leaf' test "$(repairs)" -ge 1

export_file=$state/audit-06
"$udatsu" audit export "$export_file"
cp "$state/desk/log.pub" "$state/log-06.pub"
alone() { unshare --net "$state/bin/udatsu" audit verify "$1" --key "$state/log-06.pub"; }
must 'the export verifies in an empty namespace' alone "$export_file"
cp "$export_file" "$export_file.bad"
middle=$(($(stat -c %s "$export_file") / 2))
printf '\377' | dd of="$export_file.bad" bs=1 seek=$middle conv=notrunc 2>/dev/null
must 'not after one byte is changed' not alone "$export_file.bad"
