//! Answers to questions about what the account holds.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::account::{Account, Contact, Count};
use super::contacts::{is_subscribed, shown};
use crate::SandboxError;
use crate::inspect::{digest, hex};

/// Answers `{"what": …}`; without it, the counts.
pub(super) fn answer(account: &Account, query: &Value) -> Result<Value, SandboxError> {
    let text = |name: &str| query.get(name).and_then(Value::as_str);
    let what = text("what").unwrap_or("counts");
    let allowed: &[&str] = match what {
        "profile" => &["email"],
        "orders" | "events" => &["id"],
        _ => &[],
    };
    let unknown = query
        .as_object()
        .and_then(|query| query.keys().find(|name| !["what", "vendor"].contains(&name.as_str()) && !allowed.contains(&name.as_str())));
    if let Some(name) = unknown {
        return Err(SandboxError::Invalid(format!("query: unknown `{name}`")));
    }
    Ok(match what {
        "profile" => {
            let email = text("email").unwrap_or_default();
            let found = people(account).find(|contact| contact.email().is_some_and(|own| own.eq_ignore_ascii_case(email)));
            found.map_or(Value::Null, |contact| profile(account, contact))
        }
        "profiles" => people(account).map(|contact| profile(account, contact)).collect(),
        "orders" => {
            account.orders.iter().filter(|(id, _)| text("id").is_none_or(|wanted| wanted == *id)).map(|(_, order)| order.clone()).collect()
        }
        "events" => {
            account.events.iter().map(|event| &event.body).filter(|event| text("id").is_none_or(|id| event["UID"] == id)).cloned().collect()
        }
        "products" => json!(account.products),
        "records" => json!(account.records),
        "subscribed" => subscribed(account),
        "triggers" => triggers(account),
        "counts" => counts(account),
        "digest" => json!({"digest": state_digest(account)}),
        other => return Err(SandboxError::Invalid(format!("query: unknown `what`: {other}"))),
    })
}

fn people(account: &Account) -> impl Iterator<Item = &Contact> {
    account.contacts.iter().flatten()
}

fn profile(account: &Account, contact: &Contact) -> Value {
    let mut all = shown(contact);
    let owned = |order: &&Value| order["cID"] == contact.cid.as_str();
    all["cart"] = json!(contact.cart);
    all["orders"] = account.orders.values().filter(owned).map(|order| order["orderID"].clone()).collect();
    all["events"] = account.events.iter().filter(|event| event.cid == contact.cid).map(|event| event.body.clone()).collect();
    all["triggers"] = json!(contact.triggers);
    all["permissionBy"] = json!(contact.permission_by);
    all["textsAskingPermission"] = contact.asked.into();
    all
}

/// Who may be mailed, by channel.
fn subscribed(account: &Account) -> Value {
    let mut channels: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for contact in people(account) {
        for key in contact.channels.keys().filter(|key| is_subscribed(contact, key)) {
            channels.entry(key).or_default().push(contact.email().unwrap_or(&contact.cid));
        }
    }
    channels.values_mut().for_each(|people| people.sort_unstable());
    json!(channels)
}

/// What would have started automations, in all.
fn triggers(account: &Account) -> Value {
    let mut sums: BTreeMap<&str, u64> = BTreeMap::new();
    for (name, count) in people(account).flat_map(|contact| &contact.triggers) {
        *sums.entry(name).or_default() += count;
    }
    json!(sums)
}

fn counts(account: &Account) -> Value {
    let endpoint = |(name, count): (&String, &Count)| {
        let shown = json!({"requests": count.requests, "accepted": count.accepted, "rateLimited": count.limited, "refused": count.refused});
        (name.clone(), shown)
    };
    let uids: Vec<&str> = account.events.iter().filter_map(|event| event.body["UID"].as_str()).collect();
    let distinct: std::collections::BTreeSet<&str> = uids.iter().copied().collect();
    json!({
        "endpoints": account.counts.iter().map(endpoint).collect::<Map<_, _>>(),
        "profiles": people(account).count(),
        "orders": {"distinct": account.orders.len(), "updates": account.order_updates.values().sum::<u64>()},
        "events": {"stored": account.events.len(), "distinct": distinct.len(), "sameId": uids.len() - distinct.len()},
        "products": account.products.len(),
        "records": account.records.values().map(BTreeMap::len).sum::<usize>(),
        "carts": people(account).filter(|contact| contact.cart.is_some()).count(),
        "jobs": account.jobs.len(),
        "triggers": triggers(account),
        "textsAskingPermission": people(account).map(|contact| contact.asked).sum::<u64>(),
        "dropped": account.dropped,
    })
}

/// The final state without what depends on when or how often something was sent: two runs that delivered the same agree.
fn state_digest(account: &Account) -> String {
    let mut profiles: Vec<String> = people(account)
        .map(|contact| {
            let status: BTreeMap<&String, &str> = contact.channels.iter().map(|(key, own)| (key, own.status.as_str())).collect();
            let mut uids: Vec<&str> =
                account.events.iter().filter(|event| event.cid == contact.cid).filter_map(|event| event.body["UID"].as_str()).collect();
            uids.sort_unstable();
            uids.dedup();
            let whole = json!({"email": contact.email(), "attributes": contact.attributes, "status": status, "lists": contact.lists,
                "cart": contact.cart, "events": uids});
            hex(&digest(&whole))
        })
        .collect();
    profiles.sort_unstable();
    let quietly = |mut order: Value| {
        for name in ["cID", "suppressTriggers"] {
            if let Some(order) = order.as_object_mut() {
                order.remove(name);
            }
        }
        order
    };
    let orders: Vec<Value> = account.orders.values().cloned().map(quietly).collect();
    hex(&digest(&json!({"profiles": profiles, "orders": orders, "products": account.products, "records": account.records})))
}
