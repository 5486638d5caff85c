#!/bin/sh
# A node that lies: a machine with real papers of the cell, and ones with none, says over a real TLS
# link what no good node would. Who may say what (INV-SEC-21), whose papers count (INV-SEC-24,
# INV-SEC-28), whose word about a guest counts (INV-VM-2): the link ends it or nobody listens; the
# controller serves on, no program of it dies, and nothing changed. The guard off is a good node's
# word over the same connection: it is welcomed, ordered and believed.
# Usage: bad_peers.sh BUILD. Prints TAP.
set -eu
build=${1:?bad_peers.sh BUILD}
. "$(dirname -- "$0")/bad_lib.sh"
begin_cell 1
boss=$state/desk
api=https://10.98.0.11:8443
controller=$("$udatsu" -o json controller show c1 | jq -r .id)
posts() { # path, body; no matter what comes of it
    ask "$boss" -H "Idempotency-Key: $1-$(printf '%s' "$2" | sha256sum | cut -c1-16)" \
        -H 'Content-Type: application/json' --data-binary "$2" "$api$1"
}
key_in() { # directory: a key there and a request for a certificate, in the name of another machine
    mkdir -p "$1"
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=c1 \
        -addext "subjectAltName=URI:udatsu://0001/controller/$controller?epoch=0" \
        -keyout "$1/key.pem" -outform DER -out "$1/csr.der" 2>/dev/null
}
hex() { od -An -v -tx1 "$1" | tr -d ' \n'; }
join() { # name, octet: as `udatsu node join` does, with papers that we keep
    key_in "$state/$1"
    printf '%016d' "$2" >"$state/$1/secret"
    posts /v1/tokens "{\"kind\":\"node\",\"name\":\"$1\",\"place\":{\"rack\":\"r$2\"},
        \"secret_sha256\":\"$(sha256sum <"$state/$1/secret" | cut -d' ' -f1)\"}" >/dev/null
    posts /v1/join "{\"kind\":\"node\",\"secret\":\"$(hex "$state/$1/secret")\",
        \"csr\":\"$(hex "$state/$1/csr.der")\",\"link_address\":\"10.98.0.$2:7443\",
        \"underlay_address\":\"10.99.0.$2\"}" >/dev/null
    jq -r .certificate "$state/body" | sed 's/../\\x&/g' | xargs -0 printf '%b' |
        openssl x509 -inform DER -out "$state/$1/cert.pem"
}
forge() { # name, seconds ago, kind, id, epoch: by the cell's own CA key
    key_in "$state/$1"
    "$papers" "$state/machines/c1/lib/keys/keyring" "$state/machines/c1/lib/ca.der" \
        "$state/$1/csr.der" "$3" "$4" "$5" "$2" "$state/$1/cert.der"
    openssl x509 -inform DER -in "$state/$1/cert.der" -out "$state/$1/cert.pem"
}
peer() { # papers, words...
    who=$1
    shift
    cert=$state/$who/cert.pem
    [ "$who" != none ] || cert=none
    on desk "$build/tests/system/bad_peers" 10.98.0.11 "$state/desk/ca.pem" "$cert" \
        "$state/$who/key.pem" "$controller" "$@"
}
comes() { # result, papers, words...
    wanted=$1
    shift
    got=$(peer "$@")
    [ "$got" = "$wanted" ] || {
        printf '%s instead of %s\n' "$got" "$wanted"
        return 1
    }
}

join n1 101
join n2 102
node() { "$udatsu" -o json node show "$1" | jq -r "$2"; }
n1=$(node n1 .id)
shows 'a node that asked for the name of a controller got its own' \
    sh -c "openssl x509 -in '$state/n1/cert.pem' -noout -ext subjectAltName | grep -q 'node/$n1'"
shows 'a good node is welcomed' comes served n1
is_alive() { [ "$(node n1 .liveness)" = alive ]; }
shows 'and is alive' soon is_alive

# Papers.
shows 'without a certificate the link ends' comes ended none
key_in "$state/foreign"
openssl req -x509 -key "$state/foreign/key.pem" -days 1 -subj /CN=n1 \
    -addext "subjectAltName=URI:udatsu://0001/node/$n1?epoch=0" \
    -out "$state/foreign/cert.pem" 2>/dev/null
shows 'with a certificate of a foreign CA the link ends' comes ended foreign
forge twin 0 node "$n1" 0
shows 'one made for this test is as good as its own' comes served twin
forge late 100000 node "$n1" 0
shows 'the same one, whose time is over, is not heard but for its renewal' comes silent late
forge expired 800000 node "$n1" 0
shows 'the same one, expired longer ago than the grace, ends the link' comes ended expired
forge itself 0 controller "$controller" 0
shows 'one in the name of the controller itself ends the link' comes ended itself
forge person 0 user "$("$udatsu" -o json user show operator | jq -r .id)" 0
shows "a person's certificate ends the link" comes ended person
turned_away() { # outcome: a leaf with a count says so
    "$udatsu" -o json audit ls | jq -e --arg outcome "$1" '[.[] | select(.operation == "handshake" and
        .outcome == $outcome and .fold.door == "link" and .fold.count > 0)] != []' >/dev/null
}
shows 'who came without a good certificate is a leaf' soon turned_away no-certificate
shows 'so is who came in a name that may not call' soon turned_away foreign-certificate
shows 'nobody was refused as revoked: the search can fail' not turned_away revoked
forge nobody 0 node "${n1%???}fff" 0
shows 'a node that the cell does not know is not welcomed' not comes served nobody
forge epoch 0 node "$n1" 7
shows 'nor is a known one of another epoch' not comes served epoch

# Frames. Each is followed by a good hello, which is answered only if the link lives.
world() { # all that a word could change, but who was heard of last
    "$udatsu" -o json node ls | jq -S 'map(del(.liveness, .reason, .revision, .renewed_ms_ago))'
    status '"\(.controllers) \(.nodes) \(.tenants) \(.instances) \(.ledger_mismatches) \(.term)"'
}
world >"$state/before"
same() { world >"$state/after" && diff "$state/before" "$state/after"; }
for word in truncated trailing twice noise zero oversized; do
    shows "a frame that is $word ends the link" comes ended n1 $word
done
shows 'half a frame is never handed on' not comes served n1 half hello
shows 'a frame for another machine ends the link' comes ended n1 elsewhere
for word in raft confirmed standing forward; do
    shows "a node that says $word ends its link" comes ended n1 $word
done
shows 'a frame of the right form whose body is none is dropped' comes served n1 body
shows 'a hello said a hundred times is a hello' comes served n1 replay
shows 'a renewal before the hello is a renewal' comes served n1 renew hello renew
shows 'after all that nothing has changed' same

# Values. The form is good; what is said is absurd. Others and the cell must not suffer.
for word in greedy nothing wordy boot images fallbacks; do
    shows "a node that is absurd ($word) does not break the controller" \
        not comes silent n2 $word
done
shows 'the cell can still say what is free' "$udatsu" explain capacity

# Whose word counts: an instance of n1, about which n2 speaks.
digest=0000000000000000000000000000000000000000000000000000000000000001
"$udatsu" image create plain --kernel $digest --initramfs $digest >/dev/null
"$udatsu" tenant create acme --cap vcpus=8,memory=2G,instances=8,networks=4 >/dev/null
"$udatsu" --tenant acme network create front --cidr 10.1.0.0/24 >/dev/null
soon comes served n1
peer n1 order >"$state/order" &
waiting=$!
"$udatsu" --tenant acme --no-wait instance create web --image plain --vcpus 1 --memory 96M \
    --network front >/dev/null
wait $waiting
order=$(cat "$state/order")
web() { "$udatsu" -o json --tenant acme instance show web | jq -r "$1"; }
is_web() { [ "$(web .state)" = "$1" ]; }
rest=${order#*:}
generation=${rest%:*}
epoch=${rest#*:}
RUNNING=1 GONE=3
shows 'a good node is ordered to start it' test "${order%%:*}" = "$(web .id)"
was=$(web .state)
shows 'another node that says it runs is not believed' comes served n2 "report:$order:$RUNNING"
shows 'nor that it is gone' comes served n2 "report:$order:$GONE"
shows 'a word of another generation is not believed' \
    comes served n1 "report:${order%%:*}:$((generation + 1)):$epoch:$RUNNING"
shows 'nor one of another epoch' \
    comes served n1 "report:${order%%:*}:$generation:$((epoch + 1)):$RUNNING"
shows 'nor one of a state that there is not' comes served n1 "report:$order:0"
shows 'it is as it was' is_web "$was"
shows "its own node's word counts" comes served n1 "report:$order:$RUNNING"
shows 'it runs' soon is_web running
shows 'the same word again changes nothing' comes served n1 "report:$order:$RUNNING"

shows 'a new node is welcomed after all that' comes served twin
shows 'the ledger equals the inventory' test "$(status .ledger_mismatches)" = 0
shows 'no program of the controller was started again' \
    test "$(grep -c 'event=process-start' "$state/machines/c1/init/parent.log")" = 4
enough
