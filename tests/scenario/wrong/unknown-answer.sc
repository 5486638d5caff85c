given   tenant a
when    a creates network a/net 10.1.0.0/24 -> accepted gladly
always  ledger = inventory ; each accepted write has exactly one leaf ; replicas have the same digest
