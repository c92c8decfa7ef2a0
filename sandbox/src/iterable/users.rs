//! Profiles: one at a time, in bulk, read, renamed, merged, deleted, forgotten.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::identity::{Found, Ids, Why, forgotten_hash};
use super::options::{KeyType, Options, ProjectType, Trigger};
use super::project::{Profile, Project};
use super::reply::{Refusal, success};
use super::schema::{Changes, Overlay};
use super::{Answer, Call};
use crate::vendor::Reply;

/// The longest text a field holds.
const MOST_TEXT: usize = 32_000;

/// Written by the vendor only.
const SYSTEM_FIELDS: &[&str] = &[
    "itblUserId",
    "itblInternal",
    "itblDS",
    "profileUpdatedAt",
    "signupDate",
    "signupSource",
    "emailListIds",
    "userListIds",
    "subscribedMessageTypeIds",
    "unsubSource",
    "devices",
    "browserTokens",
    "phoneNumberDetails",
];

/// A user's part of a request, checked and not yet written.
pub(super) struct Plan {
    found: Found,
    fields: Map<String, Value>,
    merge_nested: bool,
    changes: Changes,
}

/// `POST /api/users/update`
pub(super) fn update(call: &mut Call<'_>) -> Answer {
    let user = call.body.take();
    let plan = plan(call, &user)?;
    apply(call, plan);
    Ok(success(200, "", Value::Null))
}

/// Checks one user as sent in `users/update` and in the `user` of commerce calls.
pub(super) fn plan(call: &mut Call<'_>, user: &Value) -> Result<Plan, Refusal> {
    let ids = Ids::read(user)?;
    let create = user.get("createNewFields").and_then(Value::as_bool).unwrap_or(call.options.create_new_fields);
    let mut found = call.project.resolve(&ids, flag(user, "preferUserId")).map_err(Why::refusal)?;
    let mut fields = sent_fields(call.project, user);
    let ignored = call.project.renaming(&mut found, &mut fields).map_err(Why::refusal)?;
    ignored.into_iter().for_each(|oddity| call.project.note(oddity));
    if too_long(&fields) {
        return Err(Why::InvalidData.refusal());
    }
    let held = take_subscriptions(call.options, &mut fields);
    let mut overlay = Overlay::profile(&call.project.schema, call.options.max_profile_fields);
    let mut fields = overlay.admit(&fields, create);
    let changes = overlay.finish()?;
    fields.extend(held);
    Ok(Plan { found, fields, merge_nested: flag(user, "mergeNestedObjects"), changes })
}

/// Writes what was planned; returns the profile's number.
pub(super) fn apply(call: &mut Call<'_>, plan: Plan) -> usize {
    call.project.schema.apply(plan.changes.added);
    write(call, &plan.found, plan.fields, plan.merge_nested)
}

fn write(call: &mut Call<'_>, found: &Found, fields: Map<String, Value>, merge_nested: bool) -> usize {
    let index = call.project.ensure(found, call.now_ms);
    let names: Vec<String> = fields.keys().cloned().collect();
    if let Some(profile) = call.project.profile_mut(index) {
        fields.into_iter().for_each(|(name, value)| set_field(profile, name, value, merge_nested));
    }
    if call.options.journeys.iter().any(|journey| matches!(journey.trigger, Trigger::ProfileField(_))) {
        for name in names {
            call.project.fire(call.options, index, &Trigger::ProfileField(name), None, call.now_ms);
        }
    }
    index
}

fn set_field(profile: &mut Profile, name: String, value: Value, merge_nested: bool) {
    match (name.as_str(), value) {
        ("shoppingCartItems", Value::Array(items)) => profile.cart = items,
        ("unsubscribedChannelIds", value) => profile.subscriptions.left_channels = numbers(&value),
        ("unsubscribedMessageTypeIds", value) => profile.subscriptions.left_types = numbers(&value),
        (_, Value::Null) => drop(profile.fields.remove(&name)),
        (_, Value::Object(new)) if merge_nested => match profile.fields.get_mut(&name) {
            Some(Value::Object(old)) => new.into_iter().for_each(|(key, value)| match value {
                Value::Null => drop(old.remove(&key)),
                value => drop(old.insert(key, value)),
            }),
            _ => drop(profile.fields.insert(name, Value::Object(new))),
        },
        (_, value) => drop(profile.fields.insert(name, value)),
    }
}

/// The fields a request sends, without those the vendor keeps to itself.
fn sent_fields(project: &mut Project, user: &Value) -> Map<String, Value> {
    let mut fields = match user.get("dataFields") {
        Some(Value::Object(map)) => map.clone(),
        _ => Map::new(),
    };
    fields.retain(|name, value| {
        let system = SYSTEM_FIELDS.contains(&name.as_str()) || name.starts_with("itblInternal.") || name.starts_with("itblDS.");
        if system {
            project.note_dropped("dataFields", name);
        } else if name == "shoppingCartItems" {
            project.note("cart_written_as_profile_field");
        } else if name == "phoneNumber" && !value.is_null() && !value.as_str().is_some_and(is_e164) {
            project.note("phone_number_not_e164");
        } else if name.starts_with('_') || name.contains(['.', ',', '#', ' ']) || name.bytes().all(|byte| byte.is_ascii_digit()) {
            project.note("doubtful_field_name");
        }
        !system
    });
    fields
}

/// While the feature for opt-in types is off, profile writes reach the two arrays of unsubscribes, without a trace; else they are ignored.
fn take_subscriptions(options: &Options, fields: &mut Map<String, Value>) -> Map<String, Value> {
    let mut held = Map::new();
    for name in ["unsubscribedChannelIds", "unsubscribedMessageTypeIds"] {
        if let Some(value) = fields.remove(name).filter(|value| !options.opt_in_message_types && value.is_array()) {
            held.insert(name.to_owned(), value);
        }
    }
    held
}

pub(super) fn numbers(value: &Value) -> BTreeSet<i64> {
    value.as_array().into_iter().flatten().filter_map(Value::as_i64).collect()
}

fn is_e164(phone: &str) -> bool {
    let digits = phone.strip_prefix('+').unwrap_or_default();
    (7..=15).contains(&digits.len()) && !digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn too_long(fields: &Map<String, Value>) -> bool {
    fn long(value: &Value) -> bool {
        match value {
            Value::String(text) => text.chars().count() > MOST_TEXT,
            Value::Array(items) => items.iter().any(long),
            Value::Object(map) => map.values().any(long),
            _ => false,
        }
    }
    fields.values().any(long)
}

pub(super) fn flag(object: &Value, name: &str) -> bool {
    object.get(name).and_then(Value::as_bool).unwrap_or(false)
}

/// The rows of a bulk call, under their key.
pub(super) fn rows(body: &mut Value, key: &str) -> Vec<Value> {
    match body.get_mut(key).map(Value::take) {
        Some(Value::Array(rows)) => rows,
        _ => Vec::new(),
    }
}

pub(super) fn check_row_count(options: &Options, rows: usize) -> Result<(), Refusal> {
    match options.max_bulk_rows {
        Some(most) if rows > most => Err(Refusal::new(400, "BatchTooLarge", format!("The batch holds more than {most} rows"))),
        _ => Ok(()),
    }
}

/// What became of the rows of a bulk call; failures are named by value, never by position.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) successes: u64,
    pub(super) failures: u64,
    arrays: BTreeMap<&'static str, Vec<String>>,
}

impl Tally {
    pub(super) fn fail(&mut self, ids: &Ids, why: Why) {
        self.failures += 1;
        let (emails, user_ids) = why.arrays();
        let by_user_id = match why {
            Why::Conflict => ids.user_id.is_some(),
            Why::InvalidUserId => true,
            _ => ids.email.is_none(),
        };
        if let Some(email) = ids.email.as_ref().filter(|_| why == Why::Conflict || !by_user_id) {
            self.arrays.entry(emails).or_default().push(email.clone());
        }
        if let Some(id) = ids.user_id.as_ref().filter(|_| by_user_id) {
            self.arrays.entry(user_ids).or_default().push(id.clone());
        }
    }

    /// The reply, with every array the vendor's documents name.
    pub(super) fn reply(
        mut self,
        call: &mut Call<'_>,
        name: &'static str,
        kinds: &[&str],
        created: &[&String],
        filtered: &BTreeSet<String>,
    ) -> Map<String, Value> {
        let count = call.project.counts.entry(name).or_default();
        count.rows_accepted += self.successes;
        count.rows_failed += self.failures;
        let mut failed = Map::new();
        for kind in kinds {
            for suffix in ["Emails", "UserIds"] {
                let key = format!("{kind}{suffix}");
                let values = self.arrays.remove(key.as_str()).unwrap_or_default();
                failed.insert(key, json!(values));
            }
        }
        let mut body = Map::new();
        body.insert("successCount".into(), self.successes.into());
        body.insert("failCount".into(), self.failures.into());
        body.insert("invalidEmails".into(), failed.get("invalidEmails").cloned().unwrap_or_else(|| json!([])));
        body.insert("invalidUserIds".into(), failed.get("invalidUserIds").cloned().unwrap_or_else(|| json!([])));
        body.insert("createdFields".into(), json!(created));
        body.insert("filteredOutFields".into(), json!(filtered));
        body.insert("failedUpdates".into(), Value::Object(failed));
        body
    }
}

/// The arrays of `failedUpdates` in calls about users.
pub(super) const USER_FAILURES: &[&str] = &["invalid", "notFound", "invalidData", "conflict", "forgotten"];

/// `POST /api/users/bulkUpdate`
pub(super) fn bulk_update(call: &mut Call<'_>) -> Answer {
    let create = call.body.get("createNewFields").and_then(Value::as_bool).unwrap_or(call.options.create_new_fields);
    let users = rows(&mut call.body, "users");
    if users.is_empty() {
        return Err(Refusal::new(400, "InvalidEmailAddressError", "No users are given"));
    }
    // The documents name the arrays for users that don't exist only for lists.
    let unknown_is_invalid = |why| match why {
        Why::UnknownEmail => Why::InvalidEmail,
        Why::UnknownUserId => Why::InvalidUserId,
        why => why,
    };
    let (reply, _) = write_rows(call, "POST /api/users/bulkUpdate", &users, create, unknown_is_invalid, |_, _| Ok(()))?;
    Ok(Reply::json(200, &Value::Object(reply)))
}

/// Writes the rows of a bulk call: a clash of types refuses them all, anything else its own row only. `check` has the last word on
/// a row. Returns the reply and the numbers of the profiles written.
pub(super) fn write_rows(
    call: &mut Call<'_>,
    name: &'static str,
    users: &[Value],
    create: bool,
    explain: impl Fn(Why) -> Why,
    check: impl Fn(Option<usize>, &Ids) -> Result<(), Why>,
) -> Result<(Map<String, Value>, Vec<usize>), Refusal> {
    check_row_count(call.options, users.len())?;
    let ids = users.iter().map(Ids::read).collect::<Result<Vec<_>, _>>()?;
    let mut seen = BTreeSet::new();
    let identifiers = ids.iter().map(|ids| ids.email.as_ref().or(ids.user_id.as_ref()));
    if identifiers.filter(|id| !seen.insert(*id)).count() > 0 {
        call.project.note("user_twice_in_one_batch");
    }
    let mut sent = Vec::with_capacity(users.len());
    for user in users {
        let mut fields = sent_fields(call.project, user);
        let held = take_subscriptions(call.options, &mut fields);
        let identity: Vec<_> = ["email", "userId"].into_iter().filter_map(|name| fields.remove_entry(name)).collect();
        sent.push((fields, held, identity));
    }
    let mut overlay = Overlay::profile(&call.project.schema, call.options.max_profile_fields);
    for (fields, held, identity) in &mut sent {
        if !too_long(fields) {
            *fields = overlay.admit(fields, create);
        }
        fields.append(held);
        fields.extend(identity.drain(..));
    }
    let changes = overlay.finish()?;
    let created: Vec<String> = changes.added.keys().cloned().collect();
    call.project.schema.apply(changes.added);
    let (mut tally, mut written) = (Tally::default(), Vec::new());
    for (number, ((user, ids), (mut fields, _, _))) in users.iter().zip(&ids).zip(sent).enumerate() {
        let half_failed = call.request.half_failed && number % 2 == 1;
        let plan = if half_failed || too_long(&fields) {
            Err(Why::InvalidData)
        } else {
            call.project.resolve(ids, flag(user, "preferUserId")).and_then(|mut found| {
                let oddity = call.project.renaming(&mut found, &mut fields)?;
                check(found.index, ids)?;
                Ok((found, oddity))
            })
        };
        match plan {
            Ok((found, oddity)) => {
                oddity.into_iter().for_each(|oddity| call.project.note(oddity));
                written.push(write(call, &found, fields, flag(user, "mergeNestedObjects")));
                tally.successes += 1;
            }
            Err(why) => tally.fail(ids, explain(why)),
        }
    }
    let created: Vec<&String> = created.iter().collect();
    Ok((tally.reply(call, name, USER_FAILURES, &created, &changes.filtered), written))
}

/// `POST /api/users/updateEmail`
pub(super) fn update_email(call: &mut Call<'_>) -> Answer {
    if call.project.project_type != ProjectType::Email {
        return Err(Refusal::bad_params("This call is for email-based projects only"));
    }
    let current = Ids::named(&call.body, "currentEmail", "currentUserId")?;
    let index = match (&current.email, &current.user_id) {
        (Some(email), _) => call.project.by_email(email).ok_or(Why::UnknownEmail),
        (None, id) => id.as_deref().and_then(|id| call.project.by_user_id(id)).ok_or(Why::UnknownUserId),
    };
    let new = Ids::email(call.body["newEmail"].as_str().unwrap_or_default());
    call.project.check_ids(&new).map_err(Why::refusal)?;
    let index = index.map_err(Why::refusal)?;
    match new.email.as_deref().and_then(|email| call.project.by_email(email)) {
        Some(other) if other != index => Err(Refusal::new(400, "EmailAlreadyExists", "A user with the new email exists")),
        _ => {
            call.project.rename(index, &new);
            Ok(success(200, "", Value::Null))
        }
    }
}

/// `POST /api/users/merge`
pub(super) fn merge(call: &mut Call<'_>) -> Answer {
    if call.options.api_key_type != KeyType::Server {
        return Err(Refusal::new(403, "Forbidden", "This call needs a server-side key"));
    }
    let source = Ids::named(&call.body, "sourceEmail", "sourceUserId")?;
    let destination = Ids::named(&call.body, "destinationEmail", "destinationUserId")?;
    call.project.check_ids(&source).map_err(Why::refusal)?;
    call.project.check_ids(&destination).map_err(Why::refusal)?;
    let find = |ids: &Ids| {
        let by_email = ids.email.as_deref().and_then(|email| call.project.by_email(email));
        by_email.or_else(|| ids.user_id.as_deref().and_then(|id| call.project.by_user_id(id)))
    };
    let from = find(&source).ok_or_else(|| Refusal::bad_params("The source user does not exist"))?;
    let Some(into) = find(&destination) else {
        call.project.rename(from, &destination);
        return Ok(success(200, "", Value::Null));
    };
    if from == into {
        return Err(Refusal::bad_params("Source and destination are the same user"));
    }
    let (Some(old), Some(kept)) = (call.project.profile(from), call.project.profile(into)) else {
        return Err(Refusal::bad_params("The source user does not exist"));
    };
    let mut fields = old.fields.clone();
    fields.extend(kept.fields.clone());
    for named in call.body.get("arrayMerge").and_then(Value::as_array).into_iter().flatten() {
        let field = named.get("field").and_then(Value::as_str).unwrap_or_default();
        let dedupe_by = named.get("dedupeBy").and_then(Value::as_str);
        fields.insert(field.to_owned(), merged_array(kept.fields.get(field), old.fields.get(field), dedupe_by)?);
    }
    call.project.absorb(from, into);
    if let Some(profile) = call.project.profile_mut(into) {
        profile.fields = fields;
    }
    Ok(success(200, "", Value::Null))
}

/// The destination's elements, then those of the source that are new.
fn merged_array(kept: Option<&Value>, old: Option<&Value>, dedupe_by: Option<&str>) -> Result<Value, Refusal> {
    let elements = |value: Option<&Value>| match value {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(items)) => items.clone(),
        Some(scalar) => vec![scalar.clone()],
    };
    let mut merged = elements(kept);
    for item in elements(old) {
        let same = |other: &Value| match dedupe_by {
            Some(key) => other.get(key).is_some() && other.get(key) == item.get(key),
            None => *other == item,
        };
        if !merged.iter().any(same) {
            merged.push(item);
        }
    }
    if dedupe_by.is_some() && !merged.iter().all(Value::is_object) {
        return Err(Refusal::bad_params("`dedupeBy` needs arrays of objects"));
    }
    Ok(Value::Array(merged))
}

/// `GET /api/users/getByEmail` and `GET /api/users/{email}`
pub(super) fn by_email(call: &mut Call<'_>) -> Answer {
    let email = call.args.first().cloned().or_else(|| call.request.parameter("email")).unwrap_or_default().to_lowercase();
    if !super::email::is_valid(&email) {
        return Err(Why::InvalidEmail.refusal());
    }
    let index = call.project.by_email(&email);
    let body = index.map_or_else(|| json!({}), |index| json!({"user": public(call.options, call.project, index)}));
    Ok(Reply::json(200, &body))
}

/// `GET /api/users/byUserId?userId=` and `GET /api/users/byUserId/{userId}`
pub(super) fn by_user_id(call: &mut Call<'_>) -> Answer {
    let id = call.args.first().cloned().or_else(|| call.request.parameter("userId")).unwrap_or_default();
    let index = call
        .project
        .by_user_id(&id)
        .ok_or_else(|| Refusal::newer(400, "error.users.noUserWithIdExists", "No user with that id exists!", json!([])))?;
    Ok(Reply::json(200, &json!({"user": public(call.options, call.project, index)})))
}

/// A profile as the vendor shows it.
pub(super) fn public(options: &Options, project: &Project, index: usize) -> Value {
    let Some(profile) = project.profile(index) else { return Value::Null };
    let mut fields = profile.fields.clone();
    let mut put = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    let date = |ms: i64| chrono::DateTime::from_timestamp_millis(ms).map(|time| time.format("%Y-%m-%d %H:%M:%S +00:00").to_string());
    let mut user = Map::new();
    for (name, id) in [("email", &profile.email), ("userId", &profile.user_id)] {
        if let Some(id) = id {
            put(name, id.as_str().into());
            user.insert(name.to_owned(), id.as_str().into());
        }
    }
    put("signupDate", date(profile.signed_up_ms).into());
    put("profileUpdatedAt", date(profile.updated_ms).into());
    put("itblUserId", crate::inspect::hex(&crate::inspect::digest(&json!(index))[..12]).into());
    let subscriptions = &profile.subscriptions;
    for (name, set) in [
        (options.list_field(), &subscriptions.lists),
        ("unsubscribedChannelIds", &subscriptions.left_channels),
        ("unsubscribedMessageTypeIds", &subscriptions.left_types),
        ("subscribedMessageTypeIds", &subscriptions.joined_types),
    ] {
        put(name, json!(set));
    }
    put("shoppingCartItems", json!(profile.cart));
    user.insert("dataFields".into(), Value::Object(fields));
    Value::Object(user)
}

/// `GET /api/users/getFields`
pub(super) fn fields(call: &mut Call<'_>) -> Answer {
    Ok(Reply::json(200, &json!({"fields": call.project.schema.named()})))
}

/// `DELETE /api/users/{email}`
pub(super) fn delete_by_email(call: &mut Call<'_>) -> Answer {
    if call.project.project_type == ProjectType::UserId {
        return Err(Refusal::bad_params("Users of this project are deleted by userId"));
    }
    let email = call.args.first().map(|email| email.to_lowercase()).unwrap_or_default();
    let index = call.project.by_email(&email).ok_or_else(|| Refusal::bad_params("No user with that email exists"))?;
    call.project.remove(index);
    Ok(success(200, "", Value::Null))
}

/// `DELETE /api/users/byUserId/{userId}`: every user with that id.
pub(super) fn delete_by_user_id(call: &mut Call<'_>) -> Answer {
    let all = call.project.all_by_user_id(call.args.first().map_or("", String::as_str));
    if all.is_empty() {
        return Err(Refusal::bad_params("No user with that userId exists"));
    }
    all.into_iter().for_each(|index| call.project.remove(index));
    Ok(success(200, "", Value::Null))
}

/// The identifier by which the project's type lets people be forgotten.
fn forgettable(call: &Call<'_>) -> Result<Ids, Refusal> {
    let ids = Ids::read(&call.body)?;
    match call.project.project_type {
        ProjectType::Email if ids.email.is_none() => Err(Refusal::bad_params("Users of this project are forgotten by email")),
        ProjectType::UserId if ids.user_id.is_none() => Err(Refusal::bad_params("Users of this project are forgotten by userId")),
        ProjectType::Email => Ok(Ids { user_id: None, ..ids }),
        ProjectType::UserId => Ok(Ids { email: None, ..ids }),
        ProjectType::Hybrid => Ok(ids),
    }
}

/// `POST /api/users/forget`: gone, and every later write is refused.
pub(super) fn forget(call: &mut Call<'_>) -> Answer {
    let mut ids = forgettable(call)?;
    let found = ids.email.as_deref().and_then(|email| call.project.by_email(email));
    let found = found.or_else(|| ids.user_id.as_deref().and_then(|id| call.project.by_user_id(id)));
    if let Some(profile) = found.and_then(|index| call.project.profile(index)).filter(|_| call.project.project_type == ProjectType::Hybrid)
    {
        ids = Ids { email: profile.email.clone().or(ids.email), user_id: profile.user_id.clone().or(ids.user_id) };
    }
    let email = ids.email.as_deref().map(forgotten_hash);
    let user_id = ids.user_id.as_deref().map(forgotten_hash);
    if let Some(email) = &email {
        call.project.forgotten_emails.insert(email.clone(), user_id.clone());
    }
    if let Some(user_id) = user_id {
        call.project.forgotten_user_ids.insert(user_id, email);
    }
    found.into_iter().for_each(|index| call.project.remove(index));
    Ok(success(200, "", Value::Null))
}

/// `POST /api/users/unforget`: writes are taken again; what was deleted stays deleted.
pub(super) fn unforget(call: &mut Call<'_>) -> Answer {
    let ids = forgettable(call)?;
    let mut emails: Vec<String> = ids.email.as_deref().map(forgotten_hash).into_iter().collect();
    let mut user_ids: Vec<String> = ids.user_id.as_deref().map(forgotten_hash).into_iter().collect();
    user_ids.extend(emails.iter().filter_map(|email| call.project.forgotten_emails.get(email).cloned().flatten()).collect::<Vec<_>>());
    emails.extend(user_ids.iter().filter_map(|id| call.project.forgotten_user_ids.get(id).cloned().flatten()).collect::<Vec<_>>());
    emails.iter().for_each(|email| drop(call.project.forgotten_emails.remove(email)));
    user_ids.iter().for_each(|id| drop(call.project.forgotten_user_ids.remove(id)));
    Ok(success(200, "", Value::Null))
}

/// `GET /api/users/forgotten`
pub(super) fn forgotten(call: &mut Call<'_>) -> Answer {
    if call.project.project_type == ProjectType::UserId {
        return Err(Refusal::bad_params("Users of this project are forgotten by userId"));
    }
    Ok(Reply::json(200, &json!({"hashedEmails": call.project.forgotten_emails.keys().collect::<Vec<_>>()})))
}

/// `GET /api/users/forgottenUserIds`
pub(super) fn forgotten_user_ids(call: &mut Call<'_>) -> Answer {
    if call.project.project_type == ProjectType::Email {
        return Err(Refusal::bad_params("Users of this project are forgotten by email"));
    }
    Ok(Reply::json(200, &json!({"hashedUserIds": call.project.forgotten_user_ids.keys().collect::<Vec<_>>()})))
}
