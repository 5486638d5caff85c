# Whatever one asks, the others have a rate of their own. INV-PACE-1
given   cell rate=5
given   node n1 ; tenant a ; tenant b
when    a creates 30 instances a/vm stopped -> 10 accepted 20 reject rate-limited
when    b creates instance b/one stopped -> accepted
then    instances of a are 10 ; instances of b are 1
always  ledger = inventory ; each accepted write has exactly one leaf ; replicas have the same digest
not on sim: the rates of its controllers are not the story's to choose
not on lab: its rates are those of the product: bad-requests asks more than they let through
