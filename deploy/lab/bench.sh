#!/bin/sh
# The benchmarks, as JSON on stdout (what is done goes to stderr):
#   bench.sh [--rounds N] [--seconds N] [--kills N] [--nodes N] [--keep]
# A cell of three controllers without nodes and a three-member etcd, each member in a network
# namespace of its own on the lab's management bridge, all six logs on one file system. Every round
# begins with a fresh cell and a fresh etcd and measures both in turn, so that both see the same
# noise; batches have a cell and an etcd of their own, so that there are rows enough to see more than
# a second of them. Clients sit on the bridge and talk to the leader. Medians of ratios, never of one
# side.
#
# The happy path: build → [cell and etcd → 1, 64, 256 in flight, each side in turn → every
# acknowledged create is listed by all three replicas → the same with batches]* → kills of the
# leader's engine → the same for the creates between kills → scheduler → one JSON document.
# What can go wrong: a create that one replica lacks → exit 7; a round in which a leader changed or a
# connection ended → measured again, three times at most; anything else → exit 1. Without figures
# then, and everything made here is removed either way.
set -eu
. "$(dirname -- "$0")/lib.sh"
here=$root/deploy/lab
rounds=5
kills=30
scheduler_nodes=10000
seconds=4 # Both sides get the same.
keep=no
only=
results=
while [ $# -gt 0 ]; do
    case $1 in
    --rounds) rounds=${2:?--rounds needs a number} && shift 2 ;;
    --seconds) seconds=${2:?--seconds needs a number} && shift 2 ;;
    --kills) kills=${2:?--kills needs a number} && shift 2 ;;
    --nodes) scheduler_nodes=${2:?--nodes needs a number} && shift 2 ;;
    --keep) keep=yes && shift ;;
    --only) only=${2:?} results=${3:?} && shift 3 ;; # One round: how this script calls itself.
    *) fail 'usage: ./lab bench [--rounds N] [--seconds N] [--kills N] [--nodes N] [--keep]' ;;
    esac
done
need_root
udatsu=$state/desk/udatsu
bench=$root/build/tests/bench
out=$state/bench
idempotency=200000

# The most that a run makes keeps a round below the tables' rows.
in_flights='1 64 256'
most_of() { case $1 in 1) echo 3000 ;; 64) echo 12000 ;; 256) echo 20000 ;; esac; }
# Batches of 128, eight under way; etcd gets as many transactions under way, beside its own best.
batched=1024
most_batched=61440

step() { say "== $*"; }
# Runs a bench program and keeps what it printed, if it succeeded; a pipe would lose its status.
record() { # file, command...
    file=$1
    shift
    said=0
    "$@" >"$out/said" || said=$?
    cat "$out/said" >&2
    [ $said != 0 ] || cat "$out/said" >>"$file"
    return $said
}
# The clients sit there, in a group of their own that weighs as much as a member's.
on_bridge() {
    sh -c 'group=$1 && shift
        [ ! -d "$group" ] || echo $$ >"$group/cgroup.procs"
        exec "$@"' client "$cgroup_root/cpu/$(cgroup_of client)" \
        nsenter --net="/run/netns/$management" "$@"
}

finish() {
    status=$?
    trap - EXIT
    rm -f "$results" "$results.part"
    [ $status = 0 ] || "$here/logs.sh" 15 >&2 || true
    if [ $keep = no ]; then
        "$here/down.sh" || status=1
    fi
    exit $status
}

# Both sides weigh the same against whatever else the machine does: each member's group as much as
# sixteen tasks.
weigh() { # machine, processes to move there
    group=$cgroup_root/cpu/$(cgroup_of "$1")
    shift
    mountpoint -q "$cgroup_root/cpu" || return 0
    mkdir -p "$group"
    echo 16384 >"$group/cpu.shares"
    for pid in "$@"; do
        echo "$pid" >"$group/cgroup.procs"
    done
}

# ---- The cell ----

papers() { printf 'ca=%s cert=%s key=%s' "$state/desk/ca.pem" "$1/cert.pem" "$1/key.pem"; }

cell_up() {
    "$here/down.sh"
    "$here/programs.sh" build
    "$here/net.sh"
    # One client is to go as fast as the cell can: its rate is not limited.
    UDATSU_LAB_RATE=0 UDATSU_LAB_IDEMPOTENCY=$idempotency "$here/cluster.sh" 3 0 >/dev/null
    for name in c1 c2 c3 client; do
        weigh $name
    done
    zero=$(printf '%064d' 0)
    "$udatsu" image create plain --kernel "$zero" --initramfs "$zero" >/dev/null
    "$udatsu" tenant create bench --cap vcpus=1000000,memory=100T,instances=1000000,networks=10 \
        >/dev/null
    "$udatsu" user create bench-user --role tenant --tenant bench >/dev/null
    "$udatsu" user token bench-user | "$udatsu" user enroll --out "$state/desk/bench" >/dev/null
    mkdir -p "$out"
}

api_of() { printf '10.98.0.%d:8443' "$(address_octet "$1")"; } # machine
everybody() { printf 'endpoint=%s ' "$(api_of c1)" "$(api_of c2)" "$(api_of c3)"; }

leader() {
    "$udatsu" -o json controller ls | jq -r '[.[] | select(.leader)][0].name // empty'
}

# ---- etcd ----

etcd_address() { printf '10.98.0.%d' $((20 + $1)); } # number

etcd_up() {
    etcd_down
    rm -rf "$state/etcd"
    members=
    for number in 1 2 3; do
        members="$members${members:+,}e$number=http://$(etcd_address $number):2380"
    done
    for number in 1 2 3; do
        namespace=$(namespace_of "e$number")
        if ! ip netns list | grep -qw "$namespace"; then
            ip netns add "$namespace"
            ip -n "$namespace" link set lo up
            ip link add mg0 netns "$namespace" type veth peer name "e$number" netns "$management"
            ip -n "$management" link set "e$number" master bridge up
            ip -n "$namespace" addr add "$(etcd_address $number)/24" dev mg0
            ip -n "$namespace" link set mg0 up
        fi
        mkdir -p "$state/etcd/e$number"
        own=http://$(etcd_address $number)
        ip netns exec "$namespace" etcd --name "e$number" --data-dir "$state/etcd/e$number" \
            --listen-client-urls "$own:2379" --advertise-client-urls "$own:2379" \
            --listen-peer-urls "$own:2380" --initial-advertise-peer-urls "$own:2380" \
            --initial-cluster "$members" --quota-backend-bytes 8000000000 --log-level error \
            >"$state/etcd/e$number.log" 2>&1 &
        echo $! >"$state/etcd/e$number.pid"
        weigh "e$number" "$(cat "$state/etcd/e$number.pid")"
    done
    wait_until 30 etcd_leads || fail 'etcd does not elect'
}

etcd_down() {
    for file in "$state"/etcd/*.pid; do
        [ ! -e "$file" ] || kill -KILL "$(cat "$file")" 2>/dev/null || true
        rm -f "$file"
    done
}

# The number of the member that leads.
etcd_leads() {
    for number in 1 2 3; do
        leads=$(on_bridge curl -s -m 2 "http://$(etcd_address $number):2379/metrics" |
            sed -n 's/^etcd_server_is_leader //p')
        if [ "$leads" = 1 ]; then
            echo $number
            return 0
        fi
    done
    return 1
}

# ---- One round ----

measure_etcd() { # in flight
    on_bridge "$bench/bench_etcd" "$(etcd_address "$(etcd_leads)"):2379" "$1" \
        "$([ "$1" -lt 4 ] && echo 1 || echo 4)" "$seconds" 200000
}

measure_api() { # in flight, batch, most, prefix
    # shellcheck disable=SC2046
    on_bridge "$bench/bench_api" create endpoint="$(api_of "$(leader)")" \
        $(papers "$state/desk/bench") tenant=bench image=plain in_flight="$1" batch="$2" \
        seconds="$seconds" most="$3" prefix="$4" names="$out/names"
}

measure_lists() {
    # shellcheck disable=SC2046
    on_bridge "$bench/bench_api" list $(everybody) $(papers "$state/desk/bench") tenant=bench \
        names="$out/names"
}
# What was acknowledged, held to each replica's own list. Exit 7: something was lost.
hold_to_lists() { # file
    record "$1" measure_lists || {
        [ $said != 7 ] || say 'a replica lacks an acknowledged create: no figures'
        exit $said
    }
}

both_up() {
    cell_up
    etcd_up
    rm -f "$out/names"
    sync # What was written before is nobody's share of the disk.
}

round() { # number
    step "round $1"
    both_up
    for in_flight in $in_flights; do
        record "$out/figures" measure_etcd "$in_flight"
        record "$out/figures" measure_api "$in_flight" 1 "$(most_of "$in_flight")" "s$in_flight"
    done
    hold_to_lists "$out/figures"
    cp "$out/figures" "$results.part" # The next cell takes this one's directory.
    etcd_down
    both_up
    mv "$results.part" "$out/figures"
    record "$out/figures" measure_etcd $batched
    record "$out/figures" measure_api $batched 128 $most_batched b
    hold_to_lists "$out/figures"
    etcd_down
    jq -c ". + {round: $1, load: $(cut -d' ' -f1 /proc/loadavg)}" "$out/figures" >>"$results"
    rm -f "$out/figures"
}

# ---- Failover ----

engine_of() { # machine
    for pid in $(ip netns pids "$(namespace_of "$1")"); do
        if [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = udatsu-engine ]; then
            echo "$pid"
        fi
    done
}
# A killed engine comes back after a pause that grows with each death; until then there is no third.
settled() {
    for name in c1 c2 c3; do
        [ -n "$(engine_of $name)" ] || return 1
    done
    [ "$("$udatsu" -o json controller ls | jq '[.[] | select(.reachable and .role == "voter")] | length')" = 3 ] &&
        [ -n "$(leader)" ]
}

leads() { victim=$(engine_of "$(leader)") && [ -n "$victim" ]; }
measure_failover() { # number
    # shellcheck disable=SC2046
    on_bridge "$bench/bench_api" failover $(everybody) $(papers "$state/desk/bench") \
        tenant=bench image=plain prefix="f$1" pid="$victim" first="$1"
}
# Writes twice, before the kill and after it; both were acknowledged.
failover() { # number
    wait_until 60 settled || fail 'the cell does not come back'
    wait_until 60 leads || fail 'nobody leads'
    record "$results" measure_failover "$1"
    printf 'f%s-%06d\n' "$1" 0 "$1" 1 >>"$out/names"
}

# ---- All ----

if [ -n "$only" ]; then
    round "$only"
    exit 0
fi
"$here/build.sh" build
trap finish EXIT
trap 'exit 1' HUP INT TERM
results=$(mktemp)
number=1
void=0
while [ $number -le "$rounds" ]; do
    status=0
    "$0" --seconds "$seconds" --only $number "$results" || status=$?
    case $status in
    0) number=$((number + 1)) && continue ;;
    7) exit 7 ;;
    esac
    # On a busy machine a leader can change under a run; such a round counts for neither side.
    void=$((void + 1))
    [ $void -le 3 ] || fail 'too many void rounds'
    say "round $number is void and is measured again"
done
if [ "$kills" -gt 0 ]; then
    step "$kills kills of the leader's engine"
    cell_up
    number=1
    while [ $number -le "$kills" ]; do
        failover $number
        number=$((number + 1))
    done
    wait_until 60 settled || fail 'the cell does not come back'
    hold_to_lists "$results"
fi
step "scheduler, $scheduler_nodes nodes"
mkdir -p "$out"
record "$results" "$bench/bench_scheduler" "$scheduler_nodes"
python3 "$root/tests/bench/report.py" "$results" $void \
    "$(git -C "$root" rev-parse --short HEAD 2>/dev/null || echo none)"
