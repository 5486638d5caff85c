# Another tenant's object answers like one that never existed. INV-SEC-1
given   node n1 ; tenant a ; tenant b ; instance a/web ; auditor kim
when    b deletes instance a/web -> reject not-found
when    b deletes instance a/none -> reject not-found
when    b reads instance a/web -> reject not-found
when    b creates instance a/mine -> reject not-found
when    b creates network a/net 10.1.0.0/24 -> reject not-found
when    kim reads instance a/web -> accepted
when    kim deletes instance a/web -> reject denied
when    b reads status -> reject denied
when    a reads instance a/web -> accepted
then    instance a/web is running ; instances of b are 0
always  ledger = inventory ; each accepted write has exactly one leaf ; replicas have the same digest
