#!/bin/sh
# both commands of the README exit 0 in a fresh Debian 12 root
set -eu
. "$(dirname -- "$0")/../lib.sh"
must 'both commands exit 0 in the clean room' tests/cleanroom/run.sh
