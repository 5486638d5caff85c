# An instance is asked for, placed, started by its node and seen to run; each step is recorded once.
# INV-LED-1 INV-VM-1; and always: INV-LED-2 INV-REF-1 INV-AUD-1
given   node n1 ; node n2
given   tenant a quota instances=3 vcpus=8 memory=4GiB networks=1 ; network a/net 10.1.0.0/24
when    a creates instance a/web vcpus=2 memory=128MiB network=net -> accepted
then    instance a/web address is 10.1.0.2 ; instance a/web epoch is 1
then    instance a/web is running ; operation of web is done
then    tenant a held vcpus=0 instances=0 ; tenant a used vcpus=2 memory=128MiB instances=1 networks=1
then    leaves instance-create are 1 ; leaves instance-running are 1 ; events instance-running are 1
always  ledger = inventory ; each accepted write has exactly one leaf ; replicas have the same digest
