//! The small form of `make pull`: a few thousand orders, two kills, every order once, within the same memory.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::process::Command;

fn pull(source: &str, orders: &str) {
    let output = Command::new(env!("CARGO_BIN_EXE_pull")).args(["--source", source, orders]).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    println!("{}", text(&output.stdout));
    assert!(output.status.success(), "{}\n{}", text(&output.stdout), text(&output.stderr));
}

#[test]
fn a_pull_that_is_killed_twice_while_rows_change_and_answers_break_brings_every_order_once() {
    let orders = std::env::var("CARTWIRE_PULL_ORDERS").unwrap_or_else(|_| "8000".to_owned());
    pull("commercetools", &orders);
}

/// Every order of this one is five calls, so there are fewer.
#[test]
fn so_does_a_pull_of_orders_that_come_in_parts() {
    pull("bigcommerce", "1500");
}
