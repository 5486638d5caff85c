# A reboot is an order like any other: counted, obeyed once, overtaken by a later one.
given   nodes are played by hand
given   node n1 vcpus=8 memory=8GiB ; tenant a
when    a creates instance a/web -> accepted
when    a reboots instance a/web -> reject wrong-state
when    n1 reports a/web running
when    a reboots instance a/web -> accepted
then    instance a/web is starting ; instance a/web generation is 2
when    n1 reports a/web running of an older order
then    instance a/web is starting ; operation of web is running
when    n1 reports a/web running
then    instance a/web is running ; operation of web is done ; tenant a used instances=1
always  ledger = inventory ; each accepted write has exactly one leaf ; replicas have the same digest
not on sim: its nodes speak for themselves, none is played by hand
not on lab: its nodes speak for themselves, none is played by hand
