//! State in one SQLite file: the embedded default.

mod fault;
mod file;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::File;
use std::path::Path;
use std::sync::Mutex;

use rusqlite::types::Value;
use rusqlite::{Connection, Row, Transaction, TransactionBehavior, params, params_from_iter};
use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use self::fault::Fault;
use super::{
    Acceptance, Accepted, Claim, ConsentRow, DeadLetter, Durability, Failure, FetchEnd, FetchSettlement, Fingerprints, HeldBy, KeyStatus,
    Known, KnownEmail, LetterFilter, NewFetch, NewOperation, PendingFetch, RunRow, Settlement, StateStore, Subject, Superseded,
    UnreadFetch, Waiting, rules,
};
use crate::destinations::Operation;
use crate::error::{Error, ErrorCode, Result};
use crate::model::{Channel, ConsentStatus, Instant, Mode, ResourceRef, SkipReason};

type Sql<T> = std::result::Result<T, Fault>;

/// Members an operation writes: fingerprint, or `None` where delivery removes it.
type Members = BTreeMap<String, Option<u64>>;

/// State in one SQLite file (write-ahead log), for one handle at a time: a lock on the file beside it, `<path>.lock`,
/// keeps others out and ends with the process. The file holds personal data and never secrets; on Unix a new one is
/// readable by its owner only. Debug shows no data.
pub struct SqliteStore {
    connection: Mutex<Connection>,
    /// Held, not used. Declared last, so that the connection closes first.
    _lock: File,
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").finish_non_exhaustive()
    }
}

impl SqliteStore {
    /// Opens the file, or makes it with missing folders, and brings its schema up to date. What a killed process had
    /// claimed is free again.
    ///
    /// # Errors
    /// `state_locked` when another process or handle has it open, `state_version` when a newer version wrote it,
    /// `state_corrupt` when it cannot be read or written or belongs to another program.
    pub fn open(path: impl AsRef<Path>, durability: Durability) -> Result<Self> {
        let opened = file::open(path.as_ref(), durability, file::MIGRATIONS)?;
        Ok(SqliteStore { connection: Mutex::new(opened.connection), _lock: opened.lock })
    }

    fn transaction<T>(&self, work: impl FnOnce(&Transaction<'_>) -> Sql<T>) -> Result<T> {
        let mut connection = self
            .connection
            .lock()
            .map_err(|_| Error::new(ErrorCode::Internal, "a panic happened while the state was in use; open it again"))?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(Fault::from)?;
        let result = work(&transaction)?;
        transaction.commit().map_err(Fault::from)?;
        Ok(result)
    }
}

const PENDING: i64 = 0;
const DELIVERED: i64 = 1;
const DEAD: i64 = 2;
const WITHHELD: i64 = 3;

/// What precedes a free operation in its lane is free too and comes before it here, or is held: by this owner, or by one
/// whose lane this then is.
const CLAIM: &str =
    "SELECT o.id, o.attempts, o.first_attempt_at, o.due_at, o.run, o.position, o.amended, o.job, o.job_at, p.operation, p.body
    FROM outbox o JOIN payloads p ON p.id = o.id
    WHERE o.destination = ?1 AND o.owner IS NULL AND NOT EXISTS (
      SELECT 1 FROM outbox h WHERE h.destination = ?1 AND h.lane = o.lane AND h.owner IS NOT NULL AND h.owner <> ?2)
      AND (SELECT b.id FROM outbox b WHERE b.destination = ?1 AND b.lane = o.lane AND b.id < o.id LIMIT 1 OFFSET ?4 - 1) IS NULL
    ORDER BY o.id LIMIT ?3";

/// The rest of a job of which something was claimed. What precedes it in its lanes is of the same job.
const REST_OF_JOB: &str =
    "SELECT o.id, o.attempts, o.first_attempt_at, o.due_at, o.run, o.position, o.amended, o.job, o.job_at, p.operation, p.body
    FROM outbox o JOIN payloads p ON p.id = o.id
    WHERE o.destination = ?1 AND o.job = ?2 AND o.owner IS NULL";

const PENDING_MEMBERS: &str = "SELECT p.members FROM outbox o JOIN payloads p ON p.id = o.id WHERE o.destination = ?1 AND o.entity = ?2";

const SUPERSEDED: &str =
    "SELECT o.id, o.key, o.run, o.position FROM outbox o LEFT JOIN leases l ON l.destination = o.destination AND l.owner = o.owner
    WHERE o.destination = ?1 AND o.entity = ?2 AND o.job IS NULL AND (l.until IS NULL OR l.until <= ?3) ORDER BY o.id";

const ERASED: &str =
    "SELECT o.id, o.key, o.run, o.position FROM outbox o LEFT JOIN leases l ON l.destination = o.destination AND l.owner = o.owner
    WHERE o.destination = ?1 AND instr(o.people, ?2) > 0 AND o.job IS NULL AND (l.until IS NULL OR l.until <= ?3) ORDER BY o.id";

const IN_JOBS: &str = "SELECT count(*) FROM outbox WHERE destination = ?1 AND job IS NOT NULL";

const END_KEY: &str = "UPDATE keys SET status = ?3, at = ?4 WHERE destination = ?1 AND key = ?2
    AND NOT EXISTS (SELECT 1 FROM outbox WHERE destination = ?1 AND key = ?2)";

const FETCHES: &str = "SELECT * FROM fetches WHERE scope = ?1 AND given_up_at IS NULL ORDER BY due_at, id LIMIT ?2";

const UNREAD: &str = "SELECT * FROM fetches WHERE scope = ?1 AND given_up_at IS NOT NULL ORDER BY given_up_at, id LIMIT ?2";

const UNREAD_COUNT: &str = "SELECT count(*) FROM fetches WHERE scope = ?1 AND given_up_at IS NOT NULL";

const REREAD: &str = "UPDATE fetches SET given_up_at = NULL, attempts = 0, due_at = ?2, noted_at = ?2, code = '', message = ''
    WHERE scope = ?1 AND given_up_at IS NOT NULL";

const PURGE: &str = "DELETE FROM keys WHERE status = 1 AND at < ?1";

const PURGE_ORDERS: &str = "DELETE FROM orders WHERE at < ?1";

fn to_micros(at: Instant) -> i64 {
    at.timestamp_micros()
}

fn instant(micros: i64) -> Sql<Instant> {
    Instant::from_timestamp_micros(micros).ok_or(Fault::Stored("time"))
}

fn maybe_instant(micros: Option<i64>) -> Sql<Option<Instant>> {
    micros.map(instant).transpose()
}

fn write_json(value: &impl Serialize) -> Sql<String> {
    serde_json::to_string(value).map_err(|_| Fault::Stored("value"))
}

fn json<T: DeserializeOwned>(row: &Row<'_>, column: &'static str) -> Sql<T> {
    let text = row.get_ref(column)?.as_str().map_err(|_| Fault::Stored(column))?;
    serde_json::from_str(text).map_err(|_| Fault::Stored(column))
}

/// The operation without its body, which has a column of its own so that it is stored as it is sent.
fn head(operation: &Operation) -> Sql<String> {
    write_json(&Operation { body: Vec::new(), ..operation.clone() })
}

fn operation(row: &Row<'_>) -> Sql<Operation> {
    let mut operation: Operation = json(row, "operation")?;
    operation.body = row.get("body")?;
    Ok(operation)
}

fn consent(row: &Row<'_>) -> Sql<ConsentRow> {
    Ok(ConsentRow {
        person: row.get("person")?,
        channel: Channel::from_text(row.get_ref("channel")?.as_str().map_err(|_| Fault::Stored("channel"))?),
        status: match row.get_ref("status")?.as_str() {
            Ok("granted") => ConsentStatus::Granted,
            Ok("denied") => ConsentStatus::Denied,
            Ok("pending") => ConsentStatus::Pending,
            Ok("unknown") => ConsentStatus::Unknown,
            _ => return Err(Fault::Stored("status")),
        },
        at: maybe_instant(row.get("at")?)?,
        source: row.get("source")?,
        observed_at: instant(row.get("observed_at")?)?,
    })
}

const fn status_name(status: ConsentStatus) -> &'static str {
    match status {
        ConsentStatus::Granted => "granted",
        ConsentStatus::Denied => "denied",
        ConsentStatus::Pending => "pending",
        ConsentStatus::Unknown => "unknown",
    }
}

/// Every row of a query, read by `read`.
fn rows<T>(tx: &Transaction<'_>, sql: &str, params: impl rusqlite::Params, read: impl Fn(&Row<'_>) -> Sql<T>) -> Sql<Vec<T>> {
    let mut statement = tx.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row)?);
    }
    Ok(found)
}

const fn mode_name(mode: Mode) -> &'static str {
    match mode {
        Mode::Live => "live",
        Mode::Backfill => "backfill",
    }
}

fn named_fetch(row: &Row<'_>) -> Sql<NewFetch> {
    Ok(NewFetch {
        resource: ResourceRef { kind: row.get("kind")?, id: row.get("resource")? },
        reason: row.get("reason")?,
        mode: match row.get_ref("mode")?.as_str() {
            Ok("live") => Mode::Live,
            Ok("backfill") => Mode::Backfill,
            _ => return Err(Fault::Stored("mode")),
        },
        correlation_id: row.get("correlation_id")?,
    })
}

fn pending_fetch(row: &Row<'_>) -> Sql<PendingFetch> {
    Ok(PendingFetch {
        id: row.get::<_, i64>("id")?.cast_unsigned(),
        fetch: named_fetch(row)?,
        noted: row.get::<_, i64>("noted")?.cast_unsigned(),
        attempts: row.get("attempts")?,
        due_at: instant(row.get("due_at")?)?,
        noted_at: instant(row.get("noted_at")?)?,
    })
}

fn unread_fetch(row: &Row<'_>) -> Sql<UnreadFetch> {
    Ok(UnreadFetch {
        fetch: named_fetch(row)?,
        attempts: row.get("attempts")?,
        noted_at: instant(row.get("noted_at")?)?,
        given_up_at: instant(row.get("given_up_at")?)?,
        code: row.get("code")?,
        message: row.get("message")?,
    })
}

/// The first row of a query, read by `read`.
fn first<T>(tx: &Transaction<'_>, sql: &str, params: impl rusqlite::Params, read: impl Fn(&Row<'_>) -> Sql<T>) -> Sql<Option<T>> {
    let mut statement = tx.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    rows.next()?.map(read).transpose()
}

fn run(tx: &Transaction<'_>, sql: &str, params: impl rusqlite::Params) -> Sql<usize> {
    Ok(tx.prepare_cached(sql)?.execute(params)?)
}

fn key_status(tx: &Transaction<'_>, destination: &str, key: &str) -> Sql<Option<KeyStatus>> {
    first(tx, "SELECT status FROM keys WHERE destination = ?1 AND key = ?2", [destination, key], |row| match row.get(0)? {
        PENDING => Ok(KeyStatus::Pending),
        DELIVERED => Ok(KeyStatus::Delivered),
        DEAD => Ok(KeyStatus::Dead),
        WITHHELD => Ok(KeyStatus::Withheld),
        _ => Err(Fault::Stored("status")),
    })
}

/// Ends a key whose operation has just left the outbox, unless another one waits under it.
fn end_key(tx: &Transaction<'_>, destination: &str, key: &str, status: i64, now: i64) -> Sql<()> {
    run(tx, END_KEY, params![destination, key, status, now])?;
    Ok(())
}

/// Raises an entity's version.
fn see(tx: &Transaction<'_>, destination: &str, entity: &str, version: Option<u64>) -> Sql<()> {
    let Some(version) = version else { return Ok(()) };
    let sql = "SELECT version FROM entities WHERE destination = ?1 AND entity = ?2";
    let seen = first(tx, sql, [destination, entity], |row| Ok(row.get::<_, Option<i64>>(0)?.map(i64::cast_unsigned)))?.flatten();
    if seen.is_none_or(|seen| seen < version) {
        run(
            tx,
            "INSERT INTO entities (destination, entity, version) VALUES (?1, ?2, ?3)
               ON CONFLICT (destination, entity) DO UPDATE SET version = excluded.version",
            params![destination, entity, version.cast_signed()],
        )?;
    }
    Ok(())
}

/// Puts an operation at the end of the outbox.
fn enqueue(tx: &Transaction<'_>, destination: &str, new: &NewOperation, now: i64) -> Sql<u64> {
    let operation = &new.operation;
    let key = operation.idempotency_key.as_str();
    run(
        tx,
        "INSERT INTO keys (destination, key, status, at) VALUES (?1, ?2, 0, ?3)
           ON CONFLICT (destination, key) DO UPDATE SET status = excluded.status, at = excluded.at",
        params![destination, key, now],
    )?;
    see(tx, destination, &operation.entity, operation.version)?;
    run(
        tx,
        "INSERT INTO outbox (destination, lane, entity, key, run, position, due_at, people) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![destination, operation.lane, operation.entity, key, new.run, new.position.cast_signed(), now, listed(&new.people)],
    )?;
    let id = tx.last_insert_rowid();
    run(
        tx,
        "INSERT INTO payloads (id, members, operation, record, body) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![id, write_json(&new.fingerprints)?, head(operation)?, new.record, operation.body],
    )?;
    Ok(id.cast_unsigned())
}

/// People as a column holds them: a name is found between two line breaks, whichever it is.
fn listed(people: &[String]) -> String {
    if people.is_empty() { String::new() } else { format!("\n{}\n", people.join("\n")) }
}

/// Removes what is known of a person and not under way. Erasures are rare, so nothing is indexed for them.
fn erase(tx: &Transaction<'_>, destination: &str, person: &str, now: i64) -> Sql<Vec<Superseded>> {
    let name = listed(std::slice::from_ref(&person.to_owned()));
    run(tx, "DELETE FROM dead_letters WHERE destination = ?1 AND instr(people, ?2) > 0", [destination, &name])?;
    run(tx, "DELETE FROM consents WHERE person = ?1", [person])?;
    run(tx, "DELETE FROM consent_history WHERE person = ?1", [person])?;
    run(tx, "DELETE FROM emails WHERE person = ?1 OR alias = ?1", [person])?;
    remove(tx, ERASED, destination, &name, now)
}

/// Removes what waits of an entity and is not under way.
fn supersede(tx: &Transaction<'_>, destination: &str, entity: &str, now: i64) -> Sql<Vec<Superseded>> {
    remove(tx, SUPERSEDED, destination, entity, now)
}

/// Removes what a query finds waiting.
fn remove(tx: &Transaction<'_>, sql: &str, destination: &str, what: &str, now: i64) -> Sql<Vec<Superseded>> {
    let gone = rows(tx, sql, params![destination, what, now], |row| {
        let (id, position): (i64, i64) = (row.get(0)?, row.get(3)?);
        let superseded = Superseded { id: id.cast_unsigned(), run: row.get(2)?, position: position.cast_unsigned() };
        Ok((superseded, row.get::<_, String>(1)?))
    })?;
    for (superseded, key) in &gone {
        run(tx, "DELETE FROM outbox WHERE id = ?1", [superseded.id.cast_signed()])?;
        end_key(tx, destination, key, DELIVERED, now)?;
    }
    Ok(gone.into_iter().map(|(superseded, _)| superseded).collect())
}

fn hear(tx: &Transaction<'_>, new: &ConsentRow) -> Sql<()> {
    let (person, channel, source) = (new.person.as_str(), new.channel.as_str(), new.source.as_deref());
    let row = params![person, channel, status_name(new.status), new.at.map(to_micros), source, to_micros(new.observed_at)];
    let sql = "SELECT * FROM consent_history WHERE person = ?1 AND channel = ?2 AND source IS ?3 ORDER BY id DESC LIMIT 1";
    if first(tx, sql, params![person, channel, source], consent)?.is_none_or(|last| !rules::repeats(new, &last)) {
        run(tx, "INSERT INTO consent_history (person, channel, status, at, source, observed_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)", row)?;
    }
    let newest = first(tx, "SELECT * FROM consents WHERE person = ?1 AND channel = ?2", [person, channel], consent)?;
    if newest.is_none_or(|newest| rules::outweighs(new, &newest)) {
        run(tx, "INSERT OR REPLACE INTO consents (person, channel, status, at, source, observed_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)", row)?;
    }
    Ok(())
}

fn known_email(row: &Row<'_>) -> Sql<KnownEmail> {
    Ok(KnownEmail {
        person: row.get("person")?,
        alias: row.get("alias")?,
        email: row.get("email")?,
        version: row.get::<_, Option<i64>>("version")?.map(i64::cast_unsigned),
        at: instant(row.get("at")?)?,
    })
}

const EMAIL: &str = "SELECT * FROM emails WHERE person = ?1";

fn address(tx: &Transaction<'_>, new: &KnownEmail) -> Sql<()> {
    if first(tx, EMAIL, [&new.person], known_email)?.is_none_or(|old| new.succeeds(&old)) {
        let sql = "INSERT OR REPLACE INTO emails (person, alias, email, version, at) VALUES (?1, ?2, ?3, ?4, ?5)";
        run(tx, sql, params![new.person, new.alias, new.email, new.version.map(u64::cast_signed), to_micros(new.at)])?;
    }
    Ok(())
}

fn known(tx: &Transaction<'_>, destination: &str, subject: &Subject<'_>) -> Sql<Known> {
    let entity = first(
        tx,
        "SELECT version, fingerprints FROM entities WHERE destination = ?1 AND entity = ?2",
        [destination, subject.entity],
        |row| Ok((row.get::<_, Option<i64>>(0)?.map(i64::cast_unsigned), json::<Fingerprints>(row, "fingerprints")?)),
    )?;
    let waiting = rows(tx, PENDING_MEMBERS, [destination, subject.entity], |row| json::<BTreeMap<String, IgnoredAny>>(row, "members"))?;
    let (version, sent) = entity.unwrap_or_default();
    let pending = !waiting.is_empty();
    let members: BTreeSet<_> = waiting.into_iter().flat_map(BTreeMap::into_keys).collect();
    Ok(Known {
        key: key_status(tx, destination, subject.idempotency_key)?,
        version,
        sent,
        pending,
        pending_members: members.into_iter().collect(),
    })
}

fn accept(tx: &Transaction<'_>, acceptance: &Acceptance, now: i64) -> Sql<Accepted> {
    let destination = acceptance.destination.as_str();
    let mut accepted = Accepted::default();
    for row in &acceptance.consents {
        hear(tx, row)?;
    }
    for new in &acceptance.emails {
        address(tx, new)?;
    }
    for person in &acceptance.erasures {
        run(tx, "INSERT INTO erasures (person, at) VALUES (?1, ?2) ON CONFLICT (person) DO NOTHING", params![person, now])?;
        accepted.erased.extend(erase(tx, destination, person, now)?);
    }
    for (entity, version) in &acceptance.versions {
        see(tx, destination, entity, Some(*version))?;
    }
    for (order, facts) in &acceptance.orders {
        let sql = "INSERT OR REPLACE INTO orders (destination, name, facts, at) VALUES (?1, ?2, ?3, ?4)";
        run(tx, sql, params![destination, order, facts, now])?;
    }
    for key in &acceptance.withheld {
        let sql = "INSERT INTO keys (destination, key, status, at) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (destination, key) DO NOTHING";
        run(tx, sql, params![destination, key, WITHHELD, now])?;
    }
    for (index, new) in acceptance.operations.iter().enumerate() {
        let key = new.operation.idempotency_key.as_str();
        let status = key_status(tx, destination, key)?;
        if new.operation.once && matches!(status, Some(KeyStatus::Pending | KeyStatus::Delivered)) {
            let sql = "SELECT min(id) FROM outbox WHERE destination = ?1 AND key = ?2";
            let waiting = first(tx, sql, [destination, key], |row| Ok(row.get::<_, Option<i64>>(0)?))?.flatten();
            accepted.ids.push(waiting.map_or(0, i64::cast_unsigned));
            accepted.duplicates.push(index);
            continue;
        }
        if status.is_some() {
            run(tx, "DELETE FROM dead_letters WHERE destination = ?1 AND key = ?2", [destination, key])?;
        }
        for entity in &new.operation.supersedes {
            accepted.superseded.extend(supersede(tx, destination, entity, now)?);
        }
        accepted.ids.push(enqueue(tx, destination, new, now)?);
    }
    Ok(accepted)
}

fn free(tx: &Transaction<'_>, destination: &str, owner: &str) -> Sql<()> {
    run(tx, "UPDATE outbox SET owner = NULL WHERE destination = ?1 AND owner = ?2", [destination, owner])?;
    run(tx, "DELETE FROM leases WHERE destination = ?1 AND owner = ?2", [destination, owner])?;
    Ok(())
}

fn waiting(row: &Row<'_>) -> Sql<Waiting> {
    let (id, position): (i64, i64) = (row.get("id")?, row.get("position")?);
    Ok(Waiting {
        id: id.cast_unsigned(),
        operation: operation(row)?,
        attempts: row.get("attempts")?,
        first_attempt_at: maybe_instant(row.get("first_attempt_at")?)?,
        due_at: instant(row.get("due_at")?)?,
        run: row.get("run")?,
        position: position.cast_unsigned(),
        amended: row.get("amended")?,
        job: match (row.get("job")?, maybe_instant(row.get("job_at")?)?) {
            (Some(id), Some(since)) => Some(HeldBy { id, since }),
            _ => None,
        },
    })
}

fn claim(tx: &Transaction<'_>, destination: &str, claim: &Claim<'_>) -> Sql<Vec<Waiting>> {
    let sql = "SELECT owner FROM leases WHERE destination = ?1 AND owner <> ?2 AND until <= ?3";
    for owner in rows(tx, sql, params![destination, claim.owner, to_micros(claim.now)], |row| Ok(row.get::<_, String>(0)?))? {
        free(tx, destination, &owner)?;
    }
    let mut claimed = rows(tx, CLAIM, params![destination, claim.owner, claim.limit, claim.per_lane], waiting)?;
    let sql = "SELECT until FROM leases WHERE destination = ?1 AND owner = ?2";
    let lease = first(tx, sql, [destination, claim.owner], |row| instant(row.get(0)?))?;
    if !claimed.is_empty() || (lease.is_some() && rules::renews(lease, claim.now, claim.until)) {
        run(
            tx,
            "INSERT INTO leases (destination, owner, until) VALUES (?1, ?2, ?3)
               ON CONFLICT (destination, owner) DO UPDATE SET until = max(until, excluded.until)",
            params![destination, claim.owner, to_micros(claim.until)],
        )?;
    }
    let own = |claimed: &[Waiting]| -> Sql<()> {
        for waiting in claimed {
            run(tx, "UPDATE outbox SET owner = ?2 WHERE id = ?1", params![waiting.id.cast_signed(), claim.owner])?;
        }
        Ok(())
    };
    own(&claimed)?;
    let jobs: BTreeSet<String> = claimed.iter().filter_map(|waiting| Some(waiting.job.as_ref()?.id.clone())).collect();
    for job in jobs {
        let rest = rows(tx, REST_OF_JOB, params![destination, job], waiting)?;
        own(&rest)?;
        claimed.extend(rest);
    }
    claimed.sort_unstable_by_key(|waiting| waiting.id);
    Ok(claimed)
}

/// Takes an operation out of the outbox; its entity and members, or `None` if it is not there.
fn take_out(tx: &Transaction<'_>, destination: &str, id: u64, status: i64, now: i64) -> Sql<Option<(String, Members)>> {
    let found = first(
        tx,
        "SELECT o.key, o.entity, p.members FROM outbox o JOIN payloads p ON p.id = o.id WHERE o.id = ?1 AND o.destination = ?2",
        params![id.cast_signed(), destination],
        |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, json::<Members>(row, "members")?)),
    )?;
    let Some((key, entity, members)) = found else { return Ok(None) };
    run(tx, "DELETE FROM outbox WHERE id = ?1", [id.cast_signed()])?;
    end_key(tx, destination, &key, status, now)?;
    Ok(Some((entity, members)))
}

fn merge(tx: &Transaction<'_>, destination: &str, entity: &str, members: Members) -> Sql<()> {
    if members.is_empty() {
        return Ok(());
    }
    let sql = "SELECT fingerprints FROM entities WHERE destination = ?1 AND entity = ?2";
    let mut sent: Fingerprints = first(tx, sql, [destination, entity], |row| json(row, "fingerprints"))?.unwrap_or_default();
    for (member, fingerprint) in members {
        match fingerprint {
            Some(fingerprint) => sent.insert(member, fingerprint),
            None => sent.remove(&member),
        };
    }
    run(
        tx,
        "INSERT INTO entities (destination, entity, fingerprints) VALUES (?1, ?2, ?3)
           ON CONFLICT (destination, entity) DO UPDATE SET fingerprints = excluded.fingerprints",
        params![destination, entity, write_json(&sent)?],
    )?;
    Ok(())
}

fn bury(tx: &Transaction<'_>, destination: &str, id: u64, failure: &Failure, now: i64) -> Sql<()> {
    let sql = "SELECT people FROM outbox WHERE id = ?1 AND destination = ?2";
    let people = first(tx, sql, params![id.cast_signed(), destination], |row| Ok(row.get::<_, String>(0)?))?.unwrap_or_default();
    for person in people.split_whitespace() {
        if first(tx, "SELECT 1 FROM erasures WHERE person = ?1", [person], |_| Ok(()))?.is_some() {
            take_out(tx, destination, id, DELIVERED, now)?;
            return Ok(());
        }
    }
    run(
        tx,
        "INSERT INTO dead_letters
           (destination, key, code, endpoint, run, position, died_at, failure, members, operation, record, body, people)
           SELECT o.destination, o.key, ?3, p.operation ->> 'endpoint', o.run, o.position, ?4, ?5, p.members, p.operation, p.record, p.body,
                  o.people
             FROM outbox o JOIN payloads p ON p.id = o.id WHERE o.id = ?1 AND o.destination = ?2",
        params![id.cast_signed(), destination, failure.refusal.code.0.name(), now, write_json(failure)?],
    )?;
    take_out(tx, destination, id, DEAD, now)?;
    Ok(())
}

fn settle(tx: &Transaction<'_>, destination: &str, settlement: &Settlement, now: i64) -> Sql<()> {
    match settlement {
        Settlement::Delivered { id } | Settlement::Skipped { id, reason: SkipReason::Unchanged } => {
            if let Some((entity, members)) = take_out(tx, destination, *id, DELIVERED, now)? {
                merge(tx, destination, &entity, members)?;
            }
        }
        Settlement::Skipped { id, .. } => drop(take_out(tx, destination, *id, DELIVERED, now)?),
        Settlement::Dead { id, failure } => bury(tx, destination, *id, failure, now)?,
        Settlement::Later { id, due_at, attempts, first_attempt_at } => {
            run(
                tx,
                "UPDATE outbox SET due_at = ?3, attempts = ?4, first_attempt_at = ?5, job = NULL, job_at = NULL
                   WHERE id = ?1 AND destination = ?2",
                params![id.cast_signed(), destination, to_micros(*due_at), attempts, first_attempt_at.map(to_micros)],
            )?;
        }
        Settlement::Amended { id, body } => {
            let sql = "UPDATE outbox SET amended = 1, job = NULL, job_at = NULL WHERE id = ?1 AND destination = ?2";
            if run(tx, sql, params![id.cast_signed(), destination])? == 1 {
                run(tx, "UPDATE payloads SET body = ?2 WHERE id = ?1", params![id.cast_signed(), body])?;
            }
        }
        Settlement::InJob { id, job, due_at } => {
            let sql = "UPDATE outbox SET job = ?3, job_at = ?4, due_at = ?5 WHERE id = ?1 AND destination = ?2";
            run(tx, sql, params![id.cast_signed(), destination, job.id, to_micros(job.since), to_micros(*due_at)])?;
        }
    }
    Ok(())
}

fn letter(row: &Row<'_>) -> Sql<DeadLetter> {
    let (id, position): (i64, i64) = (row.get("id")?, row.get("position")?);
    Ok(DeadLetter {
        id: id.cast_unsigned(),
        destination: row.get("destination")?,
        operation: operation(row)?,
        record: row.get("record")?,
        failure: json(row, "failure")?,
        died_at: instant(row.get("died_at")?)?,
        run: row.get("run")?,
        position: position.cast_unsigned(),
    })
}

fn dead_letters(tx: &Transaction<'_>, filter: &LetterFilter) -> Sql<Vec<DeadLetter>> {
    let mut sql = String::from("SELECT * FROM dead_letters WHERE true");
    let mut wanted = Vec::new();
    let texts = [
        (" AND destination = ?", &filter.destination),
        (" AND code = ?", &filter.code),
        (" AND endpoint = ?", &filter.endpoint),
        (" AND run = ?", &filter.run),
    ];
    for (condition, text) in texts {
        if let Some(text) = text {
            sql.push_str(condition);
            wanted.push(Value::from(text.clone()));
        }
    }
    if let Some(ids) = &filter.ids {
        sql.push_str(" AND id IN (SELECT value FROM json_each(?))");
        wanted.push(Value::from(write_json(ids)?));
    }
    sql.push_str(" ORDER BY id LIMIT ?");
    wanted.push(Value::from(i64::from(filter.limit.unwrap_or(rules::LETTERS))));
    rows(tx, &sql, params_from_iter(wanted), letter)
}

fn replay(tx: &Transaction<'_>, id: u64, replacement: Option<&Operation>, run_id: Option<&str>, now: i64) -> Sql<bool> {
    let sql = "SELECT * FROM dead_letters WHERE id = ?1";
    let found =
        first(tx, sql, [id.cast_signed()], |row| Ok((letter(row)?, json::<Members>(row, "members")?, row.get::<_, String>("people")?)))?;
    let Some((letter, mut fingerprints, people)) = found else { return Ok(false) };
    let people = people.split_whitespace().map(str::to_owned).collect();
    let mut operation = letter.operation;
    if let Some(replacement) = replacement {
        fingerprints = rules::forgotten(fingerprints, replacement);
        operation = Operation { idempotency_key: operation.idempotency_key, ..replacement.clone() };
    }
    let run_id = run_id.map(str::to_owned).or(letter.run);
    let new = NewOperation { operation, fingerprints, record: letter.record, run: run_id, position: letter.position, people };
    enqueue(tx, &letter.destination, &new, now)?;
    run(tx, "DELETE FROM dead_letters WHERE id = ?1", [id.cast_signed()])?;
    Ok(true)
}

fn discard(tx: &Transaction<'_>, id: u64) -> Sql<bool> {
    let sql = "DELETE FROM dead_letters WHERE id = ?1 RETURNING destination, key";
    let gone = first(tx, sql, [id.cast_signed()], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
    let Some((destination, key)) = gone else { return Ok(false) };
    run(
        tx,
        "DELETE FROM keys WHERE destination = ?1 AND key = ?2 AND status = 2
           AND NOT EXISTS (SELECT 1 FROM dead_letters WHERE destination = ?1 AND key = ?2)",
        [&destination, &key],
    )?;
    Ok(true)
}

/// How many of the ids `work` found.
fn count<T>(items: &[T], mut work: impl FnMut(&T) -> Sql<bool>) -> Sql<u64> {
    items.iter().try_fold(0, |found, item| Ok(found + u64::from(work(item)?)))
}

fn run_row(row: &Row<'_>) -> Sql<RunRow> {
    Ok(RunRow {
        id: row.get("id")?,
        started_at: instant(row.get("started_at")?)?,
        finished_at: maybe_instant(row.get("finished_at")?)?,
        report: row.get("report")?,
    })
}

impl StateStore for SqliteStore {
    fn known(&self, destination: &str, subjects: &[Subject<'_>]) -> Result<Vec<Known>> {
        self.transaction(|tx| subjects.iter().map(|subject| known(tx, destination, subject)).collect())
    }

    fn orders(&self, destination: &str, orders: &[&str]) -> Result<Vec<Option<String>>> {
        let sql = "SELECT facts FROM orders WHERE destination = ?1 AND name = ?2";
        self.transaction(|tx| orders.iter().map(|order| first(tx, sql, [destination, *order], |row| Ok(row.get(0)?))).collect())
    }

    fn consents(&self, people: &[&str]) -> Result<Vec<Vec<ConsentRow>>> {
        let sql = "SELECT * FROM consents WHERE person = ?1 ORDER BY channel";
        self.transaction(|tx| people.iter().map(|person| rows(tx, sql, [person], consent)).collect())
    }

    fn erased(&self, people: &[&str]) -> Result<Vec<bool>> {
        let sql = "SELECT 1 FROM erasures WHERE person = ?1";
        self.transaction(|tx| people.iter().map(|person| Ok(first(tx, sql, [person], |_| Ok(()))?.is_some())).collect())
    }

    fn emails(&self, people: &[&str]) -> Result<Vec<Option<KnownEmail>>> {
        self.transaction(|tx| people.iter().map(|person| first(tx, EMAIL, [person], known_email)).collect())
    }

    fn consent_history(&self, person: &str) -> Result<Vec<ConsentRow>> {
        self.transaction(|tx| rows(tx, "SELECT * FROM consent_history WHERE person = ?1 ORDER BY id", [person], consent))
    }

    fn accept_all(&self, acceptances: &[Acceptance], now: Instant) -> Result<Vec<Accepted>> {
        self.transaction(|tx| acceptances.iter().map(|acceptance| accept(tx, acceptance, to_micros(now))).collect())
    }

    fn claim(&self, destination: &str, request: &Claim<'_>) -> Result<Vec<Waiting>> {
        self.transaction(|tx| claim(tx, destination, request))
    }

    fn settle(&self, destination: &str, settlements: &[Settlement], now: Instant) -> Result<()> {
        self.transaction(|tx| settlements.iter().try_for_each(|settlement| settle(tx, destination, settlement, to_micros(now))))
    }

    fn release(&self, owner: &str) -> Result<()> {
        self.transaction(|tx| {
            run(tx, "UPDATE outbox SET owner = NULL WHERE owner = ?1", [owner])?;
            run(tx, "DELETE FROM leases WHERE owner = ?1", [owner])?;
            Ok(())
        })
    }

    fn waiting(&self, destination: &str) -> Result<u64> {
        let sql = "SELECT count(*) FROM outbox WHERE destination = ?1";
        self.transaction(|tx| Ok(first(tx, sql, [destination], |row| Ok(row.get::<_, i64>(0)?))?.map_or(0, i64::cast_unsigned)))
    }

    fn in_jobs(&self, destination: &str) -> Result<u64> {
        self.transaction(|tx| Ok(first(tx, IN_JOBS, [destination], |row| Ok(row.get::<_, i64>(0)?))?.map_or(0, i64::cast_unsigned)))
    }

    fn dead_letters(&self, filter: &LetterFilter) -> Result<Vec<DeadLetter>> {
        self.transaction(|tx| dead_letters(tx, filter))
    }

    fn replay(&self, letters: &[(u64, Option<Operation>)], run: Option<&str>, now: Instant) -> Result<u64> {
        let now = to_micros(now);
        self.transaction(|tx| count(letters, |(id, replacement)| replay(tx, *id, replacement.as_ref(), run, now)))
    }

    fn discard(&self, letters: &[u64]) -> Result<u64> {
        self.transaction(|tx| count(letters, |id| discard(tx, *id)))
    }

    fn cursor(&self, stream: &str) -> Result<Option<String>> {
        self.transaction(|tx| first(tx, "SELECT cursor FROM cursors WHERE stream = ?1", [stream], |row| Ok(row.get(0)?)))
    }

    fn set_cursor(&self, stream: &str, cursor: &str, now: Instant) -> Result<()> {
        let sql = "INSERT OR REPLACE INTO cursors (stream, cursor, at) VALUES (?1, ?2, ?3)";
        self.transaction(|tx| run(tx, sql, params![stream, cursor, to_micros(now)]).map(drop))
    }

    fn note_fetches(&self, scope: &str, fetches: &[NewFetch], now: Instant) -> Result<()> {
        let sql = "INSERT INTO fetches (scope, kind, resource, reason, mode, correlation_id, due_at, noted_at)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7) ON CONFLICT (scope, kind, resource) DO UPDATE SET
            noted = noted + 1, attempts = 0, due_at = excluded.due_at, noted_at = excluded.noted_at,
            reason = excluded.reason, correlation_id = excluded.correlation_id,
            mode = CASE mode WHEN 'live' THEN mode ELSE excluded.mode END,
            given_up_at = NULL, code = '', message = ''";
        self.transaction(|tx| {
            for fetch in fetches {
                let (resource, mode) = (&fetch.resource, mode_name(fetch.mode));
                let row = params![scope, resource.kind, resource.id, fetch.reason, mode, fetch.correlation_id, to_micros(now)];
                run(tx, sql, row)?;
            }
            Ok(())
        })
    }

    fn fetches(&self, scope: &str, limit: u32) -> Result<Vec<PendingFetch>> {
        self.transaction(|tx| rows(tx, FETCHES, params![scope, limit], pending_fetch))
    }

    fn settle_fetches(&self, settlements: &[FetchSettlement]) -> Result<()> {
        self.transaction(|tx| {
            for settlement in settlements {
                let (id, noted) = (settlement.id.cast_signed(), settlement.noted.cast_signed());
                match &settlement.end {
                    FetchEnd::Read => run(tx, "DELETE FROM fetches WHERE id = ?1 AND noted = ?2", [id, noted])?,
                    FetchEnd::Later(later) => {
                        let sql = "UPDATE fetches SET attempts = attempts + 1, due_at = ?3 WHERE id = ?1 AND noted = ?2";
                        run(tx, sql, [id, noted, to_micros(*later)])?
                    }
                    FetchEnd::GivenUp { at, code, message } => {
                        let sql = "UPDATE fetches SET attempts = attempts + 1, given_up_at = ?3, code = ?4, message = ?5
                            WHERE id = ?1 AND noted = ?2";
                        run(tx, sql, params![id, noted, to_micros(*at), code, message])?
                    }
                };
            }
            Ok(())
        })
    }

    fn unread(&self, scope: &str, limit: u32) -> Result<(u64, Vec<UnreadFetch>)> {
        self.transaction(|tx| {
            let count = first(tx, UNREAD_COUNT, [scope], |row| Ok(row.get::<_, i64>(0)?))?.map_or(0, i64::cast_unsigned);
            Ok((count, rows(tx, UNREAD, params![scope, limit], unread_fetch)?))
        })
    }

    fn reread(&self, scope: &str, now: Instant) -> Result<u64> {
        self.transaction(|tx| Ok(run(tx, REREAD, params![scope, to_micros(now)])? as u64))
    }

    fn heard(&self, scope: &str, deliveries: &[&str]) -> Result<Vec<bool>> {
        let sql = "SELECT 1 FROM deliveries WHERE scope = ?1 AND key = ?2";
        self.transaction(|tx| deliveries.iter().map(|key| Ok(first(tx, sql, [scope, *key], |_| Ok(()))?.is_some())).collect())
    }

    fn note_heard(&self, scope: &str, deliveries: &[&str], now: Instant) -> Result<()> {
        self.transaction(|tx| {
            run(tx, "DELETE FROM deliveries WHERE at < ?1", [to_micros(now - rules::DELIVERIES_KEPT)])?;
            for key in deliveries {
                run(tx, "INSERT OR REPLACE INTO deliveries (scope, key, at) VALUES (?1, ?2, ?3)", params![scope, key, to_micros(now)])?;
            }
            Ok(())
        })
    }

    fn put_run(&self, row: &RunRow) -> Result<()> {
        let sql = "INSERT OR REPLACE INTO runs (id, started_at, finished_at, report) VALUES (?1, ?2, ?3, ?4)";
        let row = params![row.id, to_micros(row.started_at), row.finished_at.map(to_micros), row.report];
        self.transaction(|tx| run(tx, sql, row).map(drop))
    }

    fn runs(&self, limit: u32) -> Result<Vec<RunRow>> {
        self.transaction(|tx| rows(tx, "SELECT * FROM runs ORDER BY started_at DESC, id DESC LIMIT ?1", [limit], run_row))
    }

    fn purge(&self, before: Instant) -> Result<u64> {
        self.transaction(|tx| {
            run(tx, PURGE_ORDERS, [to_micros(before)])?;
            Ok(run(tx, PURGE, [to_micros(before)])? as u64)
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_in_a_transaction_is_an_error_for_the_others_and_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        let store = SqliteStore::open(&path, Durability::Full).unwrap();
        std::thread::scope(|scope| {
            let died = scope.spawn(|| {
                store.transaction::<()>(|tx| {
                    run(tx, "INSERT INTO cursors VALUES ('orders', 'half', 1)", [])?;
                    panic!("on purpose");
                })
            });
            assert!(died.join().is_err());
        });
        assert_eq!(store.cursor("orders").unwrap_err().code(), ErrorCode::Internal);
        drop(store);
        assert_eq!(SqliteStore::open(&path, Durability::Full).unwrap().cursor("orders").unwrap(), None);
    }

    #[test]
    fn a_transaction_that_fails_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(folder.path().join("state.db"), Durability::Full).unwrap();
        let failed = store.transaction::<()>(|tx| {
            run(tx, "INSERT INTO cursors VALUES ('orders', 'half', 1)", [])?;
            Err(Fault::Stored("cursor"))
        });
        assert_eq!(failed.unwrap_err().code(), ErrorCode::StateCorrupt);
        assert_eq!(store.cursor("orders").unwrap(), None);
    }

    #[test]
    fn the_questions_of_every_delivery_are_answered_from_indexes() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(folder.path().join("state.db"), Durability::Full).unwrap();
        let connection = store.connection.lock().unwrap();
        for (sql, parameters) in [
            (CLAIM, 4),
            (REST_OF_JOB, 2),
            (IN_JOBS, 1),
            (PENDING_MEMBERS, 2),
            (SUPERSEDED, 3),
            (END_KEY, 4),
            (PURGE, 1),
            (PURGE_ORDERS, 1),
            (FETCHES, 2),
        ] {
            let mut plan = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let steps = plan.query_map(params_from_iter(vec![1; parameters]), |row| row.get::<_, String>("detail")).unwrap();
            for step in steps.map(Result::unwrap) {
                assert!(!step.starts_with("SCAN ") && !step.contains("TEMP B-TREE"), "{step} in {sql}");
            }
        }
    }
}
