# What was deleted stays charged until its node says that nothing is left of it. INV-LED-6
given   nodes are played by hand
given   node n1 vcpus=8 memory=8GiB
given   tenant a quota instances=1 ; network a/net 10.1.0.0/29
given   instance a/web network=net
when    n1 is cut off
when    time passes 7s
then    node n1 is unknown
when    a deletes instance a/web -> accepted
then    instance a/web is deleting ; instance a/web reason ; operation of web is running
when    time passes 1h
then    instance a/web is deleting ; tenant a used instances=1 ; node n1 placed memory=96MiB
when    a creates instance a/next -> reject quota-exceeded
when    a deletes network a/net -> reject in-use
when    n1 is heard
when    n1 reports a/web running
then    instance a/web is deleting
when    n1 reports a/web gone
then    instance a/web is absent ; tenant a used instances=0 ; node n1 placed memory=0 ; operation of web is done
when    a deletes network a/net -> accepted
when    a creates instance a/next -> accepted
when    n1 reports a/next running
when    n1 is cut off
when    time passes 2s
when    a deletes instance a/next -> accepted
then    node n1 is alive ; instance a/next is deleting
when    time passes 5s
then    node n1 is unknown ; instance a/next is deleting ; instance a/next reason
when    n1 is heard
when    n1 reports a/next gone
then    instance a/next is absent
always  ledger = inventory ; each accepted write has exactly one leaf ; replicas have the same digest
not on sim: its nodes speak for themselves, none is played by hand
not on lab: its nodes speak for themselves, none is played by hand
