//! Custom events, one at a time and in bulk.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::commerce::MOST_ID;
use super::identity::{Found, Ids, Why};
use super::options::{ProjectType, Trigger};
use super::project::{Entry, Project, Row};
use super::reply::{Refusal, success};
use super::schema::Overlay;
use super::users::{Tally, check_row_count, rows};
use super::{Answer, Call};
use crate::vendor::Reply;

/// The arrays of `failedUpdates` in calls about events.
const EVENT_FAILURES: &[&str] = &["invalid", "notFound", "forgotten"];

/// Above this a time can only be in milliseconds: it would be the year 5138.
const LATEST_SECONDS: i64 = 100_000_000_000;

/// Notes times that are accepted and probably not meant.
pub(super) fn note_time(project: &mut Project, created_at: Option<i64>, now_ms: i64) {
    match created_at {
        Some(time) if time > LATEST_SECONDS => project.note("created_at_in_milliseconds"),
        Some(time) if time > now_ms / 1_000 + 86_400 => project.note("created_at_in_the_future"),
        _ => {}
    }
}

/// `POST /api/events/track`
pub(super) fn track(call: &mut Call<'_>) -> Answer {
    let event = call.body.take();
    let name = name(&event).to_owned();
    let ids = Ids::read(&event)?;
    if call.options.disallowed_events.contains(&name) {
        return Ok(success(200, format!("Event {name} is disallowed from tracking"), Value::Null));
    }
    check_id(&event)?;
    let found = who(call.project, &ids).map_err(Why::refusal)?;
    let mut types = Types::new();
    let create = create(call, &event);
    let (fields, _) = types.admit(call, &event, create)?;
    types.apply(call.project);
    log(call, &found, &event, fields);
    let id = event.get("id").and_then(Value::as_str).map_or_else(|| format!("sandbox-{}", call.project.events.rows.len()), str::to_owned);
    Ok(success(200, format!("Event with id: {id} tracked."), json!({"id": id})))
}

/// `POST /api/events/trackBulk`
pub(super) fn track_bulk(call: &mut Call<'_>) -> Answer {
    let events = rows(&mut call.body, "events");
    check_row_count(call.options, events.len())?;
    let ids = events.iter().map(Ids::read).collect::<Result<Vec<_>, _>>()?;
    events.iter().try_for_each(check_id)?;
    let (mut types, mut filtered, mut disallowed) = (Types::new(), BTreeSet::new(), BTreeSet::new());
    let mut sent = Vec::with_capacity(events.len());
    for event in &events {
        if call.options.disallowed_events.iter().any(|other| other == name(event)) {
            disallowed.insert(name(event).to_owned());
            sent.push(None);
            continue;
        }
        let create = create(call, event);
        let (fields, dropped) = types.admit(call, event, create)?;
        filtered.extend(dropped);
        sent.push(Some(fields));
    }
    let created = types.apply(call.project);
    let mut tally = Tally::default();
    for (number, ((event, ids), fields)) in events.iter().zip(&ids).zip(sent).enumerate() {
        let Some(fields) = fields else { continue };
        if call.request.half_failed && number % 2 == 1 {
            tally.fail(ids, Why::UnknownEmail);
            continue;
        }
        match who(call.project, ids) {
            Ok(found) => {
                log(call, &found, event, fields);
                tally.successes += 1;
            }
            Err(why) => tally.fail(ids, why),
        }
    }
    let created: Vec<&String> = created.iter().collect();
    let mut body = tally.reply(call, "POST /api/events/trackBulk", EVENT_FAILURES, &created, &filtered);
    body.insert("disallowedEventNames".into(), json!(disallowed));
    Ok(Reply::json(200, &Value::Object(body)))
}

fn name(event: &Value) -> &str {
    event.get("eventName").and_then(Value::as_str).unwrap_or_default()
}

fn create(call: &Call<'_>, event: &Value) -> bool {
    event.get("createNewFields").and_then(Value::as_bool).unwrap_or(call.options.create_new_fields)
}

/// Letters, digits and hyphens, 512 bytes at most.
fn check_id(event: &Value) -> Result<(), Refusal> {
    if name(event).is_empty() {
        return Err(Refusal::bad_params("eventName must not be empty"));
    }
    let right = |id: &str| !id.is_empty() && id.len() <= MOST_ID && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    match event.get("id").and_then(Value::as_str) {
        Some(id) if !right(id) => Err(Refusal::bad_params("id may hold letters, digits and hyphens, at most 512 bytes of them")),
        _ => Ok(()),
    }
}

/// Events make a profile for an unknown userId outside email projects, and never for an unknown address.
fn who(project: &Project, ids: &Ids) -> Result<Found, Why> {
    let found = project.resolve(ids, false)?;
    let unknown = found.index.is_none();
    if unknown && (project.project_type == ProjectType::Email || ids.user_id.is_none()) {
        return Err(if ids.email.is_some() { Why::UnknownEmail } else { Why::UnknownUserId });
    }
    Ok(found)
}

fn log(call: &mut Call<'_>, found: &Found, event: &Value, fields: Map<String, Value>) {
    let created_at = event.get("createdAt").and_then(Value::as_i64);
    note_time(call.project, created_at, call.now_ms);
    let index = call.project.ensure(found, call.now_ms);
    let mut content = Map::new();
    content.insert("dataFields".into(), Value::Object(fields));
    for name in ["createdAt", "campaignId", "templateId"] {
        if let Some(value) = event.get(name).filter(|value| !value.is_null()) {
            content.insert(name.into(), value.clone());
        }
    }
    let id = event.get("id").and_then(Value::as_str).map(str::to_owned);
    if id.is_none() {
        call.project.note("event_without_id");
    }
    let entry = Entry { name: name(event).to_owned(), id, created_at, content: Value::Object(content) };
    call.project.log_event(index, entry, call.now_ms, call.options.retain_events);
    call.project.fire(call.options, index, &Trigger::Event(name(event).to_owned()), created_at, call.now_ms);
}

/// The types that the events of one request would fix, by event name.
struct Types {
    added: BTreeMap<String, super::schema::Added>,
}

impl Types {
    fn new() -> Self {
        Self { added: BTreeMap::new() }
    }

    /// The fields to store, and the names of those left out.
    fn admit(&mut self, call: &Call<'_>, event: &Value, create: bool) -> Result<(Map<String, Value>, BTreeSet<String>), Refusal> {
        let Some(fields) = event.get("dataFields").and_then(Value::as_object) else { return Ok(Default::default()) };
        let name = name(event);
        let mut overlay = Overlay::event(call.project.event_schemas.get(name), call.options.max_event_fields, name);
        overlay.resume(self.added.remove(name).unwrap_or_default());
        let kept = overlay.admit(fields, create);
        let changes = overlay.finish()?;
        self.added.insert(name.to_owned(), changes.added);
        Ok((kept, changes.filtered))
    }

    /// Fixes the types; returns the names of the new fields.
    fn apply(self, project: &mut Project) -> Vec<String> {
        let mut created = BTreeSet::new();
        for (name, added) in self.added {
            created.extend(added.keys().cloned());
            project.event_schemas.entry(name).or_default().apply(added);
        }
        created.into_iter().collect()
    }
}

/// `GET /api/events/{email}`
pub(super) fn by_email(call: &mut Call<'_>) -> Answer {
    let index = call.args.first().and_then(|email| call.project.by_email(&email.to_lowercase()));
    list(call, index)
}

/// `GET /api/events/byUserId/{userId}`
pub(super) fn by_user_id(call: &mut Call<'_>) -> Answer {
    let index = call.args.first().and_then(|id| call.project.by_user_id(id));
    list(call, index)
}

fn list(call: &Call<'_>, index: Option<usize>) -> Answer {
    let limit = match call.request.parameter("limit") {
        None => 30,
        Some(text) => {
            text.parse().ok().filter(|limit| (1..=200).contains(limit)).ok_or_else(|| Refusal::bad_params("limit must be 1 to 200"))?
        }
    };
    let project = &call.project;
    let profile = index.and_then(|index| project.profile(index));
    let rows = profile.into_iter().flat_map(|profile| {
        let purchases = profile.purchases.iter().map(|row| (&project.purchases.rows[*row], "purchase"));
        purchases.chain(profile.events.iter().map(|row| (&project.events.rows[*row], "customEvent")))
    });
    let mut rows: Vec<(&Row, &str)> = rows.collect();
    rows.sort_by_key(|(row, _)| std::cmp::Reverse(row.created_at.unwrap_or(row.received_ms / 1_000)));
    let shown: Vec<Value> = rows.into_iter().take(limit).map(|(row, kind)| public(row, kind)).collect();
    Ok(Reply::json(200, &json!({"events": shown})))
}

/// `GET /api/export/userEvents`: all that happened to somebody, one a line, oldest first; custom events only when asked for.
pub(super) fn export(call: &mut Call<'_>) -> Answer {
    let index = match (call.request.parameter("email"), call.request.parameter("userId")) {
        (Some(email), _) => call.project.by_email(&email.to_lowercase()),
        (None, Some(id)) => call.project.by_user_id(&id),
        (None, None) => return Err(Refusal::bad_params("email or userId is required")),
    };
    let with_custom = call.request.parameter("includeCustomEvents").as_deref() == Some("true");
    let project = &call.project;
    let mut lines: Vec<(i64, Value)> = Vec::new();
    if let Some(profile) = index.and_then(|index| project.profile(index)) {
        let custom = profile.events.iter().filter(|_| with_custom).map(|row| (&project.events.rows[*row], "customEvent"));
        let rows = profile.purchases.iter().map(|row| (&project.purchases.rows[*row], "purchase")).chain(custom);
        lines.extend(rows.map(|(row, kind)| {
            let mut line = public(row, kind);
            line["_type"] = kind.into();
            (row.created_at.unwrap_or(row.received_ms / 1_000), line)
        }));
        lines.extend(profile.consent_events.iter().map(|moved| consent_event(moved, profile.email.as_deref())));
    }
    lines.sort_by_key(|(seconds, _)| *seconds);
    let text: String = lines.iter().map(|(_, line)| format!("{line}\n")).collect();
    Ok(Reply { content_type: "application/x-json-stream", ..Reply::text(200, text) })
}

/// A subscribe or unsubscribe event as the vendor exports it.
fn consent_event(moved: &Value, email: Option<&str>) -> (i64, Value) {
    let seconds = moved["atMs"].as_i64().unwrap_or_default() / 1_000;
    let of = |group: &str| if moved["group"] == group { json!([moved["id"]]) } else { json!([]) };
    let (kind, source) =
        if moved["action"] == "subscribe" { ("emailSubscribe", "signupSource") } else { ("emailUnSubscribe", "unsubSource") };
    let line = json!({"_type": kind, "createdAt": stamp(seconds), "email": email, "emailListIds": of("emailList"),
        "messageTypeIds": of("messageType"), "channelIds": of("messageChannel"), source: "API"});
    (seconds, line)
}

fn stamp(seconds: i64) -> Option<String> {
    chrono::DateTime::from_timestamp(seconds, 0).map(|time| time.format("%Y-%m-%d %H:%M:%S +00:00").to_string())
}

/// An event as the vendor shows it.
fn public(row: &Row, kind: &str) -> Value {
    let seconds = row.created_at.unwrap_or(row.received_ms / 1_000);
    let created = stamp(seconds);
    let mut shown = json!({"eventName": row.name, "eventType": kind, "createdAt": created, "id": row.id});
    if let (Some(shown), Some(Value::Object(content))) = (shown.as_object_mut(), &row.content) {
        shown.extend(content.iter().filter(|(name, _)| *name != "createdAt").map(|(name, value)| (name.clone(), value.clone())));
    }
    shown
}

/// `POST /api/workflows/triggerWorkflow`: starts a journey for one person, as often as it is called.
pub(super) fn trigger(call: &mut Call<'_>) -> Answer {
    let journey = Trigger::Call(call.body.get("workflowId").and_then(Value::as_i64).unwrap_or_default());
    if !call.options.journeys.iter().any(|known| known.trigger == journey) {
        return Err(Refusal::new(400, "GenericError", "No such workflow"));
    }
    let ids = Ids::read(&call.body)?;
    let unknown = if ids.email.is_some() { Why::UnknownEmail } else { Why::UnknownUserId };
    let found = call.project.resolve(&ids, false).and_then(|found| found.index.ok_or(unknown)).map_err(Why::refusal)?;
    call.project.fire(call.options, found, &journey, None, call.now_ms);
    Ok(success(200, "", Value::Null))
}
