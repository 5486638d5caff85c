# A new leader knows what the log knows: it is recorded, nodes are greeted anew, nothing restarts,
# and who asked in between is told that the outcome is not known. INV-IDEM-2 INV-TIME-1
given   nodes are played by hand
given   node n1 vcpus=8 memory=8GiB ; tenant a ; instance a/web
when    leader dies
then    elections are 1 ; leaves leader-changed are 1 ; events leader-changed are 1
then    instance a/web is running ; instance a/web generation is 1 ; node n1 was told a/web running
when    log waits
when    a creates instance a/next key=k -> waiting
when    leader dies
then    answer is reject outcome-unknown ; elections are 2
when    a creates instance a/next key=k -> accepted
then    instances of a are 2 ; leaves instance-create are 1 ; node n1 is alive
always  ledger = inventory ; each accepted write has exactly one leaf ; replicas have the same digest
not on sim: its nodes speak for themselves, none is played by hand
not on lab: its nodes speak for themselves, none is played by hand
