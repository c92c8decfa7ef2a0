-- A state as version 1 stored it: never edit, later versions must read it as it is.
-- Second 0 of the tests is 1790000000.
INSERT INTO keys VALUES ('iterable', 'k-delivered', 1, 1790000001000000), ('iterable', 'k-pending', 0, 1790000002000000), ('iterable', 'k-dead', 2, 1790000010000000);
INSERT INTO entities VALUES ('iterable', 'contact:1', 12, '{"email":18446744073709551615,"firstName":1}');
INSERT INTO outbox (id, destination, lane, entity, key, run, position, attempts, first_attempt_at, due_at, amended, owner)
  VALUES (41, 'iterable', 'contact:1', 'contact:1', 'k-pending', 'run-1', 3, 2, 1790000005000000, 1790000009000000, 1, 'a');
INSERT INTO payloads (id, members, operation, record, body) VALUES (
  41, '{"email":2,"phone":null}',
  '{"endpoint":"users.update","entity":"contact:1","lane":"contact:1","idempotency_key":"k-pending","once":false,"version":12,"occurred_at":"2026-09-21T14:12:20Z","delta":"/dataFields","correlation_id":"c-1","body":""}',
  CAST('{"kind":"contact"}' AS BLOB), CAST('{"dataFields":{"email":"a@example.com"}}' AS BLOB));
INSERT INTO leases VALUES ('iterable', 'a', 1800000000000000);
INSERT INTO dead_letters (id, destination, key, code, endpoint, run, position, died_at, failure, members, operation, record, body) VALUES (
  8, 'iterable', 'k-dead', 'rejected', 'users.update', 'run-1', 4, 1790000010000000,
  '{"refusal":{"code":"rejected","vendor_code":"InvalidEmail","message":"the address is not one"},"status":400,"response":"{}","attempts":2}',
  '{"email":3}',
  '{"endpoint":"users.update","entity":"contact:2","lane":"contact:2","idempotency_key":"k-dead","once":false,"occurred_at":"2026-09-21T13:12:20Z","correlation_id":"c-2","body":""}',
  CAST('{"kind":"contact"}' AS BLOB), CAST('{"dataFields":{"email":"b@"}}' AS BLOB));
INSERT INTO consents VALUES ('p1', 'email', 'denied', 1790000006000000, 'checkout', 1790000030000000);
INSERT INTO consent_history (person, channel, status, at, source, observed_at) VALUES
  ('p1', 'email', 'granted', 1790000005000000, 'checkout', 1790000010000000),
  ('p1', 'email', 'denied', 1790000006000000, 'checkout', 1790000030000000);
INSERT INTO erasures VALUES ('p9', 1790000000000000);
INSERT INTO cursors VALUES ('orders', '2026-09-01T00:00:00Z', 1790000000000000);
INSERT INTO runs VALUES ('run-1', 1790000000000000, NULL, '{}');
