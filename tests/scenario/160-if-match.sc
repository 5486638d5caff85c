# Who changes what he saw is refused when it is not so any more.
given   node n1 ; tenant a
when    a creates instance a/web stopped -> accepted
when    a starts instance a/web if-match=r7 -> reject precondition-failed
when    a starts instance a/web if-match=r1 -> accepted
when    a deletes instance a/web if-match=r1 -> reject precondition-failed
when    a deletes instance a/web -> accepted
then    instance a/web is deleting or absent
always  ledger = inventory ; each accepted write has exactly one leaf ; replicas have the same digest
