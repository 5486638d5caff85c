# A node that is not heard is unknown, and unknown holds: nothing is moved, an alarm is raised, and
# when it is heard again nothing was lost. INV-VM-1
given   node n1 ; tenant a ; instance a/web
when    n1 is cut off
when    time passes 5s
then    node n1 is alive
when    time passes 2s
then    node n1 is unknown ; alarms node-unknown are 1 ; leaves node-unknown are 1
then    instance a/web is running ; instance a/web is on n1 ; instance a/web epoch is 1
when    a creates instance a/next -> reject no-capacity
when    time passes 1h
then    instance a/web is running ; leaves node-unknown are 1
when    n1 is heard
then    node n1 is alive ; alarms node-unknown are 0
when    a creates instance a/next -> accepted
always  ledger = inventory ; each accepted write has exactly one leaf ; replicas have the same digest
not on lab: an hour does not pass, nor is a second exact
