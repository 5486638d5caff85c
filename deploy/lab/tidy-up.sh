#!/bin/sh
# Removes what building and testing made in this checkout. Downloaded guest files go, too.
set -eu
. "$(dirname -- "$0")/lib.sh"
rm -rf "$root/build" "$root/build-asan"
