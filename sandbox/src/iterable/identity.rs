//! Who a request is about: the rules of the three project types.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::email;
use super::options::ProjectType;
use super::project::Project;
use super::reply::Refusal;
use crate::inspect::hex;

/// The longest userId.
const MOST_USER_ID: usize = 52;

/// The identifiers a request names, the address in lower case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Ids {
    pub(super) email: Option<String>,
    pub(super) user_id: Option<String>,
}

impl Ids {
    /// Reads `email` and `userId` from an object. A null or a missing identity fails the whole call, also a bulk one.
    pub(super) fn read(object: &Value) -> Result<Self, Refusal> {
        Self::named(object, "email", "userId")
    }

    pub(super) fn named(object: &Value, email: &str, user_id: &str) -> Result<Self, Refusal> {
        if object.get(email).is_some_and(Value::is_null) {
            return Err(Refusal::new(400, "InvalidEmailAddressError", "Invalid email: null"));
        }
        let text = |name: &str| object.get(name).and_then(Value::as_str).map(str::to_owned);
        let ids = Self { email: text(email).map(|address| address.to_lowercase()), user_id: text(user_id) };
        if ids.email.is_none() && ids.user_id.is_none() {
            return Err(Refusal::new(400, "InvalidEmailAddressError", "Either email or userId must be given"));
        }
        Ok(ids)
    }

    pub(super) fn email(address: &str) -> Self {
        Self { email: Some(address.to_lowercase()), user_id: None }
    }

    pub(super) fn user_id(id: &str) -> Self {
        Self { email: None, user_id: Some(id.to_owned()) }
    }
}

/// Why one user's part of a request fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    InvalidEmail,
    InvalidUserId,
    InvalidData,
    Conflict,
    Forgotten,
    UnknownEmail,
    UnknownUserId,
}

impl Why {
    /// The reply of a call about one user. Addresses are not repeated in it.
    pub(super) fn refusal(self) -> Refusal {
        let (status, code, msg) = match self {
            Self::InvalidEmail => (400, "InvalidEmailAddressError", "Invalid email address"),
            Self::InvalidUserId => (400, "InvalidUserIdError", "Invalid userId"),
            Self::InvalidData => (400, "BadParams", "Invalid dataFields"),
            Self::Conflict => (409, "ExternalKeyConflict", "The email or userId belongs to another user"),
            Self::Forgotten => (409, "ForgottenUserError", "The user has been forgotten"),
            Self::UnknownEmail => (400, "UnknownEmailError", "No user with that email exists"),
            Self::UnknownUserId => (400, "UnknownUserIdError", "No user with that userId exists"),
        };
        Refusal::new(status, code, msg)
    }

    /// The arrays of `failedUpdates` that name such a row, by email and by userId.
    pub(super) fn arrays(self) -> (&'static str, &'static str) {
        match self {
            Self::InvalidEmail | Self::InvalidUserId => ("invalidEmails", "invalidUserIds"),
            Self::InvalidData => ("invalidDataEmails", "invalidDataUserIds"),
            Self::Conflict => ("conflictEmails", "conflictUserIds"),
            Self::Forgotten => ("forgottenEmails", "forgottenUserIds"),
            Self::UnknownEmail | Self::UnknownUserId => ("notFoundEmails", "notFoundUserIds"),
        }
    }
}

pub(super) fn is_user_id(id: &str) -> bool {
    !id.is_empty() && id.len() <= MOST_USER_ID && !id.ends_with(' ') && id.bytes().all(|byte| matches!(byte, 0x20..=0x7E))
}

/// The form in which forgotten identifiers are kept.
pub(super) fn forgotten_hash(id: &str) -> String {
    hex(&Sha256::digest(id.trim().to_lowercase().as_bytes()))
}

/// The profile a request is about, and the identifiers it will have afterwards.
#[derive(Debug)]
pub(super) struct Found {
    /// None when it is to be made.
    pub(super) index: Option<usize>,
    pub(super) ids: Ids,
}

impl Project {
    /// Finds the profile by the rules of the project's type; nothing is written.
    pub(super) fn resolve(&self, ids: &Ids, prefer_user_id: bool) -> Result<Found, Why> {
        self.check_ids(ids)?;
        let found = |index: Option<usize>| Ok(Found { index, ids: ids.clone() });
        let by_email = ids.email.as_deref().and_then(|email| self.by_email(email));
        let by_user_id = ids.user_id.as_deref().and_then(|id| self.by_user_id(id));
        match (self.project_type, &ids.email, &ids.user_id) {
            (ProjectType::Email, Some(_), _) => found(by_email),
            (ProjectType::Email, None, Some(id)) => match by_user_id {
                None if prefer_user_id => {
                    let ids = Ids { email: Some(placeholder(id)), user_id: Some(id.clone()) };
                    Ok(Found { index: None, ids })
                }
                None => Err(Why::UnknownUserId),
                index => found(index),
            },
            (ProjectType::UserId, _, Some(_)) => found(by_user_id),
            (ProjectType::UserId, Some(_), None) => by_email.map_or(Err(Why::UnknownEmail), |index| found(Some(index))),
            (ProjectType::Hybrid, Some(_), Some(_)) => match (by_email, by_user_id) {
                (Some(one), Some(other)) if one != other => Err(Why::Conflict),
                (_, Some(index)) => found(Some(index)),
                // An address that already belongs to another userId is not taken over.
                (Some(index), None) if self.profile(index).is_some_and(|profile| profile.user_id.is_some()) => Err(Why::Conflict),
                (index, None) => found(index),
            },
            (ProjectType::Hybrid, _, _) => found(by_email.or(by_user_id)),
            (_, None, None) => Err(Why::InvalidEmail),
        }
    }

    /// Shape and block list, without regard to who exists.
    pub(super) fn check_ids(&self, ids: &Ids) -> Result<(), Why> {
        if ids.email.as_deref().is_some_and(|email| !email::is_valid(email)) {
            return Err(Why::InvalidEmail);
        }
        if ids.user_id.as_deref().is_some_and(|id| !is_user_id(id)) {
            return Err(Why::InvalidUserId);
        }
        if self.is_forgotten(ids) { Err(Why::Forgotten) } else { Ok(()) }
    }

    /// Takes `email` and `userId` out of profile fields, where they ask for a change of identity, and checks the change.
    pub(super) fn renaming(&self, found: &mut Found, fields: &mut Map<String, Value>) -> Result<Option<&'static str>, Why> {
        let mut ignored = None;
        if let Some(value) = fields.remove("email") {
            let address = value.as_str().map(str::to_lowercase).filter(|address| email::is_valid(address)).ok_or(Why::InvalidEmail)?;
            let current = found.index.and_then(|index| self.profile(index)).map_or(&found.ids.email, |profile| &profile.email);
            let changes = current.as_deref() != Some(&address);
            match self.project_type {
                ProjectType::Email if changes && current.is_some() => ignored = Some("email_change_ignored_in_email_project"),
                ProjectType::Hybrid if self.by_email(&address).is_some_and(|other| Some(other) != found.index) => {
                    return Err(Why::Conflict);
                }
                _ => found.ids.email = Some(address),
            }
        }
        if let Some(value) = fields.remove("userId") {
            let id = value.as_str().filter(|id| is_user_id(id)).ok_or(Why::InvalidUserId)?;
            let taken = self.by_user_id(id).is_some_and(|other| Some(other) != found.index);
            if taken && self.project_type != ProjectType::Email {
                return Err(Why::Conflict);
            }
            found.ids.user_id = Some(id.to_owned());
        }
        if self.is_forgotten(&found.ids) { Err(Why::Forgotten) } else { Ok(ignored) }
    }
}

/// The address an email project gives to who has none.
fn placeholder(user_id: &str) -> String {
    let digits = Sha256::digest(user_id.as_bytes()).iter().take(4).fold(0_u32, |sum, byte| sum << 8 | u32::from(*byte));
    format!("{}+{digits}@placeholder.email", user_id.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_ids_are_short_printable_and_do_not_end_in_a_space() {
        for good in ["a", " a", "ct-cust-0042", "A B", &"x".repeat(52)] {
            assert!(is_user_id(good), "{good}");
        }
        for bad in ["", "a ", "é", "a\tb", &"x".repeat(53)] {
            assert!(!is_user_id(bad), "{bad}");
        }
    }
}
