# A stopped instance keeps its quota and gives its node back; each placement has its own epoch.
# INV-VM-1 INV-VM-4
given   nodes are played by hand
given   node n1 vcpus=4 memory=4GiB ; tenant a ; instance a/web
when    a stops instance a/web -> accepted
then    instance a/web is stopping ; instance a/web is on n1 ; node n1 was told a/web stopped
when    n1 reports a/web running
then    instance a/web is stopping
when    n1 reports a/web stopped
then    instance a/web is stopped ; instance a/web is on no node ; tenant a used vcpus=1 ; tenant a placed vcpus=0
when    a stops instance a/web -> reject wrong-state
when    a starts instance a/web -> accepted
then    instance a/web epoch is 2 ; node n1 was told a/web running
when    n1 reports a/web stopped of an older placement
then    instance a/web is starting
when    a creates instance a/far where=elsewhere -> reject unsupported
always  ledger = inventory ; each accepted write has exactly one leaf ; replicas have the same digest
not on sim: its nodes speak for themselves, none is played by hand
not on lab: its nodes speak for themselves, none is played by hand
