#!/bin/sh
# Builds the simulator if needed and runs it: sim.sh [OPTION]..., as udatsu-sim's (tests/sim, and
# docs/SIMULATOR.md). Paths begin in the project's root. Starts no lab and needs none.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
cd "$root"
deploy/install.sh
if [ ! -e build/build.ninja ]; then
    meson setup build -Dwerror=true >build.log 2>&1 || {
        cat build.log >&2
        exit 1
    }
    rm -f build.log
fi
ninja -C build --quiet tests/sim/udatsu-sim >&2
exec build/tests/sim/udatsu-sim "$@"
