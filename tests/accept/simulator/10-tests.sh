#!/bin/sh
# ./lab test takes twenty minutes at most in CI, with fixed and with fresh seeds; a nightly hunt begins
set -eu
. "$(dirname -- "$0")/../lib.sh"
log=$checkout/build/accept-tests.log
mkdir -p "$checkout/build"
minutes=2 # Of the eight hours that ./lab nightly takes when nobody says how long.
must '.ci/run is green: every suite, in a fresh machine' sh -c "./.ci/run >'$log' 2>&1"
tail -n 1 "$log"
# With what it installs and builds there first: "… after 16 min 40 s".
spent=$(sed -n 's/^== clean room: .*: status 0 after \([0-9]*\) min \([0-9]*\) s$/\1 \2/p' "$log" |
    awk '{ print $1 * 60 + $2 }')
must 'it says how long it took' [ -n "$spent" ]
printf 'shown: ./lab test took %s s in CI, with the packages and the build\n' "$spent"
must 'it took twenty minutes at most' [ "$spent" -le 1200 ]
must 'nothing failed, and something passed' grep -Eq '^[1-9][0-9]* passed, 0 failed$' "$log"
must 'fixed seeds were lived' grep -q ' plane  *OK' "$log"
must 'fresh seeds were lived' grep -q 'plane, fresh seeds  *OK' "$log"
hunted() {
    deploy/lab/nightly.sh --minutes $minutes --into "$checkout/build/nightly" \
        >"$checkout/build/accept-nightly.log" 2>&1
    status=$?
    sed "s/^[0-9]* seeds, /shown: in $minutes minutes of the nightly hunt: &/" \
        "$checkout/build/accept-nightly.log"
    return $status
}
deploy/lab/build.sh build
must 'the nightly hunt lives fresh seeds of both simulators, and none is bad' hunted
must 'left to itself it goes on for hours' grep -q '^minutes=480$' deploy/lab/nightly.sh
