//! What a delivered message is known by when it is delivered again.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::TRANSPORTS;
use super::messages::unwrap_transport;
use super::sniff::{Shape, sniff};
use super::wire::{self, Reference, Text};
use crate::fingerprint::idempotency_key;
use crate::model::IdempotencyKey;
use crate::sources::Delivery;
use crate::sources::split::skip_space;

/// What names a message, or a change notification, which has no id but tells each version of a resource once.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Named<'a> {
    #[serde(borrow)]
    id: Option<Text<'a>>,
    #[serde(borrow)]
    notification_type: Option<Text<'a>>,
    #[serde(borrow)]
    project_key: Option<Text<'a>>,
    #[serde(borrow)]
    resource: Option<Reference<'a, IgnoredAny>>,
    version: Option<u64>,
}

/// One key for the message in a body, in whatever transport it is. None for several messages, and for what says nothing of
/// its own by which it could be known again.
pub(super) fn keys(body: &[u8], project: &str) -> Vec<Delivery> {
    let Ok(text) = std::str::from_utf8(body) else { return Vec::new() };
    let key = key(text.trim_start_matches('\u{feff}'), project, 0);
    key.into_iter().map(|key| Delivery { key, told_at: None }).collect()
}

fn key(text: &str, project: &str, depth: usize) -> Option<IdempotencyKey> {
    let start = skip_space(text.as_bytes(), 0);
    match sniff(text.as_bytes(), start) {
        Shape::Message => {
            let named: Named<'_> = serde_json::from_str(text).ok()?;
            let project = named.project_key.as_deref().filter(|told| !told.is_empty()).unwrap_or(project);
            let kind = named.notification_type.as_deref().unwrap_or("Message");
            if kind == "Message" {
                let id = named.id.as_deref().filter(|id| !id.is_empty())?;
                return Some(idempotency_key(&["commercetools", project, "message", id]));
            }
            let resource = named.resource.as_ref()?;
            let (of, id) = (resource.type_id.as_deref()?, resource.id.as_deref()?);
            Some(idempotency_key(&["commercetools", project, kind, of, id, &named.version?.to_string()]))
        }
        Shape::Transport if depth < TRANSPORTS => {
            let transport: wire::Transport<'_> = serde_json::from_str(text).ok()?;
            key(&unwrap_transport(&transport)?, project, depth + 1)
        }
        _ => None,
    }
}
