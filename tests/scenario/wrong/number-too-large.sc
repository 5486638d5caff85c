given   node n1 ; tenant a quota memory=99999999999999TiB
when    time passes 1s
always  ledger = inventory ; each accepted write has exactly one leaf ; replicas have the same digest
