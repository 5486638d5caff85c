# An instance is asked for, placed, told to its node and seen to run; each step is recorded once.
given   nodes are played by hand
given   node n1 rack=r1 vcpus=8 memory=8GiB ; node n2 rack=r2 vcpus=8 memory=8GiB
given   tenant a quota instances=3 vcpus=8 memory=4GiB networks=1 ; network a/net 10.1.0.0/24
when    a creates instance a/web vcpus=2 memory=1GiB network=net -> accepted
then    instance a/web is starting ; instance a/web address is 10.1.0.2 ; instance a/web epoch is 1
then    tenant a held vcpus=2 instances=1 ; tenant a used vcpus=0 instances=0 ; operation of web is running
then    node n1 was told a/web running ; node n1 placed vcpus=2 memory=1GiB
when    n1 reports a/web starting
then    instance a/web is starting
when    n1 reports a/web running
then    instance a/web is running ; instance a/web is on n1 ; operation of web is done
then    tenant a held vcpus=0 instances=0 ; tenant a used vcpus=2 memory=1GiB instances=1 networks=1
then    leaves instance-create are 1 ; leaves instance-running are 1 ; events instance-running are 1
always  ledger = inventory ; each accepted write has exactly one leaf ; replicas have the same digest
not on sim: its nodes speak for themselves, none is played by hand
not on lab: its nodes speak for themselves, none is played by hand
