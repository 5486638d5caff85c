given   node n1 vcpus=8 memory=8GiB ; tenant a
when    a creates instance a/web quickly -> accepted
always  ledger = inventory ; each accepted write has exactly one leaf ; replicas have the same digest
