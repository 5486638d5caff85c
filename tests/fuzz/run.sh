#!/bin/sh
# Fuzzes targets with clang's libFuzzer and prints how much of their decoders was reached.
#   run.sh [--seconds N] [--jobs N] [--keep] [--fail-under PERCENT] TARGET...|all
# --seconds 0 only measures what the kept corpora reach; --keep makes the smallest set of inputs
# that reaches as much the target's corpus. Exit 1: a finding, 7: too little was reached.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
cd "$root"
build=${UDATSU_FUZZ_BUILD:-$root/build-fuzz}
seconds=60
jobs=1
keep=no
under=0
wanted=
while [ $# -gt 0 ]; do
    case $1 in
    --seconds) seconds=${2:?--seconds needs a number} && shift 2 ;;
    --jobs) jobs=${2:?--jobs needs a number} && shift 2 ;;
    --fail-under) under=${2:?--fail-under needs a number} && shift 2 ;;
    --keep) keep=yes && shift ;;
    -*) printf 'run.sh: %s is not known\n' "$1" >&2 && exit 2 ;;
    *) wanted="$wanted $1" && shift ;;
    esac
done
[ -n "$wanted" ] || wanted=all
known=$(cut -d: -f1 tests/fuzz/decoders.txt | grep -v '^#' | sort -u | tr '\n' ' ')
[ "$wanted" != ' all' ] && [ "$wanted" != all ] || wanted=$known

deploy/install.sh --with fuzz
if [ ! -e "$build/build.ninja" ]; then
    # Warnings are gcc's business; a sanitizer's report ends the run.
    flags='-w -fsanitize=fuzzer-no-link -fno-sanitize-recover=all -fprofile-instr-generate -fcoverage-mapping'
    CC=clang-14 meson setup "$build" -Dbuildtype=debugoptimized -Doptimization=1 -Db_lundef=false \
        -Db_sanitize=address,undefined "-Dc_args=$flags" \
        -Dc_link_args=-fprofile-instr-generate >"$build.log" 2>&1 || {
        cat "$build.log" >&2
        exit 1
    }
fi
programs=
for target in $wanted; do
    programs="$programs tests/fuzz/fuzz_$target tests/fuzz/replay_$target"
done
# shellcheck disable=SC2086
nice -n 10 ninja -C "$build" -j "$((jobs > 1 ? jobs : 1))" --quiet $programs >&2

export LLVM_PROFILE_FILE=/dev/null
export ASAN_OPTIONS=allocator_may_return_null=1:detect_leaks=1
export UBSAN_OPTIONS=print_stacktrace=1

fuzz_one() { # target: its inputs are left in its directory; status 1 after a finding
    work=$build/fuzz/$1
    rm -rf "$work/found"
    mkdir -p "$work/inputs" "$work/found"
    "$build/tests/fuzz/replay_$1" --unpack "$work/inputs" "tests/fuzz/corpus/$1.corpus" >/dev/null
    [ "$seconds" -gt 0 ] || return 0
    words=
    [ ! -f "tests/fuzz/$1.dict" ] || words=-dict=tests/fuzz/$1.dict
    # shellcheck disable=SC2086
    nice -n 10 "$build/tests/fuzz/fuzz_$1" -max_total_time="$seconds" -max_len=16384 -timeout=20 \
        -rss_limit_mb=3000 -print_final_stats=1 -artifact_prefix="$work/found/" -seed="$(date +%s)" \
        -use_value_profile=1 $words "$work/inputs" >"$work/log" 2>&1 || {
        printf '%s: found something; %s\n' "$1" "$(find "$work/found" -type f | sort | tail -n 1)"
        grep -m 3 -E '^found:|event=check-failed|ERROR: |runtime error:' "$work/log" || tail -n 3 "$work/log"
        return 1
    }
    printf '%s: fuzzed for %s s, %s inputs run, nothing found\n' "$1" \
        "$(sed -n 's/^Done [0-9]* runs in \([0-9]*\) second(s)$/\1/p' "$work/log")" \
        "$(sed -n 's/^stat::number_of_executed_units: *//p' "$work/log")"
}

measure_one() { # target: what its inputs reach
    work=$build/fuzz/$1
    rm -rf "$work/small"
    mkdir -p "$work/small"
    LLVM_PROFILE_FILE=/dev/null "$build/tests/fuzz/fuzz_$1" -merge=1 -use_counters=0 -timeout=20 \
        -rss_limit_mb=3000 "$work/small" "$work/inputs" >"$work/merge.log" 2>&1 || true
    find "$work/small" -type f | sort >"$work/small.list"
    rm -f "$work/profile"*
    # shellcheck disable=SC2046
    LLVM_PROFILE_FILE=$work/profile.raw "$build/tests/fuzz/replay_$1" --files $(cat "$work/small.list") \
        >"$work/replay.log" 2>&1 || printf '%s: its kept inputs do not pass\n' "$1"
    llvm-profdata-14 merge -sparse -o "$work/profile" "$work/profile.raw"
    llvm-cov-14 export -instr-profile="$work/profile" "$build/tests/fuzz/replay_$1" \
        >"$work/coverage.json" 2>/dev/null
    if [ "$keep" = yes ]; then
        # shellcheck disable=SC2046
        "$build/tests/fuzz/replay_$1" --pack "tests/fuzz/corpus/$1.corpus" $(cat "$work/small.list")
    fi
}

each() { # function: of every target, as many at once as was said
    running=
    for target in $wanted; do
        "$1" "$target" &
        running="$running $!"
        if [ "$(printf '%s' "$running" | wc -w)" -ge "$jobs" ]; then
            for one in $running; do
                wait "$one" || status=1
            done
            running=
        fi
    done
    for one in $running; do
        wait "$one" || status=1
    done
}

status=0
each fuzz_one
each measure_one
# shellcheck disable=SC2086
tests/fuzz/coverage.py --build "$build" --fail-under "$under" $wanted || {
    [ $status != 0 ] || status=7
}
exit $status
