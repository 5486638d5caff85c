#!/bin/sh
# ./lab test takes twenty minutes at most, with fixed and with fresh seeds; a nightly hunt begins
set -eu
. "$(dirname -- "$0")/../lib.sh"
log=$checkout/build/accept-tests.log
began=$(date +%s)
must './lab test is green, every suite' sh -c "./lab test --require all >'$log' 2>&1"
spent=$(($(date +%s) - began))
tail -n 1 "$log"
printf 'shown: ./lab test took %s s\n' "$spent"
must 'it took twenty minutes at most' [ "$spent" -le 1200 ]
must 'fixed seeds were lived' grep -q ' plane  *OK' "$log"
must 'fresh seeds were lived' grep -q 'plane, fresh seeds  *OK' "$log"
must 'the nightly hunt lives fresh seeds of both simulators' \
    deploy/lab/nightly.sh --minutes 2 --into "$checkout/build/nightly"
