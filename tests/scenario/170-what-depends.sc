# Nothing goes while something depends on it; a deleted tenant's sub-log stays. INV-AUD-2
given   node n1 ; tenant a ; network a/net 10.1.0.0/24
when    a creates instance a/web stopped network=net -> accepted
when    a deletes network a/net -> reject in-use
when    root deletes tenant a -> reject in-use
when    a deletes instance a/web -> accepted
then    instance a/web is absent
when    a deletes network a/net -> accepted
when    root deletes tenant a -> reject in-use
when    root revokes user a -> accepted
when    root deletes tenant a -> accepted
then    tenant a is absent ; leaves tenant-delete are 1
when    root creates tenant a quota instances=1 -> accepted
always  ledger = inventory ; each accepted write has exactly one leaf ; replicas have the same digest
