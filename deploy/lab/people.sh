#!/bin/sh
# shellcheck disable=SC2154
# Who speaks to the lab besides the operator. Sourced, never run, by what has set $state and
# $udatsu. A tenant's own user has a desk of its own: an operator reads no tenant's console.

as() { # tenant, arguments of udatsu: as that tenant's own user
    desk=$state/desk/$1
    who=$1
    shift
    UDATSU_CERT=$desk/cert.pem UDATSU_KEY=$desk/key.pem "$udatsu" --tenant "$who" "$@"
}
enrol() { # tenant
    "$udatsu" user create "$1-user" --role tenant --tenant "$1" >/dev/null
    "$udatsu" user token "$1-user" | "$udatsu" user enroll --out "$state/desk/$1" >/dev/null
}
