then    instances of a are 7
always  ledger = inventory ; each accepted write has exactly one leaf ; replicas have the same digest
