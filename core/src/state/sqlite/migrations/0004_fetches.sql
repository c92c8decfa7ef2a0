-- What must still be read from a shop, because something only named it. scope: destination, source and shop.
-- noted: how often it was named; a reading that began before it was named again does not count.
CREATE TABLE fetches (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  scope TEXT NOT NULL,
  kind TEXT NOT NULL,
  resource TEXT NOT NULL,
  reason TEXT NOT NULL,
  mode TEXT NOT NULL,
  correlation_id TEXT,
  noted INTEGER NOT NULL DEFAULT 1,
  attempts INTEGER NOT NULL DEFAULT 0,
  due_at INTEGER NOT NULL,
  noted_at INTEGER NOT NULL,
  UNIQUE (scope, kind, resource)
) STRICT;
CREATE INDEX fetches_due ON fetches (scope, due_at, id);
