# What was deleted stays charged until its node says that nothing is left of it. INV-LED-6 INV-SCH-1
given   node n1
given   tenant a quota instances=1 ; network a/net 10.1.0.0/29 ; instance a/web network=net
when    n1 is cut off
when    time passes 7s
then    node n1 is unknown
when    a deletes instance a/web -> accepted
then    instance a/web is deleting ; instance a/web reason ; operation of web is running
when    time passes 5s
then    instance a/web is deleting ; tenant a used instances=1 ; node n1 placed instances=1
when    a creates instance a/next -> reject quota-exceeded
when    a deletes network a/net -> reject in-use
when    n1 is heard
then    instance a/web is absent ; tenant a used instances=0 ; node n1 placed instances=0
then    operation of web is done
when    a deletes network a/net -> accepted
when    a creates instance a/next -> accepted
then    instance a/next is running
always  ledger = inventory ; each accepted write has exactly one leaf ; replicas have the same digest
