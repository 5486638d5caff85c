# With every controller dark nothing stops; when they are back everything acknowledged is there, once.
# INV-LOG-2 INV-LOG-3 INV-REF-2 INV-VM-1
given   node n1 ; tenant a ; instance a/web
when    a creates instance a/kept stopped key=k -> accepted
when    all controllers die
when    time passes 8s
when    controllers come back
when    a creates instance a/kept stopped key=k -> accepted
then    instances of a are 2 ; leaves instance-create are 1
then    instance a/web is running ; instance a/web generation is 1 ; instance a/web attempts is 0
then    node n1 is alive
when    a deletes instance a/web -> accepted
then    instance a/web is absent
always  ledger = inventory ; each accepted write has exactly one leaf ; replicas have the same digest
