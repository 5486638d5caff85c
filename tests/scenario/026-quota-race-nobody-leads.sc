# The same race while nobody leads: each asks every controller with one key until it is answered, and
# there are ten. INV-IDEM-41 INV-LED-2
given   node n1
given   tenant a quota instances=10 vcpus=100 memory=64GiB
when    leader dies
when    a creates 40 instances a/vm stopped -> 10 accepted 30 reject quota-exceeded dimension=instances
then    instances of a are 10 ; tenant a used instances=10
always  ledger = inventory ; each accepted write has exactly one leaf ; replicas have the same digest
