# What a project takes, its tenant has taken: in every account above, or in none. INV-LED-4 INV-LED-5
given   node n1 ; tenant a quota instances=3 vcpus=8 memory=4GiB
when    a creates project a/p quota instances=2 vcpus=8 memory=4GiB -> accepted
when    a creates instance a/one stopped project=p -> accepted
then    project a/p used instances=1 ; tenant a used instances=1
when    a creates instance a/two stopped project=p -> accepted
when    a creates instance a/three stopped project=p -> reject quota-exceeded dimension=instances limit=2 usage=2
then    project a/p used instances=2 ; tenant a used instances=2
when    a creates instance a/three stopped -> accepted
when    a creates instance a/four stopped -> reject quota-exceeded dimension=instances limit=3 usage=3
then    project a/default used instances=1 ; tenant a used instances=3
always  ledger = inventory ; each accepted write has exactly one leaf ; replicas have the same digest
