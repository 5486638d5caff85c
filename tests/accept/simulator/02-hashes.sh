#!/bin/sh
# a hundred seeds go the same way in builds of -O0, of -O2 and of the sanitizers
set -eu
. "$(dirname -- "$0")/../lib.sh"
trace_of() { # build directory: what the hundred seeds came to
    "$1/tests/sim/udatsu-sim" --seeds 100 --first-seed 7000 --nodes 12 --life 60 |
        sed -n 's/.*\(trace [0-9a-f]*\)$/\1/p' | tail -n 1
}
built() { # name, meson options...
    directory=$checkout/build-$1
    shift
    [ -f "$directory/build.ninja" ] || meson setup "$directory" "$checkout" "$@" >/dev/null
    ninja -C "$directory" tests/sim/udatsu-sim >/dev/null
}
deploy/lab/build.sh build
must 'it builds without optimization' built plain -Doptimization=0
must 'it builds with the sanitizers' built asan -Db_sanitize=address,undefined -Db_lundef=false
first=$(trace_of build)
plain=$(trace_of build-plain)
asan=$(trace_of build-asan)
printf 'shown: -O2 %s, -O0 %s, sanitizers %s\n' "$first" "$plain" "$asan"
must 'they say what they came to' [ -n "$first" ]
must '-O0 goes the same way' [ "$first" = "$plain" ]
must 'the sanitizers go the same way' [ "$first" = "$asan" ]
