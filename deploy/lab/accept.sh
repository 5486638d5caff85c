#!/bin/sh
# The acceptance lines of NAME in full, one verdict each: accept.sh NAME [LINE...]. A line is a file
# tests/accept/NAME/NN-*.sh; its first comment says what it shows, and what it said is in
# build/accept-NAME/NN.log. A line that fails, hangs or cannot be run is a verdict and the next one
# follows, on a fresh lab; so is a line that was asked for and is not there. The lab is gone at the
# end, also after a signal. Exit 0 when each line passed, 7 when one did not.
set -eu
. "$(dirname -- "$0")/lib.sh"
need_root
name=${1:?accept.sh NAME [LINE...]}
shift
directory=$root/tests/accept/$name
[ -d "$directory" ] || fail "there are no acceptance lines called $name"
results=$root/build/accept-$name
mkdir -p "$results"
seconds_max=9000 # For a line that hangs; fuzzing takes an hour and a half, no other half of that.

wanted=
if [ "${1:-}" = --bug ]; then # Line 4 of the simulator, with a bug of one's own.
    UDATSU_BUG=$(realpath -- "${2:?./lab accept simulator --bug FILE.patch}")
    export UDATSU_BUG
    set -- 4
fi
for number in $(printf '%s ' "$@" | tr ',' ' '); do
    case $number in
    [0-9] | [0-9][0-9]) wanted="$wanted $(printf '%02d' "${number#0}")" ;;
    *) fail 'usage: ./lab accept NAME [LINE]... | simulator --bug FILE.patch' ;;
    esac
done
[ -n "$wanted" ] || wanted=$(find "$directory" -name '[0-9][0-9]-*.sh' -printf '%f\n' | sort | cut -c1-2)
[ -n "$wanted" ] || fail "$name has no line"

child=
finish() {
    status=$?
    trap - EXIT
    if [ -n "$child" ]; then
        kill -TERM "$child" 2>/dev/null || true
        wait "$child" || true
    fi
    "$root/deploy/lab/down.sh" || status=7
    exit $status
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' HUP TERM

because() { # log, status: why it did not pass
    if [ "$2" = 124 ] || [ "$2" = 137 ]; then
        printf 'it had not ended after %d s' $seconds_max
        return
    fi
    reason=$(grep '^does not hold: ' "$1" | tail -n 1)
    [ -n "$reason" ] || reason=$(grep . "$1" | tail -n 1)
    printf '%s' "${reason:-it said nothing, status $2}"
}

passed=0
all=0
start=$(date +%s)
for number in $wanted; do
    all=$((all + 1))
    file=$(find "$directory" -name "$number-*.sh" | sort | head -n 1)
    if [ -z "$file" ]; then
        printf '%s FAILED: there is no such line\n' "${number#0}"
        continue
    fi
    log=$results/$number.log
    began=$(date +%s)
    status=0
    timeout --kill-after=60 $seconds_max "$file" >"$log" 2>&1 &
    child=$!
    wait $child || status=$?
    child=
    spent=$(($(date +%s) - began))
    what=$(sed -n '2s/^# //p' "$file")
    sed -n 's/^shown: //p' "$log" # What the line wants to be seen besides its verdict.
    if [ $status = 0 ]; then
        passed=$((passed + 1))
        printf '%s passed: %s (%d s)\n' "${number#0}" "$what" $spent
    else
        printf '%s FAILED: %s (%d s) because %s\n' "${number#0}" "$what" $spent \
            "$(because "$log" $status)"
        "$root/deploy/lab/down.sh" # What it left is not what the next one is about.
    fi
done
printf '%s: %d of %d lines passed, %d s\n' "$name" $passed $all $(($(date +%s) - start))
[ $passed = $all ] || exit 7
