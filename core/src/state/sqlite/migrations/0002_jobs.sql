-- The asynchronous job at the destination that holds an operation, and when the destination took it.
ALTER TABLE outbox ADD COLUMN job TEXT;
ALTER TABLE outbox ADD COLUMN job_at INTEGER;
CREATE INDEX outbox_job ON outbox (destination, job) WHERE job IS NOT NULL;
