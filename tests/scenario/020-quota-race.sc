# Under a cap of ten, a hundred that ask at once get what is left, and each of the others the reason.
# INV-LED-2
given   node n1
given   tenant a quota instances=10 vcpus=100 memory=64GiB
when    a creates instance a/first stopped -> accepted
when    a creates 100 instances a/vm stopped -> 9 accepted 91 reject quota-exceeded dimension=instances limit=10 usage=10
then    instances of a are 10 ; tenant a used instances=10
when    a creates instance a/more stopped -> reject quota-exceeded dimension=instances limit=10 usage=10
when    a deletes instance a/first -> accepted
then    instance a/first is absent
when    a creates instance a/more stopped -> accepted
then    instances of a are 10
always  ledger = inventory ; each accepted write has exactly one leaf ; replicas have the same digest
