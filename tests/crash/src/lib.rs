//! Set-ups that the killed process, its killer and the measurement share.

use std::path::Path;

use serde_json::{Value, json};

/// Options of the sandbox: no budgets, since they are tested elsewhere and would only make kills rarer per second.
#[must_use]
pub fn sandbox(retain: bool) -> Value {
    json!({"exchanges_kept": 0, "iterable": {"api_key": "sandbox-key", "project_type": "hybrid", "rate_limits": false,
        "retain_purchases": retain, "retain_events": retain, "catalogs": ["products", "categories"],
        "channels": [{"id": 7, "name": "Newsletter", "channel_type": "Marketing", "message_medium": "Email"}],
        "message_types": [{"id": 101, "name": "Newsletter", "channel_id": 7, "policy": "OptIn"}]}})
}

/// Options of an engine that delivers the made-up shop to the sandbox at `url` and remembers in `state`.
///
/// It never gives up on a fault of chance. A cart that was given up stays away once its order has arrived, even when it is
/// replayed, and then the end would rightly be another one than that of an undisturbed run.
#[must_use]
pub fn engine(url: &str, state: &Path) -> Value {
    json!({
        "source": {"type": "commercetools", "project": "demo", "locale": "en", "fallback_locales": ["en"],
            "consents": [{"channel": "email", "field": "newsletter", "at_field": "newsletterAt", "source_field": "newsletterSource"}],
            "contact_fields": [{"field": "loyaltyPoints"}], "brand_attribute": "brand", "currency": "EUR", "country": "DE"},
        "destination": {"type": "iterable", "api_key": "sandbox-key", "project_type": "hybrid", "base_url": url,
            "catalogs": {"products": "products", "categories": "categories"},
            "consent": {"email": {"message_type": 101, "policy": "opt_in", "channel": 7}}},
        "state": format!("sqlite:{}", state.display()), "rate_limits": false,
        "retry": {"max_attempts": 100, "base_delay_ms": 10, "max_delay_ms": 100, "throttle_floor_ms": 10},
    })
}
