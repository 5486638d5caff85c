#!/bin/sh
# Requests that no friend sends, over real TLS to a real controller: what is not a well-formed
# request, what is another tenant's (INV-SEC-1), and papers that open no door (INV-SEC-3,
# INV-SEC-24, INV-SEC-28). Beside each stands the same request in good form, which is served.
# Usage: bad_requests.sh BUILD. Prints TAP.
set -eu
build=${1:?bad_requests.sh BUILD}
. "$(dirname -- "$0")/bad_lib.sh"
begin_cell 1
boss=$state/desk
api=https://10.98.0.11:8443
serial=0
is() { # code of HTTP, papers, path, curl's arguments
    wanted=$1
    who=$2
    path=$3
    shift 3
    got=$(ask "$who" "$@" "$api$path")
    [ "$got" = "$wanted" ] || {
        printf '%s instead of %s: %s\n' "$got" "$wanted" "$(cat "$state/body")"
        return 1
    }
}
posts() { # code, papers, path, body: with a new key, as JSON
    serial=$((serial + 1))
    is "$1" "$2" "$3" -H "Idempotency-Key: bad-$serial" -H 'Content-Type: application/json' \
        --data-binary "$4"
}
at() { # pointer: what the last refusal points at
    [ "$(jq -r .pointer "$state/body")" = "$1" ]
}
points() { posts 400 "$boss" "$2" "$3" && at "$1"; } # pointer, path, body

digest=0000000000000000000000000000000000000000000000000000000000000001
"$udatsu" image create plain --kernel $digest --initramfs $digest >/dev/null
for tenant in acme beta; do
    "$udatsu" tenant create $tenant --cap vcpus=8,memory=2G,instances=8,networks=4 >/dev/null
    enrol $tenant
    as $tenant network create front --cidr 10.1.0.0/24 >/dev/null
    as $tenant instance create "$tenant-vm" --stopped --image plain --vcpus 1 --memory 96M \
        --network front >/dev/null
done
enrol_again() { # tenant, user
    "$udatsu" user create "$2" --role tenant --tenant "$1" >/dev/null
    "$udatsu" user token "$2" | "$udatsu" user enroll --out "$state/desk/$2" >/dev/null
}
world() { # everything that a request could change, as the operator sees it
    for path in tenants images networks instances users tokens tenants/acme/quota \
        tenants/beta/quota; do
        ask "$boss" "$api/v1/$path" >/dev/null
        cat "$state/body"
    done
}

# Form. The good ones come first: the guard off.
good='{"name":"x1","cap":{"vcpus":1}}'
shows 'a well-formed request is served' posts 202 "$boss" /v1/tenants "$good"
before=$(world)
shows 'a body that ends early is refused' posts 400 "$boss" /v1/tenants '{"name":"x2"'
shows 'a body that is no object is refused' posts 400 "$boss" /v1/tenants '["x2"]'
shows 'a body with something after it is refused' posts 400 "$boss" /v1/tenants '{"name":"x2"} {}'
shows 'a body that is no UTF-8 is refused' \
    posts 400 "$boss" /v1/tenants "$(printf '{"name":"x\377"}')"
shows 'a body nested too deeply is refused' \
    posts 400 "$boss" /v1/tenants "$(printf '%05000d' 0 | tr 0 '[')"
shows 'a key that comes twice is refused' posts 400 "$boss" /v1/tenants '{"name":"x2","name":"x3"}'
shows 'a nested key that comes twice is refused' \
    posts 400 "$boss" /v1/tenants '{"name":"x2","cap":{"vcpus":1,"vcpus":2}}'
shows 'an unknown field is refused and named' \
    points /colour /v1/tenants '{"name":"x2","colour":"red"}'
shows 'an unknown nested field is refused and named' \
    points /cap/gpus /v1/tenants '{"name":"x2","cap":{"gpus":1}}'
shows 'a number for a name is refused and named' points /name /v1/tenants '{"name":5}'
shows 'a text for a number is refused and named' \
    points /cap/vcpus /v1/tenants '{"name":"x2","cap":{"vcpus":"1"}}'
shows 'a fraction is refused' points /cap/vcpus /v1/tenants '{"name":"x2","cap":{"vcpus":1.5}}'
shows 'a negative number is refused' points /cap/vcpus /v1/tenants '{"name":"x2","cap":{"vcpus":-1}}'
shows 'a number beyond 64 bits is refused' \
    posts 400 "$boss" /v1/tenants '{"name":"x2","cap":{"vcpus":99999999999999999999}}'
shows 'an object for a list is refused' posts 400 "$boss" /v1/tenants/acme/instances \
    '{"name":"v","image":"plain","vcpus":1,"memory_bytes":100663296,"networks":{}}'
shows 'a name with a line break is refused' posts 400 "$boss" /v1/tenants '{"name":"x\n2"}'
shows 'a name with a zero byte is refused' posts 400 "$boss" /v1/tenants '{"name":"x\u00002"}'
head -c 70000 /dev/zero | tr '\0' a >"$state/big"
shows 'a body beyond the bound is refused' posts 413 "$boss" /v1/tenants "@$state/big"
printf '{"name":"%s"}' "$(head -c 60000 /dev/zero | tr '\0' a)" >"$state/long"
shows 'a name beyond the bound is refused' posts 400 "$boss" /v1/tenants "@$state/long"
shows 'another media type is refused' \
    is 415 "$boss" /v1/tenants -H 'Idempotency-Key: bad-type' --data "$good"
shows 'a write without a key is refused' \
    is 400 "$boss" /v1/tenants -H 'Content-Type: application/json' --data "$good"
shows 'an unknown word in the query is refused' is 400 "$boss" '/v1/tenants?colour=red'
shows 'another method is refused' is 405 "$boss" /v1/tenants -X PUT
shows 'an unknown path is not found' is 404 "$boss" /v2/tenants
shows 'none of them changed anything' test "$(world)" = "$before"

# Whose it is: INV-SEC-1.
show() { as "$1" -o json instance show "$1-vm" | jq -r .id; } # tenant
theirs=$(show beta)
tenant_id() { "$udatsu" -o json tenant show "$1" | jq -r .id; }
beta_id=$(tenant_id beta)
says() { jq -S 'del(.request_id)' "$state/body"; }
same_as_none() { # path of what exists, path of what never did, more arguments of curl
    exists=$1
    never=$2
    shift 2
    is 404 "$state/desk/acme" "$exists" "$@" && says >"$state/exists" &&
        is 404 "$state/desk/acme" "$never" "$@" && says >"$state/never" &&
        cmp "$state/exists" "$state/never"
}
shows 'its own instance is shown to a tenant' \
    is 200 "$state/desk/beta" "/v1/tenants/beta/instances/$theirs"
shows "another tenant's, by name, answers like none" \
    same_as_none /v1/tenants/beta/instances/beta-vm /v1/tenants/nobody/instances/beta-vm
shows "another tenant's, by id, answers like none" \
    same_as_none "/v1/tenants/$beta_id/instances/$theirs" \
    "/v1/tenants/${beta_id%???}fff/instances/${theirs%???}fff"
shows "another tenant's id beneath one's own tenant answers like none" \
    same_as_none "/v1/tenants/acme/instances/$theirs" "/v1/tenants/acme/instances/${theirs%???}fff"
shows "another tenant's quota answers like none" \
    same_as_none /v1/tenants/beta/quota /v1/tenants/nobody/quota
serial=$((serial + 1))
shows "another tenant's instance is not deleted" same_as_none \
    "/v1/tenants/acme/instances/$theirs" "/v1/tenants/acme/instances/${theirs%???}fff" \
    -X DELETE -H "Idempotency-Key: bad-$serial" -H 'If-Match: *'
shows "another tenant's network is not used" posts 404 "$state/desk/acme" /v1/tenants/acme/instances \
    '{"name":"v","image":"plain","vcpus":1,"memory_bytes":100663296,"networks":["beta-net"]}'

# Name and UUID: one slot takes both, and neither may pass for the other.
mine=$(show acme)
shows 'an id stands for its name' is 200 "$state/desk/acme" "/v1/tenants/acme/instances/$mine"
shows 'a name that looks like an id is refused' posts 400 "$state/desk/acme" /v1/tenants/acme/networks \
    "{\"name\":\"$mine\",\"cidr\":\"10.2.0.0/24\"}"
shows 'the id of an instance names no network' \
    is 404 "$state/desk/acme" "/v1/tenants/acme/networks/$mine"
shows 'the id of a tenant names no user' is 404 "$boss" "/v1/users/$beta_id"
shows 'an id in capital letters is no id' is 404 "$state/desk/acme" \
    "/v1/tenants/acme/instances/$(printf '%s' "$mine" | sed 's/^0001/000A/')"
shows 'none of them changed anything either' test "$(world)" = "$before"

# Papers. The user is good until it is revoked; then the same certificate is not.
enrol_again acme leaver
shows 'a certificate of this cell opens the door' is 200 "$state/desk/leaver" /v1/tenants/acme
"$udatsu" --yes user revoke leaver >/dev/null
shows 'a revoked certificate opens none' is 401 "$state/desk/leaver" /v1/tenants/acme
shows 'no certificate opens none' is 401 none /v1/tenants/acme
forge() { # directory, seconds ago, identity's kind, id, epoch
    mkdir -p "$1"
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=bad \
        -keyout "$1/key.pem" -outform DER -out "$1/csr.der" 2>/dev/null
    "$papers" "$state/machines/c1/lib/keys/keyring" "$state/machines/c1/lib/ca.der" \
        "$1/csr.der" "$3" "$4" "$5" "$2" "$1/cert.der"
    openssl x509 -inform DER -in "$1/cert.der" -out "$1/cert.pem"
}
operator=$("$udatsu" -o json user show operator | jq -r .id)
leaver=$("$udatsu" -o json user show leaver | jq -r .id)
forge "$state/good" 0 user "$operator" 0
forge "$state/expired" 90000 user "$operator" 0
forge "$state/old" 0 user "$leaver" 0
forge "$state/nobody" 0 user "${operator%???}fff" 0
forge "$state/node" 0 node "00010003${operator#????????}" 0
shows 'a certificate made for this test opens the door' is 200 "$state/good" /v1/tenants
shows 'the same one, expired, opens none' is 401 "$state/expired" /v1/tenants
shows 'a new certificate of a revoked epoch opens none' is 401 "$state/old" /v1/tenants/acme
shows 'a certificate of nobody opens none' is 401 "$state/nobody" /v1/tenants
shows "a machine's certificate is no person's" not is 200 "$state/node" /v1/tenants
mkdir "$state/foreign"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=operator \
    -addext "subjectAltName=URI:udatsu://0001/user/$operator?epoch=0" \
    -keyout "$state/foreign/key.pem" -out "$state/foreign/cert.pem" 2>/dev/null
shows "a foreign CA's certificate opens none" is 401 "$state/foreign" /v1/tenants
shows 'the controller serves on, and its ledger equals its inventory' \
    test "$(status '"\(.ledger_mismatches) \(.instances)"')" = '0 2'
shows 'no program of it was started again' \
    test "$(grep -c 'event=process-start' "$state/machines/c1/init/parent.log")" = 4
enough
