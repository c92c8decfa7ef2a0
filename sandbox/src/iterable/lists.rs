//! Lists: membership, not consent.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::identity::{Ids, Why};
use super::options::ProjectType;
use super::project::List;
use super::reply::{Refusal, success};
use super::users::{Tally, USER_FAILURES, check_row_count, flag, rows, write_rows};
use super::{Answer, Call, subscriptions};
use crate::vendor::Reply;

/// `GET /api/lists`
pub(super) fn all(call: &mut Call<'_>) -> Answer {
    let shown = call.project.lists.iter().map(|(id, list)| {
        let mut shown = json!({"id": id, "name": list.name, "createdAt": list.created_ms, "listType": list.list_type});
        if let Some(description) = &list.description {
            shown["description"] = description.as_str().into();
        }
        shown
    });
    Ok(Reply::json(200, &json!({"lists": shown.collect::<Vec<_>>()})))
}

/// `POST /api/lists`
pub(super) fn create(call: &mut Call<'_>) -> Answer {
    let text = |name: &str| call.body.get(name).and_then(Value::as_str).map(str::to_owned);
    let id = call.project.lists.keys().next_back().map_or(90_001, |last| last + 1);
    let (name, description) = (text("name").unwrap_or_default(), text("description"));
    let list = List { name, description, list_type: "Standard".into(), channel_id: None, created_ms: call.now_ms };
    call.project.lists.insert(id, list);
    Ok(Reply::json(200, &json!({"listId": id})))
}

/// `DELETE /api/lists/{listId}`
pub(super) fn delete(call: &mut Call<'_>) -> Answer {
    let id = in_path(call)?;
    call.project.lists.remove(&id);
    for profile in call.project.profiles.iter_mut().flatten() {
        profile.subscriptions.lists.remove(&id);
    }
    Ok(success(200, "", Value::Null))
}

/// Unknown lists answer with HTTP 400 and the code `Success`.
fn invalid(id: i64) -> Refusal {
    Refusal::new(400, "Success", format!("error.lists.invalidListId({id})"))
}

fn in_path(call: &Call<'_>) -> Result<i64, Refusal> {
    let id = call.args.first().and_then(|id| id.parse().ok()).ok_or_else(|| Refusal::bad_params("The list id is not a number"))?;
    if call.project.lists.contains_key(&id) { Ok(id) } else { Err(invalid(id)) }
}

/// Only static lists can be written.
fn in_body(call: &Call<'_>) -> Result<i64, Refusal> {
    let id = call.body.get("listId").and_then(Value::as_i64).unwrap_or_default();
    match call.project.lists.get(&id) {
        Some(list) if list.list_type == "Standard" => Ok(id),
        _ => Err(invalid(id)),
    }
}

/// `POST /api/lists/subscribe`: makes profiles, unless told not to where that is honoured.
pub(super) fn subscribe(call: &mut Call<'_>) -> Answer {
    let list = in_body(call)?;
    let users = rows(&mut call.body, "subscribers");
    let existing_only = flag(&call.body, "updateExistingUsersOnly") && call.project.project_type != ProjectType::Email;
    let check = |index: Option<usize>, ids: &Ids| match (index, &ids.email) {
        (None, Some(_)) if existing_only => Err(Why::UnknownEmail),
        (None, None) if existing_only => Err(Why::UnknownUserId),
        _ => Ok(()),
    };
    let create = call.options.create_new_fields;
    let (reply, written) = write_rows(call, "POST /api/lists/subscribe", &users, create, |why| why, check)?;
    written.into_iter().for_each(|index| subscriptions::join_list(call, index, list));
    Ok(Reply::json(200, &Value::Object(reply)))
}

/// `POST /api/lists/unsubscribe`
pub(super) fn unsubscribe(call: &mut Call<'_>) -> Answer {
    let list = in_body(call)?;
    let with_channel = subscriptions::with_channel(&call.body);
    let users = rows(&mut call.body, "subscribers");
    check_row_count(call.options, users.len())?;
    let ids = users.iter().map(Ids::read).collect::<Result<Vec<_>, _>>()?;
    let mut tally = Tally::default();
    for (number, ids) in ids.iter().enumerate() {
        if call.request.half_failed && number % 2 == 1 {
            tally.fail(ids, Why::UnknownEmail);
            continue;
        }
        let unknown = if ids.email.is_some() { Why::UnknownEmail } else { Why::UnknownUserId };
        match call.project.resolve(ids, false).and_then(|found| found.index.ok_or(unknown)) {
            Ok(index) => {
                subscriptions::leave_list(call, index, list, with_channel);
                tally.successes += 1;
            }
            Err(why) => tally.fail(ids, why),
        }
    }
    let reply = tally.reply(call, "POST /api/lists/unsubscribe", USER_FAILURES, &[], &BTreeSet::new());
    Ok(Reply::json(200, &Value::Object(reply)))
}

/// `GET /api/lists/getUsers`: one identifier a line.
pub(super) fn users(call: &mut Call<'_>) -> Answer {
    let id = call.request.parameter("listId").and_then(|id| id.parse().ok()).ok_or_else(|| Refusal::bad_params("listId is missing"))?;
    if !call.project.lists.contains_key(&id) {
        return Err(invalid(id));
    }
    let prefer_user_id = call.request.parameter("preferUserId").as_deref() == Some("true");
    let members = call.project.profiles.iter().flatten().filter(|profile| profile.subscriptions.lists.contains(&id));
    let shown = members.filter_map(|profile| {
        let (first, second) = if prefer_user_id { (&profile.user_id, &profile.email) } else { (&profile.email, &profile.user_id) };
        first.as_deref().or(second.as_deref())
    });
    Ok(Reply::text(200, shown.collect::<Vec<_>>().join("\n")))
}

/// `GET /api/lists/{listId}/size`
pub(super) fn size(call: &mut Call<'_>) -> Answer {
    let id = in_path(call)?;
    let size = call.project.profiles.iter().flatten().filter(|profile| profile.subscriptions.lists.contains(&id)).count();
    Ok(Reply::text(200, size.to_string()))
}
