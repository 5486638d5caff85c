# A retry with the same key is answered like the first and does nothing; another body is refused;
# after a day of log time the key is forgotten. INV-IDEM-1 INV-IDEM-2
given   cell keys=5
given   node n1 vcpus=8 memory=8GiB ; tenant a
when    a creates instance a/web stopped key=k1 -> accepted
when    a creates instance a/web stopped key=k1 -> accepted
then    instances of a are 1 ; leaves instance-create are 1
when    a creates instance a/other stopped key=k1 -> reject idempotency-key-reused
when    a creates instance a/web stopped key=k2 -> reject name-taken
when    a creates instance a/two stopped -> accepted
when    a creates 3 instances a/three stopped -> 3 accepted 0 reject none
when    a creates instance a/four stopped -> reject idempotency-table-full limit=5 usage=5
when    a creates instance a/web stopped key=k1 -> accepted
when    time passes 23h
when    a creates instance a/four stopped -> reject idempotency-table-full
when    time passes 2h
when    a creates instance a/four stopped -> accepted
always  ledger = inventory ; each accepted write has exactly one leaf ; replicas have the same digest
not on sim: the bound of keys is not the story's to choose there, and a day takes half a minute
not on lab: a day does not pass, and the bound of keys is the lab's own
