#!/bin/sh
# What the bad days share: a lab of controllers, and how to ask one as somebody. Sourced, never run;
# needs $build. Makes no judgement of its own.
# shellcheck disable=SC2034,SC2154
label=x
. "$(dirname -- "$0")/lab_lib.sh"
udatsu=$state/desk/udatsu
papers=$build/tests/system/bad_papers
. "$lab/people.sh"

begin_cell() { # controllers, nodes (none)
    if [ "${2:-0}" != 0 ]; then
        UDATSU_LAB_GUEST=$build/guest
        export UDATSU_LAB_GUEST
        "$lab/guest/make.sh" "$UDATSU_LAB_GUEST"
    fi
    "$lab/programs.sh" "$build"
    "$lab/net.sh"
    "$lab/cluster.sh" "$1" "${2:-0}" >/dev/null
}
engine_says() { # machine, text: a line of that machine's log
    grep -q "$2" "$state/machines/$1/init/parent.log"
}
status() { "$udatsu" -o json cluster status | jq -r "$1"; } # jq filter
leader() { status .leader; }
members() { "$udatsu" -o json controller ls | jq -r "(.items? // .)[] | $1"; } # jq filter
itself() { # controller, jq filter: of its own state, which may be old
    # While its api is being started again nobody answers the handshake: ask anew instead.
    UDATSU_ENDPOINTS=https://10.98.0.1${1#c}:8443 \
        timeout 10 "$udatsu" -o json cluster status --consistency stale | jq -r "$2"
}
agree() { # controllers...: at one index with one digest, the ledger equal to the inventory
    for controller; do
        itself "$controller" '"\(.applied_index) \(.digest) \(.ledger_mismatches) \(.poisoned)"' ||
            return 1
    done | sort -u >"$state/agree"
    cat "$state/agree" # For whoever is told that they do not.
    [ "$(grep -c ' 0 false$' "$state/agree")" = 1 ] && [ "$(wc -l <"$state/agree")" = 1 ]
}
# A request as it is, with any papers: prints the code of HTTP, keeps the body in $state/body.
ask() { # papers (a directory, or none), arguments of curl
    who=$1
    shift
    if [ "$who" != none ]; then
        set -- --cert "$who/cert.pem" --key "$who/key.pem" "$@"
    fi
    on desk curl -s -m 20 --cacert "$state/desk/ca.pem" -o "$state/body" -w '%{http_code}' "$@"
}
