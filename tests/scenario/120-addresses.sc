# An address has one owner from creation until its node reports the instance gone. INV-NET-3
given   node n1 ; tenant a ; network a/net 10.1.0.0/29
when    a creates instance a/m1 network=net stopped -> accepted
when    a creates instance a/m2 network=net stopped -> accepted
when    a creates instance a/m3 network=net -> accepted
when    a creates instance a/m4 network=net stopped -> accepted
when    a creates instance a/m5 network=net stopped -> accepted
then    instance a/m1 address is 10.1.0.2 ; instance a/m5 address is 10.1.0.6
when    a creates instance a/m6 network=net stopped -> reject no-capacity dimension=addresses
then    instance a/m3 is running
when    n1 is cut off
when    a deletes instance a/m3 -> accepted
when    a creates instance a/m6 network=net stopped -> reject no-capacity dimension=addresses
when    n1 is heard
then    instance a/m3 is absent
when    a creates instance a/m6 network=net stopped -> accepted
then    instance a/m6 address is 10.1.0.4
when    a deletes instance a/m2 -> accepted
then    instance a/m2 is absent
when    a creates instance a/m7 network=net stopped -> accepted
then    instance a/m7 address is 10.1.0.3
always  ledger = inventory ; each accepted write has exactly one leaf ; replicas have the same digest
