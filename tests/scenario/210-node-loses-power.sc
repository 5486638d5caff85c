# A node that comes back looks before it acts: what should run is not there, and is started once.
# INV-VM-1 INV-VM-3
given   node n1 ; tenant a ; instance a/web
when    n1 loses power
when    time passes 7s
then    node n1 is unknown ; instance a/web is on n1 ; tenant a used instances=1
when    n1 has power
then    node n1 is alive ; leaves instance-repair are 1
then    instance a/web is running ; instance a/web epoch is 1 ; instance a/web attempts is 1
always  ledger = inventory ; each accepted write has exactly one leaf ; replicas have the same digest
