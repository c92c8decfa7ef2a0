//! What a finding leads to.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

use crate::error::{Error, ErrorCode};
use crate::model::{Finding, FindingCode, Severity};

/// What a finding of one code leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// The finding is not reported and its rule does not run.
    Ignore,
    /// The finding is reported and the record is sent.
    Warn,
    /// The record is not sent.
    Reject,
}

impl Action {
    /// The word in configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Action::Ignore => "ignore",
            Action::Warn => "warn",
            Action::Reject => "reject",
        }
    }
}

/// What each finding code leads to: the code's own severity unless told otherwise, as in
/// `{"line.sku_missing": "ignore", "phone.invalid": "reject"}`.
///
/// Any code may be made stricter. Some may not be made milder ([`Policy::least`]), because sending would do harm:
///
/// | codes | at least | why |
/// |---|---|---|
/// | `record.*` | reject | there is no record to send |
/// | `destination.identity_unusable`, `destination.value_unsupported` | reject | the destination has nothing it could take |
/// | `consent.future` | reject | a yes from the future would outweigh every later no |
/// | `consent.undated` | warn | whoever asks why a contact was not subscribed must find the answer |
/// | `destination.field_dropped` | warn | nothing is left out in silence |
/// | `money.mixed_currencies` | warn | sums in two currencies cannot be checked, and the report must say so |
///
/// ```
/// use cartwire::model::FindingCode;
/// use cartwire::validate::{Action, Policy};
/// let policy: Policy = serde_json::from_str(r#"{"line.sku_missing": "ignore"}"#)?;
/// assert_eq!(policy.action(FindingCode::SkuMissing), Action::Ignore);
/// assert_eq!(policy.action(FindingCode::OrderTotalMismatch), Action::Reject);
/// assert!(serde_json::from_str::<Policy>(r#"{"record.malformed": "ignore"}"#).is_err());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "BTreeMap<String, Action>")]
pub struct Policy {
    actions: [Action; FindingCode::ALL.len()],
}

impl Default for Policy {
    fn default() -> Self {
        let mut actions = [Action::Warn; FindingCode::ALL.len()];
        for code in FindingCode::ALL {
            actions[*code as usize] = Policy::usual(*code);
        }
        Policy { actions }
    }
}

impl Policy {
    /// What a code leads to unless told otherwise.
    #[must_use]
    pub const fn usual(code: FindingCode) -> Action {
        match code.severity() {
            Severity::Warning => Action::Warn,
            Severity::Error => Action::Reject,
        }
    }

    /// The mildest action a code may be given.
    #[must_use]
    pub const fn least(code: FindingCode) -> Action {
        use FindingCode as F;
        match code {
            F::RecordMalformed
            | F::RecordInvalidJson
            | F::RecordInvalidUtf8
            | F::RecordTruncated
            | F::RecordTooLarge
            | F::RecordUnsupported
            | F::IdentityUnusable
            | F::ValueUnsupported
            | F::ConsentFuture => Action::Reject,
            F::ConsentUndated | F::FieldDropped | F::CurrencyMixed => Action::Warn,
            _ => Action::Ignore,
        }
    }

    /// Changes what a code leads to.
    ///
    /// # Errors
    /// `invalid_config` when the action is milder than [`Policy::least`] allows.
    pub fn set(&mut self, code: FindingCode, action: Action) -> Result<(), Error> {
        let least = Policy::least(code);
        if action < least {
            let message = format!("`{}` may not be made milder than `{}`", code.name(), least.name());
            return Err(Error::new(ErrorCode::InvalidConfig, message));
        }
        self.actions[code as usize] = action;
        Ok(())
    }

    /// What a code leads to.
    #[must_use]
    pub const fn action(&self, code: FindingCode) -> Action {
        self.actions[code as usize]
    }

    /// Gives a finding of another stage (a source, a destination) the severity this policy wants; `None` when it is to be
    /// ignored.
    #[must_use]
    pub fn apply(&self, finding: Finding) -> Option<Finding> {
        let severity = match self.action(finding.code) {
            Action::Ignore => return None,
            Action::Warn => Severity::Warning,
            Action::Reject => Severity::Error,
        };
        Some(Finding { severity, ..finding })
    }

    fn changed(&self) -> impl Iterator<Item = (FindingCode, Action)> + '_ {
        FindingCode::ALL.iter().map(|code| (*code, self.action(*code))).filter(|(code, action)| *action != Policy::usual(*code))
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.changed().map(|(code, action)| (code.name(), action))).finish()
    }
}

impl TryFrom<BTreeMap<String, Action>> for Policy {
    type Error = Error;

    fn try_from(actions: BTreeMap<String, Action>) -> Result<Self, Error> {
        let mut policy = Policy::default();
        for (name, action) in actions {
            match FindingCode::from_name(&name) {
                Some(code) => policy.set(code, action)?,
                None => {
                    let message = "a name in `policy` is no finding code; the registry of findings lists them all";
                    return Err(Error::new(ErrorCode::InvalidConfig, message).with("name", name));
                }
            }
        }
        Ok(policy)
    }
}

impl Serialize for Policy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.changed().map(|(code, action)| (code.name(), action)))
    }
}

impl JsonSchema for Policy {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ValidatePolicy".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let properties: serde_json::Map<String, serde_json::Value> = FindingCode::ALL
            .iter()
            .map(|code| {
                let allowed: Vec<&str> = [Action::Reject, Action::Warn, Action::Ignore]
                    .into_iter()
                    .filter(|action| *action >= Policy::least(*code))
                    .map(Action::name)
                    .collect();
                let property = serde_json::json!({
                    "enum": allowed, "default": Policy::usual(*code).name(), "description": code.description()
                });
                (code.name().to_owned(), property)
            })
            .collect();
        schemars::json_schema!({
            "type": "object",
            "description": "What each finding code leads to, where that differs from the code's own severity.",
            "properties": properties,
            "additionalProperties": false
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<Policy, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn an_empty_policy_follows_the_registry() {
        let policy = Policy::default();
        assert_eq!(parse("{}"), Ok(policy.clone()));
        assert_eq!(policy.action(FindingCode::OrderTotalMismatch), Action::Reject);
        assert_eq!(policy.action(FindingCode::LineTotalMismatch), Action::Warn);
        for code in FindingCode::ALL {
            assert!(Policy::usual(*code) >= Policy::least(*code), "{}", code.name());
        }
    }

    #[test]
    fn unknown_codes_and_actions_are_invalid_config() {
        let unknown = parse(r#"{"line.sku_mising": "ignore"}"#).err().unwrap_or_default();
        assert!(unknown.contains("invalid_config") && unknown.contains("line.sku_mising"), "{unknown}");
        assert!(parse(r#"{"line.sku_missing": "drop"}"#).is_err());
        let wrong: BTreeMap<String, Action> = [("nonsense".to_owned(), Action::Warn)].into();
        assert_eq!(Policy::try_from(wrong).map_err(|error| error.code()), Err(ErrorCode::InvalidConfig));
    }

    #[test]
    fn every_code_can_be_made_stricter_and_only_harmless_ones_milder() {
        for code in FindingCode::ALL {
            let mut policy = Policy::default();
            assert!(policy.set(*code, Action::Reject).is_ok(), "{}", code.name());
        }
        for locked in ["record.malformed", "record.truncated", "consent.future", "destination.value_unsupported"] {
            assert!(parse(&format!(r#"{{"{locked}": "warn"}}"#)).is_err(), "{locked}");
        }
        for kept in ["consent.undated", "money.mixed_currencies", "destination.field_dropped"] {
            assert!(parse(&format!(r#"{{"{kept}": "warn"}}"#)).is_ok(), "{kept}");
            assert!(parse(&format!(r#"{{"{kept}": "ignore"}}"#)).is_err(), "{kept}");
        }
        let named = FindingCode::ALL.iter().filter(|code| code.name().starts_with("record."));
        assert!(named.clone().count() > 0 && named.clone().all(|code| Policy::least(*code) == Action::Reject));
    }

    #[test]
    fn only_what_differs_is_written_and_it_reads_back() {
        let text = r#"{"phone.invalid":"reject","line.sku_missing":"ignore"}"#;
        let policy = parse(text).unwrap_or_default();
        assert_eq!(serde_json::to_string(&policy).unwrap_or_default(), text);
    }

    #[test]
    fn findings_of_other_stages_follow_the_policy_too() {
        let policy = parse(r#"{"phone.invalid": "reject", "value.unknown": "ignore"}"#).unwrap_or_default();
        let phone = policy.apply(Finding::new(FindingCode::PhoneInvalid, "/phone", "x"));
        assert_eq!(phone.map(|finding| finding.severity), Some(Severity::Error));
        assert_eq!(policy.apply(Finding::new(FindingCode::ValueUnknown, "/state", "x")), None);
    }
}
