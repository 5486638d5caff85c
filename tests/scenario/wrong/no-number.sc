given   tenant a
then    networks of a are few
always  ledger = inventory ; each accepted write has exactly one leaf ; replicas have the same digest
