#!/bin/sh
# What a researcher gets wrong: files, command lines, outputs. Decides whether it is refused before
# anything is run, in words that name it, and that nothing that was read or written is lost. Prints
# TAP.
#
#     experiment_refuses.sh PROGRAM
set -eu
program=$(realpath "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
said=$work/said
. "$(dirname -- "$0")/../tap.sh"
lines() { jq -es "$1" "$2"; } # filter over all lines, file
says() { # words, status, command...: on standard error
    words=$1
    shift
    exits "$@" 2>"$work/err" && grep -qF -- "$words" "$work/err"
}
run() { "$program" run "$@"; }
cd "$work"
printf 'topology nodes=3\nduration 4s\n' >a.exp

# ---- What is read is not destroyed, what is written is not lost ----
cp a.exp kept.exp
for output in --out --log --events --plot; do
    shows "$output over the experiment is refused" \
        says 'would destroy it' 2 run a.exp "$output" ./a.exp
    shows "and the file is as it was ($output)" cmp a.exp kept.exp
done
shows 'two outputs in one file are refused' says 'Two outputs' 2 run a.exp --log x --events ./x
for output in --out --log --events --plot; do
    shows "a full disk is an error ($output)" exits 3 run a.exp "$output" /dev/full
done
shows 'and so is full standard output' exits 3 sh -c '"$0" run a.exp >/dev/full' "$program"
shows 'a plot that cannot be opened is told before anything is run' \
    exits 3 sh -c '"$0" run a.exp --plot no/x.svg >first' "$program"
shows 'and nothing was run' test ! -s first

mkfifo pipe
printf 'duration 1h\n' >long.exp
interrupted() { # Somebody ends it while its log is read.
    "$program" run long.exp --log pipe --events cut.events --out cut.jsonl 2>cut.err &
    running=$!
    {
        head -n 200 >/dev/null
        kill -TERM $running
        cat >cut.log
    } <pipe
    exits 130 wait $running
}
shows 'a run that is interrupted says so' interrupted
shows 'its log ends with a line that says it' sh -c 'tail -n 1 cut.log | grep -q "ends here: interrupted"'
shows 'its events are whole lines, the last of which says it' \
    lines '.[-1].ended == "interrupted" and length > 100' cut.events
shows 'and it says how much was lived to its end' grep -q 'interrupted: 0 trials' cut.err

# ---- Files ----
refuses() { # words, text as printf takes it
    # shellcheck disable=SC2059
    printf "$2" >wrong.exp
    says "$1" 2 run wrong.exp --out ran
}
while IFS='|' read -r words text; do
    shows "refused: $text" refuses "$words" "$text"
done <<'F'
zero byte is in line 2|duration 4s\n\0seeds 1\n
byte order mark|\357\273\277duration 4s\n
wrong.exp:1: a carriage return|duration 4s\r\nseeds 1\n
says nothing|# only words\n
wrong.exp:2: kill c1: it would never strike|duration 4s\nfault at=4s kill c1\n
wrong.exp:2: k: it was set above|set k=1s\nset k=2s\nfault at=$k kill c1\n
wrong.exp:1: k: no line below names|set k=1s\nduration 4s\n
clients=2: this line said it already|workload clients=1 clients=2\n
at=2s: this line said it already|fault at=1s at=2s kill c1\n
there is no such link|fault at=1s cut n1->n2\n
there is no such link|fault at=1s cut c1->c1\n
"$k" is not understood|fault at=1s every=$k kill c1\nset k=1s\n
and fill=50%|workload fill=50\n
steps of 0.01%|weather loss=0.001%%\n
-90%..+100%|fault at=1s for=1s drift nodes -99.9999%%\n
wrong.exp:1: a trace and a mix|trace x.history\nworkload mix=create:1\n
no regular file|trace /dev/zero\n
no regular file|duration 4s\nfaults /dev/zero\n
a\x1B[2Jb|a\033[2Jb x\n
F
printf '# recorded\nfault at=1s kill c7\n' >my.faults
shows 'what a schedule says wrong is named with its own file and line' \
    refuses 'my.faults:2: kill c7' 'duration 4s\nfaults my.faults\n'
printf 'root:secret:19000\n' >other.file
shows 'a file that is no schedule is refused' \
    refuses 'other.file:1: this is no fault line' 'duration 4s\nfaults other.file\n'
shows 'and not shown' not grep -q secret err
shows 'none of these was run' test ! -e ran

# ---- Command lines ----
printf 'duration 4s\nset k=1s\nset c=3\ntopology nodes=$c\nfault at=$k kill leader\n' >k.exp
while IFS='|' read -r words options; do
    # shellcheck disable=SC2086
    shows "refused: $options" says "$words" 2 run k.exp --out ran $options
done <<'F'
whole numbers|--sweep k=1.5s..3s
ascends|--sweep k=3s..1s
one unit|--sweep k=1s..3000ms
swept already|--sweep k=1s..2s --sweep k=3s
4096 trials|--seeds 1..5000
six lines|--sweep k=1s..3s --sweep c=1..7 --plot x.svg
without a sweep|--seeds 1..2 --plot x.svg
k.exp:5: |--sweep k=1s,2s,x
Known are digest|--lie typo
needs udatsu-sim --unrecoverable|--lie unsaid
belongs behind it|--log
F
shows 'and none of these was run' test ! -e ran
shows 'in the swarm the word that is not understood is named' says '--sedes' 2 "$program" --sedes 4
shows 'and the lies are listed' says ' generation ' 2 "$program" --lie typo
printf '%s\n' '{"udatsu_history":1,"seed":1}' \
    '{"client":1,"f":"create","kind":"network","object":"n","account":"A","invoke":1000000000,"return":1100000000,"outcome":"ok"}' \
    '{"client":1,"f":"create","kind":"instance","object":"i","account":"B","on":"n","invoke":1200000000,"return":1300000000,"outcome":"ok"}' \
    '{"client":1,"f":"start","kind":"instance","object":"n","account":"A","invoke":1400000000,"return":1500000000,"outcome":"ok"}' \
    '{"client":1,"f":"delete","kind":"instance","object":"i","account":"A","invoke":1600000000,"return":1700000000,"outcome":"ok"}' \
    >'a"b.history'
printf 'duration 4s\ntrace $f\n' >q.exp
shows 'a trace that mixes kinds and accounts is asked as far as it makes sense' \
    run q.exp --sweep 'f=a"b.history' --events q.events --out q.jsonl
shows 'and the rest is counted' lines 'all(.acknowledged == 2 and .skipped == 2)' q.jsonl
shows 'a quote in a value is JSON all the same' lines '.[0].f == "a\"b.history"' q.events
shows 'names that are no UTF-8 are told in clean text' \
    sh -c 'cp a.exp "$(printf "b\351d.exp")" && "$0" run "$(printf "b\351d.exp")" --plot b.svg --out b.jsonl' \
    "$program"
shows 'as JSON and as XML' sh -c 'jq -e ".experiment == \"b\\\\xE9d.exp\"" b.jsonl &&
    python3 -c "import xml.etree.ElementTree as e; e.parse(\"b.svg\")"'

# ---- Cases ----
case_is() { # words, text
    # shellcheck disable=SC2059
    printf "$2" >a.case
    says "$1" 2 "$program" --case a.case
}
shows 'a case that could have been written is replayed' \
    sh -c 'printf "# LEDGER\nseed 1\ncell 3 3 2 4 8 3000 5000 0 1000\n" >b.case && "$0" --case b.case' \
    "$program"
while IFS='|' read -r words text; do
    shows "no case: $text" case_is "$words" "$text"
done <<'F'
a case has a seed and a cell|
a case has a seed and a cell|seed 1\n
a second seed|seed 1\nseed 1\n
not a line|seed 1x\n
not a line|seed 1
out of its bounds|seed 1\ncell 99 3 2 4 8 3000 5000 0 1000\n
out of its bounds|seed 1\ncell 3 5000 2 4 8 3000 5000 0 1000\n
out of its bounds|seed 1\ncell 3 3 999 4 8 3000 5000 0 1000\n
out of its bounds|seed 1\ncell 3 3 2 9999 8 3000 5000 0 1000\n
out of its bounds|seed 1\ncell 3 3 2 4 8 1 5000 0 1000\n
out of its bounds|seed 1\ncell 3 3 2 4 8 4294967295 5000 0 1000\n
out of its bounds|seed 1\ncell 3 3 2 4 8 3000 18446744073709551615 0 1000\n
nothing has this number|keep 1 \n
ascends|keep 1073741826 strike 2\nkeep 1073741825 strike 1\n
F
enough
