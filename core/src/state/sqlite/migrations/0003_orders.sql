-- What is remembered of each order, to tell what happened to it since. name: opaque; facts: JSON, nothing personal.
CREATE TABLE orders (
  destination TEXT NOT NULL,
  name TEXT NOT NULL,
  facts TEXT NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (destination, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX orders_at ON orders (at);
