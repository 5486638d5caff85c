given   tenant a ; node n1
when    a creates instance a/web -> accepted
when    n1 reports a/web running
always  ledger = inventory
