#!/bin/sh
# A controller whose wall clock jumps by ten years, forward and back, and which then leads. Log time
# goes on as it did and never back (INV-TIME-1): tokens do not end, keys of writes are not forgotten
# (INV-IDEM-1); wall time stays near the clocks of the other two (INV-TIME-2). When the whole machine
# is wrong, nobody can prove his papers to it, and the other two serve on. That the clock is wrong at
# all is seen in the offsets that it shows.
# Usage: bad_clock.sh BUILD. Prints TAP.
set -eu
build=${1:?bad_clock.sh BUILD}
. "$(dirname -- "$0")/bad_lib.sh"
ten_years=315360000

# The lab's programs are one directory for all machines: each is started through a line that looks
# whether this machine has a wrong clock, for this program.
"$lab/programs.sh" "$build"
cp "$build/tests/system/libbad_clock.so" "$state/bin/"
for program in link keys api engine; do
    mv "$state/bin/udatsu-$program" "$state/bin/real-$program"
    cat >"$state/bin/udatsu-$program" <<WRAPPER
#!/bin/sh
if [ -e /etc/udatsu/clock-$program ]; then
    BAD_CLOCK=\$(cat /etc/udatsu/clock-$program)
    LD_PRELOAD=/usr/libexec/udatsu/libbad_clock.so
    export BAD_CLOCK LD_PRELOAD
fi
exec /usr/libexec/udatsu/real-$program "\$@"
WRAPPER
    chmod 755 "$state/bin/udatsu-$program"
done
"$lab/net.sh"
"$lab/cluster.sh" 3 0 >/dev/null

clock() { # machine, seconds, programs...: sets it, as of the next start of these programs
    machine=$1
    seconds=$2
    shift 2
    for program; do
        printf '%s\n' "$seconds" >"$state/machines/$machine/etc/clock-$program"
        chmod 644 "$state/machines/$machine/etc/clock-$program"
    done
}
right() { rm -f "$state/machines/$1"/etc/clock-*; } # machine
restart() { # machine
    kill -KILL "$(on --pid "$1")"
    soon not on --pid "$1" >/dev/null
    "$lab/machine.sh" "$1"
}
leads() { [ "$(leader)" = "$1" ]; }
make_lead() { # machine: kills whoever else leads, until it does
    tries=0
    until leads "$1"; do
        tries=$((tries + 1))
        [ $tries -lt 30 ] || return 1
        now=$(leader)
        case $now in
        c?) [ "$now" = "$1" ] || on "$now" pkill -KILL -x real-engine ;;
        esac
        soon is_led
    done
}
is_led() { case $(leader) in c?) ;; *) return 1 ;; esac }
keyed() { # key, name
    "$udatsu" -o json --idempotency-key "$1" tenant create "$2" --cap vcpus=1 >"$state/answer"
}
log_ms() { status .log_time_ms; }
minutes_only() { # log time before: it went on, by less than an hour
    gone=$(($(log_ms) - $1))
    printf 'log time went on by %d ms\n' $gone
    [ $gone -ge 0 ] && [ $gone -lt 3600000 ]
}
near_now() { # tenant: it was made within a minute of now, as everybody else's clock shows it
    made=$(date -d "$("$udatsu" -o json tenant show "$1" | jq -r .created_at)" +%s)
    apart=$(($(date +%s) - made))
    printf 'made %d s ago\n' $apart
    [ $apart -ge -60 ] && [ $apart -le 60 ]
}
far_off() { # as the leader c2 sees the others: by nine years and more
    [ "$(members 'select(.name == "c1") | .clock_offset_ms')" -gt 283824000000 ]
}

bounded() { [ "$(status .feature_level)" -ge 2 ]; }
shows 'wall time is bounded: every controller has said that it understands that' soon bounded

keyed key-first first
was=$(jq -r .id "$state/answer")
"$udatsu" user create person --role auditor >/dev/null
for jump in $ten_years -$ten_years; do
    "$udatsu" user token person --ttl 1h >"$state/token"
    before=$(log_ms)
    clock c2 "$jump" engine
    on c2 pkill -KILL -x real-engine
    shows "a clock that jumped by $jump s: its controller comes back" soon agree c1 c2 c3
    shows 'and leads' make_lead c2
    shows 'its clock is wrong indeed' soon far_off
    shows 'it takes a write' keyed "key$jump" "during$jump"
    shows 'which bears the right time all the same' near_now "during$jump"
    shows 'log time goes on as it did' minutes_only "$before"
    shows 'a key of before is remembered' keyed key-first first
    shows 'with its answer' test "$(jq -r .id "$state/answer")" = "$was"
    shows 'a token of before has not ended' \
        "$udatsu" user enroll --token-file "$state/token" --out "$state/person$jump"
    before=$(log_ms)
    right c2
    on c2 pkill -KILL -x real-engine
    shows 'the clock is set right: it comes back' soon agree c1 c2 c3
    shows 'log time does not go back' minutes_only "$before"
    shows 'writes go on' keyed "after$jump" "after$jump"
done

for jump in $ten_years -$ten_years; do
    clock c3 "$jump" link keys api engine
    restart c3
    shows "a whole machine is wrong by $jump s: the others serve on" keyed "whole$jump" "whole$jump"
    shows 'and agree' soon agree c1 c2
    right c3
    restart c3
    shows 'set right, it catches up' soon agree c1 c2 c3
done
enough
