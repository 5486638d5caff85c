#!/bin/sh
# Certificates that end: a node, a controller and a person renew theirs, each with the real programs
# and papers that were made old for the test. The guards: what is too old, of another epoch or
# somebody else's renews nothing (INV-SEC-30, INV-SEC-32). Needs root. Arguments: the build directory.
set -u
build=$1
if [ "$(id -u)" != 0 ]; then
    echo "1..0 # SKIP needs root"
    exit 0
fi
top=$(mktemp -d /var/tmp/udatsu-renewal-XXXXXX)
chmod 755 "$top"
number=0
failed=0
parent_c1='' parent_n1=''
HOUR=3600
DAY=86400

stop_all() {
    for pid in $parent_n1 $parent_c1; do
        kill -9 "$pid" 2>/dev/null
    done
    rm -rf "$top"
}
trap stop_all EXIT
trap 'exit 1' INT TERM

shows() { # sentence, command...
    number=$((number + 1))
    sentence=$1
    shift
    if "$@" >"$top/said" 2>&1; then
        echo "ok $number - $sentence"
        return
    fi
    echo "not ok $number - $sentence"
    failed=1
    for log in "$top/said" "$top"/*.log; do
        echo "# $log"
        tail -n 15 "$log" | sed 's/^/#   /'
    done
}
not() { ! "$@"; }
soon() { # command...; the deadline is a bound, not a measure
    end=$(($(date +%s) + 60))
    until "$@"; do
        [ "$(date +%s)" -lt $end ] || return 1
        sleep 0.1
    done
}
says() { grep -q -- "$2" "$top/$1.log"; } # log, pattern
counted() { grep -c -- "$2" "$top/$1.log"; } # log, pattern
machine() { # name, kind, lines...
    name=$1
    mkdir "$top/$name" # By ourselves: setup's own mode would keep the programs out.
    printf 'kind: %s\nname: %s\ndata: %s\nrun: %s\nprograms: %s\n' "$2" "$name" \
        "$top/$name/data" "$top/$name/run" "$top/programs" >"$top/$name.yaml"
    shift 2
    for line in "$@" users:; do
        echo "$line" >>"$top/$name.yaml"
    done
    uid=64001
    for program in link keys engine api agent host; do
        echo "  - {program: $program, user: \"$uid\"}" >>"$top/$name.yaml"
        uid=$((uid + 1))
    done
}
begin() { # machine; its log is that of this life alone
    : >"$top/$1.log"
    "$top/programs/udatsu-parent" --config "$top/$1.yaml" 2>>"$top/$1.log" &
    eval "parent_$1=$!"
}
stop() { # machine
    eval "pid=\$parent_$1"
    kill -TERM "$pid"
    wait "$pid"
    eval "parent_$1="
}
age() { # machine, kind, id, epoch, seconds
    "$build/tests/system/aged_papers" "$top/c1/data/keys/keyring" "$top/c1/data/ca.der" \
        "$top/$1/data/keys/keyring" "$2" "$3" "$4" "$5" 127.0.0.1
}

mkdir "$top/programs" "$top/desk"
for program in parent link keys; do
    ln -s "$build/host/udatsu-$program" "$top/programs/"
done
ln -s "$build/controller/udatsu-engine" "$build/controller/udatsu-api" \
    "$build/node-agent/udatsu-agent" "$top/programs/"
ln -s "$build/tests/system/programs_stub" "$top/programs/udatsu-host"
setup=$build/host/udatsu-setup
operator=$top/desk/operator
export UDATSU_ENDPOINTS=https://127.0.0.1:19542 UDATSU_CA="$operator/ca.pem" \
    UDATSU_CERT="$operator/cert.pem" UDATSU_KEY="$operator/key.pem" XDG_CONFIG_HOME="$top/desk"
udatsu() { "$build/cli/udatsu" "$@"; }
machine c1 controller 'link: 127.0.0.1:19541' 'api: 127.0.0.1:19542'
machine n1 node 'underlay: 127.0.0.1'
"$setup" cluster-init --config "$top/c1.yaml" --cell 1 --operator-out "$operator"
begin c1
c1=00010002-0000-8000-8000-000000000001
shows 'a cell begins' soon udatsu cluster status
[ $failed = 0 ] || exit 1
udatsu node token n1 >"$top/token"
n1=$(udatsu node join --config "$top/n1.yaml" --token-file "$top/token" --setup "$setup" \
    --link-address 127.0.0.1:1 --underlay-address 127.0.0.1)
begin n1
shows 'a node comes in with what it was given' soon says c1 'event=peer-up .*/node/'
[ $failed = 0 ] || exit 1
shows 'and does not renew what is new' not says n1 event=renewal

# A node.
stop n1
age n1 node "$n1" 0 $((17 * HOUR))
: >"$top/c1.log"
begin n1
shows 'a node whose certificate has lived two thirds asks for the next one and adopts it' \
    soon says n1 'event=renewal step=adopt outcome=ok'
shows 'its link shows it' soon says n1 'event=papers .*outcome=ok'
shows 'without a lost connection' test "$(counted n1 event=peer-down)$(counted n1 event=peer-up)" = 01
shows 'and without a program that was started again' \
    test "$(counted n1 event=process-start)" = 4
leaves() { # actor: its renewals in the audit log
    udatsu -o json audit ls --limit 1000 |
        jq "[.[] | select(.operation == \"renew\" and .outcome == \"done\" and .actor == \"$1\")] | length"
}
renewed() { [ "$(leaves "$1")" = "$2" ]; } # actor, times
shows 'it is one leaf' soon renewed "$n1" 1
stop n1
age n1 node "$n1" 0 $((17 * HOUR))
chmod 500 "$top/n1/data/keys"
mkdir "$top/n1/data/keys/keyring.new" # The disk refuses.
begin n1
shows 'where the disk refuses the new key, the old one stays' \
    soon says n1 'event=renewal step=adopt outcome=[^o]'
shows 'and the node stays in' test "$(counted n1 event=peer-up)$(counted n1 event=peer-down)" = 10
stop n1
rmdir "$top/n1/data/keys/keyring.new"
chmod 700 "$top/n1/data/keys"

# After its end.
age n1 node "$n1" 0 $((30 * HOUR))
: >"$top/c1.log"
begin n1
shows 'a node whose certificate has ended is let in for its renewal' \
    soon says c1 'event=peer-up .*only=renewal'
shows 'it adopts the next one' soon says n1 'event=renewal step=adopt outcome=ok'
let_in() { [ "$(counted c1 'event=peer-up .*/node/')" = 2 ] && says n1 'why=renewed'; }
shows 'connects anew, and is in' soon let_in
stop n1
certified() { says c1 'event=certificate identity=.*/node/'; }
refused() { # seconds of age, epoch, what c1 says; nothing is issued
    age n1 node "$n1" "$2" "$1"
    : >"$top/c1.log"
    begin n1
    soon says c1 "$3"
    stop n1
    not certified
}
shows 'after the grace it is let in for nothing' refused $((9 * DAY)) 0 'handshake-end .*why=denied'
shows 'of an epoch that is not its own, it is certified for nothing' \
    refused $((30 * HOUR)) 7 only=renewal
age n1 controller $c1 0 $((30 * HOUR)) # It says the name of a controller.
: >"$top/c1.log"
begin n1
shows "an ended controller's certificate is let in for nothing" \
    soon says c1 'handshake-end .*why=denied'
shows 'and certified for nothing' not certified
stop n1

# A controller.
ends() { # seconds from now: what the api shows ends later
    echo | openssl s_client -connect 127.0.0.1:19542 -CAfile "$operator/ca.pem" 2>/dev/null |
        openssl x509 -noout -checkend "$1" >/dev/null
}
age c1 controller $c1 0 $((17 * HOUR))
stop c1
begin c1
shows 'a controller past two thirds renews through the log' \
    soon says c1 'event=renewal step=adopt outcome=ok'
shows 'its api shows the new one' soon ends $((23 * HOUR))
shows 'and it is a leaf' soon renewed $c1 1
programs=$(counted c1 event=process-start)
shows 'no program of it was started again' test "$programs" = 4
stop c1
age c1 controller $c1 0 $((30 * HOUR))
begin c1
shows 'one whose certificate has ended helps itself' \
    soon says c1 'event=renewal step=adopt outcome=ok'
shows 'and is believed by clients again' soon udatsu cluster status
stop c1
age c1 controller $c1 3 $((30 * HOUR))
begin c1
soon says c1 event=engine-open
shows "but not with another epoch than the row's" not udatsu --timeout 3s cluster status
shows 'for which it does not even ask' not says c1 'event=renewal step=adopt'
stop c1
age c1 controller $c1 0 0
begin c1
shows 'with good papers it is back' soon udatsu cluster status

# A person.
serial() { openssl x509 -in "$operator/cert.pem" -noout -serial; }
key=$(sha256sum <"$operator/key.pem")
was=$(serial)
shows 'a person renews with the command' udatsu user renew --setup "$setup"
shows 'the certificate is another one' test "$(serial)" != "$was"
shows 'of the same key' test "$(sha256sum <"$operator/key.pem")" = "$key"
shows 'and opens the door' udatsu cluster status
openssl req -new -key "$operator/key.pem" -subj /CN=x -outform DER -out "$top/csr.der" 2>/dev/null
cp "$operator/cert.pem" "$top/good.pem"
"$build/tests/system/bad_papers" "$top/c1/data/keys/keyring" "$top/c1/data/ca.der" "$top/csr.der" \
    user 00010006-0000-8000-8000-000000000002 0 $((13 * HOUR)) "$top/ended.der"
openssl x509 -inform DER -in "$top/ended.der" -out "$operator/cert.pem"
shows 'whose has ended does not' not udatsu --timeout 3s user renew --setup "$setup"
mv "$top/good.pem" "$operator/cert.pem"
echo "1..$number"
exit $failed
