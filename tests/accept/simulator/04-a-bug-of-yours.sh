#!/bin/sh
# a bug of the reader's choice, or a random mutant, is found, shrunk to 50 injected events, replayed
set -eu
. "$(dirname -- "$0")/../lib.sh"
bug=${UDATSU_BUG:-} # A patch of this tree; ./lab accept simulator --bug FILE.
copy=$(mktemp -d /var/tmp/udatsu-bug.XXXXXX)
trap 'rm -rf "$copy"' EXIT
git ls-files -z | tar --create --null --files-from=- | tar --extract --directory="$copy"
planted() {
    if [ -n "$bug" ]; then
        patch --directory="$copy" --strip=1 --forward <"$bug"
        return
    fi
    mutant=$(sed -n 's/^    X(\([A-Z_]*\), .*/\1/p' base/mutant.h | shuf -n 1)
    echo "mutant $mutant"
    file=$(cd "$copy" && grep -rl "MUTANT($mutant)" controller node-agent)
    sed -i "s/MUTANT($mutant)/true/" "$copy/$file" # For good: every tool then looks at that bug.
}
must 'it is planted' planted
must 'what has it is set up' meson setup "$copy/build" "$copy" >"$copy/setup.log"
must 'and builds' ninja -C "$copy/build" --quiet tests/sim/udatsu-sim
sim=$copy/build/tests/sim/udatsu-sim
case=build/bug.case
first=$(($(od -An -N2 -tu2 /dev/urandom) + 1000000))
began=$(date +%s)
"$sim" --first-seed "$first" --seeds 6000 --life 25 --think 500 --shrink "$case" >"$copy/hunt.log" || true
grep -E '^(seed|shrunk)' "$copy/hunt.log" || true
must "it is found, from seed $first on: $(($(date +%s) - began)) s with the shrinking" \
    grep -q '^seed [0-9]* event' "$copy/hunt.log"
events=$(sed -n 's/^shrunk: \([0-9]*\) of .*/\1/p' "$copy/hunt.log")
must "it is shrunk to $events injected events" test "${events:-51}" -le 50
word=$(sed -n 's/^seed .* trace [0-9a-f]*: \([A-Z]*\).*/\1/p' "$copy/hunt.log" | head -n 1)
again() { # The case, twice: the same word, the same trace.
    ! "$sim" --case "$case" >"$copy/one" && ! "$sim" --case "$case" >"$copy/two" &&
        cmp "$copy/one" "$copy/two" && grep "^seed .*: $word" "$copy/one"
}
must "the case replays it ($word), the same way each time" again
