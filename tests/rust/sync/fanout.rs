//! One engine, several destinations: each with its own state rows, lanes, stops and dead letters.

use std::time::{Duration, Instant};

use super::*;

/// Options for two projects of one platform, called `eu` and `us`.
fn pair(eu: &Sandbox, us: &Sandbox, state: &str) -> Value {
    let mut pair = options(eu, state);
    let (one, other) = (pair["destination"].take(), options(us, state)["destination"].take());
    pair.as_object_mut().unwrap().remove("destination");
    pair["destinations"] = json!({"eu": one, "us": other});
    pair["retry"]["max_elapsed_s"] = json!(60);
    // Rows of one request are tried together: a slow machine must not use up their tries while the other side is busy.
    pair["retry"]["max_attempts"] = json!(100);
    pair
}

fn distinct(sandbox: &Sandbox) -> u64 {
    inspect(sandbox, json!({"what": "counts"}))["purchases"]["distinct"].as_u64().unwrap()
}

fn goes_down(sandbox: &Sandbox) {
    sandbox.fault(br#"{"match": {"path": "/api"}, "fault": {"kind": "status", "status": 503}, "probability": 1.0}"#).unwrap();
}

/// Waits until the only run's counts at `destination` are as wanted.
async fn stands(engine: &Engine, destination: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + Duration::from_secs(50);
    loop {
        let progress: Value = serde_json::from_slice(&engine.progress()).unwrap();
        let counts = &progress[0]["destinations"][destination];
        if wanted(counts) {
            return progress[0].clone();
        }
        assert!(Instant::now() < deadline, "it does not come to it: {progress:#}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn letters(engine: &Engine, filter: Value) -> Vec<Value> {
    serde_json::from_slice(&engine.dead_letters(filter.to_string().into()).await.unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_destination_that_is_down_does_not_delay_the_other_and_catches_up() {
    let (eu, us) = (sandbox(), sandbox());
    let engine = open(&pair(&eu, &us, "memory:")).await;
    goes_down(&us);
    let delivering = tokio::spawn({
        let engine = engine.clone();
        async move { deliver(&engine, "order", shop("order", 60, 1, 0)).await }
    });
    let standing = stands(&engine, "eu", |counts| counts["delivered"] == 60).await;
    assert!(!delivering.is_finished(), "the answer waits for the verdicts of both");
    assert_eq!((&standing["destinations"]["us"]["pending"], &standing["counts"]["pending"]), (&json!(60), &json!(60)), "{standing:#}");
    assert_eq!((distinct(&eu), distinct(&us)), (60, 0));
    us.clear_faults();
    let report = delivering.await.unwrap();
    assert_eq!((distinct(&eu), distinct(&us)), (60, 60));
    assert_eq!(report["counts"], json!({"rows": 60, "delivered": 60, "skipped": 0, "rejected": 0, "dead_lettered": 0, "pending": 0}));
    assert_eq!(report["destinations"]["us"]["counts"], report["counts"]);
    assert_eq!(report["destination"], "eu, us");
    engine.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn input_is_read_on_for_the_one_while_the_other_is_down() {
    let (eu, us) = (sandbox(), sandbox());
    let folder = tempfile::tempdir().unwrap();
    let engine = open(&pair(&eu, &us, &format!("sqlite:{}", folder.path().join("state.db").display()))).await;
    goes_down(&us);
    let many = ShopOptions { resource: "customer".to_owned(), count: 4_000, customers: 4_000, ..ShopOptions::default() };
    let mut data = Vec::new();
    many.write(&mut data).unwrap();
    assert!(data.len() > 2 << 20, "too little to come in several pieces: {}", data.len());
    let delivering = tokio::spawn({
        let engine = engine.clone();
        async move { deliver(&engine, "customer", data.into()).await }
    });
    let all = |counts: &Value| counts["rows"] == 4_000 && counts["pending"] == 0;
    let standing = stands(&engine, "eu", all).await;
    assert!(!delivering.is_finished());
    assert_eq!(standing["destinations"]["us"]["pending"], 4_000, "{standing:#}");
    us.clear_faults();
    let report = delivering.await.unwrap();
    assert_eq!(report["destinations"]["us"]["counts"], report["destinations"]["eu"]["counts"], "{report:#}");
    engine.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_that_lasts_ends_the_wait_and_says_where() {
    let (eu, us) = (sandbox(), sandbox());
    let mut options = pair(&eu, &us, "memory:");
    options["retry"]["max_elapsed_s"] = json!(1);
    let engine = open(&options).await;
    goes_down(&us);
    let report = deliver(&engine, "order", shop("order", 30, 1, 0)).await;
    assert_eq!((&report["destinations"]["eu"]["counts"]["delivered"], &report["counts"]["pending"]), (&json!(30), &json!(30)));
    assert!(report["stopped"].as_str().unwrap().starts_with("us: unavailable"), "{report:#}");
    assert_eq!(report["destinations"]["eu"].get("stopped"), None);
    us.clear_faults();
    let flushed: Value = serde_json::from_slice(&engine.flush(Bytes::new()).await.unwrap()).unwrap();
    let idle = json!({"waiting": 0, "in_jobs": 0});
    assert_eq!(flushed, json!({"waiting": 0, "in_jobs": 0, "unread": 0, "destinations": {"eu": idle, "us": idle}}));
    assert_eq!(distinct(&us), 30);
    engine.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_stops_its_own_destination_only() {
    let (eu, us) = (sandbox(), sandbox());
    let mut options = pair(&eu, &us, "memory:");
    options["destinations"]["us"]["api_key"] = json!("wrong");
    let engine = open(&options).await;
    let check: Value = serde_json::from_slice(&engine.check().await.unwrap()).unwrap();
    assert_eq!((&check["ok"], &check["status"]), (&json!(false), &json!(401)), "{check:#}");
    assert_eq!((&check["destinations"]["eu"]["ok"], &check["destinations"]["us"]["ok"]), (&json!(true), &json!(false)));
    for count in [20, 30] {
        let report = deliver(&engine, "order", shop("order", count, 1, 0)).await;
        assert!(report["stopped"].as_str().unwrap().starts_with("us: unauthorized"), "{report:#}");
        assert_eq!(report["destinations"]["eu"]["counts"]["pending"], 0, "{report:#}");
        assert_eq!(report["destinations"]["us"]["counts"]["dead_lettered"], 0);
        assert_eq!((distinct(&eu), distinct(&us)), (count, 0));
    }
    engine.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_belong_to_one_destination_and_are_replayed_there() {
    let (eu, us) = (sandbox(), sandbox());
    let engine = open(&pair(&eu, &us, "memory:")).await;
    // Number 11 mistyped the end of the address, which only the platform can know.
    let first = deliver(&engine, "customer", shop("customer", 12, 1, 0)).await;
    assert_eq!((&first["counts"]["dead_lettered"], &first["counts"]["delivered"]), (&json!(1), &json!(11)), "{first:#}");
    assert_eq!(first["dead_letters"].as_array().map(Vec::len), Some(2));
    let us_letter = letters(&engine, json!({"destination": "us"})).await.remove(0);
    let mut record = us_letter["record"].clone();
    let email = record["envelope"]["identity"]["email"].as_str().unwrap().replace("shopp", "com");
    record["envelope"]["identity"]["email"] = json!(email);
    let before = inspect(&eu, json!({"what": "digest"}));
    let replay = json!({"filter": {"destination": "us"}, "fixes": [{"id": us_letter["id"], "record": record}]});
    let report: Value = serde_json::from_slice(&engine.replay(replay.to_string().into()).await.unwrap()).unwrap();
    assert_eq!((&report["counts"]["rows"], &report["counts"]["delivered"]), (&json!(1), &json!(1)), "{report:#}");
    assert_eq!(report["destinations"]["us"]["counts"]["delivered"], 1);
    assert_eq!(report["destinations"]["eu"]["counts"]["rows"], 0);
    assert_eq!(inspect(&eu, json!({"what": "digest"})), before, "nothing went to the other");
    let left = letters(&engine, json!({})).await;
    assert_eq!(left.iter().map(|letter| letter["destination"].as_str().unwrap()).collect::<Vec<_>>(), ["eu"]);
    engine.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_goes_twice_to_one_destination_and_a_new_one_gets_it_all() {
    let (eu, us) = (sandbox(), sandbox());
    let folder = tempfile::tempdir().unwrap();
    let state = format!("sqlite:{}", folder.path().join("state.db").display());
    // At first there was one destination, known by its type's name.
    let engine = open(&options(&eu, &state)).await;
    deliver(&engine, "order", shop("order", 15, 1, 0)).await;
    engine.close().await.unwrap();
    drop(engine);
    let mut both = pair(&eu, &us, &state);
    both["destinations"] = json!({"iterable": both["destinations"]["eu"], "us": both["destinations"]["us"]});
    let engine = open(&both).await;
    let report = deliver(&engine, "order", shop("order", 15, 1, 0)).await;
    assert_eq!(report["destinations"]["iterable"]["skipped_by_reason"]["duplicate"], 15, "{report:#}");
    assert_eq!(report["destinations"]["us"]["counts"]["delivered"], 15, "{report:#}");
    let skip = &report["counts"];
    assert_eq!((&skip["delivered"], &skip["skipped"]), (&json!(15), &json!(0)), "delivered where it was due");
    deliver(&engine, "order", shop("order", 15, 1, 0)).await;
    for project in [&eu, &us] {
        let counts = inspect(project, json!({"what": "counts"}));
        assert_eq!((&counts["purchases"]["distinct"], &counts["purchases"]["updates"]), (&json!(15), &json!(0)));
    }
    engine.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_destination_cannot_take_is_skipped_or_rejected_there_alone() {
    let (eu, us) = (sandbox(), sandbox());
    let mut options = pair(&eu, &us, "memory:");
    options["destinations"]["us"]["catalogs"] = json!({});
    let engine = open(&options).await;
    let call = json!({"resource": "product", "format": "ndjson"}).to_string();
    let plan: Value = serde_json::from_slice(&engine.plan(call.into(), shop("product", 3, 1, 0)).await.unwrap()).unwrap();
    let of = |list: &str| -> Vec<String> {
        plan[list].as_array().unwrap().iter().map(|one| one["destination"].as_str().unwrap_or("all").to_owned()).collect()
    };
    assert!(!of("requests").is_empty() && of("requests").iter().all(|name| name == "eu"), "{plan:#}");
    assert_eq!(of("skipped"), ["us", "us", "us"]);
    let report = deliver(&engine, "product", shop("product", 3, 1, 0)).await;
    assert_eq!(report["destinations"]["us"]["counts"]["skipped"], 3, "{report:#}");
    assert_eq!((&report["counts"]["delivered"], &report["skipped_by_reason"]["not_configured"]), (&json!(3), &json!(3)), "{report:#}");
    engine.close().await.unwrap();
}

#[tokio::test]
async fn destinations_are_named_clearly_or_refused() {
    let (eu, us) = (sandbox(), sandbox());
    let good = pair(&eu, &us, "memory:");
    let refused = async |change: &dyn Fn(&mut Value)| {
        let mut options = good.clone();
        change(&mut options);
        let error = Engine::open(options.to_string().as_bytes()).await.map(drop).unwrap_err();
        assert_eq!(error.code().name(), "invalid_config", "{error}");
        error.to_string()
    };
    let one = good["destinations"]["eu"].clone();
    let both = refused(&|options| options["destination"] = one.clone()).await;
    assert!(both.contains("not both"), "{both}");
    let none = refused(&|options| drop(options.as_object_mut().unwrap().remove("destinations"))).await;
    assert!(none.contains("missing field `destination`"), "{none}");
    let twice = refused(&|options| options["destinations"] = json!([one, one])).await;
    assert!(twice.contains("two destinations are called `iterable`"), "{twice}");
    let empty = refused(&|options| options["destinations"] = json!([])).await;
    assert!(empty.contains("`destination`"), "{empty}");
    for name in ["", "e u", "ä", "a/b"] {
        let odd = refused(&|options| options["destinations"] = json!({name: one})).await;
        assert!(odd.contains("letters, digits"), "{odd}");
    }
    let typo = refused(&|options| options["destinations"]["us"]["api_kye"] = json!("x")).await;
    assert!(typo.contains("api_kye") && typo.contains("/destinations/us"), "{typo}");
    let region = refused(&|options| options["destinations"]["us"]["base_url"] = json!("ftp://x")).await;
    assert!(region.contains("/destinations/us/base_url"), "{region}");
}
