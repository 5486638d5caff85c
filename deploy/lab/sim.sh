#!/bin/sh
# Builds the simulator if needed and runs it: sim.sh [OPTION]..., as udatsu-sim's (tests/sim, and
# docs/SIMULATOR.md). Paths begin where it is called. Starts no lab and needs none.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
build=$root/build
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! {
    "$root/deploy/install.sh" &&
        { [ -e "$build/build.ninja" ] || meson setup "$build" "$root" -Dwerror=true; } &&
        ninja -C "$build" tests/sim/udatsu-sim
} >"$log" 2>&1; then
    cat "$log" >&2
    exit 1
fi
rm -f "$log"
cd "${UDATSU_CALLED_FROM:-.}"
exec "$build/tests/sim/udatsu-sim" "$@"
