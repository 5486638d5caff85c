#!/bin/sh
# The acceptance lines of NAME in full, one verdict each: accept.sh NAME [LINE...]. A line is a file
# tests/accept/NAME/NN-*.sh; its first comment says what it shows. Exit 0 when each line passed, 7
# when one did not.
set -eu
. "$(dirname -- "$0")/lib.sh"
need_root
name=${1:?accept.sh NAME [LINE...]}
shift
directory=$root/tests/accept/$name
[ -d "$directory" ] || fail "there are no acceptance lines called $name"
results=$root/build/accept-$name
mkdir -p "$results"

verdict=0
for file in "$directory"/[0-9][0-9]-*.sh; do
    number=$(basename "$file" | cut -c1-2)
    wanted=$(printf ' %s ' "$*" | tr ',' ' ')
    case $wanted in
    '  ' | *" $number "* | *" ${number#0} "*) ;;
    *) continue ;;
    esac
    began=$(date +%s)
    if "$file" >"$results/$number.log" 2>&1; then
        word=passed
    else
        word=FAILED
        verdict=7
    fi
    printf '%s %s: %s (%d s)%s\n' "${number#0}" "$word" "$(sed -n '2s/^# //p' "$file")" \
        $(($(date +%s) - began)) \
        "$([ $word = passed ] || printf ' because %s' "$(tail -n 1 "$results/$number.log")")"
done
"$root/deploy/lab/down.sh"
exit $verdict
