//! What can go wrong with a state file, as our errors. SQLite's messages are kept out: they can quote values.

use rusqlite::ffi;

use crate::error::{Error, ErrorCode, Retry};

/// A failed statement, or something stored that cannot be read back.
pub(super) enum Fault {
    Sql(rusqlite::Error),
    Stored(&'static str),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Fault::Sql(error)
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Stored(what) => {
                Error::new(ErrorCode::StateCorrupt, format!("a stored `{what}` cannot be read; restore the state file from a backup"))
            }
            Fault::Sql(error) => match error.sqlite_error() {
                Some(cause) => refused(cause),
                None => Error::new(ErrorCode::StateCorrupt, "a stored row does not have the columns or types it must have"),
            },
        }
    }
}

fn refused(cause: &ffi::Error) -> Error {
    use ffi::ErrorCode as C;
    let (code, message) = match cause.code {
        C::DatabaseBusy | C::DatabaseLocked => {
            (ErrorCode::StateLocked, "another program holds the state file for writing; close it and try again")
        }
        C::NotADatabase => (ErrorCode::StateCorrupt, "the state file is not an SQLite database"),
        C::DatabaseCorrupt => (ErrorCode::StateCorrupt, "the state file is damaged; restore it from a backup"),
        C::DiskFull => (ErrorCode::StateCorrupt, "the disk of the state file is full"),
        C::ReadOnly => (ErrorCode::StateCorrupt, "the state file cannot be written"),
        C::CannotOpen | C::PermissionDenied => (ErrorCode::StateCorrupt, "the state file cannot be opened"),
        C::SystemIoFailure => (ErrorCode::StateCorrupt, "the disk of the state file cannot be read or written"),
        C::OutOfMemory => (ErrorCode::StateCorrupt, "no memory is left for the state"),
        _ => (ErrorCode::Internal, "the state refused a statement"),
    };
    let error = Error::new(code, message).because(ffi::code_to_str(cause.extended_code));
    match code {
        ErrorCode::StateLocked => error.retry(Retry::Later(None)),
        _ => error,
    }
}
