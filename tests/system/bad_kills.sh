#!/bin/sh
# Three controllers whose programs are killed with -9, one after the other, together, and whole
# machines at once, while creates with keys go on. Every request gets its answer and is done once
# (INV-IDEM-1, INV-IDEM-2), nothing acknowledged is lost, and the replicas agree (INV-REF-1,
# INV-LED-2). The guard off is the same create with another key, which is refused as a second one.
# Usage: bad_kills.sh BUILD. Prints TAP.
set -eu
build=${1:?bad_kills.sh BUILD}
. "$(dirname -- "$0")/bad_lib.sh"
begin_cell 3
digest=0000000000000000000000000000000000000000000000000000000000000001
"$udatsu" image create plain --kernel $digest --initramfs $digest >/dev/null
"$udatsu" tenant create load --cap vcpus=4000,memory=800G,instances=4000,networks=4 >/dev/null
"$udatsu" --tenant load network create base --cidr 10.9.0.0/16 >/dev/null

create() { # key, name
    "$udatsu" -o json --no-wait --timeout 5s --idempotency-key "$1" --tenant load \
        instance create "$2" --stopped --image plain --vcpus 1 --memory 96M --network base
}
answered() { # key, name: the same request again until somebody says what became of it
    tries=0
    until create "$1" "$2" 2>>"$state/refused" >"$state/answer-$2"; do
        tries=$((tries + 1))
        [ $tries -lt 100 ] || return 1
        sleep 0.2
    done
}
stream() { # part: creates, one after the other, until told to stop
    number=0
    while [ ! -e "$state/stop" ] && [ $number -lt 500 ]; do
        number=$((number + 1))
        printf '%s\n' "vm-$1-$number" >>"$state/asked-$1"
        answered "key-$1-$number" "vm-$1-$number" || printf '%s\n' "vm-$1-$number" >>"$state/lost"
        printf '%s\n' "vm-$1-$number" >>"$state/done-$1"
    done
}
for part in 1 2; do
    touch "$state/done-$part"
    stream $part &
    eval "stream_$part=$!"
done
done_count() { cat "$state"/done-? | wc -l; }
more() { [ "$(done_count)" -gt $((had + 2)) ]; }
goes_on() { # so that a step of the stream lies between any two kills
    had=$(done_count)
    soon more
}
kill_in() { # machine, programs...: at once
    machine=$1
    shift
    names=$(printf 'udatsu-%s|' "$@")
    on "$machine" pkill -KILL -x "${names%|}"
}
shows 'creates go on before anything is killed' goes_on
first=$(leader)
for program in keys api link engine parent; do
    shows "$program of the leader dies" kill_in "$(leader)" $program
    shows 'creates go on' goes_on
done
follower=c1
[ "$(leader)" != c1 ] || follower=c2
for program in keys api link engine parent; do
    shows "$program of a follower dies" kill_in $follower $program
    shows 'creates go on' goes_on
done
shows 'every program of the leader dies at once' \
    kill_in "$(leader)" parent link keys api engine
shows 'creates go on' goes_on
for machine in c1 c2 c3; do
    kill_in $machine engine link
done
shows 'after link and engine of all three died at once creates go on' goes_on
for machine in c1 c2 c3; do
    kill -KILL "$(on --pid $machine)"
done
for machine in c1 c2 c3; do
    soon not on --pid $machine >/dev/null
    "$lab/machine.sh" $machine
done
shows 'after the power of all three was cut creates go on' goes_on
touch "$state/stop"
# shellcheck disable=SC2154
wait "$stream_1" "$stream_2"

asked() { cat "$state"/asked-? | sort; }
exist() {
    "$udatsu" -o json --tenant load instance ls | jq -r '(.items? // .)[] | .name' | sort
}
shows 'every request had its answer' test ! -s "$state/lost"
shows 'what was asked for exists, each once' test "$(exist)" = "$(asked)"
shows 'the replicas agree, and the ledger with the inventory' soon agree c1 c2 c3
one=vm-1-1
operation() { jq -r .id "$state/answer-$one"; }
was=$(operation)
shows 'the same key again gets an answer' answered key-1-1 $one
shows 'which is the first one' test "$(operation)" = "$was"
shows 'another key is a second request, and refused' not create key-other $one
shows 'nothing was made by any of them' test "$(exist)" = "$(asked)"
printf '# %d creates, %d refusals on the way, elections: %s, first leader %s\n' "$(asked | wc -l)" \
    "$(grep -c . "$state/refused" || true)" "$(status .elections)" "$first"
enough
