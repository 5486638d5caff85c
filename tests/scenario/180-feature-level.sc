# A cell begins at the first feature level, so that any build can read its first entries. The level
# rises by a command once every controller has said that it understands more, once, and stays.
given   node n1 vcpus=8 memory=8GiB ; tenant a
when    time passes 2000
then    feature level is 2 ; leaves feature-level are 1 ; events feature-level are 1
when    leader dies
when    time passes 2000
then    feature level is 2 ; leaves feature-level are 1
when    a creates instance a/web -> accepted
always  ledger = inventory ; each accepted write has exactly one leaf ; replicas have the same digest
not on sim: its cell rose before the first deed
not on lab: its cell rose before the first deed
