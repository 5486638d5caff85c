# What a tenant did, and what befell what it has, is in its own part of the audit log, which proves
# itself complete to whoever has it; also across a change of leaders. INV-AUD-4
given   node n1 ; tenant a ; tenant b ; instance a/web
when    a stops instance a/web -> accepted
then    instance a/web is stopped
when    leader dies
when    a deletes instance a/web -> accepted
then    instance a/web is absent
when    b creates instance b/other stopped -> accepted
then    audit log of a is complete ; audit log of b is complete
always  ledger = inventory ; each accepted write has exactly one leaf ; replicas have the same digest
