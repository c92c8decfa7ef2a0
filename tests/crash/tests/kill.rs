//! Killed at any moment, and tormented by any fault, a job that is simply run again ends where an undisturbed one ends.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use cartwire::facade::Engine;
use cartwire_sandbox::Sandbox;
use cartwire_sandbox::shop::ShopOptions;
use serde_json::{Value, json};

/// The input: a folder of files, delivered in the order of their names.
fn shop(folder: &Path) {
    let part = |name: &str, first: u64, count: u64, malformed_every: u64| {
        let resource = name.split_once('-').unwrap().1.to_owned();
        let options = ShopOptions { resource, first, count, malformed_every, customers: 120, ballast: 1, ..ShopOptions::default() };
        let mut out = Vec::new();
        options.write(&mut out).unwrap();
        fs::write(folder.join(format!("{name}.ndjson")), out).unwrap();
    };
    part("1-customer", 0, 70, 0);
    part("2-customer", 70, 50, 0);
    part("3-product", 0, 40, 0);
    part("4-cart", 0, 140, 0);
    part("5-order", 0, 150, 25);
    part("6-order", 150, 150, 0);
}

fn sandbox() -> Sandbox {
    Sandbox::start(cartwire_crash::sandbox(true).to_string().as_bytes()).unwrap()
}

fn inspect(sandbox: &Sandbox, what: &str) -> Value {
    serde_json::from_slice(&sandbox.inspect(json!({"what": what}).to_string().as_bytes()).unwrap()).unwrap()
}

fn digest(sandbox: &Sandbox) -> String {
    inspect(sandbox, "digest")["digest"].as_str().unwrap().to_owned()
}

/// Purchases by id and digest: what to show when two digests differ.
fn purchases(sandbox: &Sandbox) -> Vec<(String, String)> {
    let rows = inspect(sandbox, "purchases");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut rows: Vec<_> = rows.as_array().unwrap().iter().map(|row| (text(&row["id"]), text(&row["digest"]))).collect();
    rows.sort();
    rows
}

/// What differs between two projects, profile by profile, without times and counters.
fn difference(left: &Sandbox, right: &Sandbox) -> String {
    fn timeless(value: &mut Value) {
        match value {
            Value::Object(members) => {
                members.retain(|name, _| {
                    !matches!(name.as_str(), "receivedAtMs" | "updates" | "identicalUpdates" | "journeys" | "consentEvents")
                });
                members.values_mut().for_each(timeless);
            }
            Value::Array(items) => {
                items.retain(|item| item["name"] != "updateCart");
                items.iter_mut().for_each(timeless);
                items.sort_by_key(ToString::to_string);
            }
            _ => {}
        }
    }
    let profiles = |sandbox: &Sandbox| -> BTreeMap<String, Value> {
        let Value::Array(mut profiles) = inspect(sandbox, "profiles") else { panic!("profiles are a list") };
        profiles.iter_mut().for_each(timeless);
        profiles.into_iter().map(|profile| (format!("{} {}", profile["email"], profile["userId"]), profile)).collect()
    };
    let (left, right) = (profiles(left), profiles(right));
    let mut out = String::new();
    for key in left.keys().chain(right.keys().filter(|key| !left.contains_key(*key))) {
        match (left.get(key), right.get(key)) {
            (Some(one), Some(other)) => {
                for name in one.as_object().unwrap().keys().filter(|name| one[*name] != other[*name]) {
                    out.push_str(&format!("{key} {name}:\n  {}\n  {}\n", one[name], other[name]));
                }
            }
            (one, _) => out.push_str(&format!("{key} is only on the {}\n", if one.is_some() { "left" } else { "right" })),
        }
    }
    out
}

/// Longest that one undisturbed or tormented run may take: consent for somebody who is not there yet looks again after ten
/// seconds, and a fault can make that happen more than once.
const PATIENCE: Duration = Duration::from_secs(200);

/// One state and one sandbox, with the options that bring them together.
struct Stage {
    sandbox: Sandbox,
    options: PathBuf,
    _folder: tempfile::TempDir,
}

impl Stage {
    fn new() -> Stage {
        let folder = tempfile::tempdir().unwrap();
        let sandbox = sandbox();
        let options = folder.path().join("options.json");
        let engine = cartwire_crash::engine(&sandbox.url("iterable").unwrap(), &folder.path().join("state.db"));
        fs::write(&options, engine.to_string()).unwrap();
        Stage { sandbox, options, _folder: folder }
    }

    /// One state and two sandboxes; the second is the other one's.
    fn pair() -> (Stage, Sandbox) {
        let (stage, other) = (Stage::new(), sandbox());
        let mut options: Value = serde_json::from_slice(&fs::read(&stage.options).unwrap()).unwrap();
        let one = options.as_object_mut().unwrap().remove("destination").unwrap();
        let mut second = one.clone();
        second["base_url"] = json!(other.url("iterable").unwrap());
        options["destinations"] = json!({"one": one, "other": second});
        fs::write(&stage.options, options.to_string()).unwrap();
        (stage, other)
    }

    fn start(&self, input: &Path) -> Child {
        Command::new(env!("CARGO_BIN_EXE_victim")).arg(&self.options).arg(input).stderr(Stdio::inherit()).spawn().unwrap()
    }

    /// Runs the job; kills it after that long unless it has ended. Whether it ended by itself.
    fn run(&self, input: &Path, kill_after: Option<Duration>) -> bool {
        let mut victim = self.start(input);
        let deadline = Instant::now() + kill_after.unwrap_or(PATIENCE);
        loop {
            if let Some(status) = victim.try_wait().unwrap() {
                assert!(status.success(), "the victim died by itself: {status}");
                return true;
            }
            if Instant::now() >= deadline {
                victim.kill().unwrap();
                victim.wait().unwrap();
                assert!(kill_after.is_some(), "the victim does not end");
                return false;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Makes the run long enough for kills to fall anywhere in it.
fn slow(sandbox: &Sandbox) {
    sandbox.fault(br#"{"match": {"path": "/api"}, "fault": {"kind": "latency", "delay_ms": 15}, "probability": 1.0}"#).unwrap();
}

#[test]
fn a_job_that_is_killed_and_run_again_delivers_everything_once() {
    let kills: u32 = std::env::var("CARTWIRE_CRASH_KILLS").map_or(100, |text| text.parse().unwrap());
    let seed: u64 = std::env::var("CARTWIRE_CRASH_SEED").map_or(7, |text| text.parse().unwrap());
    let mut random = fastrand::Rng::with_seed(seed);
    let input = tempfile::tempdir().unwrap();
    shop(input.path());

    let undisturbed = Stage::new();
    slow(&undisturbed.sandbox);
    let began = Instant::now();
    assert!(undisturbed.run(input.path(), None));
    let whole = began.elapsed();
    let wanted = digest(&undisturbed.sandbox);
    let wanted_purchases = purchases(&undisturbed.sandbox);
    let before = inspect(&undisturbed.sandbox, "counts");
    assert!(wanted_purchases.len() > 250, "{before:#}");
    assert_eq!(before["purchases"]["updates"], 0, "an undisturbed run sent a purchase twice: {before:#}");
    assert!(undisturbed.run(input.path(), None));
    assert_eq!(digest(&undisturbed.sandbox), wanted, "a second run changed something");

    // A fresh shop whenever one is complete, so that every kill falls into work and not into a finished job.
    let (mut killed, mut stages, mut again, mut again_most) = (0, 0, 0, 0);
    while killed < kills {
        let stage = Stage::new();
        slow(&stage.sandbox);
        let (mut kills_here, mut ended) = (0_u32, false);
        while !ended {
            let span = u64::try_from(whole.as_millis()).unwrap();
            let delay = Duration::from_millis(random.u64(0..=span / 3));
            ended = stage.run(input.path(), (killed < kills).then_some(delay));
            if !ended {
                killed += 1;
                kills_here += 1;
            }
        }
        stages += 1;
        let counts = inspect(&stage.sandbox, "counts");
        let updates = counts["purchases"]["updates"].as_u64().unwrap();
        if digest(&stage.sandbox) != wanted {
            let seen = purchases(&stage.sandbox);
            let missing: Vec<_> = wanted_purchases.iter().filter(|one| !seen.contains(one)).take(5).collect();
            let surplus: Vec<_> = seen.iter().filter(|one| !wanted_purchases.contains(one)).take(5).collect();
            println!("{}", difference(&undisturbed.sandbox, &stage.sandbox));
            panic!("after {kills_here} kills (seed {seed}): missing {missing:?}, surplus {surplus:?}\nwanted {before:#}\ngot {counts:#}");
        }
        // Only what was under way when the kill came may have gone out twice.
        assert!(updates <= u64::from(kills_here) * 16, "{updates} purchases went out again after {kills_here} kills: {counts:#}");
        assert_eq!(counts["purchases"]["probableDuplicates"].as_u64().unwrap_or(0), 0, "{counts:#}");
        again += updates;
        again_most = again_most.max(updates);
    }
    println!(
        "{killed} kills over {stages} shops of {} ms each (seed {seed}): every digest equal; {again} purchases in flight went out again, at most {again_most} in one shop",
        whole.as_millis()
    );
}

#[test]
fn a_job_for_two_destinations_that_is_killed_and_run_again_delivers_everything_to_both() {
    let kills: u32 = std::env::var("CARTWIRE_CRASH_KILLS").map_or(15, |text| text.parse().unwrap());
    let mut random = fastrand::Rng::with_seed(11);
    let input = tempfile::tempdir().unwrap();
    shop(input.path());
    let undisturbed = Stage::new();
    assert!(undisturbed.run(input.path(), None));
    let wanted = digest(&undisturbed.sandbox);

    let (stage, other) = Stage::pair();
    slow(&stage.sandbox);
    // The other is slower, so that the two are never at the same place.
    other.fault(br#"{"match": {"path": "/api"}, "fault": {"kind": "latency", "delay_ms": 40}, "probability": 1.0}"#).unwrap();
    let mut killed = 0;
    while !stage.run(input.path(), (killed < kills).then(|| Duration::from_millis(random.u64(20..=900)))) {
        killed += 1;
    }
    for sandbox in [&stage.sandbox, &other] {
        let counts = inspect(sandbox, "counts");
        assert_eq!(digest(sandbox), wanted, "after {killed} kills: {}\n{counts:#}", difference(&undisturbed.sandbox, sandbox));
        assert_eq!(counts["purchases"]["probableDuplicates"].as_u64().unwrap_or(0), 0, "{counts:#}");
        assert!(counts["purchases"]["updates"].as_u64().unwrap() <= u64::from(killed) * 16, "{counts:#}");
    }
    println!("{killed} kills, two destinations: both digests equal");
}

#[test]
fn whatever_the_destination_does_the_end_is_the_same() {
    let input = tempfile::tempdir().unwrap();
    shop(input.path());
    let undisturbed = Stage::new();
    assert!(undisturbed.run(input.path(), None));
    let wanted = digest(&undisturbed.sandbox);

    let storms: [(&str, &[Value]); 7] = [
        (
            "429 with patience asked for",
            &[json!({"fault": {"kind": "status", "status": 429, "retry_after": "1"}, "probability": 0.03, "seed": 1})],
        ),
        ("429 without a word", &[json!({"fault": {"kind": "status", "status": 429}, "probability": 0.3, "seed": 2})]),
        (
            "500 and 503",
            &[
                json!({"fault": {"kind": "status", "status": 500}, "probability": 0.15, "seed": 3}),
                json!({"fault": {"kind": "status", "status": 503}, "probability": 0.1, "seed": 4}),
            ],
        ),
        ("resets after the fact", &[json!({"fault": {"kind": "reset_after"}, "probability": 0.15, "seed": 5})]),
        ("halves of replies", &[json!({"fault": {"kind": "truncated_body"}, "probability": 0.1, "seed": 6})]),
        // Of people only: a catalog call names no item, so half of one that got lost shows to nobody who sends.
        (
            "halves of batches",
            &[json!({"match": {"path": "/api/users/"}, "fault": {"kind": "half_failed_bulk"}, "probability": 0.5, "seed": 7})],
        ),
        (
            "everything at once",
            &[
                json!({"match": {"path": "/api/users/"}, "fault": {"kind": "half_failed_bulk"}, "probability": 0.1, "seed": 13}),
                json!({"fault": {"kind": "status", "status": 429}, "probability": 0.08, "seed": 8}),
                json!({"fault": {"kind": "status", "status": 500}, "probability": 0.05, "seed": 9}),
                json!({"fault": {"kind": "reset"}, "probability": 0.05, "seed": 10}),
                json!({"fault": {"kind": "reset_after"}, "probability": 0.05, "seed": 11}),
                json!({"fault": {"kind": "truncated_body"}, "probability": 0.05, "seed": 12}),
            ],
        ),
    ];
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let only = std::env::var("CARTWIRE_CRASH_STORM").unwrap_or_default();
    for (name, faults) in storms.into_iter().filter(|(name, _)| name.contains(&only)) {
        let stage = Stage::new();
        for fault in faults {
            let mut fault = fault.clone();
            if fault["match"].is_null() {
                fault["match"] = json!({"path": "/api"});
            }
            stage.sandbox.fault(fault.to_string().as_bytes()).unwrap();
        }
        assert!(stage.run(input.path(), None), "{name}");
        let struck = inspect(&stage.sandbox, "faults");
        let strikes: u64 = struck.as_array().unwrap().iter().map(|fault| fault["struck"].as_u64().unwrap()).sum();
        assert!(strikes > 5, "{name}: {struck}");
        // What a fault refused waits as a dead letter; replayed in calm it arrives.
        stage.sandbox.clear_faults();
        let replayed = runtime.block_on(async {
            let engine = Engine::open(&fs::read(&stage.options).unwrap()).await.unwrap();
            engine.flush(bytes::Bytes::new()).await.unwrap();
            let report: Value = serde_json::from_slice(&engine.replay(bytes::Bytes::new()).await.unwrap()).unwrap();
            engine.close().await.unwrap();
            report["counts"].clone()
        });
        let counts = inspect(&stage.sandbox, "counts");
        println!("{name}: {strikes} strikes, {} purchases again, replay {replayed}", counts["purchases"]["updates"]);
        if digest(&stage.sandbox) != wanted {
            panic!("{name}: {}\n{counts:#}", difference(&undisturbed.sandbox, &stage.sandbox));
        }
    }
}
