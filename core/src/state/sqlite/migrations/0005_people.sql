-- Opaque names of the people an operation is about, each between line breaks: what is erased with them. Empty for what must go
-- out all the same, such as the erasure itself.
ALTER TABLE outbox ADD COLUMN people TEXT NOT NULL DEFAULT '';
ALTER TABLE dead_letters ADD COLUMN people TEXT NOT NULL DEFAULT '';
