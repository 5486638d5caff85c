# A stopped instance keeps its quota and gives its node back; each placement has its own epoch.
# INV-VM-1 INV-VM-4
given   node n1 ; tenant a ; instance a/web
when    a stops instance a/web -> accepted
then    instance a/web is stopped ; instance a/web is on no node ; tenant a used vcpus=1
then    node n1 placed instances=0
when    a stops instance a/web -> reject wrong-state
when    a starts instance a/web -> accepted
then    instance a/web is running ; instance a/web epoch is 2 ; node n1 placed instances=1
when    a creates instance a/far where=elsewhere -> reject unsupported
always  ledger = inventory ; each accepted write has exactly one leaf ; replicas have the same digest
