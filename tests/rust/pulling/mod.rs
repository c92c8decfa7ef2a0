//! What tests of pulling share, whatever the shop.

use cartwire::facade::Engine;
use cartwire_sandbox::Sandbox;
use serde_json::{Value, json};

/// A sandbox with an Iterable project and that shop.
pub fn sandbox(vendor: &str, shop: Value) -> Sandbox {
    let options = json!({"iterable": {"api_key": "sandbox-key", "project_type": "hybrid", "rate_limits": false,
        "catalogs": ["products", "categories"]}, vendor: shop});
    Sandbox::start(options.to_string().as_bytes()).unwrap()
}

/// Options of an engine that reads that source and delivers to the sandbox's Iterable.
pub fn options(source: Value, sandbox: &Sandbox, state: &str) -> Value {
    json!({
        "source": source,
        "destination": {"type": "iterable", "api_key": "sandbox-key", "project_type": "hybrid",
            "base_url": sandbox.url("iterable").unwrap(), "backfill_purchases": "send", "catalogs": {"products": "products", "categories": "categories"}},
        "state": state, "rate_limits": false,
        "retry": {"base_delay_ms": 5, "max_delay_ms": 50, "throttle_floor_ms": 5, "max_retry_after_s": 1},
    })
}

pub async fn open(options: &Value) -> Engine {
    Engine::open(options.to_string().as_bytes()).await.unwrap()
}

pub async fn pull(engine: &Engine, options: Value) -> Value {
    serde_json::from_slice(&engine.pull(options.to_string().into()).await.unwrap()).unwrap()
}

pub fn inspect(sandbox: &Sandbox, query: Value) -> Value {
    serde_json::from_slice(&sandbox.inspect(query.to_string().as_bytes()).unwrap()).unwrap()
}
