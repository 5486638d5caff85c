#!/bin/sh
# both commands of the README exit 0 in a fresh Debian 12 root
set -eu
. "$(dirname -- "$0")/../lib.sh"
output=$checkout/build/accept-room.log
mkdir -p "$checkout/build"
clean_room() {
    tests/cleanroom/run.sh >"$output" 2>&1 || {
        tail -n 20 "$output"
        return 1
    }
}
minutes() { # of each command that ended well
    grep -E '^== clean room: \./lab .*: status 0 after [0-9]+ min [0-9]+ s$' "$output"
}
both() { [ "$(minutes | cut -d: -f2 | sort -u | wc -l)" = 2 ]; }
# A fresh root has the same kernel: what of it is used must not depend on what was installed before.
same_table() {
    deploy/lab/doctor.sh | grep -E '^(root|kvm|overlay|rules|landlock|loop) ' | while read -r row; do
        grep -qxF -- "$row" "$output" || printf '%s\n' "$row"
    done >"$output.rows"
    cat "$output.rows"
    [ ! -s "$output.rows" ]
}
before=$(find /var/tmp -maxdepth 1 -name 'udatsu-cleanroom.*' | sort)
room_is_gone() { [ "$(find /var/tmp -maxdepth 1 -name 'udatsu-cleanroom.*' | sort)" = "$before" ]; }

./lab down # The room has a lab of its own.
must 'both commands exit 0 in the clean room' clean_room
must 'the minutes of each are printed' both
minutes
must 'the table of fallbacks in the room is that of this machine' same_table
must 'nothing of the room is left' room_is_gone
