#!/bin/sh
# Every seed that ever failed is lived again: kept.sh PLANE CONSENSUS ROOT. Prints TAP. Decides whether each
# line of kept.txt is whole, its seed good today, and what it says holds the mistake is there. That a seed
# still leads to where it led is nobody's promise: kept.txt says what does.
set -eu
plane=${1:?kept.sh PLANE CONSENSUS ROOT}
consensus=${2:?}
root=${3:?}
said=$(mktemp)
list=$(mktemp)
trap 'rm -f "$said" "$list"' EXIT
. "$root/tests/tap.sh"
holds() { # what the last column says is in the tree
    case $1 in
    swarm) ;;
    'rule '*) grep -q "^  '${1#rule }': \[" "$root/tests/sim/meson.build" ;;
    'mutant '*) grep -q "^    X(${1#mutant }, " "$root/base/mutant.h" ;;
    'test '*) grep -rq "^Test([a-z_]*, ${1#test })" "$root/tests/unit" ;;
    *) return 1 ;;
    esac
}
whole() { # simulator, seed, what it was, what holds it
    case $1 in plane | consensus) ;; *) return 1 ;; esac
    [ "$2" -gt 0 ] && [ "${#3}" -ge 6 ] && holds "$4"
}
lived() { # simulator, seed, options
    program=$plane
    [ "$1" = plane ] || program=$consensus
    # shellcheck disable=SC2086
    "$program" --seed "$2" $3
}
shows 'a line that names a test which is not there is refused' \
    not whole plane 5 'what it was' 'test nobody_wrote_this'
shows 'and a mutant that is not' not whole plane 5 'what it was' 'mutant NOBODY_MADE_THIS'
shows 'and a rule that is not' not whole plane 5 'what it was' 'rule 99'
shows 'and a seed without a word of what it was' not whole plane 5 '' swarm
# A seed that fails is seen: it is stopped in the middle, which is a violation.
shows 'a bad seed is bad' not lived plane 1 '--until 500'
shows 'of either simulator' not lived consensus 1 '--until 500'
sed -e '/^#/d' -e 's/ *| */|/g' "$root/tests/sim/kept.txt" >"$list"
while IFS='|' read -r simulator seed options what held; do
    shows "$simulator $seed: the line is whole, and $held is there" \
        whole "$simulator" "$seed" "$what" "$held"
    shows "$simulator $seed is good: $what" lived "$simulator" "$seed" "$options"
done <"$list"
enough
