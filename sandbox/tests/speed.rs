//! How fast and how large; run by hand: `cargo test --release -p cartwire-sandbox --test speed -- --ignored --nocapture`.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod support;

use std::time::Instant;

use serde_json::json;
use support::{Api, item};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const ORDERS: usize = 200_000;
const CONNECTIONS: usize = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes seconds, and means something only in a release build"]
async fn two_hundred_thousand_purchases_are_taken_at_five_thousand_a_second() {
    let api =
        Api::with(json!({"exchanges_kept": 0}), json!({"retain_purchases": false, "journeys": [{"name": "j", "trigger": "purchase"}]}));
    let address = api.url("").trim_start_matches("http://").to_owned();
    let began = Instant::now();
    let mut tasks = Vec::new();
    for part in 0..CONNECTIONS {
        let address = address.clone();
        tasks.push(tokio::spawn(async move {
            let mut stream = TcpStream::connect(&address).await.unwrap();
            let mut buffer = vec![0; 4096];
            for n in (part..ORDERS).step_by(CONNECTIONS) {
                let items = [item("prod-881", 19.5, 2), item("prod-120", 8.0, 1), item("prod-77", 120.25, 1)];
                let body = json!({"id": format!("ct-order-{n}"), "createdAt": 1_767_261_600, "items": items, "total": 167.25,
                    "user": {"userId": format!("u{}", n % 20_000), "dataFields": {"lastOrderNumber": format!("DE-{n}")}},
                    "dataFields": {"currency": "EUR", "taxTotal": 8.29, "discountCodes": ["NEWYEAR"]}})
                .to_string();
                let head = format!(
                    "POST /api/commerce/trackPurchase HTTP/1.1\r\nhost: x\r\napi-key: sandbox-key\r\ncontent-length: {}\r\n\r\n",
                    body.len()
                );
                stream.write_all((head + &body).as_bytes()).await.unwrap();
                let read = stream.read(&mut buffer).await.unwrap();
                assert!(buffer[..read].starts_with(b"HTTP/1.1 200"));
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let seconds = began.elapsed().as_secs_f64();
    assert_eq!(api.counts()["purchases"]["distinct"], ORDERS);
    let memory = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let memory = memory.lines().find(|line| line.starts_with("VmRSS")).unwrap_or_default().to_owned();
    println!("{:.0} purchases/s, client included; {memory}", ORDERS as f64 / seconds);
    assert!(ORDERS as f64 / seconds >= 5_000.0);
}
