# A guest that dies is started again where it was, by its node, and that is recorded. INV-VM-1
given   node n1 ; tenant a ; instance a/web
when    guest a/web crashes
then    leaves instance-repair are 1 ; instance a/web attempts is 1
then    instance a/web is running ; instance a/web is on n1 ; instance a/web epoch is 1
then    tenant a used instances=1
always  ledger = inventory ; each accepted write has exactly one leaf ; replicas have the same digest
