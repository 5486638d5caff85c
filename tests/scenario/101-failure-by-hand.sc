# What its node repairs is recorded; when the attempts are used up it failed, keeps its quota, gives
# its room on the node back, and somebody is told until somebody acts.
given   nodes are played by hand
given   node n1 vcpus=8 memory=8GiB ; tenant a ; instance a/web
when    n1 reports a/web running repairs=1
then    instance a/web is running ; instance a/web attempts is 1 ; leaves instance-repair are 1
when    n1 reports a/web running
then    leaves instance-repair are 1
when    n1 reports a/web starting
then    instance a/web is starting
when    n1 reports a/web failed
then    instance a/web is failed ; instance a/web is on no node ; instance a/web reason
then    tenant a used instances=1 vcpus=1 ; tenant a placed vcpus=0 ; alarms instance-failed are 1
when    n1 reports a/web running of an older order
then    instance a/web is failed
when    a starts instance a/web -> accepted
then    alarms instance-failed are 0 ; instance a/web epoch is 2 ; instance a/web attempts is 0
when    n1 reports a/web failed
when    a deletes instance a/web -> accepted
then    instance a/web is absent ; alarms instance-failed are 0 ; tenant a used instances=0
always  ledger = inventory ; each accepted write has exactly one leaf ; replicas have the same digest
not on sim: its nodes speak for themselves, none is played by hand
not on lab: its nodes speak for themselves, none is played by hand
