# A retry with the same key is answered like the first and does nothing; another body is refused.
# INV-IDEM-1
given   node n1 ; tenant a
when    a creates instance a/web stopped key=k1 -> accepted
when    a creates instance a/web stopped key=k1 -> accepted
then    instances of a are 1 ; leaves instance-create are 1
when    a creates instance a/other stopped key=k1 -> reject idempotency-key-reused
when    a creates instance a/web stopped key=k2 -> reject name-taken
when    leader dies
when    a creates instance a/web stopped key=k1 -> accepted
then    instances of a are 1 ; leaves instance-create are 1
always  ledger = inventory ; each accepted write has exactly one leaf ; replicas have the same digest
