//! Calls in two steps: what is read, or cleared, before something may be written.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

use super::super::{Completed, Operation, Reading, Refusal, Reply, Request, Skip, Verdict};
use super::build::QUIET;
use super::config::IdentityConflict;
use super::request::{self, ConsentRow, Members, SuppressionRow, parse};
use super::{Insider, capabilities as endpoints, reply};
use crate::error::{Error, ErrorCode, Retry};
use crate::model::SkipReason;

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    attributes: Option<BTreeMap<String, Value>>,
    #[serde(default)]
    events: Option<BTreeMap<String, Vec<Value>>>,
}

/// What a profile says about one permission.
struct Stored {
    /// The flag; `None` when nothing was ever written.
    flag: Option<bool>,
    /// Whether the person is on the list of unsubscriptions.
    unsubscribed: bool,
    /// Whether the person ever left by a link or an answer.
    left_once: bool,
    /// The time of the no that this library wrote, where that is what the profile says, nobody left since and it may be lifted.
    our_no: Option<DateTime<Utc>>,
}

impl Insider {
    /// The call that goes before an operation's own.
    pub(super) fn first_call(&self, operation: &Operation) -> Result<Option<Request>, Error> {
        let body = match operation.endpoint.as_ref() {
            endpoints::UPSERT => {
                let names = request::cleared(&operation.body);
                if names.is_empty() {
                    return Ok(None);
                }
                if request::gives(&operation.body) {
                    return self.call(endpoints::CLEAR, request::clearing(&operation.body, &names)?).map(Some);
                }
                // Clearing is all there is to do, and cannot be undone: only for somebody who is there.
                let read: Vec<String> = names.iter().map(|name| read_name(name)).collect();
                request::reading(&operation.body, &read, None)?
            }
            endpoints::CONSENT => {
                let row: ConsentRow<'_> = parse(&operation.body)?;
                if !row.granted {
                    return Ok(None);
                }
                request::reading(&operation.body, &self.wanted(&row.flag), self.left_event(&row.flag))?
            }
            endpoints::JOIN_EMAIL | endpoints::JOIN_SMS | endpoints::JOIN_WHATSAPP => {
                let row: SuppressionRow<'_> = parse(&operation.body)?;
                let of = row.permission()?;
                let flag = parse::<ConsentRow<'_>>(of)?.flag;
                request::reading(of, &self.wanted(&flag), self.left_event(&flag))?
            }
            endpoints::IDENTITY => {
                let row: Members<'_> = parse(&operation.body)?;
                let new = row.get("new_identifier").ok_or_else(|| request::internal("an identifier is missing"))?;
                request::reading_of(new, &["uuid"])?
            }
            _ => return Ok(None),
        };
        self.call(endpoints::PROFILE, body).map(Some)
    }

    /// The event of leaving the channel of a flag.
    fn left_event(&self, flag: &str) -> Option<&str> {
        self.config.left_event(channel_of(flag))
    }

    /// Attributes to read before a yes to a flag.
    fn wanted(&self, flag: &str) -> Vec<String> {
        let mut names = vec![read_name(flag)];
        if flag == "email_optin" {
            names.extend(self.config.unsubscribed_attribute().map(str::to_owned));
        }
        if self.config.consent_evidence {
            let (status, at) = request::evidence(flag);
            names.extend([format!("c_{status}"), format!("c_{at}")]);
        }
        names
    }

    /// What the first call's answer leaves to do.
    pub(super) fn second_call(&self, operation: &Operation, answer: &Reply) -> Result<Completed, Error> {
        let send = || Ok(Completed::Send(self.call(endpoint_of(operation)?, self.body(&operation.endpoint, &[operation])?)?));
        let skip = |reason, detail: &str| Ok(Completed::Skip(Skip::new(reason, detail)));
        let clears = operation.endpoint == endpoints::UPSERT && request::gives(&operation.body);
        let nobody = answer.status == 404;
        if !nobody && !(200..300).contains(&answer.status) {
            return not_read(operation, answer);
        }
        if clears {
            // Nobody has nothing to clear.
            return match reply::failures(answer).filter(|_| !nobody) {
                None => send(),
                Some(why) => {
                    Err(Error::new(ErrorCode::Rejected, "Insider did not clear attributes that have no value any more").with("rule", why))
                }
            };
        }
        let found = if nobody { None } else { Some(read(answer)?) };
        // History lifts nothing: whoever left since then would be subscribed again.
        let live = operation.group != QUIET;
        match (operation.endpoint.as_ref(), found) {
            (endpoints::UPSERT, None) => skip(SkipReason::Unchanged, "there is no such profile, and nothing to clear"),
            (endpoints::UPSERT, Some(_)) => {
                let names = request::cleared(&operation.body);
                Ok(Completed::Send(self.call(endpoints::CLEAR, request::clearing(&operation.body, &names)?)?))
            }
            (endpoints::IDENTITY, None) | (endpoints::CONSENT, None) => send(),
            (endpoints::IDENTITY, Some(found)) => self.taken(operation, &found),
            (endpoints::CONSENT, Some(found)) => {
                let row: ConsentRow<'_> = parse(&operation.body)?;
                let stored = self.stored(&row.flag, &found);
                if stored.flag == Some(true) && !stored.unsubscribed {
                    // Writing it again could bring back somebody whose leaving the profile does not show.
                    skip(SkipReason::Unchanged, "the profile already says so")
                } else if !stored.left() || (live && stored.yields_to(&row)) {
                    send()
                } else {
                    skip(SkipReason::DeniedAtDestination, "the person left at Insider, and that this yes is newer is not proven")
                }
            }
            (_, None) => skip(SkipReason::Unchanged, "nobody is unsubscribed"),
            (_, Some(found)) => {
                let row: SuppressionRow<'_> = parse(&operation.body)?;
                let row: ConsentRow<'_> = parse(row.permission()?)?;
                let stored = self.stored(&row.flag, &found);
                if !stored.left() {
                    skip(SkipReason::Unchanged, "the person is not unsubscribed")
                } else if stored.yields_to(&row) {
                    send()
                } else {
                    skip(SkipReason::DeniedAtDestination, "the person left at Insider, and that this yes is newer is not proven")
                }
            }
        }
    }

    /// Somebody has the new identifier already.
    fn taken(&self, operation: &Operation, found: &Answer) -> Result<Completed, Error> {
        let row: Members<'_> = parse(&operation.body)?;
        let own =
            row.get("identifiers").and_then(|raw| serde_json::from_str::<BTreeMap<String, Value>>(raw.get()).ok()).unwrap_or_default();
        let skip = |reason, detail: &str| Ok(Completed::Skip(Skip::new(reason, detail)));
        match (own.get("uuid"), found.attribute("uuid"), self.config.identity_conflict) {
            (Some(own), Some(found), _) if own == found => skip(SkipReason::Unchanged, "the profile has the new identifier already"),
            (_, _, IdentityConflict::Merge) => skip(
                SkipReason::Superseded,
                "another profile has the new identifier; the next write of the contact names both, and Insider merges them",
            ),
            _ => Err(Error::new(
                ErrorCode::Conflict,
                "another profile has the new identifier; merge them, or set `identity_conflict` to `merge`",
            )),
        }
    }

    fn stored(&self, flag: &str, found: &Answer) -> Stored {
        let unsubscribed = self.config.unsubscribed_attribute().filter(|_| flag == "email_optin").and_then(|name| found.attribute(name));
        let (status, at) = request::evidence(flag);
        let text = |name: &str| found.attribute(&format!("c_{name}")).and_then(Value::as_str);
        let denied = self.config.consent_evidence && text(&status) == Some("denied");
        let no: Option<DateTime<Utc>> = text(&at).filter(|_| denied).and_then(|at| at.parse().ok());
        let left = self.left_event(flag);
        Stored {
            flag: found.attribute(&read_name(flag)).map(is_yes),
            unsubscribed: unsubscribed.is_some_and(is_yes),
            left_once: left.is_some_and(|event| found.happened_after(event, DateTime::UNIX_EPOCH)),
            our_no: no.filter(|no| self.config.lifts(channel_of(flag)) && left.is_some_and(|event| !found.happened_after(event, *no))),
        }
    }
}

impl Answer {
    fn attribute(&self, name: &str) -> Option<&Value> {
        self.attributes.as_ref()?.get(name).filter(|value| !value.is_null())
    }

    /// Whether an event happened after a time; one whose time cannot be read did.
    fn happened_after(&self, event: &str, time: DateTime<Utc>) -> bool {
        let rows = self.events.as_ref().and_then(|events| events.get(event));
        rows.into_iter().flatten().any(|row| {
            let at = ["timestamp", "created_date"].iter().find_map(|key| row.get(key)).and_then(Value::as_str);
            at.and_then(|at| at.parse::<DateTime<Utc>>().ok()).is_none_or(|at| at > time)
        })
    }
}

impl Stored {
    fn left(&self) -> bool {
        self.flag == Some(false) || self.unsubscribed || (self.left_once && self.flag != Some(true))
    }

    /// Whether the yes is provably newer than the no.
    fn yields_to(&self, row: &ConsentRow<'_>) -> bool {
        row.granted && self.our_no.zip(row.at).is_some_and(|(no, yes)| yes > no)
    }
}

/// Anything that is not clearly a yes is a no.
pub(super) fn is_yes(value: &Value) -> bool {
    match value {
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_i64() == Some(1),
        Value::String(text) => matches!(text.as_str(), "true" | "1"),
        _ => false,
    }
}

/// The channel a flag speaks of.
fn channel_of(flag: &str) -> &str {
    flag.strip_suffix("_optin").unwrap_or(flag)
}

/// The name under which an attribute is read: customs get `c_`, and `gdpr_optin` loses its end
/// (<https://academy.insiderone.com/docs/default-attributes>).
pub(super) fn read_name(name: &str) -> String {
    match name.strip_prefix("custom.") {
        Some(own) => format!("c_{own}"),
        None if name == "gdpr_optin" => "gdpr".to_owned(),
        None => name.to_owned(),
    }
}

fn endpoint_of(operation: &Operation) -> Result<&'static str, Error> {
    endpoints::CAPABILITIES
        .endpoint(&operation.endpoint)
        .map(|facts| facts.id)
        .ok_or_else(|| request::internal("the endpoint is not Insider's"))
}

fn read(answer: &Reply) -> Result<Answer, Error> {
    serde_json::from_slice(&answer.body)
        .map_err(|error| Error::new(ErrorCode::Unavailable, "the profile cannot be read").because(error).retry(Retry::Later(None)))
}

/// What a first call that failed means for the operation.
fn not_read(operation: &Operation, answer: &Reply) -> Result<Completed, Error> {
    let failed = |refusal: Refusal| Error::new(refusal.code.0, refusal.message).with("vendor_code", refusal.vendor_code);
    match reply::read(&[operation], answer) {
        Reading::Retry(refusal, after) => Ok(Completed::Retry(refusal, after)),
        Reading::Stop(error) => Err(error),
        Reading::Split(refusal) => Err(failed(refusal)),
        Reading::Each(verdicts, _) => match verdicts.into_iter().next() {
            Some(Verdict::Rejected(refusal)) => Err(failed(refusal)),
            Some(Verdict::Retry(refusal, after)) => Ok(Completed::Retry(refusal, after)),
            _ => Err(request::internal("a call that failed was read as a success")),
        },
        Reading::Job(_) | Reading::First(_) => Err(request::internal("a call that failed was read as something to follow")),
    }
}
