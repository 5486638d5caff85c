# A reboot is an order like any other, of its own generation, at the place where the guest is.
given   node n1 ; tenant a ; instance a/web
when    a reboots instance a/web -> accepted
then    operation of web is done ; instance a/web is running
then    instance a/web generation is 2 ; instance a/web epoch is 1 ; tenant a used instances=1
always  ledger = inventory ; each accepted write has exactly one leaf ; replicas have the same digest
