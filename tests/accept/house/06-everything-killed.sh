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
id_of() { { items controller '"\(.name) \(.id)"' && items node '"\(.name) \(.id)"'; } | sed -n "s/^$1 //p"; }
applied() { "$udatsu" -o json cluster status | jq .applied_index; }
# Events live in the memory of whoever leads: they are asked for after each blow, not at the end.
recorded() { # id of the machine, program, log index before
    "$udatsu" -o json event ls |
        jq -e "any(.[]; .name == \"process-restart\" and .subject == \"$1\" and
            .reason == \"$2\" and .index > $3)" >/dev/null
}
strike() { # machine, program
    id=$(id_of "$1")
    index=$(applied)
    before=$(pids_of "$1" "$2")
    on "$1" pkill -KILL -x "$2"
    must "$1: $2 was killed and runs again" within 60 anew "$1" "$2" "$before"
    must "$1: $2 killed, all is well again" within 60 healthy
    case $2 in udatsu-*)
        must "$1: the restart of $2 is an event" within 30 recorded "$id" "${2#udatsu-}" "$index"
        ;;
    esac
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

repairs() { "$udatsu" -o json audit ls | jq '[.[] | select(.operation == "instance-repair")] | length'; }
repaired=$(repairs)
victim=$(qemus | head -n 1)
on "${victim% *}" kill -KILL "${victim#* }"
another() { [ "$(repairs)" -gt "$repaired" ] && healthy; }
must 'a killed guest is started again, and the repair is a leaf' within 120 another
index=$(applied)
c2=$(id_of c2)
n2=$(id_of n2)
repaired=$(repairs)
hit=$(qemus | grep -c '^n2 ' || true)
must 'guests run on n2' test "$hit" -ge 1
on c2 pkill -KILL '^udatsu-(parent|link|keys|api|engine)$'
on n2 pkill -KILL '^(udatsu-(parent|link|keys|agent|host)|libvirtd|qemu-system.*)$'
all_recorded() {
    for program in parent link keys api engine; do
        recorded "$c2" $program "$index" || return 1
    done
    for program in parent link keys agent host; do
        recorded "$n2" $program "$index" || return 1
    done
}
must 'c2 and n2: everything at once, and each restart is an event' within 120 all_recorded
must 'c2 and n2: repaired' within 240 healthy
each_a_leaf() { [ "$(repairs)" -ge $((repaired + hit)) ]; }
must "each of the $hit guests that died with them has its repair as a leaf" within 30 each_a_leaf

export_file=$state/audit-06
"$udatsu" audit export "$export_file" >/dev/null
cp "$state/desk/log.pub" "$state/log-06.pub"
# In an empty network namespace, without addresses or papers: only the file and the key. The command
# and the program that an auditor carries away must agree; both verdicts are kept, reasons alone.
alone() {
    by_command=0
    by_program=0
    env -i PATH="$PATH" HOME=/nonexistent unshare --net \
        "$state/bin/udatsu" audit verify "$1" --key "$state/log-06.pub" >/dev/null 2>"$1.verdict" ||
        by_command=$?
    env -i unshare --net "$state/bin/udatsu-verify" "$1" --key "$state/log-06.pub" \
        >/dev/null 2>"$1.verdict-program" || by_program=$?
    [ $by_command = $by_program ] || {
        echo "the verifiers disagree: $by_command, $by_program" >&2
        exit 1
    }
    return $by_command
}
spoilt() { python3 tests/accept/spoil.py "$1" "$export_file" "$export_file.$1"; } # how
# The reason names a leaf or a checkpoint by its number, never both: "leaf 7, line 9".
fails_naming() { # how it was spoilt, what the verdict names
    spoilt "$1"
    ! alone "$export_file.$1" && grep "why: $2 [0-9]" "$export_file.$1.verdict" &&
        grep "^$2 [0-9]" "$export_file.$1.verdict-program"
}
must 'the export verifies in an empty namespace' alone "$export_file"
spoilt none
must 'who recomputes every hash makes the same file' cmp "$export_file" "$export_file.none"
must 'one byte changed: it fails and names the leaf' fails_naming byte leaf
must 'a leaf changed and all hashes recomputed: it fails and names the checkpoint' \
    fails_naming leaf checkpoint

as_user() { # tenant, arguments: as its own user, who need not name the tenant
    desk=$state/desk/$1
    shift
    UDATSU_CERT=$desk/cert.pem UDATSU_KEY=$desk/key.pem "$udatsu" "$@"
}
own_export() { as_user "$1" audit export "$export_file-$1" >/dev/null; } # tenant
cut_short() { # tenant: its last leaf is withheld
    last=$(grep -n '^{"leaf"' "$export_file-$1" | tail -n 1 | cut -d : -f 1)
    sed "${last}d" "$export_file-$1" >"$export_file-$1.short"
    ! alone "$export_file-$1.short" && grep incomplete "$export_file-$1.short.verdict-program"
}
foreign() { # another tenant's is as if it were not there: 4
    as_user acme --tenant beta audit export "$export_file-foreign" >/dev/null 2>&1 || [ $? = 4 ]
    [ ! -e "$export_file-foreign" ]
}
for tenant in acme beta; do
    must "$tenant exports its own log" own_export $tenant
    must "$tenant: the export proves itself complete in an empty namespace" \
        alone "$export_file-$tenant"
    must "$tenant: a withheld leaf is missed" cut_short $tenant
done
must "nobody exports another tenant's log" foreign
