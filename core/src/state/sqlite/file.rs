//! The state file: made, locked, opened and brought up to date.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::fault::Fault;
use crate::error::{Error, ErrorCode, Result};
use crate::state::Durability;

/// Every change of the schema, oldest first; `user_version` counts how many a file has had. Never edit one that was
/// released: add another.
pub(super) const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_initial.sql"),
    include_str!("migrations/0002_jobs.sql"),
    include_str!("migrations/0003_orders.sql"),
    include_str!("migrations/0004_fetches.sql"),
    include_str!("migrations/0005_people.sql"),
    include_str!("migrations/0006_deliveries.sql"),
    include_str!("migrations/0007_emails.sql"),
];

/// "cart", as the first migration writes it.
const APPLICATION_ID: i32 = 0x6361_7274;

/// Longest wait for a program that reads or copies the file.
const BUSY: Duration = Duration::from_secs(5);

/// An open state file; the lock is held as long as this lives.
pub(super) struct StateFile {
    pub(super) connection: Connection,
    /// Declared last, so that the connection closes first.
    pub(super) lock: File,
}

/// Opens or makes the file, for this handle alone.
pub(super) fn open(path: &Path, durability: Durability, migrations: &[&str]) -> Result<StateFile> {
    let path = resolve(path).map_err(|error| unusable(path, &error))?;
    let lock = lock(&path)?;
    private(&path).map_err(|error| unusable(&path, &error))?;
    let prepared = prepare(&path, durability, migrations);
    Ok(StateFile { connection: prepared.map_err(|error| error.with("path", path.display().to_string()))?, lock })
}

/// The path without links, so that one file has one lock whichever way it is named. Makes missing folders.
fn resolve(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or(io::ErrorKind::IsADirectory)?;
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    fs::create_dir_all(folder)?;
    let path = folder.canonicalize()?.join(name);
    match path.canonicalize() {
        Ok(target) if target.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(path),
        target => target,
    }
}

/// One engine per file: the operating system ends the lock with the process, however it ends.
fn lock(path: &Path) -> Result<File> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let name = PathBuf::from(name);
    let file = private(&name).map_err(|error| unusable(&name, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::new(
            ErrorCode::StateLocked,
            "another process or handle has this state open; close it, share its handle, or use another state file",
        )
        .with("path", path.display().to_string())),
        Err(TryLockError::Error(error)) => Err(unusable(&name, &error)),
    }
}

/// Opens the file, or makes it for its owner's eyes only: state holds personal data. SQLite gives its side files the
/// same mode.
fn private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn unusable(path: &Path, error: &io::Error) -> Error {
    Error::new(ErrorCode::StateCorrupt, format!("the state file cannot be opened: {}", error.kind()))
        .with("path", path.display().to_string())
        .because(error.kind().to_string())
}

fn prepare(path: &Path, durability: Durability, migrations: &[&str]) -> Result<Connection> {
    // No URI flag: a path is a path, whatever it looks like.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(Fault::from)?;
    connection.busy_timeout(BUSY).map_err(Fault::from)?;
    connection.set_prepared_statement_cache_capacity(64);
    let applied = applied(&connection)?;
    if applied > migrations.len() {
        return Err(Error::new(
            ErrorCode::StateVersion,
            "a newer version of cartwire wrote this state; use that version or another state file",
        )
        .with("found", applied.to_string())
        .with("known", migrations.len().to_string()));
    }
    configure(&connection, durability).map_err(Fault::from)?;
    migrate(&mut connection, applied, migrations).map_err(Fault::from)?;
    Ok(connection)
}

/// How many migrations the file has had. Other programs' files are refused before anything in them is changed.
fn applied(connection: &Connection) -> Result<usize> {
    let number = |sql| connection.query_row(sql, [], |row| row.get::<_, i32>(0)).map_err(Fault::from);
    let (application, version) = (number("PRAGMA application_id")?, number("PRAGMA user_version")?);
    let tables = number("SELECT count(*) FROM sqlite_schema")?;
    match usize::try_from(version) {
        Ok(0) if application == 0 && tables == 0 => Ok(0),
        Ok(version @ 1..) if application == APPLICATION_ID => Ok(version),
        _ => Err(Error::new(ErrorCode::StateCorrupt, "the file belongs to another program; use another state file")),
    }
}

fn configure(connection: &Connection, durability: Durability) -> rusqlite::Result<()> {
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    let synchronous = match durability {
        Durability::Full => "FULL",
        Durability::Process => "NORMAL",
    };
    connection.pragma_update(None, "synchronous", synchronous)?;
    connection.pragma_update(None, "foreign_keys", true)
}

/// Applies what is missing, all or nothing, and frees what a killed process held: under the lock nobody else can hold it.
fn migrate(connection: &mut Connection, applied: usize, migrations: &[&str]) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for sql in &migrations[applied..] {
        transaction.execute_batch(sql)?;
    }
    if applied < migrations.len() {
        transaction.pragma_update(None, "user_version", i32::try_from(migrations.len()).unwrap_or(i32::MAX))?;
    }
    transaction.execute("UPDATE outbox SET owner = NULL WHERE owner IS NOT NULL", [])?;
    transaction.execute("DELETE FROM leases", [])?;
    transaction.commit()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_the_first_migration_alone_gets_the_later_ones_and_keeps_its_rows() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        let old = open(&path, Durability::Full, &MIGRATIONS[..1]).unwrap();
        old.connection.execute("INSERT INTO cursors VALUES ('orders', 'a', 1)", []).unwrap();
        drop(old);
        let mut migrations = MIGRATIONS.to_vec();
        migrations.push("ALTER TABLE cursors ADD COLUMN note TEXT NOT NULL DEFAULT 'none';");
        for _ in 0..2 {
            let file = open(&path, Durability::Full, &migrations).unwrap();
            let row = file.connection.query_row("SELECT cursor || note FROM cursors", [], |row| row.get::<_, String>(0));
            assert_eq!(row.unwrap(), "anone");
            assert_eq!(applied(&file.connection).unwrap(), migrations.len());
        }
        assert_eq!(open(&path, Durability::Full, MIGRATIONS).map(|_| ()).unwrap_err().code(), ErrorCode::StateVersion);
    }

    #[test]
    fn a_migration_that_fails_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        drop(open(&path, Durability::Full, MIGRATIONS).unwrap());
        let mut migrations = MIGRATIONS.to_vec();
        migrations.push("ALTER TABLE cursors ADD COLUMN note TEXT; SELECT nothing FROM nowhere;");
        assert!(open(&path, Durability::Full, &migrations).is_err());
        let file = open(&path, Durability::Full, MIGRATIONS).unwrap();
        assert!(file.connection.prepare("SELECT note FROM cursors").is_err());
    }

    #[test]
    fn durability_is_what_was_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        for (durability, synchronous) in [(Durability::Full, 2), (Durability::Process, 1)] {
            let file = open(&folder.path().join("state.db"), durability, MIGRATIONS).unwrap();
            let pragma = |name: &str| file.connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).unwrap();
            assert_eq!((pragma("synchronous"), pragma("foreign_keys")), (synchronous, 1));
            let journal = file.connection.pragma_query_value(None, "journal_mode", |row| row.get::<_, String>(0)).unwrap();
            assert_eq!(journal, "wal");
        }
    }
}
