//! Consent: which of the permissions a record states may be written, given what is remembered.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::destinations::Skip;
use crate::model::{Channel, Consent, ConsentStatus, Instant, SkipReason};
use crate::state::ConsentRow;

/// How consent is weighed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ConsentConfig {
    /// Who is right when the shop and what is remembered differ.
    pub rule: ConsentRule,
    /// Record kinds that are only sent to people whose consent for `require_channel` is granted, such as
    /// `["cart", "event"]`. Contacts cannot be listed: a person must be known to be left alone.
    pub require_for: Vec<String>,
    /// The channel that `require_for` asks about; `email` unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub require_channel: Option<Channel>,
}

/// Who is right when the shop and what is remembered differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConsentRule {
    /// A no stands until a yes with a later time; a yes stands until any no that is not older.
    #[default]
    MostRestrictive,
    /// Whatever was said last; something undated never counts as last.
    Latest,
    /// Always the shop. It can resubscribe people who left elsewhere: only for shops that are the one place where people
    /// subscribe and leave.
    Source,
    /// Never the shop: consent is kept at the destination alone and not written.
    Destination,
}

/// Whether a stated permission may be written. `None` is a yes.
#[must_use]
pub fn weigh(rule: ConsentRule, stated: &Consent, remembered: Option<&ConsentRow>) -> Option<Skip> {
    let channel = stated.channel.as_str();
    let skip = |reason, why: &str| Some(Skip::new(reason, format!("consent for {channel}: {why}")));
    match stated.status {
        ConsentStatus::Unknown => return skip(SkipReason::ConsentUnknown, "the shop says nothing usable"),
        ConsentStatus::Pending => return skip(SkipReason::ConsentUnknown, "the double opt-in is not confirmed yet"),
        ConsentStatus::Granted | ConsentStatus::Denied => {}
    }
    let Some(remembered) = remembered else {
        return match rule {
            ConsentRule::Destination => skip(SkipReason::Filtered, "it is kept at the destination alone"),
            _ => None,
        };
    };
    let newer = matches!((stated.at, remembered.at), (Some(stated), Some(remembered)) if stated > remembered);
    let older = matches!((stated.at, remembered.at), (Some(stated), Some(remembered)) if stated < remembered);
    match rule {
        ConsentRule::Source => None,
        ConsentRule::Destination => skip(SkipReason::Filtered, "it is kept at the destination alone"),
        ConsentRule::Latest if stated.status == remembered.status || newer => None,
        ConsentRule::Latest => skip(SkipReason::ConsentDenied, "what is remembered is newer or as new"),
        ConsentRule::MostRestrictive => match (stated.status, remembered.status) {
            (ConsentStatus::Granted, ConsentStatus::Denied) if !newer => {
                skip(SkipReason::ConsentDenied, "a no is remembered and this yes is not provably newer")
            }
            (ConsentStatus::Denied, ConsentStatus::Granted) if older => {
                skip(SkipReason::ConsentDenied, "an explicit yes after this no is remembered")
            }
            _ => None,
        },
    }
}

/// How a stated permission is remembered. A no without a time counts from when it was heard, because only a yes from
/// after that may lift it; a yes without a time proves nothing and stays undated.
#[must_use]
pub fn row(person: &str, stated: &Consent, observed_at: Instant) -> ConsentRow {
    ConsentRow {
        person: person.to_owned(),
        channel: stated.channel.clone(),
        status: stated.status,
        at: stated.at.or((stated.status == ConsentStatus::Denied).then_some(observed_at)),
        source: stated.source.clone(),
        observed_at,
    }
}

/// The newest of several memories of one person, who may be known by several names.
#[must_use]
pub fn newest<'a>(rows: impl Iterator<Item = &'a ConsentRow>, channel: &Channel) -> Option<&'a ConsentRow> {
    rows.filter(|row| row.channel == *channel).max_by_key(|row| (row.at, row.observed_at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{TimeZone, Utc};

    fn day(day: u32) -> Instant {
        Utc.with_ymd_and_hms(2026, 1, day, 0, 0, 0).single().unwrap_or_default()
    }

    fn stated(status: ConsentStatus, at: Option<u32>) -> Consent {
        Consent { channel: Channel::Email, status, at: at.map(day), source: None, evidence: None }
    }

    fn remembered(status: ConsentStatus, at: Option<u32>) -> ConsentRow {
        row("p", &stated(status, at), day(20))
    }

    use ConsentStatus::{Denied, Granted, Pending, Unknown};

    #[test]
    fn a_yes_lifts_a_no_only_when_it_is_provably_newer() {
        let rule = ConsentRule::MostRestrictive;
        let no = remembered(Denied, Some(10));
        assert!(weigh(rule, &stated(Granted, Some(11)), Some(&no)).is_none());
        for at in [None, Some(9), Some(10)] {
            let skip = weigh(rule, &stated(Granted, at), Some(&no));
            assert_eq!(skip.map(|skip| skip.reason), Some(SkipReason::ConsentDenied), "{at:?}");
        }
        let undated_no = remembered(Denied, None);
        assert!(weigh(rule, &stated(Granted, Some(19)), Some(&undated_no)).is_some(), "heard on the 20th");
        assert!(weigh(rule, &stated(Granted, Some(21)), Some(&undated_no)).is_none());
    }

    #[test]
    fn a_no_always_counts_unless_a_later_yes_is_remembered() {
        let rule = ConsentRule::MostRestrictive;
        let yes = remembered(Granted, Some(10));
        assert!(weigh(rule, &stated(Denied, None), Some(&yes)).is_none());
        assert!(weigh(rule, &stated(Denied, Some(11)), Some(&yes)).is_none());
        assert!(weigh(rule, &stated(Denied, Some(9)), Some(&yes)).is_some());
        assert!(weigh(rule, &stated(Denied, Some(9)), Some(&remembered(Granted, None))).is_none());
    }

    #[test]
    fn nothing_known_and_nothing_confirmed_is_never_a_yes() {
        for rule in [ConsentRule::MostRestrictive, ConsentRule::Latest, ConsentRule::Source, ConsentRule::Destination] {
            for status in [Unknown, Pending] {
                let skip = weigh(rule, &stated(status, Some(30)), None);
                assert_eq!(skip.map(|skip| skip.reason), Some(SkipReason::ConsentUnknown));
            }
        }
    }

    #[test]
    fn the_destination_rule_writes_nothing() {
        assert!(weigh(ConsentRule::Destination, &stated(Denied, Some(30)), None).is_some());
    }
}
