//! Carts that were left alone: nothing at the platform says so, a poll finds them.

use crate::fingerprint::{fingerprint, idempotency_key};
use crate::model::{Body, Event, EventName, Record};
use crate::sources::DecodedRecord;

/// The event of a cart that a poll found left alone, beside the cart's own record. One for what is in the cart: filled
/// differently and left again, it is another; touched by the platform alone, it is the same.
pub(super) fn event(cart: &DecodedRecord) -> Option<DecodedRecord> {
    let envelope = &cart.record.envelope;
    let Body::Cart(body) = &cart.record.body else { return None };
    if body.lines.is_empty() {
        return None;
    }
    let mut lines: Vec<String> =
        body.lines.iter().map(|line| format!("{:?} {:?} {:?} {}", line.product_id, line.variant_id, line.sku, line.quantity)).collect();
    lines.sort_unstable();
    let content = format!("{:016x}", fingerprint(lines.join("\n").as_bytes()));
    let key = idempotency_key(&[&envelope.source, &envelope.tenant, "cart", &body.id, "cart_abandoned", &content]);
    let mut envelope = envelope.clone();
    envelope.idempotency_key = key;
    envelope.occurred_at = body.last_activity_at.or(body.updated_at).unwrap_or(envelope.occurred_at);
    let event = Event {
        cart_id: Some(body.id.clone()),
        value: Some(body.totals.total),
        url: body.url.clone(),
        lines: body.lines.clone(),
        ..Event::new(EventName::CartAbandoned)
    };
    Some(DecodedRecord { position: cart.position, record: Record { envelope, body: Body::Event(event) }, findings: Vec::new() })
}
