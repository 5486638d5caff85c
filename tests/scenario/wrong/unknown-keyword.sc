given   tenant a
perhaps networks of a are 0
always  ledger = inventory ; each accepted write has exactly one leaf ; a second engine has the same digest
