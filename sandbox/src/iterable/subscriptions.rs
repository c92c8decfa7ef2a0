//! Consent: arrays that are replaced, and the newer calls that add and remove one thing.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::identity::{Found, Ids, Why};
use super::options::{Options, Policy, Trigger};
use super::project::{Project, Subscriptions};
use super::reply::{Refusal, success};
use super::users::{flag, numbers, rows};
use super::{Answer, Call};
use crate::vendor::Reply;

/// Something people join and leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Group {
    List(i64),
    MessageType(i64),
    Channel(i64),
}

/// `POST /api/users/updateSubscriptions`: each array that is sent replaces the stored one.
pub(super) fn update(call: &mut Call<'_>) -> Answer {
    let request = call.body.take();
    let ids = Ids::read(&request)?;
    let found = call.project.resolve(&ids, false).map_err(Why::refusal)?;
    let next = replaced(call.options, call.project, &found, &request)?;
    write(call, &found, next);
    Ok(success(200, "", Value::Null))
}

/// `POST /api/users/bulkUpdateSubscriptions`
pub(super) fn bulk_update(call: &mut Call<'_>) -> Answer {
    let requests = rows(&mut call.body, "updateSubscriptionsRequests");
    super::users::check_row_count(call.options, requests.len())?;
    let (mut invalid, mut failed) = ((Vec::new(), Vec::new()), (Vec::new(), Vec::new()));
    let mut successes = 0_u64;
    for (number, request) in requests.iter().enumerate() {
        let ids = Ids::read(request)?;
        let half_failed = call.request.half_failed && number % 2 == 1;
        let plan = call.project.resolve(&ids, false).map_err(Why::refusal);
        let plan = plan.and_then(|found| replaced(call.options, call.project, &found, request).map(|next| (found, next)));
        match plan {
            Ok((found, next)) if !half_failed => {
                write(call, &found, next);
                successes += 1;
            }
            // What is valid and fails all the same may be sent again.
            other => {
                let (emails, user_ids) = if other.is_ok() { &mut failed } else { &mut invalid };
                match (ids.email, ids.user_id) {
                    (Some(email), _) => emails.push(email),
                    (None, id) => user_ids.extend(id),
                }
            }
        }
    }
    let failures = requests.len() as u64 - successes;
    let count = call.project.counts.entry("POST /api/users/bulkUpdateSubscriptions").or_default();
    count.rows_accepted += successes;
    count.rows_failed += failures;
    Ok(Reply::json(
        200,
        &json!({"successCount": successes, "failCount": failures, "invalidEmails": invalid.0, "invalidUserIds": invalid.1,
            "validEmailFailures": failed.0, "validUserIdFailures": failed.1}),
    ))
}

/// The arrays as they will be, checked as a whole.
fn replaced(options: &Options, project: &Project, found: &Found, request: &Value) -> Result<Subscriptions, Refusal> {
    let mut next = found.index.and_then(|index| project.profile(index)).map(|profile| profile.subscriptions.clone()).unwrap_or_default();
    let sent = |name: &str| request.get(name).filter(|value| !value.is_null()).map(numbers);
    let known = |set: &BTreeSet<i64>, name: &str, is_known: &dyn Fn(i64) -> bool| match set.iter().find(|id| !is_known(**id)) {
        Some(id) => Err(Refusal::bad_params(format!("{name} holds an unknown id: {id}"))),
        None => Ok(()),
    };
    if let Some(lists) = sent("emailListIds") {
        known(&lists, "emailListIds", &|id| project.lists.get(&id).is_some_and(|list| list.list_type == "Standard"))?;
        next.lists = lists;
    }
    if let Some(channels) = sent("unsubscribedChannelIds") {
        known(&channels, "unsubscribedChannelIds", &|id| options.channel(id).is_some())?;
        next.left_channels = channels;
    }
    if let Some(types) = sent("unsubscribedMessageTypeIds") {
        known(&types, "unsubscribedMessageTypeIds", &|id| options.message_type(id).is_some())?;
        next.left_types = types;
    }
    if let Some(types) = sent("subscribedMessageTypeIds") {
        if !options.opt_in_message_types {
            return Err(Refusal::bad_params("Opt-in message types are not enabled for this project"));
        }
        known(&types, "subscribedMessageTypeIds", &|id| options.message_type(id).is_some())?;
        next.joined_types = types;
        let aligned = request.get("validateChannelAlignment").and_then(Value::as_bool) == Some(false)
            || !next
                .joined_types
                .iter()
                .any(|id| options.message_type(*id).is_some_and(|kind| next.left_channels.contains(&kind.channel_id)));
        if !aligned {
            return Err(Refusal::bad_params("subscribedMessageTypeIds holds a type of an unsubscribed channel"));
        }
    }
    Ok(next)
}

fn write(call: &mut Call<'_>, found: &Found, next: Subscriptions) -> usize {
    let index = call.project.ensure(found, call.now_ms);
    let Some(profile) = call.project.profile_mut(index) else { return index };
    let before = std::mem::replace(&mut profile.subscriptions, next.clone());
    let mut moves = Vec::new();
    // Being absent from an array of unsubscribes is what being subscribed looks like.
    for (kind, old, new, present_is_subscribed) in [
        ("emailList", &before.lists, &next.lists, true),
        ("messageType", &before.joined_types, &next.joined_types, true),
        ("messageType", &before.left_types, &next.left_types, false),
        ("messageChannel", &before.left_channels, &next.left_channels, false),
    ] {
        moves.extend(new.difference(old).map(|id| (kind, *id, present_is_subscribed)));
        moves.extend(old.difference(new).map(|id| (kind, *id, !present_is_subscribed)));
    }
    let told = moves.iter().map(|(kind, id, joined)| {
        json!({"action": if *joined { "subscribe" } else { "unsubscribe" }, "group": kind, "id": id, "atMs": call.now_ms})
    });
    profile.consent_events.extend(told);
    for (trigger, wanted) in [(Trigger::Subscribe, true), (Trigger::Unsubscribe, false)] {
        if moves.iter().any(|(_, _, joined)| *joined == wanted) {
            call.project.fire(call.options, index, &trigger, None, call.now_ms);
        }
    }
    index
}

/// Reads the group of a path, or says why it can't be used.
fn group(call: &Call<'_>) -> Result<Group, Refusal> {
    if !call.options.additive_subscriptions {
        return Err(Refusal::new(404, "NotFound", "This feature is not enabled for the project"));
    }
    let kind = call.args.first().map_or("", String::as_str).to_ascii_lowercase();
    let id = call.args.get(1).and_then(|id| id.parse::<i64>().ok()).ok_or_else(|| Refusal::bad_params("The group id is not a number"))?;
    let (group, known) = match kind.as_str() {
        "emaillist" => (Group::List(id), call.project.lists.get(&id).is_some_and(|list| list.list_type == "Standard")),
        "messagetype" => (Group::MessageType(id), call.options.message_type(id).is_some()),
        "messagechannel" => (Group::Channel(id), call.options.channel(id).is_some()),
        _ => return Err(Refusal::bad_params("The group must be emailList, messageType or messageChannel")),
    };
    if known { Ok(group) } else { Err(Refusal::bad_params(format!("Unknown group id: {id}"))) }
}

fn moved(options: &Options, mut current: Subscriptions, group: Group, join: bool) -> Subscriptions {
    let (set, id, put) = match group {
        Group::List(id) => (&mut current.lists, id, join),
        Group::Channel(id) => (&mut current.left_channels, id, !join),
        Group::MessageType(id) if options.message_type(id).is_some_and(|kind| kind.policy == Policy::OptIn) => {
            (&mut current.joined_types, id, join)
        }
        Group::MessageType(id) => (&mut current.left_types, id, !join),
    };
    if put {
        set.insert(id);
    } else {
        set.remove(&id);
    }
    current
}

fn one(call: &mut Call<'_>, ids: &Ids, group: Group, join: bool) -> Result<(), Why> {
    let found = call.project.resolve(ids, false)?;
    let current = found.index.and_then(|index| call.project.profile(index)).map(|profile| profile.subscriptions.clone());
    let next = moved(call.options, current.unwrap_or_default(), group, join);
    write(call, &found, next);
    Ok(())
}

fn single(call: &mut Call<'_>, ids: impl Fn(&str) -> Ids, join: bool) -> Answer {
    let group = group(call)?;
    let ids = ids(call.args.get(2).map_or("", String::as_str));
    one(call, &ids, group, join).map_err(Why::refusal)?;
    Ok(success(202, "", Value::Null))
}

/// `PATCH /api/subscriptions/{group}/{groupId}/user/{email}`
pub(super) fn subscribe_email(call: &mut Call<'_>) -> Answer {
    single(call, Ids::email, true)
}

/// `DELETE /api/subscriptions/{group}/{groupId}/user/{email}`
pub(super) fn unsubscribe_email(call: &mut Call<'_>) -> Answer {
    single(call, Ids::email, false)
}

/// `PATCH /api/subscriptions/{group}/{groupId}/byUserId/{userId}`
pub(super) fn subscribe_user_id(call: &mut Call<'_>) -> Answer {
    single(call, Ids::user_id, true)
}

/// `DELETE /api/subscriptions/{group}/{groupId}/byUserId/{userId}`
pub(super) fn unsubscribe_user_id(call: &mut Call<'_>) -> Answer {
    single(call, Ids::user_id, false)
}

/// `PUT /api/subscriptions/{group}/{groupId}?action=`: all users are checked before any is moved.
pub(super) fn many(call: &mut Call<'_>) -> Answer {
    let group = group(call)?;
    let join = match call.request.parameter("action").as_deref() {
        Some("subscribe") => true,
        Some("unsubscribe") => false,
        _ => return Err(Refusal::bad_params("action must be subscribe or unsubscribe")),
    };
    let texts = |name: &str| -> Vec<String> {
        call.body.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let mut ids: Vec<Ids> = texts("users").iter().map(|email| Ids::email(email)).collect();
    ids.extend(texts("usersByUserId").iter().map(|id| Ids::user_id(id)));
    ids.iter().try_for_each(|ids| call.project.resolve(ids, false).map(drop)).map_err(Why::refusal)?;
    for ids in &ids {
        one(call, ids, group, join).map_err(Why::refusal)?;
    }
    Ok(success(202, "", Value::Null))
}

/// `POST /api/subscriptions/subscribeToDoubleOptIn`: the user is asked by SMS; nothing changes but the phone number.
pub(super) fn double_opt_in(call: &mut Call<'_>) -> Answer {
    if !call.options.additive_subscriptions {
        return Err(Refusal::new(404, "NotFound", "This feature is not enabled for the project"));
    }
    let ids = Ids::read(&call.body)?;
    let found = call.project.resolve(&ids, false).ok().filter(|found| found.index.is_some());
    let Some(found) = found else { return Ok(Reply::text(400, "The user does not exist")) };
    let index = call.project.ensure(&found, call.now_ms);
    let phone = call.body.get("phoneNumber").filter(|phone| phone.is_string()).cloned();
    if let (Some(phone), Some(profile)) = (phone, call.project.profile_mut(index)) {
        profile.fields.insert("phoneNumber".into(), phone);
    }
    Ok(Reply::text(202, "Accepted"))
}

/// `channelUnsubscribe: true` on a list takes people out of all the list's channel sends.
pub(super) fn leave_list(call: &mut Call<'_>, index: usize, list: i64, with_channel: bool) {
    let Some(profile) = call.project.profile(index) else { return };
    let mut next = moved(call.options, profile.subscriptions.clone(), Group::List(list), false);
    let channel =
        call.project.lists.get(&list).and_then(|list| list.channel_id).or_else(|| call.options.channels.first().map(|channel| channel.id));
    if let Some(channel) = channel.filter(|_| with_channel) {
        next = moved(call.options, next, Group::Channel(channel), false);
    }
    write(call, &Found { index: Some(index), ids: Ids::default() }, next);
}

/// Puts somebody on a list.
pub(super) fn join_list(call: &mut Call<'_>, index: usize, list: i64) {
    let Some(profile) = call.project.profile(index) else { return };
    let next = moved(call.options, profile.subscriptions.clone(), Group::List(list), true);
    write(call, &Found { index: Some(index), ids: Ids::default() }, next);
}

/// `GET /api/channels`
pub(super) fn channels(call: &mut Call<'_>) -> Answer {
    let shown = call.options.channels.iter().map(|channel| {
        json!({"id": channel.id, "name": channel.name, "channelType": channel.channel_type, "messageMedium": channel.message_medium})
    });
    Ok(Reply::json(200, &json!({"channels": shown.collect::<Vec<_>>()})))
}

/// `GET /api/messageTypes`
pub(super) fn message_types(call: &mut Call<'_>) -> Answer {
    let shown = call.options.message_types.iter().map(|kind| {
        let policy = if kind.policy == Policy::OptIn { "OptIn" } else { "OptOut" };
        json!({"id": kind.id, "name": kind.name, "channelId": kind.channel_id, "subscriptionPolicy": policy,
            "createdAt": 1_700_000_000_000_i64, "updatedAt": 1_700_000_000_000_i64})
    });
    Ok(Reply::json(200, &json!({"messageTypes": shown.collect::<Vec<_>>()})))
}

/// `GET /api/webhooks`, which callers use to see whether a key works.
pub(super) fn webhooks(_: &mut Call<'_>) -> Answer {
    Ok(Reply::json(200, &json!({"webhooks": []})))
}

/// Whether a call's flag is set.
pub(super) fn with_channel(body: &Value) -> bool {
    flag(body, "channelUnsubscribe")
}
