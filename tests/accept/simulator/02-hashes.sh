#!/bin/sh
# a hundred fresh seeds go the same way in builds of -O0, of -O2 and of the sanitizers
# 02-hashes.sh O2 O0 SANITIZED compares builds that were made before.
set -eu
. "$(dirname -- "$0")/../lib.sh"
seeds=100
UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 # gcc's goes on unless it is told.
ASAN_OPTIONS=halt_on_error=1
export UBSAN_OPTIONS ASAN_OPTIONS
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
built() { # name, meson options...
    directory=$checkout/build-$1
    shift
    [ -f "$directory/build.ninja" ] || meson setup "$directory" "$checkout" "$@" >/dev/null
    ninja -C "$directory" tests/sim/udatsu-sim >/dev/null
}
is_of() { # directory, optimization, sanitizers: what it was configured with, and not what it is called
    jq -e --arg level "$2" --arg sanitizers "$3" '
        def option(name): .[] | select(.name == name) | .value;
        option("optimization") == $level
        and (option("b_sanitize") | if type == "array" then join(",") else . end) == $sanitizers' \
        "$1/meson-info/intro-buildoptions.json" >/dev/null
}
lived() { # directory, where its words go: all seeds were lived and are good
    "$1/tests/sim/udatsu-sim" --seeds $seeds --first-seed "$first" --nodes 12 >"$2" 2>&1 || {
        grep -E '^seed|runtime error|ERROR: ' "$2" || tail -n 3 "$2"
        return 1
    }
    grep -q "^$seeds seeds, 0 bad, " "$2"
}
trace_of() { sed -n 's/^[0-9]* seeds, .*trace \([0-9a-f]*\)$/\1/p' "$1"; }
if [ $# = 0 ]; then
    deploy/lab/build.sh build
    must 'it builds without optimization' built plain -Doptimization=0
    must 'it builds with the sanitizers' built asan -Db_sanitize=address,undefined -Db_lundef=false
    set -- "$checkout/build" "$checkout/build-plain" "$checkout/build-asan"
fi
must 'the first is of -O2' is_of "$1" 2 none
must 'the second is of -O0' is_of "$2" 0 none
must 'the third has both sanitizers' is_of "$3" 2 address,undefined
first=$(fresh_seed)
printf 'shown: first seed %s\n' "$first"
must "-O2: $seeds seeds, none bad" lived "$1" "$work/first"
must "-O0: $seeds seeds, none bad" lived "$2" "$work/plain"
must "sanitizers: $seeds seeds, none bad" lived "$3" "$work/asan"
want=$(trace_of "$work/first")
plain=$(trace_of "$work/plain")
asan=$(trace_of "$work/asan")
sed -n 's/^each seed: /shown: each seed: /p' "$work/first"
printf 'shown: -O2 %s, -O0 %s, sanitizers %s\n' "$want" "$plain" "$asan"
must 'they say what they came to' [ -n "$want" ]
must '-O0 goes the same way' [ "$want" = "$plain" ]
must 'the sanitizers go the same way' [ "$want" = "$asan" ]
