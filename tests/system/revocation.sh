#!/bin/sh
# Revocation by one command, at every door of a whole cell: three controllers and a node. A user
# holds an event stream and an idle connection open at each controller; `user revoke` ends them all
# and each door refuses what comes anew, each refusal a leaf (INV-SEC-3, INV-SEC-33). A controller
# is removed: every other machine ends its links and refuses new ones. The guard off is another user,
# who holds the same and keeps it. Usage: revocation.sh BUILD. Prints TAP.
set -eu
build=${1:?revocation.sh BUILD}
. "$(dirname -- "$0")/bad_lib.sh"
begin_cell 3 1
controllers='c1 c2 c3'
"$udatsu" tenant create acme --cap vcpus=8,memory=2G,instances=8,networks=4 >/dev/null
for user in leaver stayer; do
    "$udatsu" user create $user --role tenant --tenant acme >/dev/null
    "$udatsu" user token $user | "$udatsu" user enroll --out "$state/desk/$user" >/dev/null
done
leaver=$("$udatsu" -o json user show leaver | jq -r .id)
api() { echo "https://10.98.0.1${1#c}:8443"; } # controller
holds() { # user: in the background; says what comes of it in $state/held.USER
    mkfifo "$state/words.$1"
    "$lab/enter.sh" desk python3 "$root/tests/system/revocation_hold.py" "$state/desk/$1" \
        "$state/desk/ca.pem" /v1/tenants/acme c1=10.98.0.11 c2=10.98.0.12 c3=10.98.0.13 \
        <"$state/words.$1" >"$state/held.$1" 2>&1 &
}
from=1
everywhere() { # user, stream or idle, what: at each controller, since line $from
    for place in $controllers; do
        tail -n +$from "$state/held.$1" | grep -qx "$place $2 $3" || return 1
    done
}
keeps() { # user, controllers...: none of its connections there has ended
    who=$1
    shift
    for place; do
        ! grep "^$place .* ended\$" "$state/held.$who" || return 1
    done
}
served() { # user, code, path and arguments of curl: by each controller
    who=$state/desk/$1
    code=$2
    path=${3:-/v1/tenants/acme}
    [ $# -lt 3 ] || shift
    shift 2
    for place in $controllers; do
        [ "$(ask "$who" "$@" "$(api "$place")$path")" = "$code" ] || return 1
    done
}
# Refusals as leaves: how many of an actor at a door, all folds together.
refused() { # door, operation, outcome, actor
    "$udatsu" -o json audit ls | jq --arg door "$1" --arg operation "$2" --arg outcome "$3" \
        --arg actor "$4" '[.[] | select(.operation == $operation and .outcome == $outcome and
            .fold.door == $door and .actor == $actor) | .fold.count] | add // 0'
}
refused_are() { # number, as refused
    wanted=$1
    shift
    [ "$(refused "$@")" = "$wanted" ]
}

linked() { # controller: its link to the one that goes is up
    grep "event=peer-[a-z]* peer=.*/$gone?" "$state/machines/$1/init/parent.log" |
        tail -n 1 | grep -q 'event=peer-up'
}
turned_away() { grep -q 'event=handshake-end .*why=revoked' "$state/machines/$1/init/parent.log"; }

holds leaver
exec 8>"$state/words.leaver"
holds stayer
exec 9>"$state/words.stayer"
for user in leaver stayer; do
    shows "$user holds a stream open at each controller" soon everywhere $user stream open
    shows "$user holds a connection open at each controller" soon everywhere $user idle open
done
shows 'both are served at each controller' eval 'served leaver 200 && served stayer 200'
shows 'nobody was refused' refused_are 0 api request revoked "$leaver"

# A person, revoked.
"$udatsu" --yes user revoke leaver >/dev/null
shows 'revoked by one command, every stream of it ends' soon everywhere leaver stream ended
shows 'and every idle connection' soon everywhere leaver idle ended
shows 'a request of its is refused at each controller' served leaver 401
shows 'so is a stream' served leaver 401 /v1/events -H 'Accept: text/event-stream'
shows 'each refusal is a leaf' soon refused_are 6 api request revoked "$leaver"
from=$(($(wc -l <"$state/held.stayer") + 1))
"$udatsu" --tenant acme network create front --cidr 10.1.0.0/24 >/dev/null
shows "the other's streams go on: each hears of what is done" soon everywhere stayer stream event
echo again >&9
shows 'and its idle connections are served' soon everywhere stayer idle 200
# shellcheck disable=SC2086
shows 'none of them has ended' keeps stayer $controllers

# A controller, removed: not the leader, and one that dials others, which the higher ids do not.
victim=c1
[ "$(leader)" != c1 ] || victim=c2
others=$(echo "$controllers" | sed "s/$victim //")
gone=$("$udatsu" -o json controller show $victim | jq -r .id)
mkdir "$state/twin"
openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=twin \
    -keyout "$state/twin/key.pem" -outform DER -out "$state/twin/csr.der" 2>/dev/null
"$papers" "$state/machines/c1/lib/keys/keyring" "$state/machines/c1/lib/ca.der" \
    "$state/twin/csr.der" controller "$gone" 0 0 "$state/twin/cert.der"
openssl x509 -inform DER -in "$state/twin/cert.der" -out "$state/twin/cert.pem"
twin() { # controller: what becomes of one who dials it with papers of the removed one's name
    on desk "$build/tests/system/bad_peers" "10.98.0.1${1#c}" "$state/desk/ca.pem" \
        "$state/twin/cert.pem" "$state/twin/key.pem" \
        "$("$udatsu" -o json controller show "$1" | jq -r .id)" hello
}
for place in $others; do
    twin "$place" >/dev/null
    shows "before, $victim is linked to $place" soon linked "$place"
    shows "and $place refuses nobody as revoked, with the same papers" not turned_away "$place"
done
shows 'nor is it a leaf' refused_are 0 link handshake revoked "$gone"
"$udatsu" --yes controller remove $victim >/dev/null
for place in $others; do
    shows "$victim is removed by one command: its link ends at $place" \
        soon not linked "$place"
    shows "who comes to $place in its name is turned away" test "$(twin "$place")" = ended
    shows 'as revoked' soon turned_away "$place"
done
is_refused() { [ "$(refused link handshake revoked "$gone")" -ge "$(echo "$others" | wc -w)" ]; }
shows 'each refusal is a leaf' soon is_refused
for place in $others; do
    shows "and $victim is linked to $place no more" not linked "$place"
done
shows "nobody else's link is refused: the node is alive" \
    test "$("$udatsu" -o json node show n1 | jq -r .liveness)" = alive
shows 'the two that are left agree' eval "soon agree $others"
# shellcheck disable=SC2086
shows "the other's connections to them are as open as before" keeps stayer $others
for place in $controllers; do
    shows "no program of $place was started again" \
        test "$(grep -c 'event=process-start' "$state/machines/$place/init/parent.log")" = 4
done
enough
