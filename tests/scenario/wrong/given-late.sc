given   tenant a
when    time passes 1s
given   tenant b
always  ledger = inventory ; each accepted write has exactly one leaf ; replicas have the same digest
