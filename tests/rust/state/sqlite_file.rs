//! What only a store in a file can promise: it survives, it is locked, it is private, it refuses what is not its own.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use cartwire::state::{Durability, SqliteStore, open};

use super::*;

pub fn open_in(folder: &Path) -> SqliteStore {
    SqliteStore::open(folder.join("state.db"), Durability::Process).unwrap()
}

fn refusal(path: &Path) -> cartwire::Error {
    SqliteStore::open(path, Durability::Full).map(drop).unwrap_err()
}

#[test]
fn everything_survives_closing_and_opening() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_in(folder.path());
    let mut first = state_of("contact:1", "l1", "k1");
    first.operation.version = Some(7);
    let accepted = accept(&store, vec![first, event("k2", "l1")]);
    letter(&store, event("k3", "l2"));
    hear(&store, vec![consent(ConsentStatus::Denied, Some(1), 2)]);
    store.accept(&Acceptance { destination: D.to_owned(), erasures: vec!["p2".to_owned()], ..Acceptance::default() }, t(0)).unwrap();
    store.set_cursor("orders", "c", t(1)).unwrap();
    let run = RunRow { id: "r".to_owned(), started_at: t(1), finished_at: Some(t(2)), report: "{}".to_owned() };
    store.put_run(&run).unwrap();
    settle(&store, &[Settlement::Delivered { id: accepted.ids[0] }]);
    drop(store);

    let store = open_in(folder.path());
    let known = known(&store, "contact:1", "k1");
    assert_eq!((known.key, known.version), (Some(KeyStatus::Delivered), Some(7)));
    assert_eq!(known.sent, BTreeMap::from([("email".to_owned(), u64::MAX - 7)]));
    assert_eq!(claim(&store, "a", 10), accepted.ids[1..]);
    assert_eq!(store.dead_letters(&LetterFilter::default()).unwrap().len(), 1);
    assert_eq!(newest(&store), consent(ConsentStatus::Denied, Some(1), 2));
    assert_eq!(store.erased(&["p2"]).unwrap(), [true]);
    assert_eq!(store.cursor("orders").unwrap().as_deref(), Some("c"));
    assert_eq!(store.runs(1).unwrap(), [run]);
}

#[test]
fn what_cannot_be_accepted_for_one_destination_is_accepted_for_none() {
    let folder = tempfile::tempdir().unwrap();
    drop(open_in(folder.path()));
    let file = rusqlite::Connection::open(folder.path().join("state.db")).unwrap();
    file.execute_batch(
        "CREATE TRIGGER full BEFORE INSERT ON outbox WHEN NEW.destination = 'cordial' BEGIN SELECT RAISE(ABORT, 'full'); END",
    )
    .unwrap();
    drop(file);
    let store = open_in(folder.path());
    let part = |destination: &str| Acceptance {
        destination: destination.to_owned(),
        operations: vec![event("k1", "l1")],
        consents: vec![consent(ConsentStatus::Denied, Some(1), 2)],
        ..Acceptance::default()
    };
    store.accept_all(&[part(D), part("cordial")], t(0)).unwrap_err();
    assert_eq!((store.waiting(D).unwrap(), key_of(&store, "k1"), store.consents(&["p1"]).unwrap()[0].len()), (0, None, 0));
    store.accept(&part(D), t(0)).unwrap();
    assert_eq!(store.waiting(D).unwrap(), 1);
}

#[test]
fn what_a_killed_process_had_claimed_goes_on_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_in(folder.path());
    let accepted = accept(&store, vec![event("k1", "l1"), event("k2", "l1")]);
    assert_eq!(claim(&store, "a", 10), accepted.ids);
    drop(store);
    assert_eq!(claim(&open_in(folder.path()), "b", 10), accepted.ids);
}

/// The test runs itself as a process that accepts and claims until it is killed.
#[test]
fn a_killed_process_loses_nothing_it_accepted() {
    const FOLDER: &str = "CARTWIRE_TEST_KILLED_IN";
    const NAME: &str = "sqlite_file::a_killed_process_loses_nothing_it_accepted";
    if let Ok(folder) = std::env::var(FOLDER) {
        let store = open_in(Path::new(&folder));
        for i in 0.. {
            accept(&store, vec![event(&format!("k{i}"), "l1"), event(&format!("k{i}-b"), "l2")]);
            writeln!(std::io::stderr(), "accepted {i}").unwrap();
            claim(&store, "killed", 1);
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", NAME, "--nocapture"])
        .env(FOLDER, folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut accepted = 0;
    for line in BufReader::new(child.stderr.take().unwrap()).lines() {
        accepted += u32::from(line.unwrap().starts_with("accepted"));
        if accepted == 30 {
            child.kill().unwrap();
        }
    }
    assert!(!child.wait().unwrap().success() && accepted >= 30);
    let store = open_in(folder.path());
    for i in 0..accepted {
        assert_eq!(key_of(&store, &format!("k{i}-b")), Some(KeyStatus::Pending), "{i}");
    }
    let claimed = claim(&store, "next", 10_000);
    assert!(claimed.len() as u64 == store.waiting(D).unwrap() && claimed.len() >= accepted as usize * 2);
    assert_eq!(claimed.len() % 2, 0, "accepted together or not at all");
    assert!(claimed.is_sorted());
}

#[test]
fn ids_are_not_reused_after_opening_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_in(folder.path());
    let first = accept(&store, vec![event("k1", "l1")]).ids[0];
    settle(&store, &[Settlement::Delivered { id: first }]);
    drop(store);
    assert!(accept(&open_in(folder.path()), vec![event("k2", "l1")]).ids[0] > first);
}

#[test]
fn a_second_handle_is_told_that_the_state_is_in_use() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_in(folder.path());
    let error = refusal(&folder.path().join("state.db"));
    assert_eq!(error.code(), ErrorCode::StateLocked);
    assert!(error.message().contains("close it"), "{error}");
    drop(store);
    open_in(folder.path());
}

#[cfg(unix)]
#[test]
fn a_link_to_the_file_does_not_get_around_the_lock() {
    let folder = tempfile::tempdir().unwrap();
    let _store = open_in(folder.path());
    let link = folder.path().join("link.db");
    std::os::unix::fs::symlink(folder.path().join("state.db"), &link).unwrap();
    assert_eq!(refusal(&link).code(), ErrorCode::StateLocked);
}

#[cfg(unix)]
#[test]
fn new_files_are_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let store = open_in(folder.path());
    accept(&store, vec![event("k1", "l1")]);
    let mut files = 0;
    for file in fs::read_dir(folder.path()).unwrap() {
        assert_eq!(file.unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o600);
        files += 1;
    }
    assert!(files >= 3, "database, log and lock");
}

#[test]
fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    let text = "my notes, not a database ".repeat(100);
    fs::write(&path, &text).unwrap();
    assert_eq!(refusal(&path).code(), ErrorCode::StateCorrupt);
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
}

#[test]
fn another_programs_database_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.db");
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("CREATE TABLE keys (mine TEXT)").unwrap();
    drop(other);
    assert_eq!(refusal(&path).code(), ErrorCode::StateCorrupt);
    let other = rusqlite::Connection::open(&path).unwrap();
    assert_eq!(other.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0)).unwrap(), 1);
}

#[test]
fn a_damaged_file_is_an_error_and_not_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_in(folder.path());
    accept(&store, (0..50).map(|i| state_of(&format!("contact:{i}"), "l1", &format!("k{i}"))).collect());
    drop(store);
    let path = folder.path().join("state.db");
    let mut bytes = fs::read(&path).unwrap();
    bytes[4096..].fill(0xA5);
    fs::write(&path, bytes).unwrap();
    let error = SqliteStore::open(&path, Durability::Full)
        .and_then(|store| store.known(D, &[Subject { entity: "contact:1", idempotency_key: "k1" }]));
    assert_eq!(error.unwrap_err().code(), ErrorCode::StateCorrupt);
}

#[test]
fn a_stored_value_that_cannot_be_read_is_named_without_being_shown() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_in(folder.path());
    accept(&store, vec![event("k1", "l1")]);
    drop(store);
    let file = rusqlite::Connection::open(folder.path().join("state.db")).unwrap();
    file.execute("UPDATE payloads SET operation = '\"a@example.com\"'", []).unwrap();
    drop(file);
    let store = open_in(folder.path());
    let error = store.claim(D, &Claim { owner: "a", now: t(1), until: t(2), limit: 1, per_lane: 1 }).unwrap_err();
    assert_eq!(error.code(), ErrorCode::StateCorrupt);
    assert!(
        error.message().contains("`operation`")
            && !error.to_json().contains("example.com")
            && !format!("{error:?}").contains("example.com")
    );
}

#[test]
fn a_newer_version_of_the_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    drop(open_in(folder.path()));
    let path = folder.path().join("state.db");
    let file = rusqlite::Connection::open(&path).unwrap();
    file.pragma_update(None, "user_version", 1_000).unwrap();
    drop(file);
    assert_eq!(refusal(&path).code(), ErrorCode::StateVersion);
}

#[test]
fn a_folder_in_place_of_a_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let error = refusal(folder.path());
    assert_eq!(error.code(), ErrorCode::StateCorrupt);
    assert!(error.message().contains("is a directory"), "{error}");
    fs::write(folder.path().join("file"), "").unwrap();
    assert_eq!(refusal(&folder.path().join("file/state.db")).code(), ErrorCode::StateCorrupt);
}

#[test]
fn urls_name_stores() {
    let folder = tempfile::tempdir().unwrap();
    let url = |path: &Path| format!("sqlite:{}", path.display());
    let deep = folder.path().join("var/deep/state.db");
    let store = open(&url(&deep), Durability::Full).unwrap();
    accept(&*store, vec![event("k1", "l1")]);
    assert!(deep.is_file());
    assert_eq!(open(&url(&deep), Durability::Full).map(drop).unwrap_err().code(), ErrorCode::StateLocked);
    assert!(open("memory:", Durability::Full).is_ok());
    for (url, code) in [
        ("redis:x", ErrorCode::UnknownName),
        ("state.db", ErrorCode::UnknownName),
        ("", ErrorCode::UnknownName),
        ("sqlite:", ErrorCode::InvalidConfig),
        ("sqlite://state.db", ErrorCode::InvalidConfig),
        ("memory:x", ErrorCode::InvalidConfig),
    ] {
        assert_eq!(open(url, Durability::Full).map(drop).unwrap_err().code(), code, "{url}");
    }
}

/// `tests/golden/state/v1/state.sql` is a state as the first migration stored it. Every later version must read it.
#[test]
fn a_state_of_the_first_version_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let file = rusqlite::Connection::open(folder.path().join("state.db")).unwrap();
    file.execute_batch(include_str!("../../../core/src/state/sqlite/migrations/0001_initial.sql")).unwrap();
    file.execute_batch(include_str!("../../golden/state/v1/state.sql")).unwrap();
    file.pragma_update(None, "user_version", 1).unwrap();
    drop(file);

    let store = open_in(folder.path());
    let known = known(&store, "contact:1", "k-delivered");
    assert_eq!((known.key, known.version), (Some(KeyStatus::Delivered), Some(12)));
    assert_eq!(known.sent, BTreeMap::from([("email".to_owned(), u64::MAX), ("firstName".to_owned(), 1)]));
    assert_eq!((known.pending, known.pending_members), (true, vec!["email".to_owned(), "phone".to_owned()]));
    let claimed = claim_at(&store, "b", 10, 1, 60);
    assert_eq!(ids(&claimed), [41]);
    assert_eq!((claimed[0].attempts, claimed[0].first_attempt_at, claimed[0].due_at), (2, Some(t(5)), t(9)));
    assert_eq!((claimed[0].run.as_deref(), claimed[0].position, claimed[0].amended), (Some("run-1"), 3, true));
    assert_eq!((&claimed[0].job, store.in_jobs(D).unwrap()), (&None, 0));
    let mut expected = state_of("contact:1", "contact:1", "k-pending").operation;
    expected.version = Some(12);
    assert!(claimed[0].operation == expected);
    let letters = store.dead_letters(&LetterFilter { code: Some("rejected".to_owned()), ..LetterFilter::default() }).unwrap();
    assert_eq!((letters[0].id, letters[0].record.as_slice()), (8, br#"{"kind":"contact"}"#.as_slice()));
    assert_eq!((&letters[0].failure, letters[0].died_at), (&failure(ErrorCode::Rejected), t(10)));
    assert_eq!(newest(&store), consent(ConsentStatus::Denied, Some(6), 30));
    assert_eq!(store.consent_history("p1").unwrap().len(), 2);
    assert_eq!(store.erased(&["p9"]).unwrap(), [true]);
    assert_eq!(store.cursor("orders").unwrap().as_deref(), Some("2026-09-01T00:00:00Z"));
    assert_eq!(store.runs(9).unwrap()[0].id, "run-1");
    assert_eq!(accept(&store, vec![event("k9", "l9")]).ids, [42]);
    held(&store, "job-1", &[41]);
    drop(store);
    let store = open_in(folder.path());
    assert_eq!(claim_at(&store, "c", 1, 1, 60)[0].job, Some(HeldBy { id: "job-1".to_owned(), since: t(5) }));
}
