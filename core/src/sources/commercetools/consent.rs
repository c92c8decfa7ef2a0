//! Permission out of custom fields, as configured: see [`ConsentRule`].

use serde_json::value::RawValue;

use super::config::{AbsentConsent, ConsentPlace, ConsentRule};
use super::values::Fields;
use super::wire::{Stamp, Text};
use crate::model::{Consent, ConsentStatus, Finding, FindingCode, Instant};

/// The consents that the custom fields of a resource hold. A channel with several rules gets the first one that says
/// something.
pub(super) fn consents(
    rules: &[ConsentRule],
    place: ConsentPlace,
    fields: Option<&Fields<'_>>,
    in_group: &dyn Fn(&str) -> bool,
    pointer: &str,
    findings: &mut Vec<Finding>,
) -> Vec<Consent> {
    let mut consents: Vec<Consent> = Vec::new();
    for rule in rules.iter().filter(|rule| rule.on == place) {
        if consents.iter().any(|known| known.channel == rule.channel) {
            continue;
        }
        let Some((status, at)) = status(rule, fields, in_group) else { continue };
        if status == ConsentStatus::Unknown {
            let field = rule.field.as_deref().unwrap_or_default();
            let pointer = format!("{pointer}/{}", crate::model::pointer_token(field));
            findings.push(Finding::new(FindingCode::ValueUnknown, pointer, "the value is in none of the lists of the consent"));
        }
        let text = |name: &Option<String>| fields?.text(name.as_deref()?, &[]);
        consents.push(Consent {
            channel: rule.channel.clone(),
            status,
            at: at.or_else(|| instant(fields?, rule.at_field.as_deref())),
            source: text(&rule.source_field),
            evidence: text(&rule.evidence_field),
        });
    }
    // What is merely absent must not hide what a later rule of the channel says.
    for rule in rules.iter().filter(|rule| rule.on == place && rule.absent == AbsentConsent::Denied) {
        if !consents.iter().any(|known| known.channel == rule.channel) {
            consents.push(Consent { channel: rule.channel.clone(), status: ConsentStatus::Denied, at: None, source: None, evidence: None });
        }
    }
    consents
}

fn status(rule: &ConsentRule, fields: Option<&Fields<'_>>, in_group: &dyn Fn(&str) -> bool) -> Option<(ConsentStatus, Option<Instant>)> {
    if let Some(raw) = rule.field.as_deref().and_then(|name| fields?.get(name)) {
        return Some((of_value(rule, raw), None));
    }
    let granted = instant_of(fields, rule.granted_at_field.as_deref());
    let denied = instant_of(fields, rule.denied_at_field.as_deref());
    match (granted, denied) {
        (None, None) => rule.group.as_deref().filter(|group| in_group(group)).map(|_| (ConsentStatus::Granted, None)),
        (Some(yes), Some(no)) if yes > no => Some((ConsentStatus::Granted, Some(yes))),
        (Some(yes), None) => Some((ConsentStatus::Granted, Some(yes))),
        (_, Some(no)) => Some((ConsentStatus::Denied, Some(no))),
    }
}

fn instant_of(fields: Option<&Fields<'_>>, name: Option<&str>) -> Option<Instant> {
    instant(fields?, name)
}

fn of_value(rule: &ConsentRule, raw: &RawValue) -> ConsentStatus {
    let truth = |yes: bool| if yes == rule.invert { ConsentStatus::Denied } else { ConsentStatus::Granted };
    let text = raw.get();
    match text {
        "true" => return truth(true),
        "false" => return truth(false),
        _ => {}
    }
    if let Ok(members) = serde_json::from_str::<Vec<Text<'_>>>(text) {
        let member = rule.member.as_deref().unwrap_or(rule.channel.as_str());
        return truth(members.iter().any(|known| &**known == member));
    }
    let Ok(word) = serde_json::from_str::<Text<'_>>(text) else { return ConsentStatus::Unknown };
    let among = |words: &[String]| words.iter().any(|known| **known == *word);
    if among(&rule.denied) {
        ConsentStatus::Denied
    } else if among(&rule.pending) {
        ConsentStatus::Pending
    } else if among(&rule.granted) {
        ConsentStatus::Granted
    } else {
        ConsentStatus::Unknown
    }
}

fn instant(fields: &Fields<'_>, name: Option<&str>) -> Option<Instant> {
    serde_json::from_str::<Stamp>(fields.get(name?)?.get()).ok().map(|stamp| stamp.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(rule: &str, fields: &str) -> Option<(ConsentStatus, Option<String>)> {
        let rule: ConsentRule = serde_json::from_str(rule).unwrap_or_else(|error| unreachable!("{error}"));
        let raw: &RawValue = serde_json::from_str(fields).unwrap_or_else(|error| unreachable!("{error}"));
        let fields = Fields::of_custom(raw).unwrap_or_else(|| unreachable!());
        let found = consents(&[rule], ConsentPlace::Customer, Some(&fields), &|group| group == "g1", "/custom/fields", &mut Vec::new());
        found.first().map(|consent| (consent.status, consent.at.map(|at| at.to_rfc3339())))
    }

    #[test]
    fn an_absent_or_null_field_is_neither_yes_nor_no() {
        let rule = r#"{"channel":"email","field":"newsletter","granted_at_field":"inAt"}"#;
        assert_eq!(read(rule, "{}"), None);
        assert_eq!(read(rule, r#"{"newsletter":null,"inAt":null}"#), None);
    }

    #[test]
    fn a_boolean_is_taken_as_it_is_unless_inverted() {
        let rule = r#"{"channel":"email","field":"f"}"#;
        assert_eq!(read(rule, r#"{"f":true}"#), Some((ConsentStatus::Granted, None)));
        assert_eq!(read(rule, r#"{"f":false}"#), Some((ConsentStatus::Denied, None)));
        let inverted = r#"{"channel":"email","field":"f","invert":true}"#;
        assert_eq!(read(inverted, r#"{"f":true}"#), Some((ConsentStatus::Denied, None)));
        assert_eq!(read(inverted, r#"{"f":false}"#), Some((ConsentStatus::Granted, None)));
    }

    #[test]
    fn a_word_counts_only_if_it_is_listed() {
        let rule = r#"{"channel":"sms","field":"f","granted":["yes"],"denied":["no"],"pending":["asked"]}"#;
        assert_eq!(read(rule, r#"{"f":"yes"}"#), Some((ConsentStatus::Granted, None)));
        assert_eq!(read(rule, r#"{"f":"no"}"#), Some((ConsentStatus::Denied, None)));
        assert_eq!(read(rule, r#"{"f":"asked"}"#), Some((ConsentStatus::Pending, None)));
        assert_eq!(read(rule, r#"{"f":"YES"}"#), Some((ConsentStatus::Unknown, None)));
        assert_eq!(read(rule, r#"{"f":1}"#), Some((ConsentStatus::Unknown, None)));
    }

    #[test]
    fn a_set_is_a_yes_for_its_members_and_a_no_for_all_others() {
        let rule = r#"{"channel":"sms","field":"f"}"#;
        assert_eq!(read(rule, r#"{"f":["email","sms"]}"#), Some((ConsentStatus::Granted, None)));
        assert_eq!(read(rule, r#"{"f":[]}"#), Some((ConsentStatus::Denied, None)));
        let named = r#"{"channel":"sms","field":"f","member":"mobile"}"#;
        assert_eq!(read(named, r#"{"f":["sms"]}"#), Some((ConsentStatus::Denied, None)));
    }

    #[test]
    fn of_two_instants_the_newer_counts_and_a_tie_is_a_no() {
        let rule = r#"{"channel":"email","granted_at_field":"i","denied_at_field":"o"}"#;
        let (early, late) = ("2025-01-01T00:00:00.000Z", "2025-02-01T00:00:00.000Z");
        let at = |text: &str| Some(text.replace(".000Z", "+00:00"));
        assert_eq!(read(rule, &format!(r#"{{"i":"{late}","o":"{early}"}}"#)), Some((ConsentStatus::Granted, at(late))));
        assert_eq!(read(rule, &format!(r#"{{"i":"{early}","o":"{late}"}}"#)), Some((ConsentStatus::Denied, at(late))));
        assert_eq!(read(rule, &format!(r#"{{"i":"{early}","o":"{early}"}}"#)), Some((ConsentStatus::Denied, at(early))));
    }

    #[test]
    fn the_time_comes_from_its_companion_field_only() {
        let rule = r#"{"channel":"email","field":"f","at_field":"at"}"#;
        let granted = Some((ConsentStatus::Granted, Some("2025-05-20T12:30:00+00:00".to_owned())));
        assert_eq!(read(rule, r#"{"f":true,"at":"2025-05-20T12:30:00.000Z"}"#), granted);
        assert_eq!(read(rule, r#"{"f":true,"at":"some day"}"#), Some((ConsentStatus::Granted, None)));
    }

    #[test]
    fn being_in_a_group_is_a_yes_and_not_being_in_it_says_nothing() {
        assert_eq!(read(r#"{"channel":"email","group":"g1"}"#, "{}"), Some((ConsentStatus::Granted, None)));
        assert_eq!(read(r#"{"channel":"email","group":"g2"}"#, "{}"), None);
        // A field of the same rule that says something outweighs the group.
        let both = r#"{"channel":"email","group":"g1","field":"f"}"#;
        assert_eq!(read(both, r#"{"f":false}"#), Some((ConsentStatus::Denied, None)));
    }

    #[test]
    fn absence_is_a_no_only_where_it_is_configured_and_only_without_any_word() {
        let rule = r#"{"channel":"email","field":"f","absent":"denied"}"#;
        assert_eq!(read(rule, "{}"), Some((ConsentStatus::Denied, None)));
        assert_eq!(read(rule, r#"{"f":null}"#), Some((ConsentStatus::Denied, None)));
        assert_eq!(read(rule, r#"{"f":true}"#), Some((ConsentStatus::Granted, None)));
        let rules: Vec<ConsentRule> =
            serde_json::from_str(r#"[{"channel":"email","field":"f","absent":"denied"},{"channel":"email","group":"g1"}]"#)
                .unwrap_or_else(|error| unreachable!("{error}"));
        let found = consents(&rules, ConsentPlace::Customer, None, &|group| group == "g1", "", &mut Vec::new());
        assert_eq!(found.iter().map(|consent| consent.status).collect::<Vec<_>>(), [ConsentStatus::Granted]);
    }
}
