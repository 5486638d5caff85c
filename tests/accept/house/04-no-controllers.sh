#!/bin/sh
# all controllers dead for five minutes: guests run on, nothing restarts, work goes on
set -eu
. "$(dirname -- "$0")/../lib.sh"
lab_is_up
before=$(qemus)
for machine in c1 c2 c3; do
    kill -KILL "$(deploy/lab/enter.sh --pid $machine)"
done
sleep 300
must 'the guests are the same processes' test "$(qemus)" = "$before"
deploy/lab/machine.sh c1
deploy/lab/machine.sh c2
work() { "$udatsu" --tenant acme --timeout 2s network create "after-$$" --cidr 10.7.0.0/24; }
must 'work is accepted within two seconds of the second controller' within 2 work
deploy/lab/machine.sh c3
must 'the replicas agree' within 60 controllers_agree
all_alive() { [ "$(count node 'select(.liveness == "alive") | .name')" = 3 ]; }
must 'the nodes are alive again' within 60 all_alive
must 'nothing was restarted' test "$(qemus)" = "$before"
