//! A sandbox and a caller that knows its key.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)]

use cartwire_sandbox::Sandbox;
use serde_json::{Value, json};

/// A running sandbox with a client for it.
pub struct Api {
    pub sandbox: Sandbox,
    pub client: reqwest::Client,
}

impl Api {
    /// Starts with options for the Iterable project; limits are off unless asked for.
    pub fn start(iterable: Value) -> Self {
        Self::with(json!({"manual_clock_ms": 1_767_261_600_000_i64}), iterable)
    }

    pub fn with(mut options: Value, mut iterable: Value) -> Self {
        let project = iterable.as_object_mut().expect("options are an object");
        project.entry("rate_limits").or_insert(json!(false));
        options["iterable"] = iterable;
        let sandbox = Sandbox::start(options.to_string().as_bytes()).expect("the sandbox starts");
        Self { sandbox, client: reqwest::Client::new() }
    }

    pub fn url(&self, path: &str) -> String {
        self.sandbox.url("iterable").expect("iterable is served") + path
    }

    /// Sends and returns the status and the reply, a text when it is not JSON.
    pub async fn send(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        let (status, text) = self.raw(method, path, body.map(Value::to_string)).await.expect("a reply comes");
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    pub async fn raw(&self, method: &str, path: &str, body: Option<String>) -> Result<(u16, String), reqwest::Error> {
        let mut request = self.client.request(method.parse().expect("a method"), self.url(path)).header("Api-Key", "sandbox-key");
        if let Some(body) = body {
            request = request.header("Content-Type", "application/json").body(body);
        }
        let response = request.send().await?;
        let status = response.status().as_u16();
        Ok((status, response.text().await?))
    }

    pub async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.send("POST", path, Some(&body)).await
    }

    pub async fn get(&self, path: &str) -> (u16, Value) {
        self.send("GET", path, None).await
    }

    /// Sends what must succeed.
    pub async fn ok(&self, path: &str, body: Value) -> Value {
        let (status, reply) = self.post(path, body).await;
        assert!((200..300).contains(&status), "{path}: {status} {reply}");
        reply
    }

    pub fn inspect(&self, query: Value) -> Value {
        let answer = self.sandbox.inspect(query.to_string().as_bytes()).expect("the query is understood");
        serde_json::from_slice(&answer).expect("answers are JSON")
    }

    pub fn profile(&self, email: &str) -> Value {
        self.inspect(json!({"what": "profile", "email": email}))
    }

    pub fn by_user_id(&self, id: &str) -> Value {
        self.inspect(json!({"what": "profile", "userId": id}))
    }

    pub fn counts(&self) -> Value {
        self.inspect(json!({"what": "counts"}))
    }

    pub fn digest(&self) -> Value {
        self.inspect(json!({"what": "digest"}))
    }

    pub fn fault(&self, spec: Value) {
        self.sandbox.fault(spec.to_string().as_bytes()).expect("the fault is understood");
    }
}

/// A line of an order.
pub fn item(id: &str, price: f64, quantity: i64) -> Value {
    json!({"id": id, "name": format!("Product {id}"), "price": price, "quantity": quantity})
}

/// A purchase of one line by a hybrid project's userId.
pub fn purchase(id: &str, user_id: &str) -> Value {
    json!({"id": id, "createdAt": 1_767_261_600, "user": {"userId": user_id}, "items": [item("prod-881", 19.5, 2)], "total": 39.0})
}
