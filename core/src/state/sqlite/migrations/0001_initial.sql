-- Times are microseconds since 1970 in UTC. Versions are unsigned 64-bit numbers in the two's complement of SQLite's
-- signed ones: compare them in code.

-- "cart": tells our files from other programs'.
PRAGMA application_id = 1667330676;

-- status: 0 pending, 1 delivered, 2 dead, 3 withheld by a backfill.
CREATE TABLE keys (
  destination TEXT NOT NULL,
  key TEXT NOT NULL,
  status INTEGER NOT NULL CHECK (status IN (0, 1, 2, 3)),
  at INTEGER NOT NULL,
  PRIMARY KEY (destination, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX keys_delivered ON keys (at) WHERE status = 1;

-- fingerprints: JSON object, member to unsigned number.
CREATE TABLE entities (
  destination TEXT NOT NULL,
  entity TEXT NOT NULL,
  version INTEGER,
  fingerprints TEXT NOT NULL DEFAULT '{}',
  PRIMARY KEY (destination, entity)
) STRICT, WITHOUT ROWID;

-- AUTOINCREMENT: an id is never given twice, so settling late cannot hit another operation.
CREATE TABLE outbox (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  destination TEXT NOT NULL,
  lane TEXT NOT NULL,
  entity TEXT NOT NULL,
  key TEXT NOT NULL,
  run TEXT,
  position INTEGER NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  first_attempt_at INTEGER,
  due_at INTEGER NOT NULL,
  amended INTEGER NOT NULL DEFAULT 0,
  owner TEXT
) STRICT;
CREATE INDEX outbox_free ON outbox (destination, id) WHERE owner IS NULL;
CREATE INDEX outbox_lane ON outbox (destination, lane, id);
CREATE INDEX outbox_held ON outbox (destination, lane, owner) WHERE owner IS NOT NULL;
CREATE INDEX outbox_owner ON outbox (owner) WHERE owner IS NOT NULL;
CREATE INDEX outbox_entity ON outbox (destination, entity);
CREATE INDEX outbox_key ON outbox (destination, key);

-- Apart from the outbox, because SQLite rewrites a whole row when a claim or an attempt changes one column of it.
-- members: JSON object, member to unsigned number, or null where delivery removes it.
-- operation: JSON without the body.
CREATE TABLE payloads (
  id INTEGER PRIMARY KEY REFERENCES outbox (id) ON DELETE CASCADE,
  members TEXT NOT NULL,
  operation TEXT NOT NULL,
  record BLOB NOT NULL,
  body BLOB NOT NULL
) STRICT;

-- Until when each owner holds what it claimed.
CREATE TABLE leases (
  destination TEXT NOT NULL,
  owner TEXT NOT NULL,
  until INTEGER NOT NULL,
  PRIMARY KEY (destination, owner)
) STRICT, WITHOUT ROWID;

CREATE TABLE dead_letters (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  destination TEXT NOT NULL,
  key TEXT NOT NULL,
  code TEXT NOT NULL,
  endpoint TEXT NOT NULL,
  run TEXT,
  position INTEGER NOT NULL,
  died_at INTEGER NOT NULL,
  failure TEXT NOT NULL,
  members TEXT NOT NULL,
  operation TEXT NOT NULL,
  record BLOB NOT NULL,
  body BLOB NOT NULL
) STRICT;
CREATE INDEX dead_letters_key ON dead_letters (destination, key);
CREATE INDEX dead_letters_code ON dead_letters (code);
CREATE INDEX dead_letters_run ON dead_letters (run);

-- The newest word per person and channel; all of them are in consent_history.
CREATE TABLE consents (
  person TEXT NOT NULL,
  channel TEXT NOT NULL,
  status TEXT NOT NULL,
  at INTEGER,
  source TEXT,
  observed_at INTEGER NOT NULL,
  PRIMARY KEY (person, channel)
) STRICT, WITHOUT ROWID;

CREATE TABLE consent_history (
  id INTEGER PRIMARY KEY,
  person TEXT NOT NULL,
  channel TEXT NOT NULL,
  status TEXT NOT NULL,
  at INTEGER,
  source TEXT,
  observed_at INTEGER NOT NULL
) STRICT;
CREATE INDEX consent_history_person ON consent_history (person);

CREATE TABLE erasures (
  person TEXT PRIMARY KEY,
  at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE cursors (
  stream TEXT PRIMARY KEY,
  cursor TEXT NOT NULL,
  at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE runs (
  id TEXT PRIMARY KEY,
  started_at INTEGER NOT NULL,
  finished_at INTEGER,
  report TEXT NOT NULL
) STRICT;
CREATE INDEX runs_started ON runs (started_at, id);
