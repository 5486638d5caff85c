#!/bin/sh
# A history of a toy cell that keeps its word is clean, and spoilt in each way of spoil.py it is not:
# what udatsu-judge says, and its exit status. Usage: spoilt.sh JUDGE TOY. Prints TAP.
set -eu
judge=${1:?spoilt.sh JUDGE TOY}
toy=${2:?spoilt.sh JUDGE TOY}
spoil=$(dirname -- "$0")/spoil.py
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

said=$work/said
. "$(dirname -- "$0")/../tap.sh"
judged() { # status, how it is spoilt, who must find it (none)
    python3 "$spoil" "$2" "$work/sound" "$work/spoilt"
    status=0
    "$judge" "$work/spoilt" || status=$?
    [ $status = "$1" ] && { [ -z "${3:-}" ] || "$judge" "$work/spoilt" | grep -q "$3: anomaly"; }
}
"$toy" 7 3000 >"$work/sound"
shows 'a history of a cell that keeps its word is clean' "$judge" "$work/sound"
shows 'also when it was read and written by somebody else' judged 0 none
shows 'a stale read is found' judged 1 stale registers
shows 'a lost write is found' judged 1 lost once
shows 'a write that was done twice is found' judged 1 twice once
shows 'what comes back after it was deleted is found' judged 1 revived registers
shows 'a charge for nothing is found' judged 1 charged ledger
shows 'a list that loses what had been seen is found' judged 1 cut lists
shows 'a field that nobody knows makes it no history' judged 2 form
both() { ! "$judge" "$work/sound" "$work/spoilt"; }
shows 'one of two is enough' both
empty() { : >"$work/none" && ! "$judge" "$work/none"; }
shows 'an empty file is no history' empty
nothing() { printf '{"udatsu_history":1}\n' >"$work/none" && ! "$judge" "$work/none"; }
shows 'a history of nothing proves nothing' nothing
fifo() { # nobody writes to it
    mkfifo "$work/fifo"
    for path in "$work/fifo" /dev/zero "$work"; do
        status=0
        timeout 60 "$judge" "$path" || status=$?
        [ $status = 2 ] || return 1
    done
}
shows 'what is no regular file is not waited for' fifo
clean() { # no byte of what is printed is a control character
    printf '{"udatsu_history":1}\n{"f":"read","kind":"value","object":"%s","outcome":"info"}\n' \
        '\u001b[2J\nregisters: clean' >"$work/$(printf 'a\033[2J')"
    status=0
    "$judge" "$work/$(printf 'a\033[2J')" >"$work/printed" 2>&1 || status=$?
    [ $status = 2 ] && ! LC_ALL=C tr -d '\n' <"$work/printed" | LC_ALL=C grep -q '[[:cntrl:]]'
}
shows 'what is printed is clean text' clean
many() { # 10000 objects, 10000 whole lists of them: more to look at than one budget, in 400 MB
    python3 -c '
print("{\"udatsu_history\":1}")
made = "\"kind\":\"network\",\"account\":\"A\",\"outcome\":\"ok\",\"invoke\":%d,\"return\":%d}"
for i in range(10000):
    print("{\"f\":\"create\",\"object\":\"o%d\"," % i + made % (100000 + i, 100000 + i))
for i in range(10000):
    print("{\"f\":\"list\",\"whole\":true," + made % (i, i))' >"$work/many"
    ulimit -S -v 400000
    "$judge" "$work/sound" >/dev/null 2>&1 || ulimit -S -v unlimited # A sanitizer wants more.
    status=0
    "$judge" "$work/many" >"$work/printed" || status=$?
    [ $status = 1 ] && grep -q 'registers: unknown' "$work/printed"
}
shows 'what is too much is unknown, in bounded memory' many
enough
