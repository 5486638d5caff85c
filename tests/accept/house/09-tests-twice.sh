#!/bin/sh
# ./lab test is green twice in a row with every suite required, 200 simulator seeds among it
set -eu
. "$(dirname -- "$0")/../lib.sh"
mkdir -p "$checkout/build"
green() { # log
    ./lab test --require all >"$1" 2>&1 || {
        grep '^failed' "$1" | tail -n 20
        return 1
    }
}
closes() { tail -n 1 "$1" | grep -Eq '^[1-9][0-9]* passed, 0 failed$'; } # log

./lab down # The tests make labs of their own.
for run in first second; do
    log=$checkout/build/accept-test-$run.log
    began=$(date +%s)
    must "the $run ./lab test --require all is green" green "$log"
    must 'it ends with the closing line' closes "$log"
    tail -n 1 "$log"
    must 'every test ran; each simulator says 200 seeds, and no fault and no check of it is zero' \
        tests/accept/ran.py --since "$began" --simulators udatsu-sim,udatsu-sim-consensus \
        build build-asan:unit,scenario,sim
done
