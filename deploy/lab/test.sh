#!/bin/sh
# Builds if needed and passes the tests. A check that cannot run on this machine is a skip with a
# reason; --require SUITE turns the skips of a suite into failures (`--require all`: of every one).
# The last line counts single checks, not programs. Never asserts time.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
cd "$root"

suites=
required=
while [ $# -gt 0 ]; do
    case $1 in
    --suite) suites="$suites ${2:?--suite needs a name}" && shift 2 ;;
    --require) required="$required ${2:?--require needs a name}" && shift 2 ;;
    *) printf 'usage: ./lab test [--suite S]... [--require S]...\n' >&2 && exit 2 ;;
    esac
done

# The suites that also run under the address and undefined-behaviour sanitizers.
sanitized_suites='unit scenario sim fuzz'

run() { # build directory, suites
    arguments=
    for suite in $2; do
        arguments="$arguments --suite $suite"
    done
    rm -f "$1/meson-logs/testlog.json" "$1/meson-logs/testlog.junit.xml"
    printf '== %s:%s\n' "$1" "${2:- every suite}"
    # shellcheck disable=SC2086
    meson test -C "$1" --no-rebuild --timeout-multiplier 10 --print-errorlogs $arguments || true
}

wanted_under_sanitizers=
for suite in $sanitized_suites; do
    if [ -z "$suites" ] || printf '%s ' "$suites" | grep -q " $suite "; then
        wanted_under_sanitizers="$wanted_under_sanitizers $suite"
    fi
done

deploy/lab/build.sh build -Dwerror=true
directories=build
if [ -n "$wanted_under_sanitizers" ]; then
    # Built with whatever time the tests leave: those of real machines mostly wait.
    chrt --idle 0 deploy/lab/build.sh build-asan -Dwerror=true -Db_sanitize=address,undefined \
        -Db_lundef=false >build/build-asan.log 2>&1 &
    building=$!
    trap 'kill "$building" 2>/dev/null || true' EXIT
    trap 'exit 143' HUP INT TERM
fi
run build "$suites"
if [ -n "$wanted_under_sanitizers" ]; then
    wait "$building" || {
        cat build/build-asan.log >&2
        exit 1
    }
    trap - EXIT HUP INT TERM
    run build-asan "$wanted_under_sanitizers"
    directories='build build-asan'
fi
# shellcheck disable=SC2086
exec python3 deploy/lab/tally.py --require "$required" $directories
