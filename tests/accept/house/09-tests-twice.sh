#!/bin/sh
# ./lab test is green twice in a row with every suite required, 200 simulator seeds among it
set -eu
. "$(dirname -- "$0")/../lib.sh"
for run in 1 2; do
    green() { ./lab test --require all >"build/accept-test-$run.log" 2>&1; }
    must "run $run is green" green
    must "run $run ends with the closing line" \
        sh -c "tail -n 1 build/accept-test-$run.log | grep -Eq '^[0-9]+ passed, 0 failed$'"
done
must 'there is a simulator suite of 200 seeds' \
    sh -c "meson test -C build --list --suite sim 2>/dev/null | grep -q 200"
