//! Rows of operations on people. What is sent is made of them after the contact was read.

use std::collections::BTreeMap;

use memchr::memmem;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::super::Operation;
use crate::error::{Error, ErrorCode};

/// What a row is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Task {
    /// What is known of a person.
    #[default]
    Profile,
    /// What they allowed on one channel.
    Consent,
    /// A new address for a known contact.
    Rename,
    /// Whether they are on a list.
    List,
    /// Enrolling them in a program.
    Enrol,
}

/// What to do when Dotdigital does not know the person.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Absent {
    /// Create them as unsubscribed.
    #[default]
    Create,
    /// Leave them out; a setting says so.
    Skip,
    /// Leave them out, because a yes is withheld and must not be forestalled.
    Wait,
}

/// One row. Members of `fields` are data fields; those that begin with `@` are identifiers, listed so that a new one is
/// noticed.
#[derive(Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Row {
    #[serde(rename = "do")]
    pub task: Task,
    /// Identifier the contact is read by.
    pub by: String,
    /// Its value.
    pub id: String,
    /// All identifiers, for a new contact.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub identifiers: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, Box<RawValue>>,
    /// Fields that are dates, which their text does not tell.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dates: Vec<String>,
    #[serde(skip_serializing_if = "is_default")]
    pub absent: Absent,
    /// The channel as Dotdigital spells it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub channel: String,
    #[serde(skip_serializing_if = "is_default")]
    pub granted: bool,
    /// When it was said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<chrono::DateTime<chrono::Utc>>,
    /// The consent record to add.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lists: Vec<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preference: Option<u64>,
    /// Nobody may be mailed because of it.
    #[serde(skip_serializing_if = "is_default")]
    pub quiet: bool,
    #[serde(skip_serializing_if = "is_default")]
    pub list: u64,
    #[serde(skip_serializing_if = "is_default")]
    pub program: u64,
    /// The contact was created by this row, and its mark was dropped.
    #[serde(skip_serializing_if = "is_default")]
    pub made: bool,
    /// It was changed after an answer once already.
    #[serde(skip_serializing_if = "is_default")]
    pub again: bool,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Row {
    /// Reads the row of an operation.
    pub(super) fn of(operation: &Operation) -> Result<Self, Error> {
        serde_json::from_slice(&operation.body)
            .map_err(|error| Error::new(ErrorCode::Internal, "a person's row is not its own").because(error))
    }

    pub(super) fn bytes(&self) -> Result<Vec<u8>, Error> {
        super::json::bytes(self, 512)
    }
}

/// A record of insight data, as it stands in an import; single calls take it apart.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Record<'a> {
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub contact_identity: Option<Identity<'a>>,
    #[serde(borrow)]
    pub key: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    pub json: &'a RawValue,
    /// The contact must be created first, and the record goes alone.
    #[serde(default, skip_serializing_if = "is_default")]
    pub ensure: bool,
}

/// What stands in a record's row before the record.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Head<'a> {
    #[serde(borrow, default)]
    pub contact_identity: Option<Identity<'a>>,
    #[serde(borrow)]
    pub key: std::borrow::Cow<'a, str>,
}

/// How a row ends whose record goes alone.
pub(super) const ALONE: &[u8] = b",\"ensure\":true}";

/// Takes a record's row apart into its head, to be read as [`Head`], and the record, which is most of it and is not read.
pub(super) fn split(row: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    const NAME: &[u8] = b",\"json\":";
    // A row is written without spaces, so this can be nothing but the member's name: inside a text its quotes would be escaped.
    let at = memmem::find(row, NAME)?;
    let document = &row[at + NAME.len()..];
    let document = document.strip_suffix(ALONE).or_else(|| document.strip_suffix(b"}"))?;
    Some(([&row[..at], b"}"].concat(), document))
}

/// Whose record it is.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Identity<'a> {
    #[serde(borrow)]
    pub identifier: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    pub value: std::borrow::Cow<'a, str>,
}

impl<'a> Record<'a> {
    /// Reads the row of an operation.
    pub(super) fn of(operation: &'a Operation) -> Result<Self, Error> {
        serde_json::from_slice(&operation.body)
            .map_err(|error| Error::new(ErrorCode::Internal, "a record's row is not its own").because(error))
    }
}
