#!/bin/sh
# each program killed in turn and all at once: repaired, recorded; the audit export verifies alone
set -eu
. "$(dirname -- "$0")/../lib.sh"
lab_is_up
wanted=$(count instance 'select(.state == "running") | .name')
healthy() { # desired state everywhere, and exactly one domain for each instance that runs
    [ "$(count instance 'select(.state == "running") | .name')" = "$wanted" ] &&
        [ "$(count node 'select(.liveness == "alive") | .name')" = 3 ] && controllers_agree &&
        [ "$(domains)" = "$(items instance 'select(.state == "running") | .id' | sort)" ]
}
domains() { # the instance of every QEMU on every node; one that runs twice is there twice
    for node in n1 n2 n3; do
        on $node pgrep -af '^/usr/bin/qemu-system.* -name guest=' 2>/dev/null |
            sed 's/.* -name guest=\([-0-9a-f]*\).*/\1/'
    done | sort
}
pids_of() { on "$1" pgrep -x "$2" | tr '\n' ' '; } # machine, program
anew() { # machine, program, its pids before: it runs again, as another process
    now=$(pids_of "$1" "$2")
    [ -n "$now" ] && [ "$now" != "$3" ]
}
strike() { # machine, program
    before=$(pids_of "$1" "$2")
    on "$1" pkill -KILL -x "$2"
    must "$1: $2 was killed and runs again" within 60 anew "$1" "$2" "$before"
    must "$1: $2 killed, all is well again" within 60 healthy
}
must 'all is well before' within 60 healthy
guests=$(qemus)
for program in parent link keys api engine; do
    strike c2 udatsu-$program
done
for program in parent link keys agent host; do
    strike n1 udatsu-$program
done
strike n1 libvirtd
must 'no guest was touched by any of it' test "$(qemus)" = "$guests"

repairs() { "$udatsu" -o json audit ls --limit 1000 | jq '[.[] | select(.operation == "instance-repair")] | length'; }
repaired=$(repairs)
victim=$(qemus | head -n 1)
on "${victim% *}" kill -KILL "${victim#* }"
another() { [ "$(repairs)" -gt "$repaired" ] && healthy; }
must 'a killed guest is started again, and the repair is a leaf' within 120 another
on c2 pkill -KILL '^udatsu-(parent|link|keys|api|engine)$'
on n2 pkill -KILL '^(udatsu-(parent|link|keys|agent|host)|libvirtd|qemu-system.*)$'
must 'c2 and n2: everything at once, repaired' within 240 healthy
restarts() { # kind, machine: how many restarts of its programs are events
    id=$(items "$1" "select(.name == \"$2\") | .id")
    "$udatsu" -o json event ls --limit 1000 |
        jq "[.[] | select(.name == \"process-restart\" and .subject == \"$id\")] | length"
}
must 'each of the five restarts, and the one of all, on c2 is an event' \
    test "$(restarts controller c2)" -ge 10
must 'the same on n1' test "$(restarts node n1)" -ge 5

export_file=$state/audit-06
"$udatsu" audit export "$export_file" >/dev/null
cp "$state/desk/log.pub" "$state/log-06.pub"
alone() { # in an empty network namespace, without addresses or papers: only the file and the key
    env -i PATH="$PATH" HOME=/nonexistent unshare --net \
        "$state/bin/udatsu" audit verify "$1" --key "$state/log-06.pub" >"$1.verdict" 2>&1
}
spoilt() { python3 tests/accept/spoil.py "$1" "$export_file" "$export_file.$1"; } # how
fails_naming() { # how it was spoilt, what the verdict names
    spoilt "$1"
    ! alone "$export_file.$1" && grep -i "$2" "$export_file.$1.verdict"
}
must 'the export verifies in an empty namespace' alone "$export_file"
spoilt none
must 'who recomputes every hash makes the same file' cmp "$export_file" "$export_file.none"
must 'one byte changed: it fails and names the leaf' fails_naming byte leaf
must 'a leaf changed and all hashes recomputed: it fails and names the checkpoint' \
    fails_naming leaf checkpoint
