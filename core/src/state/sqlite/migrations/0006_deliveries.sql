-- Pushed calls that were taken, so that a repeated one is known. scope: destinations, source and mode; key: opaque.
CREATE TABLE deliveries (
  scope TEXT NOT NULL,
  key TEXT NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (scope, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX deliveries_at ON deliveries (at);
-- When reading was given up, and why; it is not tried again until it is named again or asked for.
ALTER TABLE fetches ADD COLUMN given_up_at INTEGER;
ALTER TABLE fetches ADD COLUMN code TEXT NOT NULL DEFAULT '';
ALTER TABLE fetches ADD COLUMN message TEXT NOT NULL DEFAULT '';
