# Under a cap of ten, a hundred that ask at once get ten instances and ninety reasons. INV-LED-2
given   node n1 vcpus=64 memory=64GiB
given   tenant a quota instances=10
when    a creates 100 instances a/vm stopped -> 10 accepted 90 reject quota-exceeded dimension=instances limit=10 usage=10
then    instances of a are 10 ; tenant a used instances=10
when    a creates instance a/more -> reject quota-exceeded dimension=instances limit=10 usage=10
when    a deletes instance a/vm-1 -> accepted
when    a creates instance a/more -> accepted
then    instances of a are 10
always  ledger = inventory ; each accepted write has exactly one leaf ; a second engine has the same digest
