# The same race while leader dies between proposal and answer: who asks again with the same
# key is told what became of it, and there are ten.
given   nodes are played by hand
given   node n1 vcpus=64 memory=64GiB
given   tenant a quota instances=10
when    log waits
when    a creates 40 instances a/vm stopped -> waiting
when    leader dies
then    answer is reject outcome-unknown ; instances of a are 10 ; elections are 1
when    a creates instance a/more -> reject quota-exceeded dimension=instances limit=10 usage=10
always  ledger = inventory ; each accepted write has exactly one leaf ; replicas have the same digest
not on sim: its nodes speak for themselves, none is played by hand
not on lab: its nodes speak for themselves, none is played by hand
