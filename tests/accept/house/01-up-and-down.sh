#!/bin/sh
# ./lab up --once works twice, says little, elects once; down leaves nothing after a kill -9
set -eu
. "$(dirname -- "$0")/../lib.sh"
output=$checkout/build/accept-up.log
left_over() {
    find /run/netns -name "ud-$label-*" 2>/dev/null
    find /sys/fs/cgroup -maxdepth 2 -name "udatsu-$label-*" 2>/dev/null
    grep -l "udatsu-$label-" /proc/[0-9]*/cgroup 2>/dev/null
    grep "$state" /proc/self/mounts
    find "$state" -maxdepth 0 2>/dev/null
}
nothing_left() { [ -z "$(left_over)" ]; }
up_once() { ./lab up --once </dev/null >"$output" 2>"$output.err"; }
short_end() { [ "$(sed -n '/^lab .* runs:/,$p' "$output" | wc -l)" -le 20 ]; }

must './lab up --once exits 0' up_once
must 'it printed the table of fallbacks' grep -q '^WHAT .*USED' "$output"
must 'its closing lines are at most twenty' short_end
must 'elections after the first: 0' grep -q 'elections after the first: 0' "$output"
must 'nothing is left' nothing_left
must 'a second run exits 0' up_once
must './lab up --keep exits 0' sh -c './lab up --keep </dev/null >/dev/null 2>&1'
for machine in c1 c2 c3 n1 n2 n3; do
    kill -KILL "$(deploy/lab/enter.sh --pid $machine)"
done
must './lab down works after a kill -9 of everything' ./lab down
must 'nothing is left after it' nothing_left
