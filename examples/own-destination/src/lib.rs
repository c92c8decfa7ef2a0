//! A whole destination for a made-up vendor, outside of cartwire. Read it beside the trait
//! [`Destination`](cartwire::destinations::Destination).

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use cartwire::destinations::{
    Backfill, Built, Capabilities, Destination, Endpoint, Job, JobFacts, Method, Operation, PartialFailure, Promise, Rate, Reading,
    Refusal, Reply, Request, RetrySafety, Secret, Skip, Verdict,
};
use cartwire::fingerprint::{idempotency_key, opaque};
use cartwire::model::{Body, Envelope, IdempotencyKey, Mode, Record, SkipReason};
use cartwire::{Error, ErrorCode};
use serde::{Deserialize, Serialize};

/// Both endpoints that write draw on one budget.
const BUDGET: Rate = Rate { count: 20, per_s: 1, scope: "board", budget: "writes" };

/// What the noticeboard takes, and how fast. Everything the library does by itself follows from this table.
pub static CAPABILITIES: Capabilities = Capabilities {
    destination: "noticeboard",
    endpoints: &[
        Endpoint {
            id: "notes.pin",
            path: "/notes/{id}",
            method: Method::Put,
            max_bytes: 4_000,
            rate: Some(BUDGET),
            concurrency: 4,
            retry_safe_by: RetrySafety::EventId,
            backfill: Backfill::Withheld("members are told of every note"),
            note: "Two notes of one id are one note.",
            ..Endpoint::SINGLE
        },
        Endpoint {
            id: "members.import",
            path: "/imports",
            max_records: 100,
            max_bytes: 100_000,
            rate: Some(BUDGET),
            job: Some(JobFacts { poll: "imports.show", give_up_s: 3_600 }),
            partial_failure: PartialFailure::ByValue,
            promise: Promise::EffectivelyOnce,
            ..Endpoint::SINGLE
        },
        Endpoint {
            id: "imports.show",
            path: "/imports/{id}",
            method: Method::Get,
            rate: Some(Rate { count: 5, per_s: 1, scope: "board", budget: "" }),
            retry_safe_by: RetrySafety::ReadOnly,
            ..Endpoint::SINGLE
        },
        Endpoint { id: "ping", path: "/ping", method: Method::Get, retry_safe_by: RetrySafety::ReadOnly, ..Endpoint::SINGLE },
    ],
};

/// The noticeboard at one address. Debug shows no token.
#[derive(Clone, Debug)]
pub struct Noticeboard {
    base_url: String,
    token: Secret,
}

/// A note, as the vendor spells it.
#[derive(Serialize)]
struct Note<'a> {
    title: String,
    pinned_at: String,
    by: &'a str,
}

/// A member, as the vendor spells it.
#[derive(Serialize)]
struct Member<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
}

/// How an import stands, as the vendor spells it.
#[derive(Deserialize)]
struct Import {
    id: String,
    finished: bool,
    /// What is wrong with a member, by the member's id.
    #[serde(default)]
    refused: HashMap<String, String>,
}

impl Noticeboard {
    /// A noticeboard.
    #[must_use]
    pub fn new(base_url: impl Into<String>, token: impl Into<String>) -> Self {
        Noticeboard { base_url: base_url.into(), token: Secret::new(token) }
    }

    fn call(&self, endpoint: &'static str, method: Method, path: String, body: Option<Vec<u8>>) -> Request {
        Request {
            endpoint: Cow::Borrowed(endpoint),
            method,
            path,
            headers: body.as_ref().map(|_| ("content-type", "application/json".to_owned())).into_iter().collect(),
            secret_headers: vec![("x-token", self.token.clone())],
            body,
        }
    }
}

/// An operation of this record, in the lane of its person so that what concerns one person stays in order.
fn operation(envelope: &Envelope, endpoint: &'static str, entity: String, body: Vec<u8>) -> Operation {
    let identity = &envelope.identity;
    let person = identity.customer_id.as_deref().or(identity.email.as_deref()).unwrap_or_default();
    Operation {
        endpoint: Cow::Borrowed(endpoint),
        entity,
        lane: opaque(&["noticeboard", person]),
        idempotency_key: envelope.idempotency_key.clone(),
        once: false,
        version: envelope.version,
        occurred_at: envelope.occurred_at,
        group: String::new(),
        params: BTreeMap::new(),
        delta: None,
        supersedes: Vec::new(),
        correlation_id: envelope.correlation_id.clone(),
        body,
    }
}

fn to_json(value: &impl Serialize) -> Vec<u8> {
    // Structs of texts always become JSON.
    serde_json::to_vec(value).unwrap_or_default()
}

/// What a status says when nothing else does.
fn by_status(operations: &[&Operation], reply: &Reply) -> Reading {
    let refusal = |code, text: &str| Refusal::new(code, reply.status.to_string(), text);
    match reply.status {
        200..=299 => Reading::Each(vec![Verdict::Accepted; operations.len()], Vec::new()),
        401 => Reading::Stop(Error::new(ErrorCode::Unauthorized, "the noticeboard does not know the token")),
        404 => Reading::Retry(refusal(ErrorCode::NotFound, "the noticeboard does not know it"), None),
        429 => Reading::Retry(refusal(ErrorCode::RateLimited, "the noticeboard asks to slow down"), reply.retry_after()),
        400..=499 => Reading::Split(refusal(ErrorCode::Rejected, "the noticeboard refuses the request")),
        _ => Reading::Retry(refusal(ErrorCode::Unavailable, "the noticeboard cannot serve right now"), reply.retry_after()),
    }
}

impl Destination for Noticeboard {
    fn name(&self) -> &'static str {
        "noticeboard"
    }

    fn capabilities(&self) -> &'static Capabilities {
        &CAPABILITIES
    }

    fn build(&self, record: &Record) -> Built {
        let envelope = &record.envelope;
        let mut built = Built::default();
        match &record.body {
            Body::Contact(contact) => {
                let Some(id) = &envelope.identity.customer_id else {
                    built.skipped.push(Skip::new(SkipReason::NotSupported, "the noticeboard knows members by customer id only"));
                    return built;
                };
                let body = to_json(&Member { id, name: contact.first_name.as_deref() });
                built.operations.push(operation(envelope, "members.import", format!("member:{id}"), body));
            }
            Body::Order(order) => {
                let key: IdempotencyKey = idempotency_key(&["noticeboard", &envelope.source, &envelope.tenant, "note", &order.id]);
                if envelope.mode == Mode::Backfill {
                    built.withheld.push(key);
                    built.skipped.push(Skip::new(SkipReason::BackfillQuiet, "members are told of every note"));
                    return built;
                }
                let title = format!("order {}", order.number.as_deref().unwrap_or(&order.id));
                let body = to_json(&Note { title, pinned_at: order.placed_at.to_rfc3339(), by: &envelope.source });
                let mut note = operation(envelope, "notes.pin", format!("note:{}", order.id), body);
                (note.idempotency_key, note.once) = (key, true);
                note.params.insert("id".to_owned(), order.id.clone());
                built.operations.push(note);
            }
            _ => built.skipped.push(Skip::new(SkipReason::NotSupported, "the noticeboard takes people and orders")),
        }
        built
    }

    fn request(&self, operations: &[&Operation]) -> Result<Request, Error> {
        let Some(first) = operations.first() else { return Err(Error::new(ErrorCode::Internal, "a request of nothing")) };
        if first.endpoint == "notes.pin" {
            // Ids of this shop are letters, digits and hyphens; others would have to be percent-encoded here.
            let id = first.params.get("id").cloned().unwrap_or_default();
            return Ok(self.call("notes.pin", Method::Put, format!("/notes/{id}"), Some(first.body.clone())));
        }
        let rows: Vec<&[u8]> = operations.iter().map(|operation| operation.body.as_slice()).collect();
        let body = [b"[".as_slice(), &rows.join(b",".as_slice()), b"]"].concat();
        Ok(self.call("members.import", Method::Post, "/imports".to_owned(), Some(body)))
    }

    fn read(&self, operations: &[&Operation], reply: &Reply) -> Reading {
        if reply.status == 202
            && let Ok(import) = serde_json::from_slice::<Import>(&reply.body)
        {
            return Reading::Job(Job { id: import.id, poll_after: Duration::from_secs(1) });
        }
        by_status(operations, reply)
    }

    fn poll(&self, _operations: &[&Operation], job: &str) -> Result<Request, Error> {
        Ok(self.call("imports.show", Method::Get, format!("/imports/{job}"), None))
    }

    fn read_poll(&self, operations: &[&Operation], job: &str, reply: &Reply) -> Reading {
        let Ok(import) = serde_json::from_slice::<Import>(&reply.body) else { return by_status(operations, reply) };
        if !import.finished {
            return Reading::Job(Job { id: job.to_owned(), poll_after: Duration::from_secs(1) });
        }
        let verdict = |operation: &&Operation| match import.refused.get(operation.entity.trim_start_matches("member:")) {
            Some(why) => Verdict::Rejected(Refusal::new(ErrorCode::Rejected, why.as_str(), "the noticeboard refuses the member")),
            None => Verdict::Accepted,
        };
        Reading::Each(operations.iter().map(verdict).collect(), Vec::new())
    }

    fn check(&self) -> Request {
        self.call("ping", Method::Get, "/ping".to_owned(), None)
    }

    fn base_url(&self) -> &str {
        &self.base_url
    }

    fn backfill_notice(&self) -> &'static str {
        "orders are withheld, because members are told of every note; people are imported quietly"
    }
}
