#!/bin/sh
# 38 mutants are found by general checkers: 24 of the product in 40 minutes, 14 of adapter and log in 60
set -eu
. "$(dirname -- "$0")/../lib.sh"
first=$(($(od -An -N2 -tu2 /dev/urandom) + 1000000)) # Nobody tuned them for these seeds.
echo "first seed $first; seconds are of one core"
deploy/lab/build.sh build
sims=build/tests/sim
# Each with the mix of faults that its harm needs. Without rules 5, 7b and 9 the process dies, which no
# checker says; without 2c, 4 and 8 there is no harm: ./lab test --suite mutant has those.
rules='1:short-reigns 2a:all 2b:all 2d:all 3:hand-overs 6:members 10:members 11:all 12:small-cells
    13:members 14:small-cells'
cares='roll:all checksum:all cut:all' # Of the log on disk, left out likewise (journal_care.h).
targets=
for rule in $rules $cares; do
    targets="$targets tests/sim/udatsu-sim-consensus-mutant-${rule%:*}"
done
# shellcheck disable=SC2086
ninja -C build --quiet tests/sim/udatsu-sim-mutants tests/sim/udatsu-sim-consensus $targets >&2
tally=$(mktemp)
trap 'rm -f "$tally"' EXIT

product() { # mutant: found, and the sound program is good at that seed
    "$sims/udatsu-sim-mutants" --mutant "$1" --first-seed "$first" --seconds 600 | tee -a "$tally"
    tail -n 1 "$tally" | grep -q "^$1 .* seed [0-9]* event"
}
adapter() { # rule or care, mix: found by a checker, and the sound adapter is good at that seed
    "$sims/udatsu-sim-consensus-mutant-$1" --expect-violation --mix "$2" --first-seed "$first" \
        --seeds 120000 >"$tally.one" || {
        rm -f "$tally.one"
        return 1
    }
    seed=$(sed -n 's/^seed \([0-9]*\) event.*/\1/p' "$tally.one" | tail -n 1)
    what=$(sed -n 's/^seed [0-9]* event \([0-9]*\): \(.*\)/event \1: \2/p' "$tally.one" | tail -n 1)
    cpu=$(sed -n 's/^found .* CPU \([0-9.]*\) s$/\1/p' "$tally.one")
    rm -f "$tally.one"
    printf '%s %-8s left out, mix %-12s seed %s CPU %s s %s\n' \
        "$3" "$1" "$2" "$seed" "$cpu" "$what" | tee -a "$tally"
    case $what in
    '' | *CRASH*) return 1 ;;
    esac
    "$sims/udatsu-sim-consensus" --mix "$2" --seed "$seed" >/dev/null
}
spent() { # of all lines so far, whole seconds
    sed -n 's/.* CPU \([0-9.]*\) s.*/\1/p' "$tally" | awk '{ s += $1 } END { printf "%d", s + 0.999 }'
}
found=0
for mutant in $("$sims/udatsu-sim-mutants" --list | awk '{ print $1 }'); do
    must "$mutant is found" product "$mutant"
    found=$((found + 1))
done
must 'they are 24' test $found = 24
must "all of them within 40 minutes of one core: $(spent) s" test "$(spent)" -le 2400
: >"$tally"
for rule in $rules; do
    must "without rule ${rule%:*} the harm is found" adapter "${rule%:*}" "${rule#*:}" rule
    found=$((found + 1))
done
must 'with those they are 35' test $found = 35
for care in $cares; do
    must "without the log's ${care%:*} the harm is found" adapter "${care%:*}" "${care#*:}" log
    found=$((found + 1))
done
must "of the replica eleven and of the journal three: $found in all" test $found = 38
must "the adapter's within 60 minutes of one core: $(spent) s" test "$(spent)" -le 3600
# A leader without its barrier: somebody leads, or commits, without what was committed.
must 'without the barrier (rule 1) a committed entry is lost' \
    grep -Eq '^rule 1  .*: (COMPLETENESS|COMMITTED|PREFIX|LOST) ' "$tally"
