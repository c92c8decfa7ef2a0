//! Answers to questions about what the account holds.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::account::{Account, Profile};
use super::options::{Channel, Options};
use crate::SandboxError;
use crate::inspect::{digest, hex};

/// Answers `{"what": …}`; without it, the counts.
pub(super) fn answer(options: &Options, account: &Account, query: &Value) -> Result<Value, SandboxError> {
    let text = |name: &str| query.get(name).and_then(Value::as_str);
    let what = text("what").unwrap_or("counts");
    let allowed: &[&str] = if what == "profile" { &["email", "uuid", "phone_number", "iid"] } else { &[] };
    let known = |name: &str| ["what", "vendor"].contains(&name) || allowed.contains(&name);
    if let Some(name) = query.as_object().and_then(|query| query.keys().find(|name| !known(name))) {
        return Err(SandboxError::Invalid(format!("query: unknown `{name}`")));
    }
    Ok(match what {
        "profile" => {
            let by_identifier = ["uuid", "email", "phone_number"].iter().find_map(|name| account.by_identifier(name, text(name)?));
            let index = by_identifier.or_else(|| account.by_iid(text("iid")?));
            index.and_then(|index| account.profile(index)).map_or(Value::Null, |found| profile(options, account, found))
        }
        "profiles" => account.profiles.iter().flatten().map(|found| profile(options, account, found)).collect(),
        "catalog" => catalog(account),
        "journeys" => journeys(options, account),
        "unsubscribed" => unsubscribed(account),
        "counts" => counts(options, account),
        "digest" => json!({"digest": state_digest(account)}),
        other => return Err(SandboxError::Invalid(format!("query: unknown `what`: {other}"))),
    })
}

fn profile(options: &Options, account: &Account, profile: &Profile) -> Value {
    let events: Vec<Value> = profile
        .events
        .iter()
        .map(|event| json!({"name": event.name, "timestamp": event.timestamp, "params": event.params, "repeated": event.repeated}))
        .collect();
    let fired: Map<String, Value> =
        profile.journeys.iter().map(|(name, fired)| (name.clone(), json!({"fired": fired.fired, "sent": fired.sent}))).collect();
    let reachable: Map<String, Value> =
        Channel::ALL.into_iter().map(|channel| (channel.name().to_owned(), account.reachable(options, profile, channel).into())).collect();
    json!({"iid": profile.iid, "identifiers": profile.identifiers, "attributes": profile.attributes, "custom": profile.custom,
        "events": events, "journeys": fired, "reachable": reachable})
}

fn catalog(account: &Account) -> Value {
    let mut items: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for ((id, locale), record) in &account.catalog {
        items.entry(id).or_default().insert(locale.clone(), Value::Object(record.clone()));
    }
    json!(items)
}

fn unsubscribed(account: &Account) -> Value {
    Channel::ALL
        .into_iter()
        .map(|channel| (channel.name().to_owned(), json!(account.unsubscribed.get(&channel))))
        .collect::<Map<_, _>>()
        .into()
}

fn journeys(options: &Options, account: &Account) -> Value {
    let mut totals: Map<String, Value> =
        account.catalog_journeys.iter().map(|(name, fired)| ((*name).to_owned(), json!({"fired": fired}))).collect();
    for journey in &options.journeys {
        let of = account.profiles.iter().flatten().filter_map(|profile| profile.journeys.get(&journey.name));
        let (fired, sent) = of.fold((0, 0), |(fired, sent), one| (fired + one.fired, sent + one.sent));
        totals.insert(journey.name.clone(), json!({"fired": fired, "sent": sent}));
    }
    Value::Object(totals)
}

fn counts(options: &Options, account: &Account) -> Value {
    let endpoint = |(name, count): (&String, &super::account::Count)| {
        let shown = json!({"requests": count.requests, "accepted": count.accepted, "rateLimited": count.limited, "refused": count.refused});
        (name.clone(), shown)
    };
    let mut events: BTreeMap<&str, u64> = BTreeMap::new();
    let mut repeated = 0;
    for event in account.profiles.iter().flatten().flat_map(|profile| &profile.events) {
        *events.entry(&event.name).or_default() += 1;
        repeated += event.repeated;
    }
    let reachable: Map<String, Value> = Channel::ALL
        .into_iter()
        .map(|channel| {
            let reached = account.profiles.iter().flatten().filter(|profile| account.reachable(options, profile, channel)).count();
            (channel.name().to_owned(), reached.into())
        })
        .collect();
    json!({
        "endpoints": account.counts.iter().map(endpoint).collect::<Map<_, _>>(),
        "profiles": account.profiles.iter().flatten().count(),
        "events": events,
        "repeatedEvents": repeated,
        "expiredEvents": account.expired_events,
        "users": {"accepted": account.users_accepted, "failed": account.users_failed},
        "records": {"accepted": account.records_accepted, "failed": account.records_failed},
        "catalogRecords": account.catalog.len(),
        "merges": account.merges,
        "reachable": reachable,
        "journeys": journeys(options, account),
        "oddities": account.oddities,
    })
}

/// The final state without what depends on when or how often something was sent: two runs that delivered the same agree.
fn state_digest(account: &Account) -> String {
    let mut profiles: Vec<String> = account
        .profiles
        .iter()
        .flatten()
        .map(|profile| {
            let mut events: Vec<String> = profile.events.iter().map(|event| hex(&event.hash)).collect();
            events.sort_unstable();
            let whole =
                json!({"identifiers": profile.identifiers, "attributes": profile.attributes, "custom": profile.custom, "events": events});
            hex(&digest(&whole))
        })
        .collect();
    profiles.sort_unstable();
    hex(&digest(&json!({"profiles": profiles, "catalog": catalog(account), "unsubscribed": unsubscribed(account)})))
}
