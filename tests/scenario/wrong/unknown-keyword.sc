given   tenant a
perhaps networks of a are 0
always  ledger = inventory ; each accepted write has exactly one leaf ; replicas have the same digest
