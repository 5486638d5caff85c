# A new leader knows what the log knows, and nothing restarts. INV-IDEM-1 INV-LOG-5 INV-LOG-7
given   node n1 ; tenant a ; instance a/web
when    leader dies
when    a creates instance a/next key=k -> accepted
when    a creates instance a/next key=k -> accepted
when    a reads instance a/next -> accepted
then    instances of a are 2 ; leaves instance-create are 1
then    instance a/web is running ; instance a/web generation is 1 ; instance a/web attempts is 0
then    instance a/next is running ; node n1 is alive
always  ledger = inventory ; each accepted write has exactly one leaf ; replicas have the same digest
