# Who was revoked is refused at once, whatever he asks; what is his goes on. INV-SEC-3 INV-SEC-33
given   node n1 ; tenant a ; instance a/web
when    a reads instance a/web -> accepted
when    root revokes user root -> reject wrong-state
when    root revokes user a -> accepted
when    a reads instance a/web -> reject revoked
when    a deletes instance a/web -> reject revoked
then    instance a/web is running ; leaves user-revoke are 1
when    root deletes instance a/web -> accepted
then    instance a/web is absent
always  ledger = inventory ; each accepted write has exactly one leaf ; replicas have the same digest
