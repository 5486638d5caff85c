#!/bin/sh
# parent, link and keys as they run on two controllers and a node, with stubs where engine, api, agent
# and host will stand: births, joins, greetings across machines, deaths of each, sandboxes, a breach,
# another cell's papers, an orderly end. Needs root. Arguments: the build directory.
set -u
build=$1
if [ "$(id -u)" != 0 ]; then
    echo "1..0 # SKIP needs root"
    exit 0
fi
top=$(mktemp -d /var/tmp/udatsu-programs-XXXXXX)
chmod 755 "$top"
number=0
failed=0
parents=
parent_c1='' parent_c2='' parent_n1='' parent_x1=''

stop_all() {
    for pid in $parents; do
        kill -9 "$pid" 2>/dev/null
    done
    rm -rf "$top"
}
trap stop_all EXIT
trap 'exit 1' INT TERM

verdict() { # STATUS WORDS
    number=$((number + 1))
    if [ "$1" = 0 ]; then
        echo "ok $number - $2"
    else
        echo "not ok $number - $2"
        failed=1
        for log in "$top"/*.log; do
            echo "# $log"
            tail -n 12 "$log" | sed 's/^/#   /'
        done
    fi
}

# Waits until the log holds COUNT lines of that form; at most ten seconds.
heard() { # LOG PATTERN COUNT
    turns=0
    while [ "$(grep -c -- "$2" "$top/$1.log")" -lt "$3" ]; do
        turns=$((turns + 1))
        if [ "$turns" -gt 200 ]; then
            return 1
        fi
        sleep 0.05
    done
}

how_often() { # LOG PATTERN
    grep -c -- "$2" "$top/$1.log"
}

# The newest pid of a program of a machine.
pid_of() { # MACHINE PROGRAM
    grep "event=process-start program=$2 " "$top/$1.log" | tail -n 1 | sed 's/.*child=\([0-9]*\).*/\1/'
}

machine() { # NAME KIND LINES…
    name=$1
    kind=$2
    shift 2
    {
        echo "kind: $kind"
        echo "name: $name"
        echo "data: $top/$name/data"
        echo "run: $top/$name/run"
        echo "programs: $top/programs"
        for line in "$@"; do
            echo "$line"
        done
        echo "users:"
        uid=64001
        for program in link keys engine api agent host; do
            echo "  - {program: $program, user: \"$uid\"}"
            uid=$((uid + 1))
        done
    } >"$top/$name.yaml"
}

begin() { # MACHINE
    "$top/programs/udatsu-parent" --config "$top/$1.yaml" 2>>"$top/$1.log" &
    parents="$parents $!"
    eval "parent_$1=$!"
}

join() { # MACHINE KIND ID FROM
    "$setup" csr --config "$top/$1.yaml" >"$top/$1.csr" || return 1
    set -- "$1" "$2" "$3" "$4" "$top/$4/data/keys/keyring" "$top/$4/data/ca.der"
    if [ "$2" = controller ]; then
        "$setup" sealing-key --config "$top/$1.yaml" >"$top/$1.seal" || return 1
        "$build/tests/system/programs_issue" "$5" "$6" "$top/$1.csr" "$2" "$3" "$1" 127.0.0.1 \
            "$top/$1.cert" "$top/$1.seal" "$top/$1.sealed" || return 1
        "$setup" adopt --config "$top/$1.yaml" --cell 1 --id "$3" --certificate "$top/$1.cert" \
            --ca "$6" --sealed "$top/$1.sealed" --controller "$first"
    else
        "$build/tests/system/programs_issue" "$5" "$6" "$top/$1.csr" "$2" "$3" "$1" 127.0.0.1 \
            "$top/$1.cert" || return 1
        "$setup" adopt --config "$top/$1.yaml" --cell 1 --id "$3" --certificate "$top/$1.cert" \
            --ca "$6" --controller "$first"
    fi
}

mkdir "$top/programs"
setup=$build/host/udatsu-setup
for program in parent link keys; do
    ln -s "$build/host/udatsu-$program" "$top/programs/udatsu-$program"
done
for program in engine api agent host; do
    ln -s "$build/tests/system/programs_stub" "$top/programs/udatsu-$program"
done
first=00010002-0000-8000-8000-000000000001,c1,127.0.0.1:19441,127.0.0.1:19442
machine c1 controller "link: 127.0.0.1:19441" "api: 127.0.0.1:19442" \
    "settings:" "  - {program: engine, name: second, value: \"127.0.0.1:19443\"}"
machine c2 controller "link: 127.0.0.1:19443" "api: 127.0.0.1:19444"
machine n1 node "underlay: 127.0.0.1"
machine x1 controller "link: 127.0.0.1:19445" "api: 127.0.0.1:19446" \
    "settings:" "  - {program: engine, name: second, value: \"127.0.0.1:19443\"}"
touch "$top/c1.log" "$top/c2.log" "$top/n1.log" "$top/x1.log"

"$setup" cluster-init --config "$top/c1.yaml" --cell 1 --operator-out "$top/operator"
verdict $? "a cell begins with its papers"
"$setup" cluster-init --config "$top/c1.yaml" --cell 1 --operator-out "$top/operator" 2>/dev/null
[ $? = 1 ]
verdict $? "a machine that has an identity gets no second one"
begin c1
heard c1 event=process-ready 4
verdict $? "a controller's four programs are born"

join c2 controller 00010002-0000-8000-8000-000000000007 c1
verdict $? "a second controller adopts its papers and the sealed keys of the cell"
cmp -s "$top/c1/data/ca.der" "$top/c2/data/ca.der"
verdict $? "both have the same CA"
begin c2
heard c1 "body=confirmed peer=000000000007" 1 && heard c2 "body=confirmed peer=000000000001" 1
verdict $? "controllers greet each other, stamped with who they are"

join n1 node 00010003-0000-8000-8000-000000000009 c1
verdict $? "a node adopts its papers"
begin n1
heard n1 "body=node_welcome peer=000000000001" 1 && heard c1 "body=node_renew peer=000000000009" 1
verdict $? "a node and a controller greet each other"

good=0
for machine in c1 n1; do
    for program in link keys engine api agent host; do
        pid=$(pid_of $machine $program)
        [ -n "$pid" ] || continue
        grep -q "^Seccomp:.2" "/proc/$pid/status" || good=1
        grep -q "^NoNewPrivs:.1" "/proc/$pid/status" || good=1
        grep -q "^CapEff:.0000000000000000" "/proc/$pid/status" || good=1
        grep -q "^CapBnd:.0000000000000000" "/proc/$pid/status" || good=1
        grep -q "^Uid:.640" "/proc/$pid/status" || good=1
        tr '\0' ' ' <"/proc/$pid/environ" | grep -q "SUDO\|HOME" && good=1
    done
done
verdict $good "every child has its uid, no capability, seccomp and an empty environment"

engine=$(pid_of c1 engine)
api=$(pid_of c1 api)
link=$(pid_of c1 link)
before=$(how_often c1 "body=confirmed")
kill -9 "$link"
heard c1 "event=process-restart program=link" 1 && heard c1 "body=confirmed" $((before + 1)) &&
    heard n1 "body=node_welcome" 2 && [ "$(pid_of c1 engine)" = "$engine" ]
verdict $? "link killed: it returns, machines greet again, engine lived through it"
heard c1 "body=process_restarted .*program=link" 2
verdict $? "engine is told of the restart"

link=$(pid_of c1 link)
kill -9 "$(pid_of c1 keys)"
heard c1 "event=process-restart program=keys" 1 && heard c1 "event=stub-open peer=keys" 4 &&
    [ "$(pid_of c1 engine)" = "$engine" ] && [ "$(pid_of c1 link)" = "$link" ] &&
    [ "$(pid_of c1 api)" = "$api" ]
verdict $? "keys killed: it returns and nobody else dies"
before=$(how_often n1 "body=node_welcome")
kill -9 "$(pid_of n1 link)"
heard n1 "body=node_welcome" $((before + 1))
verdict $? "after that, new handshakes are signed again"

before=$(how_often n1 "body=node_welcome")
kill -9 "$engine"
heard c1 "event=process-restart program=engine" 1 && heard c1 "event=process-restart program=api" 1 &&
    [ "$(pid_of c1 link)" = "$link" ] && [ "$(pid_of c1 api)" != "$api" ]
verdict $? "engine killed: api dies with it, link lives"
heard n1 "body=node_welcome" $((before + 1))
verdict $? "and the node is greeted by the new engine"

before=$(how_often n1 "body=node_welcome")
for machine in c1 n1; do
    programs="link keys engine api"
    [ $machine = n1 ] && programs="link keys agent host"
    for program in $programs; do
        kill -9 "$(pid_of $machine "$program")"
    done
done
heard n1 "body=node_welcome" $((before + 1))
verdict $? "all programs of two machines killed at once: they find each other again"

old="$(pid_of c1 link) $(pid_of c1 keys) $(pid_of c1 engine) $(pid_of c1 api)"
kill -9 "$parent_c1"
turns=0
left=1
while [ $left = 1 ] && [ $turns -lt 100 ]; do
    left=0
    for pid in $old; do
        kill -0 "$pid" 2>/dev/null && left=1
    done
    turns=$((turns + 1))
    sleep 0.05
done
verdict $left "parent killed: every child goes with it"
before=$(how_often n1 "body=node_welcome")
begin c1
heard n1 "body=node_welcome" $((before + 1))
verdict $? "parent started again: everything is back"

"$setup" cluster-init --config "$top/x1.yaml" --cell 1 --operator-out "$top/foreign"
{
    echo "cell: 1"
    echo "id: 00010002-0000-8000-8000-000000000001"
    echo "controllers:"
    echo "  - {id: 00010002-0000-8000-8000-000000000007, name: c2, link: \"127.0.0.1:19443\", api: x}"
} >"$top/x1/data/identity.yaml"
begin x1
heard x1 "event=handshake-end .*why=denied" 1 && [ "$(how_often x1 "event=peer-up")" = 0 ]
verdict $? "a machine of another CA is not believed by the one that dials it"
before=$(how_often c2 "event=peer-up")
try_door() { # COUNT CURL-ARGUMENTS…
    count=$1
    shift
    curl -sk --max-time 5 "$@" https://127.0.0.1:19443/ >/dev/null 2>&1
    heard c2 "event=handshake-end .*why=denied" "$count"
}
try_door 1 --cert "$top/foreign/cert.pem" --key "$top/foreign/key.pem"
verdict $? "a certificate of another CA opens no door"
try_door 2 --cert "$top/operator/cert.pem" --key "$top/operator/key.pem"
verdict $? "a person's certificate opens no door between machines"
try_door 3
verdict $? "no certificate opens no door"
curl -sk --max-time 5 --tls-max 1.2 https://127.0.0.1:19443/ >/dev/null 2>&1
[ $? = 35 ] && [ "$(how_often c2 "event=peer-up")" = "$before" ]
verdict $? "nothing older than TLS 1.3 is spoken, and none of these was let in"
kill -TERM "$parent_x1"

sed -i 's/^users:/settings:\n  - {program: agent, name: tongue, value: forbidden}\nusers:/' "$top/n1.yaml"
kill -TERM "$parent_n1"
wait "$parent_n1"
verdict $? "an orderly end exits 0"
begin n1
heard n1 "event=channel-breach peer=agent what=may-not-say" 1 &&
    heard n1 "event=process-kill program=agent .*why=breach" 1
verdict $? "who says what it may not is ended"
kill -TERM "$parent_n1"
wait "$parent_n1"

# INV-SEC-29: the node believes that c1 lies at c2's address.
sed -i 's/tongue, value: forbidden/tongue, value: none/' "$top/n1.yaml"
sed -i 's/127.0.0.1:19441/127.0.0.1:19443/' "$top/n1/data/identity.yaml"
before=$(how_often n1 "event=peer-up")
begin n1
heard n1 "event=handshake-end .*why=another-machine" 2 &&
    [ "$(how_often n1 "event=peer-up")" = "$before" ]
verdict $? "who answers in another's place is not spoken with"
kill -TERM "$parent_n1"
wait "$parent_n1"
sed -i 's/127.0.0.1:19443/127.0.0.1:19441/' "$top/n1/data/identity.yaml"

# INV-SEC-28: the node's certificate is older than the least epoch that engine names.
begin n1
heard n1 "event=peer-up" $((before + 1))
verdict $? "before its revocation a node comes in"
kill -TERM "$parent_c1"
wait "$parent_c1"
sed -i 's/^settings:/settings:\n  - {program: engine, name: revoke, value: node}/' "$top/c1.yaml"
before=$(how_often c1 "body=node_renew")
begin c1
heard c1 "why=revoked" 2 && after=$(how_often c1 "body=node_renew") &&
    [ "$after" -le $((before + 1)) ]
verdict $? "after it, its old certificate opens no connection"

# INV-SEC-27: two programs of one user.
sed 's/user: "64002"/user: "64001"/' "$top/x1.yaml" >"$top/x2.yaml"
"$top/programs/udatsu-parent" --config "$top/x2.yaml" 2>>"$top/x1.log"
[ $? = 1 ] && grep -q "event=user-refused .*why=shared-or-root" "$top/x1.log"
verdict $? "two programs of one user are not started"
sed 's/user: "64002"/user: "0"/' "$top/x1.yaml" >"$top/x2.yaml"
"$top/programs/udatsu-parent" --config "$top/x2.yaml" 2>>"$top/x1.log"
[ $? = 1 ] && [ "$(how_often x1 "event=user-refused")" = 2 ]
verdict $? "keys is not started as root"
kill -TERM "$parent_n1" "$parent_c1" "$parent_c2"
echo "1..$number"
exit $failed
