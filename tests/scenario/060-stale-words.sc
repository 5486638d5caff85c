# The word of a node about an older order or an older placement, or of a node that does not hold
# the instance, changes nothing. INV-VM-2
given   nodes are played by hand
given   node n1 vcpus=8 memory=8GiB
given   tenant a ; instance a/web
given   node n2 vcpus=8 memory=8GiB
when    a deletes instance a/web -> accepted
when    n1 reports a/web gone of an older order
then    instance a/web is deleting
when    n1 reports a/web gone of an older placement
then    instance a/web is deleting
when    n2 reports a/web gone
then    instance a/web is deleting ; instance a/web is on n1 ; tenant a used instances=1
when    n1 reports a/web gone
then    instance a/web is absent
always  ledger = inventory ; each accepted write has exactly one leaf ; replicas have the same digest
not on sim: its nodes speak for themselves, none is played by hand
not on lab: its nodes speak for themselves, none is played by hand
