#!/bin/sh
# The acceptance lines' own judges, held to what they must refuse: verdicts of lines that fail, hang
# or cannot be run; a log of tests with a gap; figures that are missing or below a floor. Everything
# here is made up; nothing of it is measured. Prints TAP.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

said=$work/said
. "$root/tests/tap.sh"
refused() { # reason, command...: it fails and says so
    reason=$1
    shift
    if "$@" >"$work/refused" 2>&1; then
        cat "$work/refused"
        return 1
    fi
    grep -F -- "$reason" "$work/refused" || {
        cat "$work/refused"
        return 1
    }
}

# ---- The log of a run of tests ----

simulated() { # a simulator's words: seeds, bad, count of one fault
    printf 'faults\\n  process killed    %d\\n  torn write    4\\nchecks\\n  one leader    9\\n%d seeds, %d bad, 7 events\\n' \
        "$3" "$1" "$2"
}
logged() { # name, program, result, start, stdout
    printf '{"name":"udatsu:sim / %s","command":["/b/%s"],"result":"%s","starttime":%s,"stdout":"%s"}\n' \
        "$@"
}
a_run() { # seeds, bad, one fault, result and start of the other test
    mkdir -p "$work/b/meson-logs" "$work/b/meson-info"
    printf '[{"name":"first","suite":["udatsu:sim"]},{"name":"other","suite":["udatsu:unit"]}]\n' \
        >"$work/b/meson-info/intro-tests.json"
    {
        logged first sim-one OK 100.5 "$(simulated "$1" "$2" "$3")"
        [ "$4" = absent ] || logged other sim-two "$4" "$5" "$(simulated 200 0 1)"
    } >"$work/b/meson-logs/testlog.json"
}
ran() { python3 "$root/tests/accept/ran.py" --since 100 --simulators "$1" "$work/b"; }

a_run 200 0 1 OK 101
shows 'a whole run holds, and its tables are printed' ran sim-one,sim-two
shows 'a simulator that nobody heard is missed' refused 'sim-three printed no run' ran sim-three
a_run 199 0 1 OK 101
shows '199 seeds are too few' refused 'sim-one printed no run of 200 seeds' ran sim-one
a_run 200 1 1 OK 101
shows 'a bad seed is refused' refused '1 of 200 seeds are bad' ran sim-one
a_run 200 0 0 OK 101
shows 'a fault that never came up is refused' refused 'fault never came up: process killed' ran sim-one
a_run 200 0 1 absent 0
shows 'a test that did not run is missed' refused 'did not run: other' ran sim-one
a_run 200 0 1 SKIP 101
shows 'a skip is refused' refused 'skip: other' ran sim-one
a_run 200 0 1 OK 99
shows 'the log of an older run is refused' refused 'is of an older run: other' ran sim-one
rm "$work/b/meson-logs/testlog.json"
shows 'no log is refused' refused 'no log of a run' ran sim-one

subtests() { # what the second check of a program was: an element, or nothing
    printf '<testsuites><testsuite name="udatsu.udatsu:unit / other"><testcase name="one"/>%s</testsuite></testsuites>\n' \
        "<testcase name=\"two\">$1</testcase>" >"$work/b/meson-logs/testlog.junit.xml"
}
tally() { python3 "$root/deploy/lab/tally.py" --require all "$work/b"; }
a_run 200 0 1 OK 101
subtests ''
counted() { tally | grep -x '3 passed, 0 failed'; }
shows 'the closing line counts single checks' counted
subtests '<skipped/>'
shows 'a skipped check of a required suite is a failure' refused 'other: two' tally
subtests '<failure/>'
shows 'a failed check is named' refused 'failed  '"$work/b"': other: two' tally

# ---- Figures ----

side() { # bench, in flight, batch, per second, p50
    printf '{"bench":"%s","in_flight":%d,%s"per_second":%s,"p50_ms":%s,"p99_ms":9,"round":%d,"load":1.5}\n' \
        "$1" "$2" "${3:+\"batch\":$3,}" "$4" "$5" "$round"
}
listed() { # how many, what else
    for replica in a b c; do
        printf '{"bench":"api-list","endpoint":"%s","acknowledged":%d,"listed":%d%s}\n' \
            $replica 60 "$1" "$2"
    done
}
results() { # rounds, kills, most of a kill, batched a second, listed after the kills
    for round in $(seq "$1"); do
        for in_flight in 1 64 256; do
            side etcd-txn $in_flight '' 1000 2
            side api-create $in_flight 1 4000 1
        done
        side etcd-txn 1024 '' 900 2
        side api-create 1024 128 "$4" 1
        listed 60 ",\"round\":$round,\"load\":1.5"
    done
    for _ in $(seq "$2"); do printf '{"bench":"failover","ms":%s}\n' "$3"; done
    listed "$5" ''
    printf '{"bench":"scheduler","nodes":10000,"at_80":{"p50_ns":1},"at_92":{"p50_ns":1},"first_reject":{"vcpus_percent":1},"demand_60":{"vcpus_touched_percent":1}}\n'
}
judged() { # as results
    results "$@" >"$work/results"
    python3 "$root/tests/bench/report.py" "$work/results" 0 none >"$work/figures" &&
        "$root/tests/accept/house/10-bench.sh" "$work/figures"
}
shows 'a batched rate below its floor is refused' \
    refused "does not hold: at least 10 times etcd's better rate, batched (9)" \
    judged 5 30 800 9000 60
shows 'a slow failover is refused' \
    refused 'does not hold: failover p99 is at most a second (1001' judged 5 30 1001 20000 60
shows 'fewer rounds are refused' refused 'of five rounds and thirty kills' judged 4 30 800 20000 60
shows 'fewer kills are refused' refused 'of five rounds and thirty kills' judged 5 29 800 20000 60
shows 'a create that a replica lacks is refused' \
    refused 'does not hold: every acknowledged create' judged 5 30 800 20000 59
shows 'what the report writes is what the line reads' judged 5 30 800 20000 60
cp "$work/figures" "$work/whole"
without() { # jq filter that takes something away
    jq "del($1)" "$work/whole" >"$work/less" && "$root/tests/accept/house/10-bench.sh" "$work/less"
}
for figure in .load .etcd .ratios.p50_at_1 .ratios.rate_at_256 .ratios.rate_batched \
    .failover_ms.p99 .sides.etcd_256 .lists .scheduler; do
    shows "figures without $figure are refused" refused 'does not hold' without $figure
done

# ---- Lines of the simulator: a run that was made before is judged by the line itself ----

accept=$root/tests/accept/simulator
swarm() { # seeds, bad, least commands, of three, of five, changed in, mixed in, what else it says
    printf '%s\ncells: of 1 controllers 0, 3 controllers %d, 5 controllers %d, ' "${8:-}" "$4" "$5"
    printf 'members changed 9 times in %d, snapshots installed 9 times in 700, levels mixed in %d\n' \
        "$6" "$7"
    printf '%d seeds, %d bad, 9 events, 420000 virtual s, 9 entries, 9 acknowledged, 9 refused, trace 0a\n' \
        "$1" "$2"
    printf 'each seed: at least 201 virtual s, %d commands, 31 strikes; longest inbox 9\n' "$3"
    printf 'most instances 9, median of a life 9, when trouble ended 9, most memory of a seed 28 MiB, twice 20\n'
}
seeds() { swarm "$@" >"$work/swarm" && "$accept/01-seeds.sh" "$work/swarm" 800; }
shows 'two thousand good seeds of every kind hold' seeds 2020 0 510 1400 600 900 600
shows 'a bad seed is refused by line 1' refused 'does not hold: it says so itself' \
    seeds 2020 1 510 1400 600 900 600
shows 'a seed too few is refused' refused 'they were two thousand' seeds 2019 0 510 1400 600 900 600
shows '499 commands are refused' refused '500 commands' seeds 2020 0 499 1400 600 900 600
shows 'only three controllers are refused' refused '5 controllers' seeds 2020 0 510 2000 0 900 600
shows 'members that never change are refused' refused 'members came' seeds 2020 0 510 1400 600 0 600
shows 'one feature level is refused' refused 'feature levels' seeds 2020 0 510 1400 600 900 0
shows 'a row that never came up is refused' refused 'does not hold: no row never came up' \
    seeds 2020 0 510 1400 600 900 600 '1 rows never came up'
too_slow() { "$accept/01-seeds.sh" "$work/swarm" 901; }
seeds 2020 0 510 1400 600 900 600 >"$said" || true
shows 'a second more than fifteen minutes is refused' refused 'fifteen minutes' too_slow

simulator_of() { # name, optimization, sanitizers, trace, exit status
    mkdir -p "$work/$1/tests/sim" "$work/$1/meson-info"
    printf '[{"name":"optimization","value":"%s"},{"name":"b_sanitize","value":"%s"}]\n' "$2" "$3" \
        >"$work/$1/meson-info/intro-buildoptions.json"
    printf '#!/bin/sh\necho "100 seeds, %d bad, 7 events, trace %s"\nexit %d\n' "$5" "$4" "$5" \
        >"$work/$1/tests/sim/udatsu-sim"
    chmod +x "$work/$1/tests/sim/udatsu-sim"
}
hashes() { "$accept/02-hashes.sh" "$work/o2" "$work/o0" "$work/san"; }
simulator_of o2 2 none 0a 0
simulator_of o0 0 none 0a 0
simulator_of san 2 address,undefined 0a 0
shows 'three builds that go the same way hold' hashes
simulator_of o0 0 none 0b 0
shows 'another way is refused' refused '-O0 goes the same way' hashes
simulator_of o2 2 none 0a 1
simulator_of o0 0 none 0a 1
simulator_of san 2 address,undefined 0a 1
shows 'bad seeds are refused, though all go the same way' refused '-O2: 100 seeds, none bad' hashes
simulator_of o2 2 none 0a 0
simulator_of o0 2 none 0a 0
shows 'a build of another name is refused' refused 'the second is of -O0' hashes
simulator_of o0 0 none 0a 0
simulator_of san 2 none 0a 0
shows 'a build without sanitizers is refused' refused 'the third has both' hashes

thousand() { # commands, strikes, median, at the end
    {
        printf '1 seeds, 0 bad, 9 events, 3601 virtual s, 9 entries, 9 acknowledged, 9 refused, trace 0a\n'
        printf 'each seed: at least 3601 virtual s, %d commands, %d strikes; longest inbox 9\n' "$1" "$2"
        printf 'most instances 31147, median of a life %d, when trouble ended %d, ' "$3" "$4"
        printf 'most memory of a seed 1045 MiB, twice 0\n'
    } >"$work/thousand" && "$accept/05-thousand-nodes.sh" "$work/thousand" 500
}
shows 'an hour of a thousand nodes holds' thousand 100000 360 30500 30100
shows 'an hour that nobody disturbs is refused' refused '360 times' thousand 100000 0 30500 30100
shows 'an hour in which little is asked is refused' refused 'a hundred thousand' \
    thousand 99999 360 30500 30100
shows 'a peak of a moment is refused' refused 'half of the hour' thousand 100000 360 29999 30100

fuzzed() { # seconds of the last target, status
    grep -v '^#' "$root/tests/fuzz/decoders.txt" | cut -d: -f1 | sort -u |
        sed "s/\$/: fuzzed for 600 s, 12 inputs run, nothing found/; \$s/600/$1/" >"$work/fuzzed"
    "$accept/09-fuzz.sh" "$work/fuzzed" "$2"
}
shows 'ten minutes of each target hold' fuzzed 600 0
shows 'less than ten minutes of one is refused' refused 'really fuzzed' fuzzed 599 0
shows 'a decoder that is not reached is refused' refused '95 %' fuzzed 600 7
shows 'a finding is refused' refused 'no target finds' fuzzed 600 1

# The nightly hunt, with simulators that say what they are told.
night=$work/night
mkdir -p "$night/deploy/lab" "$night/build/tests/sim"
cp "$root/deploy/lab/nightly.sh" "$night/deploy/lab/"
printf '#!/bin/sh\n' >"$night/deploy/lab/build.sh"
hunter() { # program, seeds, bad, exit status
    printf '#!/bin/sh\necho "%d seeds, %d bad, 7 events"\nexit %d\n' "$2" "$3" "$4" \
        >"$night/build/tests/sim/$1"
}
hunter udatsu-sim 20 0 0
hunter udatsu-sim-consensus 100 0 0
chmod +x "$night/deploy/lab/build.sh" "$night/build/tests/sim/udatsu-sim" \
    "$night/build/tests/sim/udatsu-sim-consensus"
hunt() { "$night/deploy/lab/nightly.sh" --minutes 0; }
workers=$(nproc)
says_good() { hunt | grep -x "$((workers * 120)) seeds, 0 bad"; }
shows 'a night without a bad seed says how many they were' says_good
shows 'and counts no earlier night' says_good
hunter udatsu-sim 3 1 1
shows 'bad seeds that were shrunk are counted' refused "$((workers * 103)) seeds, $workers bad" hunt
hunter udatsu-sim 3 1 0
shows 'a simulator that says bad and ends well is refused' refused " $workers bad" hunt
hunter udatsu-sim 0 0 0
hunter udatsu-sim-consensus 0 0 0
shows 'a night in which nothing was lived is refused' refused '0 seeds, 0 bad' hunt

# ---- Verdicts ----

line() { # number and name, commands...
    file=$work/house/tests/accept/play/$1.sh
    shift
    printf '#!/bin/sh\n# what it shows\n' >"$file"
    printf '%s\n' "$@" >>"$file"
    chmod +x "$file"
}
verdicts() { UDATSU_LAB_LABEL=zzzz "$work/house/deploy/lab/accept.sh" play "$@"; }
if [ "$(id -u)" = 0 ]; then
    mkdir -p "$work/house/deploy/lab" "$work/house/tests/accept/play"
    cp "$root/deploy/lab/accept.sh" "$root/deploy/lab/lib.sh" "$root/deploy/lab/down.sh" \
        "$work/house/deploy/lab/"
    line 01-holds 'echo fine'
    line 02-fails 'echo "does not hold: the sky is green"' 'echo later' 'exit 1'
    line 03-silent 'exit 3'
    line 04-not-to-be-run ':'
    chmod -x "$work/house/tests/accept/play/04-not-to-be-run.sh"
    line 05-holds-too ':'
    shows 'a line that holds passes' verdicts 1
    shows 'a line that failed says why, and the exit code says so' \
        refused 's) because does not hold: the sky is green' verdicts 2
    shows 'a line that says nothing fails' refused 'because it said nothing, status 3' verdicts 3
    shows 'a line that cannot be run fails' refused '4 FAILED' verdicts 4
    shows 'a line that is not there fails' refused '6 FAILED: there is no such line' verdicts 1 6
    shows 'what follows a line that failed is run' refused '5 passed: what it shows' verdicts
    shows 'the last line counts' refused 'play: 2 of 5 lines passed' verdicts
fi
enough
