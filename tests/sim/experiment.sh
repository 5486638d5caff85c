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
shows 'what belongs to no machine names none' \
    lines 'map(select(.event == "client" or .event == "trial")) | length > 100 and all(.machine == "cell")' \
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

# file text; leaves $work/it.jsonl
it() {
    # shellcheck disable=SC2059
    printf "$1" >"$work/it.exp"
    shift
    "$program" run "$work/it.exp" --out "$work/it.jsonl" "$@"
}
shows 'a tenant whose writes are remembered to the bound is refused, and that is fair' \
    it 'duration 20s\nworkload clients=255 think=1ms\n'
shows 'and counted' lines 'all(.verdict == "clean" and .refused > 500)' "$work/it.jsonl"
goes_on() { lines 'all(.per_second.goodput[13:] | min > 2)' "$work/it.jsonl"; }
shows 'two disks slow at once: the younger counts' it 'duration 30s
workload clients=8 think=100ms
fault at=0s slow-disk controllers sync=2ms
fault at=10s for=1s slow-disk controllers sync=300ms\n'
shows 'and then the older again' goes_on
shows 'two kinds of slow at once: the younger counts' it 'duration 30s
workload clients=8 think=100ms
fault at=1s for=25s slow controllers x2
fault at=10s for=1s slow controllers x1000\n'
shows 'and then the older again, not the slower' goes_on
shows 'a clock that drifts, and stands still meanwhile' it 'duration 40s
fault at=1s for=38s drift controllers -90%%
fault at=5s for=500ms freeze controllers
fault at=15s for=9s kill leader\n'
shows 'drifts on: who waits for an election waits ten times as long' \
    lines 'all(.unavailable_ms > 2500)' "$work/it.jsonl"
shows 'a fault may strike again before it has ended, as often as it likes' \
    it 'duration 100s\ntopology nodes=12\nfault at=1s every=1s slow nodes x2\nfault at=1s every=10ms for=1min jump c1 +1h\n'
shows 'each time is counted' lines 'all(.faults_struck > 1100)' "$work/it.jsonl"
for fault in 'kill c1' 'power n1' 'stop c1' 'kill n1 agent'; do
    shows "what would outlive the run is healed at its end: $fault" \
        it "duration 12s\nfault at=5s for=10min $fault\n"
done
shows 'nothing strikes once the workload is over' \
    it 'duration 3s\nfault at=1s every=1s kill leader\n'
shows 'which was two times' lines 'all(.faults_struck == 2)' "$work/it.jsonl"
shows 'a schedule may be longer than the run' sh -c 'printf "fault at=1s kill c1\nfault at=9s kill c1\n" >"$0"' \
    "$work/late.faults"
shows 'and what came too late' it 'duration 4s\nfaults late.faults\n'
shows 'is counted as missed' lines 'all(.faults_struck == 1 and .faults_missed == 1)' "$work/it.jsonl"
shows 'a thousand nodes begin, whatever their clients ask' \
    it 'topology nodes=1100\nduration 5s\nworkload clients=1 think=10s\n'

stuck() { lines 'all(.verdict == "stuck")' "$work/it.jsonl"; }
violation() { lines 'all(.verdict == "violation")' "$work/it.jsonl"; }
shows 'a cell that cannot live with its costs' exits 1 it 'duration 4s\ncost letter=1s\n'
shows 'is stuck, which is no violation' stuck
shows 'one that does not come together' exits 1 it 'duration 8s\n' --lie converge
shows 'is one' violation
shows 'but not with a policy of its own' exits 1 it 'duration 8s\npolicy placement=worst-fit\n' --lie converge
shows 'of which nothing is known' stuck

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
F
shows 'every fault that the file can say strikes, and the cell comes together' \
    "$program" run "$work/all.exp" --out "$work/all.jsonl"
shows 'each of them once' \
    lines 'all(.faults_struck == 20 and .faults_missed == 0)' "$work/all.jsonl"

shows 'a checker that is lied to refuses, and the trial is no clean one' exits 1 \
    "$program" run "$work/kills.exp" --seeds 1 --lie ledger --out "$work/lie.jsonl"
for lie in leaf digest start converge charge; do
    shows "told in any experiment: $lie" exits 1 it 'duration 8s\n' --lie $lie
    shows 'and machines have the names of the file there' \
        lines 'all(.verdict == "violation" and (.what | test("\\bm[0-9]") | not))' "$work/it.jsonl"
done
shows 'a lie for which there is nothing to spoil is an error of its own' exits 2 \
    it 'duration 4s\nworkload mix=network-create:1\n' --lie start
shows 'in the swarm, too' exits 2 "$program" --seeds 1 --life 20 --lie unsaid
"$program" run "$work/kills.exp" --seeds 1 --lie ledger --out "$work/lie.jsonl" >"$said" || true
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
