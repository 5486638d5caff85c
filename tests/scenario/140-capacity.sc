# A node's room less the reserve is never sold twice, whatever is in flight; a stopped instance
# takes none. INV-SCH-3
given   cell reserve=50%
given   nodes are played by hand
given   node n1 rack=r1 vcpus=8 memory=8GiB
given   tenant a
when    a creates 6 instances a/vm vcpus=1 -> 4 accepted 2 reject no-capacity
then    node n1 placed vcpus=4 instances=4
when    a creates instance a/rest stopped -> accepted
then    node n1 placed vcpus=4 instances=4 ; tenant a used vcpus=1
when    a starts instance a/rest -> reject floor-not-guaranteed dimension=vcpus
when    a deletes instance a/vm-1 -> accepted
when    a starts instance a/rest -> reject floor-not-guaranteed
when    n1 reports a/vm-1 gone
when    a starts instance a/rest -> accepted
then    instance a/rest is starting ; node n1 placed vcpus=4
always  ledger = inventory ; each accepted write has exactly one leaf ; replicas have the same digest
not on sim: its nodes speak for themselves, none is played by hand
not on lab: its nodes speak for themselves, none is played by hand
