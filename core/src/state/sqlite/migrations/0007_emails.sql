-- Addresses of customers as their own records told them, for those destinations that know nobody by id. person, alias: opaque
-- names of the customer's id and of the address; whichever of them is erased, the row goes.
CREATE TABLE emails (
  person TEXT PRIMARY KEY,
  alias TEXT NOT NULL,
  email TEXT NOT NULL,
  version INTEGER,
  at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX emails_alias ON emails (alias);
