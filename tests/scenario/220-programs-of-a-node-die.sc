# Programs of a node come and go, its guests do not notice: they look before they act. INV-VM-3
given   node n1 ; tenant a ; instance a/web
when    programs of n1 die
then    node n1 is alive
when    a creates instance a/next -> accepted
then    instance a/next is running
then    instance a/web is running ; instance a/web generation is 1 ; instance a/web attempts is 0
then    leaves instance-repair are 0
always  ledger = inventory ; each accepted write has exactly one leaf ; replicas have the same digest
