//! Lists of unsubscriptions. They stand apart from the flags of the profile, and no answer tells of a single address.

use serde_json::{Value, json};

use super::Call;
use super::options::Channel;
use crate::vendor::Reply;

const MOST_ROWS: usize = 500;

fn bad_request() -> Reply {
    Reply::json(400, &json!({"statusMessage": "Bad request"}))
}

fn rows(call: &Call<'_>, channel: Channel) -> Option<Vec<String>> {
    let key = match channel {
        Channel::Email if call.options.profile_based_email && call.body.get("users").is_some() => "users",
        Channel::Email => "emails",
        Channel::Sms | Channel::Whatsapp => "phone_numbers",
    };
    let rows = call.body.get(key)?.as_array().filter(|rows| !rows.is_empty() && rows.len() <= MOST_ROWS)?;
    rows.iter()
        .map(|row| if key == "users" { row.get("email").and_then(Value::as_str) } else { row.as_str() })
        .map(|address| address.map(str::to_owned))
        .collect()
}

fn leave(call: &mut Call<'_>, channel: Channel) -> Reply {
    if channel == Channel::Email && call.options.profile_based_email != call.body.get("users").is_some() {
        return bad_request();
    }
    let Some(rows) = rows(call, channel) else { return bad_request() };
    let name = if channel == Channel::Email { "email" } else { "phone_number" };
    for address in rows {
        if call.options.is_identifier(name) {
            // Whoever is not known yet is made, so that the no is kept.
            call.account.resolve(call.options, &[(name.to_owned(), address.clone())].into());
        }
        call.account.unsubscribed.entry(channel).or_default().insert(address);
    }
    Reply::json(200, &json!({"statusMessage": "OK"}))
}

fn join(call: &mut Call<'_>, channel: Channel) -> Reply {
    let Some(rows) = rows(call, channel) else { return bad_request() };
    let list = call.account.unsubscribed.entry(channel).or_default();
    for address in &rows {
        list.remove(address);
    }
    Reply::json(200, &json!({"statusMessage": "OK"}))
}

pub(super) fn leave_email(call: &mut Call<'_>) -> Reply {
    leave(call, Channel::Email)
}

pub(super) fn leave_sms(call: &mut Call<'_>) -> Reply {
    leave(call, Channel::Sms)
}

pub(super) fn leave_whatsapp(call: &mut Call<'_>) -> Reply {
    leave(call, Channel::Whatsapp)
}

pub(super) fn join_email(call: &mut Call<'_>) -> Reply {
    join(call, Channel::Email)
}

pub(super) fn join_sms(call: &mut Call<'_>) -> Reply {
    join(call, Channel::Sms)
}

pub(super) fn join_whatsapp(call: &mut Call<'_>) -> Reply {
    join(call, Channel::Whatsapp)
}
