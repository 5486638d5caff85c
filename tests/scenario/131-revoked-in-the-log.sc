# A revocation in the log stops what stands behind it in the log, however it passed the door, and
# the refusal is recorded. INV-SEC-3
given   nodes are played by hand
given   node n1 vcpus=8 memory=8GiB ; tenant a ; instance a/web
when    root revokes user root -> reject wrong-state
when    log waits
when    root revokes user a -> waiting
when    a deletes instance a/web -> waiting
when    log goes on
then    answer is reject revoked ; instance a/web is running ; refusals instance-delete are 1
when    a reads instance a/web -> reject revoked
when    root deletes instance a/web -> accepted
always  ledger = inventory ; each accepted write has exactly one leaf ; replicas have the same digest
not on sim: its nodes speak for themselves, none is played by hand
not on lab: its nodes speak for themselves, none is played by hand
