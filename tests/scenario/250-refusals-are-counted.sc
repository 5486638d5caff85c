# Nothing that was refused is uncounted, though refusals of one kind are one leaf. INV-AUD-5
given   node n1 ; tenant a ; tenant b ; instance a/web
when    b deletes instance a/web -> reject not-found
when    b deletes instance a/web -> reject not-found
when    b deletes instance a/web -> reject not-found
when    time passes 5s
then    refusals instance-delete are 3 ; leaves instance-delete are 0
then    instance a/web is running
always  ledger = inventory ; each accepted write has exactly one leaf ; replicas have the same digest
