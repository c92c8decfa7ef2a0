//! What holds for every vendor: faults, budgets, recordings, the paths under `/_sandbox`, options.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::{Duration, Instant};

use cartwire_sandbox::Sandbox;
use serde_json::{Value, json};
use support::{Api, purchase};

const PURCHASE: &str = "/api/commerce/trackPurchase";

async fn send_purchase(api: &Api, id: &str) -> Result<(u16, String), reqwest::Error> {
    api.raw("POST", PURCHASE, Some(purchase(id, "u1").to_string())).await
}

#[tokio::test]
async fn a_status_fault_answers_as_the_vendor_would_and_does_nothing() {
    let api = Api::start(json!({}));
    api.fault(
        json!({"match": {"path": "/api/commerce", "method": "POST"}, "fault": {"kind": "status", "status": 429, "retry_after": "2"}}),
    );
    let response = api.client.post(api.url(PURCHASE)).header("Api-Key", "sandbox-key").body(purchase("o1", "u1").to_string());
    let response = response.send().await.unwrap();
    assert_eq!((response.status().as_u16(), response.headers()["retry-after"].to_str().unwrap()), (429, "2"));
    assert!(response.text().await.unwrap().contains("RateLimitExceeded"));
    for (status, text) in [(429, "RateLimitExceeded"), (500, "GenericError"), (503, "<html>")] {
        api.fault(json!({"fault": {"kind": "status", "status": status}}));
        let response = api.client.get(api.url("/api/lists")).header("Api-Key", "sandbox-key").send().await.unwrap();
        assert_eq!(response.status().as_u16(), status);
        assert!(!response.headers().contains_key("retry-after"));
        assert!(response.text().await.unwrap().contains(text));
    }
    assert_eq!(api.counts()["purchases"]["distinct"], 0);
    assert_eq!(send_purchase(&api, "o1").await.unwrap().0, 200);
    let faults = api.inspect(json!({"what": "faults"}));
    assert_eq!(faults[0], json!({"kind": "status", "path": "/api/commerce", "seen": 2, "struck": 1}));
    api.sandbox.clear_faults();
    assert_eq!(api.inspect(json!({"what": "faults"})), json!([]));
}

#[tokio::test]
async fn a_reset_before_does_nothing_and_a_reset_after_makes_the_duplicate() {
    let api = Api::start(json!({"journeys": [{"name": "confirmation", "trigger": "purchase"}]}));
    api.fault(json!({"match": {"path": PURCHASE}, "fault": {"kind": "reset"}}));
    assert!(send_purchase(&api, "o1").await.unwrap_err().is_request());
    assert_eq!(api.counts()["purchases"]["distinct"], 0);
    api.fault(json!({"match": {"path": PURCHASE}, "fault": {"kind": "reset_after"}}));
    assert!(send_purchase(&api, "o1").await.is_err());
    assert_eq!(api.counts()["purchases"]["distinct"], 1, "it took effect though no reply came");
    assert_eq!(send_purchase(&api, "o1").await.unwrap().0, 200);
    assert_eq!(api.counts()["purchases"]["identicalUpdates"], 1);
    assert_eq!(api.by_user_id("u1")["journeys"]["confirmation"]["fired"], 2);
}

#[tokio::test]
async fn a_truncated_body_ends_before_its_length() {
    let api = Api::start(json!({}));
    api.fault(json!({"fault": {"kind": "truncated_body"}}));
    assert!(send_purchase(&api, "o1").await.is_err());
    assert_eq!(api.counts()["purchases"]["distinct"], 1);
}

#[tokio::test]
async fn a_timeout_holds_the_connection_and_latency_only_delays() {
    let api = Api::start(json!({}));
    let client = reqwest::Client::builder().timeout(Duration::from_millis(200)).build().unwrap();
    for (kind, stored) in [("timeout", 0), ("timeout_after", 1)] {
        api.fault(json!({"fault": {"kind": kind}}));
        let request = client.post(api.url(PURCHASE)).header("Api-Key", "sandbox-key").body(purchase("o1", "u1").to_string());
        assert!(request.send().await.unwrap_err().is_timeout(), "{kind}");
        assert_eq!(api.counts()["purchases"]["distinct"], stored, "{kind}");
    }
    api.fault(json!({"fault": {"kind": "latency", "delay_ms": 120}}));
    let began = Instant::now();
    assert_eq!(send_purchase(&api, "o2").await.unwrap().0, 200);
    assert!(began.elapsed() >= Duration::from_millis(120));
}

#[tokio::test]
async fn half_of_a_batch_fails_and_is_named() {
    let api = Api::start(json!({}));
    api.fault(json!({"match": {"path": "/api/users/bulkUpdate"}, "fault": {"kind": "half_failed_bulk"}}));
    let users: Vec<Value> = (0..4).map(|n| json!({"userId": format!("u{n}")})).collect();
    let reply = api.ok("/api/users/bulkUpdate", json!({"users": users})).await;
    assert_eq!((&reply["successCount"], &reply["failCount"]), (&json!(2), &json!(2)));
    assert_eq!(reply["failedUpdates"]["invalidDataUserIds"], json!(["u1", "u3"]));
    assert_eq!(api.counts()["profiles"], 2);
    api.fault(json!({"fault": {"kind": "half_failed_bulk"}}));
    let events = json!({"events": [{"eventName": "e", "userId": "u0"}, {"eventName": "e", "userId": "u2"}]});
    assert_eq!(api.ok("/api/events/trackBulk", events).await["failedUpdates"]["notFoundUserIds"], json!(["u2"]));
    api.fault(json!({"fault": {"kind": "half_failed_bulk"}}));
    let consent = json!({"updateSubscriptionsRequests": [{"userId": "u0"}, {"userId": "u2"}]});
    assert_eq!(api.ok("/api/users/bulkUpdateSubscriptions", consent).await["validUserIdFailures"], json!(["u2"]));
}

#[tokio::test]
async fn budgets_run_out_and_leak_back_with_the_clock() {
    let api = Api::start(json!({"rate_limits": true}));
    let bulk = json!({"users": [{"userId": "u1"}]});
    for _ in 0..5 {
        assert_eq!(api.post("/api/users/bulkUpdate", bulk.clone()).await.0, 200);
    }
    let (status, reply) = api.post("/api/users/bulkUpdate", bulk.clone()).await;
    assert_eq!((status, &reply["code"]), (429, &json!("RateLimitExceeded")));
    assert!(reply["msg"].as_str().unwrap().starts_with("Exceeded rate limit of 5.0 per second for endpoint: /api/users/bulkUpdate"));
    assert_eq!(api.get("/api/channels").await.0, 200, "other endpoints have budgets of their own");
    api.sandbox.advance_clock(200);
    assert_eq!(api.post("/api/users/bulkUpdate", bulk.clone()).await.0, 200);
    assert_eq!(api.post("/api/users/bulkUpdate", bulk).await.0, 429);
    assert_eq!(api.counts()["endpoints"]["POST /api/users/bulkUpdate"]["rateLimited"], 2);
}

#[tokio::test]
async fn only_a_thousand_people_are_forgotten_a_day() {
    let api = Api::start(json!({"rate_limits": true}));
    let forget = |n: usize| api.post("/api/users/forget", json!({"userId": format!("u{n}")}));
    for n in 0..3 {
        assert_eq!(forget(n).await.0, 200);
    }
    assert_eq!(forget(3).await.0, 429);
    for n in 3..1_000 {
        api.sandbox.advance_clock(334);
        assert_eq!(forget(n).await.0, 200, "{n}");
    }
    let mut refused = 0;
    for n in 1_000..1_010 {
        api.sandbox.advance_clock(1_000);
        refused += u32::from(forget(n).await.0 == 429);
    }
    assert!(refused >= 5, "{refused} of 10 beyond the daily cap were refused");
}

#[tokio::test]
async fn limits_scale_and_can_be_set_where_none_is_published() {
    let limits = json!({"factor": 0.4, "per_second": {"POST /api/commerce/trackPurchase": 1}});
    let api = Api::start(json!({"rate_limits": limits}));
    let bulk = json!({"users": [{"userId": "u1"}]});
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(api.post("/api/users/bulkUpdate", bulk.clone()).await.0);
    }
    assert_eq!(statuses, [200, 200, 429]);
    assert_eq!(send_purchase(&api, "o1").await.unwrap().0, 200);
    assert_eq!(send_purchase(&api, "o2").await.unwrap().0, 429);
}

#[tokio::test]
async fn two_runs_that_deliver_the_same_have_the_same_digest() {
    let one = Api::start(json!({}));
    let other = Api::with(json!({"manual_clock_ms": 1_800_000_000_000_i64}), json!({}));
    for id in ["o1", "o2", "o1"] {
        send_purchase(&one, id).await.unwrap();
    }
    for id in ["o2", "o1"] {
        send_purchase(&other, id).await.unwrap();
    }
    assert_eq!(one.digest(), other.digest());
    send_purchase(&other, "o3").await.unwrap();
    assert_ne!(one.digest(), other.digest());
    let cart = json!({"user": {"userId": "u1"}, "items": [support::item("a", 1.0, 1)]});
    let mut digests = vec![one.digest()];
    for _ in 0..2 {
        one.ok("/api/commerce/updateCart", cart.clone()).await;
        digests.push(one.digest());
    }
    assert_ne!(digests[0], digests[1], "a cart is part of the state");
    assert_eq!(digests[1], digests[2], "the same cart sent twice is the same state");
    one.sandbox.reset();
    assert_eq!(one.counts()["profiles"], 0);
    assert_eq!(one.digest(), Api::start(json!({})).digest());
}

#[tokio::test]
async fn recordings_hold_what_was_sent_and_no_key() {
    let file = std::env::temp_dir().join(format!("cartwire-sandbox-{}.ndjson", std::process::id()));
    let api = Api::with(json!({"exchanges_file": file}), json!({}));
    let bounded = Api::with(json!({"exchanges_kept": 2}), json!({}));
    for api in [&api, &bounded] {
        api.get("/api/lists?api_key=sandbox-key").await;
        api.raw("POST", PURCHASE, Some(purchase("o1", "u1").to_string().replace("39.0", "39.00"))).await.unwrap();
        api.fault(json!({"fault": {"kind": "reset_after"}}));
        let _ = send_purchase(api, "o2").await;
    }
    let text = String::from_utf8(api.sandbox.exchanges()).unwrap();
    assert_eq!(text, std::fs::read_to_string(&file).unwrap());
    std::fs::remove_file(file).unwrap();
    assert!(!text.contains("sandbox-key"));
    assert!(text.contains("39.00"), "numbers keep their digits");
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 3);
    assert_eq!((&lines[1]["vendor"], &lines[1]["method"], &lines[1]["status"]), (&json!("iterable"), &json!("POST"), &json!(200)));
    assert_eq!(lines[1]["response"]["code"], "Success");
    assert_eq!((&lines[2]["fault"], lines[2].get("status")), (&json!("reset_after"), None));
    assert_eq!(bounded.sandbox.exchanges().split(|byte| *byte == b'\n').count(), 3, "two lines and the end");
}

#[tokio::test]
async fn other_processes_reach_the_same_controls() {
    let api = Api::start(json!({}));
    api.ok("/_sandbox/faults", json!({"match": {"path": PURCHASE}, "fault": {"kind": "status", "status": 500}, "times": 9})).await;
    assert_eq!(send_purchase(&api, "o1").await.unwrap().0, 500);
    assert_eq!(api.send("DELETE", "/_sandbox/faults", None).await.0, 200);
    assert_eq!(send_purchase(&api, "o1").await.unwrap().0, 200);
    assert_eq!(api.get("/_sandbox/inspect?what=profile&userId=u1").await.1, api.by_user_id("u1"));
    assert_eq!(api.ok("/_sandbox/inspect", json!({"what": "counts"})).await, api.counts());
    assert_eq!(api.get("/_sandbox/digest").await.1, api.digest());
    let (_, lines) = api.raw("GET", "/_sandbox/exchanges", None).await.unwrap();
    assert_eq!(lines.lines().count(), 2, "control calls are not recorded");
    assert_eq!(api.ok("/_sandbox/clock", json!({"advance_ms": 5})).await["now_ms"], 1_767_261_600_005_i64);
    api.ok("/_sandbox/reset", json!({})).await;
    assert_eq!(api.by_user_id("u1"), Value::Null);
    for (path, body) in [("faults", json!({"fault": {"kind": "x"}})), ("inspect", json!({"what": "x"})), ("clock", json!({}))] {
        assert_eq!(api.post(&format!("/_sandbox/{path}"), body).await.0, 400, "{path}");
    }
    assert_eq!(api.get("/_sandbox/nothing").await.0, 404);
}

#[test]
fn unknown_options_and_open_addresses_are_refused() {
    for options in [
        json!({"prot": 1}),
        json!({"iterable": {"key": "x"}}),
        json!({"iterable": {"project_type": "mail"}}),
        json!({"iterable": {"rate_limits": {"faktor": 1}}}),
        json!({"iterable": {"rate_limits": {"factor": 0}}}),
        json!({"iterable": {"rate_limits": {"per_second": {"POST /api/nothing": 1}}}}),
        json!({"iterable": {"journeys": [{"name": "x", "trigger": "order"}]}}),
        json!({"iterable": {"journeys": [{"name": "x", "trigger": "purchase", "message_type": 9}]}}),
        json!({"host": "0.0.0.0"}),
        json!({"host": "192.168.1.1"}),
        json!([]),
    ] {
        assert!(Sandbox::start(options.to_string().as_bytes()).is_err(), "{options}");
    }
}

#[test]
fn what_is_printed_for_debugging_holds_no_key_and_stopping_frees_the_port() {
    let sandbox = Sandbox::start(br#"{"iterable": {"api_key": "s3cret"}}"#).unwrap();
    assert!(!format!("{sandbox:?}").contains("s3cret"));
    assert_eq!(sandbox.url("nobody"), None);
    let url = sandbox.url("iterable").unwrap();
    let port: u16 = url.rsplit(':').next().unwrap().parse().unwrap();
    let taken = Sandbox::start(json!({"port": port}).to_string().as_bytes());
    assert!(taken.is_err(), "a port serves one sandbox");
    sandbox.stop();
    sandbox.stop();
    assert!(sandbox.inspect(b"").is_ok(), "what it holds can still be read");
    let again = Sandbox::start(json!({"port": port}).to_string().as_bytes()).unwrap();
    assert_eq!(again.url("iterable").unwrap(), url);
}

#[test]
fn the_command_prints_its_address_and_ends_with_its_standard_input() {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};

    let mut child = Command::new(env!("CARGO_BIN_EXE_cartwire-sandbox"))
        .args(["--port", "0", "--with-stdin"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let said: Value = serde_json::from_str(&line).unwrap();
    assert!(said["iterable"].as_str().unwrap().starts_with("http://127.0.0.1:"));
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
    let wrong = Command::new(env!("CARGO_BIN_EXE_cartwire-sandbox")).arg("--nonsense").stderr(Stdio::null()).status().unwrap();
    assert_eq!(wrong.code(), Some(2));
}
