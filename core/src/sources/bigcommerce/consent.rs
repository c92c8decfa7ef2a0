//! Permission, as configured: see [`ConsentRule`]. The platform's own is the newsletter subscriber.

use serde_json::value::RawValue;

use super::config::{Config, ConsentPlace, ConsentRule, Untouched};
use super::values::{Fields, Place, truth};
use super::wire::people::Subscriber;
use super::wire::{Text, instant};
use crate::model::{Channel, Consent, ConsentStatus, Finding, FindingCode, Instant};
use crate::normalize::text::filled;

/// The member of a subscriber's consents that is a yes to the newsletter.
const NEWSLETTER: &str = "marketing_newsletter";

/// The consents that the fields of a customer or order hold. A channel with several rules gets the first one that says
/// something. `dated` is the time of what has none of its own.
pub(super) fn consents(
    rules: &[ConsentRule],
    wanted: impl Fn(ConsentPlace) -> bool,
    fields: &Fields<'_>,
    dated: Option<Instant>,
    findings: &mut Vec<Finding>,
) -> Vec<Consent> {
    let mut consents: Vec<Consent> = Vec::new();
    for rule in rules.iter().filter(|rule| wanted(rule.on)) {
        if consents.iter().any(|known| known.channel == rule.channel) {
            continue;
        }
        let of = |place| of(rule.on, place);
        let Some((status, at, pointer)) = status(rule, fields) else { continue };
        // A box that was not ticked at one order is no withdrawal of what was said elsewhere.
        if rule.on == ConsentPlace::Order && status != ConsentStatus::Granted && status != ConsentStatus::Pending {
            continue;
        }
        if status == ConsentStatus::Unknown {
            findings.push(Finding::new(FindingCode::ValueUnknown, pointer, "the value is in none of the lists of the consent"));
        }
        let at_field = rule.at_field.as_deref().and_then(|name| when(fields, rule.on, name));
        consents.push(Consent {
            channel: rule.channel.clone(),
            status,
            at: at.or(at_field).or(dated),
            source: rule.source_field.as_deref().and_then(|name| fields.text(name, of)),
            evidence: rule.evidence_field.as_deref().and_then(|name| fields.text(name, of)),
        });
    }
    consents
}

/// The consents of a newsletter subscriber. They have no time of their own: the row's last change is when they were last
/// set. A row without consents that never changed was made by a checkout where nothing was ticked, and says nothing.
pub(super) fn of_subscriber(config: &Config, subscriber: &Subscriber<'_>) -> Vec<Consent> {
    let given: Vec<&str> = subscriber.consents.iter().filter_map(|word| filled(word)).collect();
    let at = subscriber.date_modified.0.or(subscriber.date_created.0);
    let touched = matches!((subscriber.date_created.0, subscriber.date_modified.0), (Some(made), Some(changed)) if changed > made);
    let consent = |channel: &Channel, member: &str| {
        let (status, at) = if given.contains(&member) {
            (ConsentStatus::Granted, at)
        } else if touched || config.untouched_subscriber == Untouched::Denied {
            (ConsentStatus::Denied, at)
        } else {
            (ConsentStatus::Unknown, None)
        };
        Consent { channel: channel.clone(), status, at, source: filled(&subscriber.source).map(str::to_owned), evidence: None }
    };
    let rules: Vec<&ConsentRule> = config.consents.iter().filter(|rule| rule.on == ConsentPlace::Subscriber).collect();
    if rules.is_empty() {
        return vec![consent(&Channel::Email, NEWSLETTER)];
    }
    let mut consents: Vec<Consent> = Vec::new();
    for rule in rules {
        if !consents.iter().any(|known| known.channel == rule.channel) {
            consents.push(consent(&rule.channel, rule.member.as_deref().unwrap_or(NEWSLETTER)));
        }
    }
    consents
}

/// Whether a rule for `on` reads what came from `place`.
const fn of(on: ConsentPlace, place: Place) -> bool {
    match on {
        ConsentPlace::Customer => matches!(place, Place::Own),
        ConsentPlace::Attribute => matches!(place, Place::Attribute),
        ConsentPlace::FormField => matches!(place, Place::FormField),
        ConsentPlace::Metafield => matches!(place, Place::Metafield),
        ConsentPlace::Order => true,
        ConsentPlace::Subscriber => false,
    }
}

fn status(rule: &ConsentRule, fields: &Fields<'_>) -> Option<(ConsentStatus, Option<Instant>, String)> {
    let place = |place| of(rule.on, place);
    if let Some((raw, pointer)) = rule.field.as_deref().and_then(|name| fields.get(name, place)) {
        return Some((of_value(rule, raw), None, pointer.to_owned()));
    }
    let granted = rule.granted_at_field.as_deref().and_then(|name| when(fields, rule.on, name));
    let denied = rule.denied_at_field.as_deref().and_then(|name| when(fields, rule.on, name));
    let (status, at) = match (granted, denied) {
        (None, None) => return None,
        (Some(yes), Some(no)) if yes > no => (ConsentStatus::Granted, yes),
        (Some(yes), None) => (ConsentStatus::Granted, yes),
        (_, Some(no)) => (ConsentStatus::Denied, no),
    };
    Some((status, Some(at), String::new()))
}

fn of_value(rule: &ConsentRule, raw: &RawValue) -> ConsentStatus {
    let told = |yes: bool| if yes == rule.invert { ConsentStatus::Denied } else { ConsentStatus::Granted };
    let text = raw.get();
    if text.starts_with('[') {
        let Ok(members) = serde_json::from_str::<Vec<Text<'_>>>(text) else { return ConsentStatus::Unknown };
        let member = rule.member.as_deref().unwrap_or(rule.channel.as_str());
        return told(members.iter().any(|known| &**known == member));
    }
    let Ok(word) = serde_json::from_str::<Text<'_>>(text) else { return ConsentStatus::Unknown };
    let among = |words: &[String]| words.iter().any(|known| **known == *word);
    if among(&rule.denied) {
        ConsentStatus::Denied
    } else if among(&rule.pending) {
        ConsentStatus::Pending
    } else if among(&rule.granted) {
        ConsentStatus::Granted
    } else if rule.granted.is_empty() && rule.denied.is_empty() && rule.pending.is_empty() {
        truth(&word).map_or(ConsentStatus::Unknown, told)
    } else {
        ConsentStatus::Unknown
    }
}

fn when(fields: &Fields<'_>, on: ConsentPlace, name: &str) -> Option<Instant> {
    instant(&fields.text(name, |place| of(on, place))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(rule: &str, json: &str) -> Option<ConsentStatus> {
        let rule: ConsentRule = serde_json::from_str(rule).unwrap_or_else(|error| unreachable!("{error}"));
        let raw: &RawValue = serde_json::from_str(json).unwrap_or_else(|error| unreachable!("{error}"));
        let mut fields = Fields::default();
        fields.add(Place::Attribute, "f", Some(raw), "/attributes/0");
        consents(&[rule], |_| true, &fields, None, &mut Vec::new()).first().map(|consent| consent.status)
    }

    #[test]
    fn an_empty_value_is_neither_yes_nor_no() {
        let rule = r#"{"channel":"sms","on":"attribute","field":"f"}"#;
        assert_eq!(read(rule, "null"), None);
        assert_eq!(read(rule, r#""""#), None);
        assert_eq!(read(rule, "[]"), None);
    }

    #[test]
    fn words_for_yes_and_no_are_read_unless_lists_are_given() {
        let rule = r#"{"channel":"sms","on":"attribute","field":"f"}"#;
        assert_eq!(read(rule, r#""Yes""#), Some(ConsentStatus::Granted));
        assert_eq!(read(rule, r#""0""#), Some(ConsentStatus::Denied));
        assert_eq!(read(rule, r#""maybe""#), Some(ConsentStatus::Unknown));
        let listed = r#"{"channel":"sms","on":"attribute","field":"f","granted":["Oui"]}"#;
        assert_eq!(read(listed, r#""Oui""#), Some(ConsentStatus::Granted));
        assert_eq!(read(listed, r#""Yes""#), Some(ConsentStatus::Unknown), "a list is the whole list");
    }

    #[test]
    fn a_rule_reads_only_its_own_place() {
        assert_eq!(read(r#"{"channel":"sms","on":"form_field","field":"f"}"#, "true"), None);
    }

    #[test]
    fn a_box_that_is_not_ticked_at_an_order_is_no_withdrawal() {
        let rule = r#"{"channel":"email","on":"order","field":"f"}"#;
        assert_eq!(read(rule, "false"), None);
        assert_eq!(read(rule, "true"), Some(ConsentStatus::Granted));
    }

    fn subscriber(json: &str, config: &Config) -> (ConsentStatus, bool) {
        let subscriber: Subscriber<'_> = serde_json::from_str(json).unwrap_or_else(|error| unreachable!("{error}"));
        let consents = of_subscriber(config, &subscriber);
        (consents[0].status, consents[0].at.is_some())
    }

    #[test]
    fn a_subscriber_row_is_not_consent_by_being_there() {
        let config = Config::default();
        let made = r#""date_created":"2026-01-01T00:00:00Z","date_modified":"2026-01-01T00:00:00Z""#;
        let changed = r#""date_created":"2026-01-01T00:00:00Z","date_modified":"2026-02-01T00:00:00Z""#;
        let of = |consents: &str, dates: &str| subscriber(&format!(r#"{{"id":1,"consents":[{consents}],{dates}}}"#), &config);
        assert_eq!(of(r#""marketing_newsletter""#, made), (ConsentStatus::Granted, true));
        assert_eq!(of("", made), (ConsentStatus::Unknown, false));
        assert_eq!(of("", changed), (ConsentStatus::Denied, true));
        assert_eq!(of(r#""abandoned_cart""#, changed), (ConsentStatus::Denied, true));
    }
}
