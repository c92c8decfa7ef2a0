//! Answers to questions about what the project holds.

use serde_json::{Map, Value, json};

use super::options::Options;
use super::project::{Log, Profile, Project, Row};
use crate::SandboxError;
use crate::inspect::{digest, hex};

/// Answers `{"what": …}`; without it, the counts.
pub(super) fn answer(options: &Options, project: &Project, query: &Value) -> Result<Value, SandboxError> {
    let text = |name: &str| query.get(name).and_then(Value::as_str);
    let what = text("what").unwrap_or("counts");
    let allowed: &[&str] = match what {
        "profile" => &["email", "userId"],
        "purchases" | "events" => &["id"],
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
            let by_email = text("email").and_then(|email| project.by_email(&email.to_lowercase()));
            let index = by_email.or_else(|| text("userId").and_then(|id| project.by_user_id(id)));
            index.and_then(|index| project.profile(index)).map_or(Value::Null, |found| profile(options, project, found))
        }
        "profiles" => project.profiles.iter().flatten().map(|found| profile(options, project, found)).collect(),
        "purchases" => rows(project, &project.purchases, text("id")),
        "events" => rows(project, &project.events, text("id")),
        "catalogs" => catalogs(project),
        "lists" => lists(project),
        "schema" => schema(project),
        "journeys" => journeys(options, project),
        "counts" => counts(options, project),
        "digest" => json!({"digest": state_digest(options, project)}),
        other => return Err(SandboxError::Invalid(format!("query: unknown `what`: {other}"))),
    })
}

fn row(row: &Row) -> Value {
    let mut shown = json!({"id": row.id, "name": row.name, "createdAt": row.created_at, "receivedAtMs": row.received_ms,
        "updates": row.updates, "identicalUpdates": row.identical, "digest": hex(&row.hash)});
    if let (Some(shown), Some(Value::Object(content))) = (shown.as_object_mut(), &row.content) {
        shown.extend(content.iter().map(|(name, value)| (name.clone(), value.clone())));
    }
    shown
}

fn rows(project: &Project, log: &Log, id: Option<&str>) -> Value {
    let shown = |found: &Row| {
        let owner = found.owner.and_then(|index| project.profile(index))?;
        let mut shown = row(found);
        shown["email"] = json!(owner.email);
        shown["userId"] = json!(owner.user_id);
        Some(shown)
    };
    match id {
        Some(id) => log.by_id(id).and_then(shown).into_iter().collect(),
        None => log.rows.iter().filter_map(shown).collect(),
    }
}

fn subscriptions(options: &Options, profile: &Profile) -> Value {
    let held = &profile.subscriptions;
    json!({options.list_field(): held.lists, "unsubscribedChannelIds": held.left_channels,
        "unsubscribedMessageTypeIds": held.left_types, "subscribedMessageTypeIds": held.joined_types})
}

fn profile(options: &Options, project: &Project, profile: &Profile) -> Value {
    let list = |log: &Log, rows: &[usize]| rows.iter().filter_map(|index| log.rows.get(*index)).map(row).collect::<Vec<_>>();
    let fired: Map<String, Value> =
        profile.journeys.iter().map(|(name, fired)| (name.clone(), json!({"fired": fired.fired, "mailed": fired.mailed}))).collect();
    json!({
        "email": profile.email,
        "userId": profile.user_id,
        "dataFields": profile.fields,
        "subscriptions": subscriptions(options, profile),
        "consentEvents": profile.consent_events,
        "cart": profile.cart,
        "purchases": list(&project.purchases, &profile.purchases),
        "events": list(&project.events, &profile.events),
        "journeys": fired,
    })
}

fn catalogs(project: &Project) -> Value {
    let shown = |catalog: &super::project::Catalog| {
        let items: Map<String, Value> = catalog.items.iter().map(|(id, item)| (id.clone(), Value::Object(item.value.clone()))).collect();
        let writes: Map<String, Value> = catalog.items.iter().map(|(id, item)| (id.clone(), item.writes.into())).collect();
        (catalog.name.clone(), json!({"fieldMappings": catalog.mappings, "items": items, "writes": writes}))
    };
    Value::Object(project.catalogs.values().map(shown).collect())
}

fn lists(project: &Project) -> Value {
    let members = |id: i64| project.profiles.iter().flatten().filter(move |profile| profile.subscriptions.lists.contains(&id));
    let shown = |(id, list): (&i64, &super::project::List)| {
        let who: Vec<Value> = members(*id).map(|profile| json!({"email": profile.email, "userId": profile.user_id})).collect();
        (id.to_string(), json!({"name": list.name, "listType": list.list_type, "members": who}))
    };
    Value::Object(project.lists.iter().map(shown).collect())
}

fn schema(project: &Project) -> Value {
    let events: Map<String, Value> = project.event_schemas.iter().map(|(name, schema)| (name.clone(), json!(schema.named()))).collect();
    json!({"profile": project.schema.named(), "events": events})
}

fn journeys(options: &Options, project: &Project) -> Value {
    let mut totals: Map<String, Value> = Map::new();
    for journey in &options.journeys {
        let (mut fired, mut mailed, mut profiles) = (0, 0, 0);
        for found in project.profiles.iter().flatten().filter_map(|profile| profile.journeys.get(&journey.name)) {
            fired += found.fired;
            mailed += found.mailed;
            profiles += 1;
        }
        totals.insert(journey.name.clone(), json!({"fired": fired, "mailed": mailed, "profiles": profiles}));
    }
    Value::Object(totals)
}

fn log_counts(log: &Log) -> Value {
    let held: Vec<&Row> = log.rows.iter().filter(|row| row.owner.is_some()).collect();
    let sum = |number: fn(&Row) -> u64| held.iter().map(|row| number(row)).sum::<u64>();
    json!({"distinct": held.len(), "updates": sum(|row| row.updates), "identicalUpdates": sum(|row| row.identical),
        "withoutId": held.iter().filter(|row| row.id.is_none()).count(), "probableDuplicates": log.probable_duplicates})
}

fn counts(options: &Options, project: &Project) -> Value {
    let endpoint = |(name, count): (&&str, &super::project::Count)| {
        let shown = json!({"requests": count.requests, "accepted": count.accepted, "rateLimited": count.limited, "refused": count.refused,
            "rowsAccepted": count.rows_accepted, "rowsFailed": count.rows_failed});
        ((*name).to_owned(), shown)
    };
    json!({
        "endpoints": project.counts.iter().map(endpoint).collect::<Map<_, _>>(),
        "profiles": project.profiles.iter().flatten().count(),
        "purchases": log_counts(&project.purchases),
        "events": log_counts(&project.events),
        "catalogItems": project.catalogs.values().map(|catalog| catalog.items.len()).sum::<usize>(),
        "cartsCleared": project.carts_cleared,
        "forgotten": {"emails": project.forgotten_emails.len(), "userIds": project.forgotten_user_ids.len()},
        "journeys": journeys(options, project),
        "droppedProperties": project.dropped,
        "oddities": project.oddities,
    })
}

/// The final state without what depends on when or how often something was sent: two runs that delivered the same agree.
fn state_digest(options: &Options, project: &Project) -> String {
    let entries = |log: &Log, rows: &[usize]| {
        let mut shown: Vec<String> = rows
            .iter()
            .filter_map(|index| log.rows.get(*index))
            // A cart sent again leaves the same cart; that it was logged twice says only how often it was sent.
            .filter(|row| row.id.is_some() || row.name != "updateCart")
            .map(|row| format!("{}|{}|{}", row.id.as_deref().unwrap_or_default(), row.name, hex(&row.hash)))
            .collect();
        shown.sort_unstable();
        shown
    };
    let mut profiles: Vec<String> = Vec::new();
    for profile in project.profiles.iter().flatten() {
        let whole = json!({"key": profile.key(), "dataFields": profile.fields, "subscriptions": subscriptions(options, profile),
            "cart": profile.cart, "purchases": entries(&project.purchases, &profile.purchases),
            "events": entries(&project.events, &profile.events)});
        profiles.push(hex(&digest(&whole)));
    }
    profiles.sort_unstable();
    let catalogs: Map<String, Value> = project
        .catalogs
        .values()
        .map(|catalog| {
            let items: Map<String, Value> =
                catalog.items.iter().map(|(id, item)| (id.clone(), hex(&digest(&json!(item.value))).into())).collect();
            (catalog.name.clone(), json!({"fieldMappings": catalog.mappings, "items": items}))
        })
        .collect();
    let lists: Map<String, Value> = project.lists.iter().map(|(id, list)| (id.to_string(), list.name.as_str().into())).collect();
    let forgotten = json!([project.forgotten_emails.keys().collect::<Vec<_>>(), project.forgotten_user_ids.keys().collect::<Vec<_>>()]);
    hex(&digest(&json!({"profiles": profiles, "catalogs": catalogs, "lists": lists, "forgotten": forgotten})))
}
