given   node n1 ; tenant a
when    time passes 99999999h
always  ledger = inventory ; each accepted write has exactly one leaf ; replicas have the same digest
