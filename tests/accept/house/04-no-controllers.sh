#!/bin/sh
# all controllers dead for five minutes: guests run on, nothing restarts, work goes on
set -eu
. "$(dirname -- "$0")/../lib.sh"
lab_is_up
before=$(qemus)
must 'guests run' test -n "$before"
states() { items instance '"\(.id) \(.state) \(.node) \(.epoch) \(.generation)"' | sort; }
known=$(states)
for machine in c1 c2 c3; do
    kill -KILL "$(deploy/lab/enter.sh --pid $machine)"
done
sleep 300
must 'nobody answers' not "$udatsu" --timeout 2s cluster status
must 'the guests are the same processes' test "$(qemus)" = "$before"
deploy/lab/machine.sh c1
deploy/lab/machine.sh c2
engine() { [ -n "$(engine_of c2)" ]; }
must "the second controller's engine is started" within 30 engine
started=$(date +%s%3N)
work() { # with one key, so that a try that was not answered is no second one
    "$udatsu" --tenant acme --timeout 2s --idempotency-key "after-$$" \
        network create "after-$$" --cidr 10.7.0.0/24
}
must 'work is accepted' within 10 work
took=$(($(date +%s%3N) - started))
must "within two seconds of it ($took ms)" test $took -le 2000
deploy/lab/machine.sh c3
must 'the replicas agree' within 60 controllers_agree
all_alive() { [ "$(count node 'select(.liveness == "alive") | .name')" = 3 ]; }
must 'the nodes are alive again' within 60 all_alive
must 'nothing was restarted' test "$(qemus)" = "$before"
must 'every instance is as it was' test "$(states)" = "$known"
"$udatsu" --tenant acme --yes network delete "after-$$" >/dev/null
