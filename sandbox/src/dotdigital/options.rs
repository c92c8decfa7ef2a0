//! How the account behaves.

use serde::Deserialize;

use crate::SandboxError;

/// A data field that exists from the start.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FieldOption {
    pub(super) name: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
}

/// What happens to data fields the account does not have; the vendor does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum UnknownFields {
    /// They vanish.
    Drop,
    /// The call is refused.
    Refuse,
}

/// What starts a program.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Trigger {
    /// A single call that subscribes someone to e-mail.
    Subscribed,
    /// A single call that puts someone on a list.
    ListJoined,
    /// An event of that type.
    Event(String),
    /// Only an enrolment.
    Enrolment,
}

/// A program, which mails whoever starts it and is subscribed.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProgramOption {
    pub(super) id: i64,
    #[serde(default = "enrolment")]
    pub(super) trigger: Trigger,
    #[serde(default = "yes")]
    pub(super) active: bool,
}

fn enrolment() -> Trigger {
    Trigger::Enrolment
}

fn yes() -> bool {
    true
}

/// The limits of the account: one number for all calls of an hour, or one per tier and minute.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Limits {
    pub(super) flat_per_hour: Option<f64>,
    pub(super) low: f64,
    pub(super) medium: f64,
    pub(super) high: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { flat_per_hour: None, low: 35.0, medium: 300.0, high: 600.0 }
    }
}

/// How the account behaves.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Options {
    pub(super) user: String,
    pub(super) password: String,
    /// Whether the account lives elsewhere, so that every call but `account-info` is refused.
    pub(super) wrong_region: bool,
    /// The host that `account-info` names.
    pub(super) api_endpoint: String,
    /// None for no limits.
    pub(super) rate_limits: Option<Limits>,
    /// Permission that a number new to the account gets when nothing is said: the account's mobile setting.
    pub(super) sms_default: String,
    pub(super) data_fields: Vec<FieldOption>,
    pub(super) unknown_data_fields: UnknownFields,
    pub(super) lists: Vec<i64>,
    pub(super) preferences: Vec<i64>,
    pub(super) custom_identifiers: Vec<String>,
    pub(super) programs: Vec<ProgramOption>,
    /// Times a job is asked for before it has ended.
    pub(super) polls: u32,
    /// Whether the account has the events API.
    pub(super) cxdp: bool,
    /// The word imports of insight data end with: the server's or the document's.
    pub(super) insight_done: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            user: "sandbox-user".into(),
            password: "sandbox-password".into(),
            wrong_region: false,
            api_endpoint: "https://r2-api.dotdigital.com".into(),
            rate_limits: None,
            sms_default: "subscribed".into(),
            data_fields: Vec::new(),
            unknown_data_fields: UnknownFields::Drop,
            lists: Vec::new(),
            preferences: Vec::new(),
            custom_identifiers: Vec::new(),
            programs: Vec::new(),
            polls: 1,
            cxdp: true,
            insight_done: "Finished".into(),
        }
    }
}

impl Options {
    pub(super) fn check(&self) -> Result<(), SandboxError> {
        let invalid = |why: &str| Err(SandboxError::Invalid(format!("options: dotdigital: {why}")));
        if !["subscribed", "noSubscription", "unsubscribed"].contains(&self.sms_default.as_str()) {
            return invalid("`sms_default` is `subscribed`, `noSubscription` or `unsubscribed`");
        }
        if self.data_fields.iter().any(|field| !["String", "Numeric", "Date", "Boolean"].contains(&field.kind.as_str())) {
            return invalid("a data field is `String`, `Numeric`, `Date` or `Boolean`");
        }
        Ok(())
    }

    /// What the header must hold.
    pub(super) fn authorization(&self) -> String {
        format!("Basic {}", base64(format!("{}:{}", self.user, self.password).as_bytes()))
    }
}

/// Standard base64 with padding; a library for one header would be the larger thing here.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let part = chunk.iter().fold(0_u32, |part, byte| part << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let digit = DIGITS[(part >> (18 - 6 * place) & 63) as usize];
            out.push(if place <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn credentials_are_encoded_as_browsers_do() {
        assert_eq!(super::base64(b"Aladdin:open sesame"), "QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert_eq!(super::base64(b"abc"), "YWJj");
        assert_eq!(super::base64(b"ab"), "YWI=");
    }
}
