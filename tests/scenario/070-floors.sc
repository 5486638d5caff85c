# What is promised fits the capacity less the reserve, refused when it is promised and not in the
# disaster; and nobody's start eats what another was promised. INV-LED-3
given   cell reserve=25%
given   node n1 vcpus=8 memory=8GiB ; node n2 vcpus=8 memory=8GiB
given   tenant a ; tenant b quota vcpus=12 floor vcpus=8
when    root limits tenant a floor vcpus=5 -> reject floor-not-guaranteed dimension=vcpus limit=12
when    root limits tenant a floor vcpus=4 -> accepted
when    root limits tenant b floor vcpus=13 -> reject bad-field
when    a creates instance a/big vcpus=5 -> reject floor-not-guaranteed dimension=vcpus
when    a creates instance a/big vcpus=4 -> accepted
when    b creates instance b/one vcpus=4 -> accepted
when    b creates instance b/two vcpus=4 -> reject no-capacity
when    b creates instance b/three vcpus=2 -> accepted
always  ledger = inventory ; each accepted write has exactly one leaf ; replicas have the same digest
not on lab: its nodes have sizes of their own
not on sim: its cell and its nodes are made as the simulator makes them
