# A new leader knows what the log knows: it is recorded, nodes are greeted anew, nothing restarts,
# and who asked in between is told that the outcome is not known. INV-IDEM-2 INV-TIME-1
given   node n1 vcpus=8 memory=8GiB ; tenant a ; instance a/web
when    leadership changes
then    elections are 1 ; leaves leader-changed are 2 ; events leader-changed are 2
then    instance a/web is running ; instance a/web generation is 1 ; node n1 was told a/web running
when    log waits
when    a creates instance a/next key=k -> waiting
when    leadership changes
then    answer is reject outcome-unknown ; elections are 2
when    a creates instance a/next key=k -> accepted
then    instances of a are 2 ; leaves instance-create are 2 ; node n1 is alive
always  ledger = inventory ; each accepted write has exactly one leaf ; a second engine has the same digest
