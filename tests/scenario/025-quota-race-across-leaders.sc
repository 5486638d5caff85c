# The same race while leadership changes between proposal and answer: who asks again with the same
# key is told what became of it, and there are ten.
given   node n1 vcpus=64 memory=64GiB
given   tenant a quota instances=10
when    log waits
when    a creates 40 instances a/vm stopped -> waiting
when    leadership changes
then    answer is reject outcome-unknown ; instances of a are 10 ; elections are 1
when    a creates instance a/more -> reject quota-exceeded dimension=instances limit=10 usage=10
always  ledger = inventory ; each accepted write has exactly one leaf ; a second engine has the same digest
