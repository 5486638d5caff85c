given   tenant a
when    a creates network a/net 10.1.0.0/24 -> accepted
always  ledger = inventory
not on lab: why
