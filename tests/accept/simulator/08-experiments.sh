#!/bin/sh
# The experiment of docs/SIMULATOR.md as written there: a sweep of leader kills, its lines and its plot
set -eu
. "$(dirname -- "$0")/../lib.sh"
page=docs/SIMULATOR.md
# The commands of the page, as a reader would paste them: indented lines that begin with ./lab sim, jq
# or grep, and those that go on after a backslash.
commands=$(awk '
    /^    (\.\/lab sim|jq|grep) / { on = 1 }
    on { line = $0; sub(/^    +/, "", line); print line; on = /\\$/ }' "$page")
mkdir -p build
rm -f build/leader-kills.jsonl build/leader-kills.svg build/policies.jsonl build/policies.svg \
    build/one.jsonl build/one.log build/one.events build/seconds.svg
must 'the page has its commands' test "$(printf '%s\n' "$commands" | grep -c '^\./lab sim run')" = 4
must 'the experiment on the page is the file' awk '
    FNR == NR { if (!/^#/ && NF) want[++n] = $0; next }
    { line = $0; sub(/^    /, "", line); if (at < n && line == want[at + 1]) at++ }
    END { exit (at == n && n > 0) ? 0 : 1 }' tests/sim/experiments/leader-kills.exp "$page"
printf '%s\n' "$commands" >build/simulator-page.sh
must 'every command of the page works as written' sh -e build/simulator-page.sh
lines() { jq -es "$1" "$2" >/dev/null; }
must 'each of eight intervals and five seeds has a line' \
    lines 'length == 40 and ([.[] | [.parameters.k, .seed]] | unique | length) == 40' \
    build/leader-kills.jsonl
must 'every checker was content' lines 'all(.verdict == "clean")' build/leader-kills.jsonl
must 'the more often leaders are killed, the more elections there are' lines '
    group_by(.parameters.k) | map(map(.elections) | add)
    | . as $sums | [range(1; length)] | all($sums[.] < $sums[. - 1])' build/leader-kills.jsonl
must 'every kill is followed by an election' \
    lines 'all(.elections >= .faults_struck - 1 and .faults_struck > 2)' build/leader-kills.jsonl
must 'a kill every two seconds costs goodput, and one every thirty little' lines '
    (map(select(.parameters.k == 2).goodput) | add) < 0.9 * (map(select(.parameters.k == 30).goodput) | add)' \
    build/leader-kills.jsonl
drawn() { # plot, dots
    python3 - "$1" "$2" <<'P'
import sys
import xml.etree.ElementTree
root = xml.etree.ElementTree.parse(sys.argv[1]).getroot()
kinds = [element.tag.split("}")[1] for element in root]
sys.exit(0 if kinds.count("circle") == int(sys.argv[2]) and kinds.count("polyline") > 1 else 1)
P
}
must 'its plot has a dot for each trial' drawn build/leader-kills.svg 40
must 'the plot of policies has one, too' drawn build/policies.svg 24
must 'the plot of one trial has its three series' drawn build/seconds.svg 0
must 'worst fit puts fewer guests at risk of one node' lines '
    (map(select(.policy == "worst-fit").busiest_node) | max)
    < (map(select(.policy == "best-fit").busiest_node) | min)' build/policies.jsonl
must 'the log says who was killed' grep -q 'kill leader = c[1-3] strikes' build/one.log
must 'each event is JSON' lines 'length > 1000' build/one.events
again() { build/tests/sim/udatsu-sim run tests/sim/experiments/leader-kills.exp --sweep k=6s --seeds 3; }
must 'the same seed is the same trial' \
    test "$(again | jq -r .trace_hash)" = \
    "$(jq -r 'select(.parameters.k == 6 and .seed == 3).trace_hash' build/leader-kills.jsonl)"
refused() { ! build/tests/sim/udatsu-sim run "$@" >/dev/null 2>build/refused; }
printf 'topology controlers=3\n' >build/wrong.exp
must 'a word that is not known is refused' refused build/wrong.exp
must 'with file and line, and what to do next' grep -q '^build/wrong.exp:1: .*Next: ' build/refused
