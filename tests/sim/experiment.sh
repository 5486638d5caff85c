#!/bin/sh
# Experiments as a researcher runs them: the examples, shortened. Decides whether what comes out is
# what was asked for; prints TAP.
#
#     experiment.sh PROGRAM EXPERIMENTS
set -eu
program=$1
examples=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
said=$work/said
. "$(dirname -- "$0")/../tap.sh"
exits() { # status, command...
    wanted=$1
    shift
    status=0
    "$@" || status=$?
    [ $status = "$wanted" ]
}
lines() { jq -es "$1" "$2"; } # filter over all lines, file

sed -e 's/^duration .*/duration 24s/' -e 's/^seeds .*/seeds 1..2/' "$examples/leader-kills.exp" \
    >"$work/kills.exp"
sweep() { "$program" run "$work/kills.exp" --sweep k=4s..12s/8s --measure elections "$@"; }
shows 'the sweep of leader kills runs, and is clean' \
    sweep --out "$work/one.jsonl" --plot "$work/one.svg"
shows 'each value and each seed has its line' \
    lines 'length == 4 and ([.[] | [.parameters.k, .seed]] | unique | length) == 4' "$work/one.jsonl"
shows 'each line is clean, and something was done and struck in it' \
    lines 'all(.verdict == "clean" and .acknowledged > 100 and .faults_struck > 1)' "$work/one.jsonl"
shows 'more kills are more elections' \
    lines 'map(select(.parameters.k == 4).elections) as $often
        | map(select(.parameters.k == 12).elections) as $rare | ($often | min) > ($rare | max)' \
    "$work/one.jsonl"
shows 'a second goes to each second, and they add up' \
    lines 'all(.acknowledged == (.per_second.goodput | add) and (.per_second.goodput | length) == 24)' \
    "$work/one.jsonl"
shows 'each struck fault has its moment' \
    lines 'all((.faults | length) == .faults_struck and all(.faults[]; .at_s >= 5 and .for_s == 1))' \
    "$work/one.jsonl"
shows 'the picture is XML, with a dot for each trial' python3 - "$work/one.svg" <<'P'
import sys
import xml.etree.ElementTree
root = xml.etree.ElementTree.parse(sys.argv[1]).getroot()
dots = [e for e in root if e.tag.endswith("circle")]
sys.exit(0 if root.tag.endswith("svg") and len(dots) == 4 else 1)
P
sweep --out "$work/two.jsonl" >"$work/said"
shows 'the same seeds go the same way' cmp "$work/one.jsonl" "$work/two.jsonl"
one() { "$program" run "$work/kills.exp" --seeds 1 "$@"; }
shows 'one trial is a line on standard output, a log, events and a picture' \
    one --log "$work/log" --events "$work/events" --plot "$work/trial.svg"
shows 'the log has a legend and says who was killed' \
    grep -q '^ *[0-9.]*  fault  *kill leader = c[1-3] strikes' "$work/log"
shows 'in the log machines have the names of the file' not grep -q '\bm[0-9]' "$work/log"
shows 'each event is JSON' lines 'length > 1000 and .[0].seed == 1 and all(.[1:][]; .t_us >= 0)' \
    "$work/events"
shows 'the picture of a trial is XML' \
    python3 -c 'import sys, xml.etree.ElementTree as e; e.parse(sys.argv[1])' "$work/trial.svg"

sed -e 's/^duration .*/duration 20s/' -e 's/^seeds .*/seeds 1/' "$examples/policies.exp" \
    >"$work/policies.exp"
shows 'policies are compared by name' "$program" run "$work/policies.exp" \
    --sweep placement=best-fit,first-fit,worst-fit --out "$work/policies.jsonl"
shows 'worst fit loads no node as best fit does' \
    lines '(map({(.policy): .busiest_node}) | add) as $most
        | $most["worst-fit"] < $most["best-fit"] and $most["first-fit"] > 0' "$work/policies.jsonl"

printf 'topology nodes=3\nduration 30s\nfault at=10s for=10s kill controllers\n' >"$work/dark.exp"
shows 'without controllers nothing is acknowledged, and what waits is told afterwards' \
    "$program" run "$work/dark.exp" --out "$work/dark.jsonl"
shows 'and that is ten seconds at least' \
    lines 'all(.unavailable_ms >= 10000 and (.per_second.goodput[11:19] | add) == 0)' "$work/dark.jsonl"

printf 'swarm on\nduration 60s\nseeds 3..4\nfault at=10s every=9s power follower\n' >"$work/swarm.exp"
shows 'what the file says and what the seed draws can strike together' \
    "$program" run "$work/swarm.exp" --out "$work/swarm.jsonl"

cat >"$work/all.exp" <<'F'
duration 40s
fault at=1s for=2s kill c1
fault at=1s kill c2 api
fault at=4s for=1s power c3
fault at=6s for=2s stop leader
fault at=9s for=2s cut c1->c2
fault at=9s for=3s cut c1
fault at=14s for=2s full c2
fault at=17s for=4s slow-disk leader sync=20ms
fault at=18s kill leader
fault at=22s for=3s slow c1 x8
fault at=22s for=3s drift c2 -3%
fault at=22s for=3s jump c3 +1h
fault at=26s for=1s freeze follower
fault at=28s for=2s crash n1
fault at=28s kill n2 agent
fault at=28s kill n3 host
fault at=30s kill node libvirt
fault at=31s kill node guest
fault at=33s for=2s cut n1
fault at=33s for=2s stop n2
fault at=60s kill leader
F
shows 'every fault that the file can say strikes, and the cell comes together' \
    "$program" run "$work/all.exp" --out "$work/all.jsonl"
shows 'each of them once, but for the one after the end' \
    lines 'all(.faults_struck == 20 and .faults_missed == 0)' "$work/all.jsonl"

shows 'a checker that is lied to refuses, and the trial is no clean one' exits 1 \
    "$program" run "$work/kills.exp" --seeds 1 --lie ledger --out "$work/lie.jsonl"
shows 'which its line says' \
    lines 'all(.verdict == "violation" and (.what | startswith("LEDGER")))' "$work/lie.jsonl"
shows 'a word that is not known is refused' exits 2 "$program" run "$work/kills.exp" --sweep x=1..2
shows 'and so is a file that is not there' exits 2 "$program" run "$work/none.exp"
shows 'what cannot be written is an error' exits 3 \
    "$program" run "$work/kills.exp" --seeds 1 --out "$work/no/where"
for word in -1 +1 ' 1' 1s ''; do
    shows "'$word' is no number of seeds" exits 2 "$program" --seeds "$word"
done
enough
