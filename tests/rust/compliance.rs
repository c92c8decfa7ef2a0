//! What every destination must hold to, whoever wrote it: its own limits, order per profile, honest reading of answers,
//! the same bytes for the same input, and silence about people and keys. Driven by the capability tables, by the records of
//! the golden cases, and by what `tests/rust/vendors` says of each vendor's answers.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod vendors;

#[path = "compliance/corpus.rs"]
mod corpus;
#[path = "compliance/spy.rs"]
mod spy;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use cartwire::destinations::{Backfill, Built, Capabilities, Destination, Endpoint, Operation, PartialFailure, Reading, Verdict};
use cartwire::error::ErrorCode;
use cartwire::model::Mode;
use serde_json::{Value, json};

use corpus::{Setup, batches, built, contact, corpus, event, facts, job_cases, job_rows, parsed, plan, product, setups, several};
use spy::{Script, stage, stage_with};
use vendors::{Answer, End, Jobs, Person, Vendor, entries, poisoned};

// -- the tables ------------------------------------------------------------------------------------------------------

#[test]
fn every_endpoint_of_a_table_is_reached_by_some_record() {
    let records = corpus();
    let mut reached: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let mut tables: BTreeMap<&str, &Capabilities> = BTreeMap::new();
    for setup in setups() {
        let destination = setup.open();
        tables.insert(destination.name(), destination.capabilities());
        let reached = reached.entry(destination.name()).or_default();
        reached.extend(built(&*destination, &records).into_iter().map(|operation| operation.endpoint.into_owned()));
        for (endpoint, why) in setup.vendor.reached_otherwise() {
            assert!(!why.is_empty() && destination.capabilities().endpoint(endpoint).is_some(), "{}: `{endpoint}`", setup.label());
            reached.insert((*endpoint).to_owned());
        }
    }
    let missing: Vec<String> = tables
        .into_iter()
        .flat_map(|(name, table)| table.endpoints.iter().map(move |endpoint| (name, endpoint.id)))
        .filter(|(name, id)| !reached[name].contains(*id))
        .map(|(name, id)| format!("{name} {id}"))
        .collect();
    assert!(missing.is_empty(), "no record leads to {missing:?}");
}

#[test]
fn every_operation_fits_its_endpoint_and_its_request_goes_where_the_table_says() {
    let records = corpus();
    for setup in setups() {
        let destination = setup.open();
        let operations = built(&*destination, &records);
        assert!(operations.len() > 50, "{} makes next to nothing of the golden records", setup.label());
        let plan = plan(&*destination, &operations);
        assert!(plan.refused.is_empty(), "{}: {:?}", setup.label(), plan.refused);
        for planned in plan.requests {
            for request in [Some(planned.request), planned.prefetch].into_iter().flatten() {
                let endpoint = facts(&*destination, &request.endpoint);
                assert_eq!(request.method, endpoint.method, "{}", endpoint.id);
                let fixed = endpoint.path.split(['{', '?']).next().unwrap();
                assert!(request.path.starts_with(fixed), "{}: {} is not under {fixed}", setup.label(), endpoint.id);
                assert!(!request.path.contains(['{', ' ']), "{}: {}", setup.label(), endpoint.id);
                assert!(request.body.as_ref().is_none_or(|body| endpoint.max_bytes == 0 || body.len() <= endpoint.max_bytes as usize));
                assert!(destination.base_url_of(&request).starts_with("http"), "{}", endpoint.id);
            }
        }
    }
}

#[test]
fn a_request_holds_as_many_rows_as_the_table_says_and_not_one_more() {
    for setup in setups() {
        let destination = setup.open();
        for ((id, _), batch) in batches(&*destination, built(&*destination, &corpus())) {
            let endpoint = facts(&*destination, id);
            let most = endpoint.max_records as usize;
            let smallest = batch.iter().min_by_key(|operation| operation.body.len()).unwrap();
            if most == 0 || (endpoint.max_bytes > 0 && (smallest.body.len() + 64) * most > endpoint.max_bytes as usize) {
                continue;
            }
            let many = |count: usize| -> Vec<Operation> {
                let other = |lane: usize| match destination.apart(smallest) {
                    // Rows that may not be alike are made not to be.
                    Some(own) => String::from_utf8_lossy(&smallest.body).replace(&own, &format!("{lane:04}{own}")).into_bytes(),
                    None => smallest.body.clone(),
                };
                (0..count).map(|lane| Operation { lane: format!("lane-{lane}"), body: other(lane), ..smallest.clone() }).collect()
            };
            let counts = |operations: &[Operation]| -> Vec<usize> {
                plan(&*destination, operations).requests.iter().map(|planned| planned.operations.len()).collect()
            };
            assert_eq!(counts(&many(most)), [most], "{} {id}", setup.label());
            assert_eq!(counts(&many(most + 1)), [most, 1], "{} {id}", setup.label());
            let one_too_many = many(most + 1);
            assert!(destination.request(&one_too_many.iter().collect::<Vec<_>>()).is_err(), "{} {id} takes too many", setup.label());
        }
    }
}

#[test]
fn a_request_is_filled_to_its_bytes_and_never_above() {
    let long = "x".repeat(30_000);
    let rows: Vec<Value> = (0..300)
        .map(|number| {
            let attributes = json!({"biography": {"type": "text", "value": long}});
            contact(&Person::numbered(number), 1, json!({"attributes": attributes}))
        })
        .collect();
    let records = parsed(&rows);
    for setup in setups() {
        let destination = setup.open();
        for ((id, _), batch) in batches(&*destination, built(&*destination, &records)) {
            let endpoint = facts(&*destination, id);
            let plan = plan(&*destination, &batch);
            let sent: usize = plan.requests.iter().map(|planned| planned.operations.len()).sum();
            assert_eq!(sent + plan.refused.len(), batch.len(), "{} {id} lost rows", setup.label());
            for (index, planned) in plan.requests.iter().enumerate() {
                let bytes = planned.request.body.as_ref().map_or(0, Vec::len);
                assert!(endpoint.max_bytes == 0 || bytes <= endpoint.max_bytes as usize, "{} {id}: {bytes}", setup.label());
                let full = planned.operations.len() == endpoint.max_records as usize;
                if index + 1 == plan.requests.len() || full || endpoint.max_bytes == 0 {
                    continue;
                }
                // One more row would have been too much.
                let last = *planned.operations.last().unwrap();
                let more: Vec<&Operation> = planned.operations.iter().chain([&(last + 1)]).map(|position| &batch[*position]).collect();
                let bytes = destination.request(&more).unwrap().body.unwrap().len();
                // Rows that are sent in fewer bytes than they are kept in are counted as they are kept.
                let rows: usize = more.iter().map(|operation| operation.body.len()).sum();
                assert!(bytes.max(rows) > endpoint.max_bytes as usize, "{} {id} is cut too early: {bytes}", setup.label());
            }
        }
    }
}

#[test]
fn a_row_above_the_tables_size_is_refused_and_not_sent() {
    let records = parsed(&[product(1, &"x".repeat(40_000)), contact(&Person::numbered(1), 1, json!({"last_name": "x".repeat(40_000)}))]);
    for setup in setups() {
        let destination = setup.open();
        for operation in built(&*destination, &records) {
            let endpoint = facts(&*destination, &operation.endpoint);
            let too_large = endpoint.max_record_bytes > 0 && operation.body.len() > endpoint.max_record_bytes as usize;
            let refused = plan(&*destination, std::slice::from_ref(&operation)).refused;
            assert_eq!(refused.len(), usize::from(too_large), "{} {}", setup.label(), endpoint.id);
        }
    }
}

#[test]
fn the_same_record_gives_the_same_bytes_in_any_order_and_from_any_instance() {
    let records = corpus();
    for setup in setups() {
        let (one, other) = (setup.open(), setup.open());
        let forth: Vec<Built> = records.iter().map(|record| one.build(record)).collect();
        let mut back: Vec<Built> = records.iter().rev().map(|record| other.build(record)).collect();
        back.reverse();
        for (one, other) in forth.iter().zip(&back) {
            assert_eq!(one.operations, other.operations, "{}", setup.label());
            assert_eq!((&one.skipped, &one.findings, &one.withheld), (&other.skipped, &other.findings, &other.withheld));
        }
        let requests = |destination: &dyn Destination| -> Vec<(String, Option<Vec<u8>>)> {
            let planned = plan(destination, &built(destination, &records));
            planned.requests.into_iter().map(|planned| (planned.request.path, planned.request.body)).collect()
        };
        assert_eq!(requests(&*one), requests(&*other), "{}", setup.label());
    }
}

#[test]
fn nothing_is_dropped_without_a_word() {
    for setup in setups() {
        let destination = setup.open();
        for record in corpus() {
            let built = destination.build(&record);
            let said = !built.skipped.is_empty() || built.findings.iter().any(cartwire::model::Finding::is_error);
            assert!(!built.operations.is_empty() || said, "{}: {} {:?}", setup.label(), record.body.kind(), record.envelope.resource);
            for skip in &built.skipped {
                assert!(skip.detail.len() > 10 && !skip.detail.ends_with('.'), "{}: `{}`", setup.label(), skip.detail);
            }
        }
    }
}

#[test]
fn a_backfill_calls_nothing_that_the_table_withholds() {
    for setup in setups().into_iter().filter(|setup| setup.plain) {
        let destination = setup.open();
        assert!(!destination.backfill_notice().is_empty());
        for mut record in corpus() {
            record.envelope.mode = Mode::Backfill;
            for operation in destination.build(&record).operations {
                let endpoint = facts(&*destination, &operation.endpoint);
                assert!(!matches!(endpoint.backfill, Backfill::Withheld(_)), "{}: {} in a backfill", setup.label(), endpoint.id);
            }
        }
    }
}

// -- answers ---------------------------------------------------------------------------------------------------------

/// Every endpoint with a few operations that may share a request.
fn each_endpoint(mut check: impl FnMut(&Setup, &dyn Destination, &'static Endpoint, &[&Operation])) {
    let own = job_cases().into_iter().map(|(setup, case)| (setup, parsed(&job_rows(&case))));
    for (setup, records) in setups().into_iter().map(|setup| (setup, several())).chain(own) {
        let destination = setup.open();
        let mut seen = 0;
        for ((id, _), batch) in batches(&*destination, built(&*destination, &records)) {
            let endpoint = facts(&*destination, id);
            let most = if endpoint.max_records == 0 { batch.len() } else { batch.len().min(endpoint.max_records as usize) };
            check(&setup, &*destination, endpoint, &batch[..most].iter().collect::<Vec<_>>());
            seen += 1;
        }
        assert!(seen > 0, "{}", setup.label());
    }
}

#[test]
fn rows_that_were_refused_are_told_from_those_that_were_taken() {
    // Every vendor shows a half-refused batch, in its answer or in what its jobs tell.
    let mut halves: BTreeSet<&str> = job_cases().iter().map(|(setup, _)| setup.label()).collect();
    each_endpoint(|setup, destination, endpoint, operations| {
        let name = format!("{} {}", setup.label(), endpoint.id);
        let taken = setup.vendor.answer(operations, Answer::Taken);
        if endpoint.job.is_none() {
            match destination.read(operations, &taken.expect(&name)) {
                Reading::Each(verdicts, _) => assert!(verdicts.iter().all(|verdict| *verdict == Verdict::Accepted), "{name}"),
                other => panic!("{name}: {other:?}"),
            }
        }
        let named = matches!(endpoint.partial_failure, PartialFailure::ByValue | PartialFailure::ByIndex);
        let Some(reply) = setup.vendor.answer(operations, Answer::HalfRefused) else {
            assert!(!named || endpoint.job.is_some(), "{name}: the table says that failed rows are named");
            return;
        };
        let Reading::Each(verdicts, _) = destination.read(operations, &reply) else { panic!("{name}") };
        let half = operations.len() / 2;
        if half > 0 {
            halves.insert(setup.label());
        }
        assert_eq!(verdicts.len(), operations.len(), "{name}");
        for (index, verdict) in verdicts.iter().enumerate() {
            assert_eq!(*verdict == Verdict::Accepted, index < half, "{name}: row {index}: {verdict:?}");
        }
    });
    assert_eq!(halves, entries().iter().map(|vendor| vendor.label()).collect());
}

#[test]
fn a_success_that_hides_a_refusal_is_none() {
    let mut seen = BTreeSet::new();
    each_endpoint(|setup, destination, endpoint, operations| {
        let Some(reply) = setup.vendor.answer(operations, Answer::FalseSuccess) else { return };
        assert!((200..300).contains(&reply.status));
        seen.insert(setup.label());
        match destination.read(operations, &reply) {
            Reading::Each(verdicts, _) => assert!(!verdicts.contains(&Verdict::Accepted), "{} {}", setup.label(), endpoint.id),
            Reading::Job(_) => panic!("{} {}: taken for a job", setup.label(), endpoint.id),
            _ => {}
        }
    });
    assert_eq!(seen, entries().iter().map(|vendor| vendor.label()).collect(), "who says no in a success, and who there is");
}

#[test]
fn a_request_refused_as_a_whole_is_split_until_one_row_is_left() {
    each_endpoint(|setup, destination, endpoint, operations| {
        let Some(reply) = setup.vendor.answer(operations, Answer::Refused) else { return };
        let name = format!("{} {}", setup.label(), endpoint.id);
        if operations.len() > 1 {
            assert!(matches!(destination.read(operations, &reply), Reading::Split(_)), "{name}");
        }
        let one = &operations[..1];
        let reply = setup.vendor.answer(one, Answer::Refused).expect(&name);
        match destination.read(one, &reply) {
            Reading::Each(verdicts, _) => assert_ne!(verdicts[0], Verdict::Accepted, "{name}"),
            Reading::Split(_) => {}
            other => panic!("{name}: {other:?}"),
        }
    });
}

#[test]
fn slow_down_is_understood_with_and_without_a_time() {
    each_endpoint(|setup, destination, endpoint, operations| {
        let name = format!("{} {}", setup.label(), endpoint.id);
        let mut reply = setup.vendor.answer(operations, Answer::Throttled).expect(&name);
        for after in [None, Some("7")] {
            reply.headers.retain(|(header, _)| header != "retry-after");
            reply.headers.extend(after.map(|after| ("retry-after".to_owned(), after.to_owned())));
            let Reading::Retry(refusal, asked) = destination.read(operations, &reply) else { panic!("{name}") };
            assert_eq!(refusal.code.0, ErrorCode::RateLimited, "{name}");
            // Where the reading has no time of its own, delivery reads the header.
            assert!(asked.is_none() || after.is_none() || asked == Some(Duration::from_secs(7)), "{name}: {asked:?}");
        }
        let broken = setup.vendor.answer(operations, Answer::Broken).expect(&name);
        assert!(matches!(destination.read(operations, &broken), Reading::Retry(..)), "{name}");
    });
}

#[test]
fn every_entry_shows_its_jobs_or_says_why_there_are_none() {
    for vendor in entries() {
        let table = vendor.open(vendor.config(corpus::NOWHERE)).capabilities();
        let mut with_jobs: BTreeSet<&str> = BTreeSet::new();
        for endpoint in table.endpoints {
            let Some(job) = endpoint.job else { continue };
            assert!(table.endpoint(job.poll).is_some() && job.give_up_s > 0, "{} {}", vendor.label(), endpoint.id);
            with_jobs.insert(endpoint.id);
        }
        match vendor.jobs(corpus::NOWHERE) {
            Jobs::None(why) => {
                assert!(why.len() > 20, "{}: a reason is a sentence", vendor.label());
                assert!(with_jobs.is_empty(), "{}: the table knows jobs of {with_jobs:?}", vendor.label());
            }
            Jobs::Some(cases, elsewhere) => {
                assert!(elsewhere.iter().all(|(_, whence)| whence.len() > 20), "{}", vendor.label());
                let shown = cases.iter().map(|case| case.endpoint).chain(elsewhere.iter().map(|(endpoint, _)| *endpoint));
                assert_eq!(shown.collect::<BTreeSet<_>>(), with_jobs, "{}: jobs of the table, and those shown", vendor.label());
            }
        }
    }
}

/// Follows a job to the verdicts of its rows, as delivery would: halves what must be halved, and lets it go on twice before
/// it ends.
fn follow(setup: &Setup, destination: &dyn Destination, operations: &[&Operation], end: End) -> Vec<Verdict> {
    let endpoint = facts(destination, &operations[0].endpoint);
    let name = format!("{} {} {end:?}", setup.label(), endpoint.id);
    let mut reading = destination.read(operations, &setup.vendor.answer(operations, Answer::JobTaken).expect(&name));
    assert!(matches!(reading, Reading::Job(_)), "{name}: taken for {reading:?}");
    for question in 0..8 {
        let Reading::Job(job) = reading else { break };
        let request = destination.poll(operations, &job.id).expect(&name);
        assert!(question > 0 || request.endpoint == endpoint.job.expect(&name).poll, "{name}: asks {}", request.endpoint);
        let end = (question > 1).then_some(end);
        reading = destination.read_poll(operations, &job.id, &setup.vendor.asked(&request, operations, end));
        assert!(end.is_some() || matches!(reading, Reading::Job(_)), "{name}: goes on, and is read as {reading:?}");
    }
    match reading {
        Reading::Each(verdicts, _) => verdicts,
        Reading::Split(_) if operations.len() > 1 => {
            let (one, other) = operations.split_at(operations.len() / 2);
            [follow(setup, destination, one, end), follow(setup, destination, other, end)].concat()
        }
        other => panic!("{name}: {other:?}"),
    }
}

#[test]
fn a_job_that_fails_late_is_no_success_and_its_bad_rows_fail_alone() {
    let mut seen = 0;
    for (setup, case) in job_cases() {
        let destination = setup.open();
        let records = parsed(&job_rows(&case));
        let own = batches(&*destination, built(&*destination, &records)).into_iter().find(|((id, _), _)| *id == case.endpoint);
        let (_, batch) = own.unwrap_or_else(|| panic!("{}: no row leads to {}", setup.label(), case.endpoint));
        let most = facts(&*destination, case.endpoint).max_records.max(1) as usize;
        let operations: Vec<&Operation> = batch.iter().take(most).collect();
        for end in [End::Arrived, End::Picky, End::Failed] {
            let verdicts = follow(&setup, &*destination, &operations, end);
            assert_eq!(verdicts.len(), operations.len());
            for (operation, verdict) in operations.iter().zip(&verdicts) {
                let arrives = end == End::Arrived || (end == End::Picky && !poisoned(operation));
                let name = format!("{} {} {end:?}: {verdict:?}", setup.label(), case.endpoint);
                assert_eq!(*verdict == Verdict::Accepted, arrives, "{name}");
                silent(&name, &format!("{verdict:?}"), &forbidden(&*setup.vendor));
            }
            seen += 1;
        }
    }
    assert!(seen > 0 || entries().iter().all(|vendor| matches!(vendor.jobs(corpus::NOWHERE), Jobs::None(_))));
}

#[tokio::test]
async fn rows_whose_job_fails_late_end_as_letters_and_the_others_arrive() {
    // Jobs are asked for by the clock on the wall: all at once, or this takes minutes.
    let mut under_way = tokio::task::JoinSet::new();
    for (setup, case) in job_cases() {
        for end in [End::Picky, End::Failed] {
            let (rows, records) = (job_rows(&case), parsed(&job_rows(&case)));
            let destination = setup.open();
            let operations = built(&*destination, &records);
            let poisoned = operations.iter().filter(|operation| operation.endpoint == case.endpoint && poisoned(operation)).count();
            let name = format!("{} {} {end:?}", setup.label(), case.endpoint);
            let setup = Setup { vendor: setup.vendor.clone(), config: setup.config.clone(), plain: false };
            under_way.spawn(async move {
                let taken: Script = Box::new(|_, _| (Answer::Taken, Vec::new()));
                let stage = stage_with(&setup, taken, end, if end == End::Picky { 6 } else { 1 }).await;
                let report = stage.deliver(&rows).await;
                let letters: Value = serde_json::from_slice(&stage.engine.dead_letters(Bytes::new()).await.unwrap()).unwrap();
                let lost = if end == End::Picky { poisoned } else { rows.len() };
                assert_eq!(report["counts"]["dead_lettered"], lost, "{name}: {report:#}");
                assert_eq!(report["counts"]["delivered"], rows.len() - lost, "{name}: {report:#}");
                assert_eq!(letters.as_array().unwrap().len(), lost, "{name}");
                stage.engine.close().await.unwrap();
            });
        }
    }
    while let Some(done) = under_way.join_next().await {
        done.unwrap();
    }
}

#[test]
fn the_rows_a_job_refused_are_told_from_those_it_took_however_late_it_ends() {
    each_endpoint(|setup, destination, endpoint, operations| {
        let name = format!("{} {}", setup.label(), endpoint.id);
        let Some(taken) = setup.vendor.answer(operations, Answer::JobTaken) else { return };
        let Reading::Job(job) = destination.read(operations, &taken) else { panic!("{name}: no job") };
        let half = operations.len() / 2;
        for (first, failed) in [(operations.len(), false), (half, false), (0, false), (half, true), (0, true)] {
            let Some(report) = setup.vendor.job_report(operations, &operations[first..], failed) else { return };
            let question = destination.poll(operations, &job.id).expect(&name);
            for _ in 0..100 {
                let running = setup.vendor.asked(&question, operations, None);
                assert!(matches!(destination.read_poll(operations, &job.id, &running), Reading::Job(_)), "{name}");
            }
            let Reading::Each(verdicts, warnings) = destination.read_poll(operations, &job.id, &report) else { panic!("{name}") };
            assert_eq!(verdicts.len(), operations.len(), "{name}");
            for (index, verdict) in verdicts.iter().enumerate() {
                let sound = match (index < first, failed) {
                    (true, false) => *verdict == Verdict::Accepted,
                    // What a failed job did not name may have arrived or not.
                    (true, true) => matches!(verdict, Verdict::Retry(..)),
                    (false, _) => !matches!(verdict, Verdict::Accepted | Verdict::Retry(..)),
                };
                assert!(sound, "{name}: failed {failed}, row {index} of {first} taken: {verdict:?}");
            }
            assert!(!format!("{verdicts:?} {warnings:?}").contains("p00010@"), "{name} tells who it is about");
        }
    });
}

// -- the whole way ---------------------------------------------------------------

/// Set-ups of which all of these rows are answered at once; jobs are followed above. Every vendor has one.
fn immediate(rows: &[Value]) -> Vec<Setup> {
    let at_once = |setup: &Setup| {
        let destination = setup.open();
        let operations = built(&*destination, &parsed(rows));
        let job = |operation: &Operation| facts(&*destination, &operation.endpoint).job.is_some();
        let taken = |operation: &Operation| setup.vendor.answer(&[operation], Answer::JobTaken).is_some();
        operations.iter().all(|operation| !job(operation) || !taken(operation))
    };
    let setups: Vec<Setup> = setups().into_iter().filter(at_once).collect();
    for vendor in entries() {
        assert!(setups.iter().any(|setup| setup.label() == vendor.label() && setup.plain), "{} is left out", vendor.label());
    }
    setups
}

#[tokio::test]
async fn order_is_kept_per_profile_whatever_fails_in_between() {
    let mut rows = Vec::new();
    for version in 1..=8 {
        for number in 20..23 {
            let person = Person::numbered(number);
            rows.push(if version % 2 == 0 { contact(&person, version, json!({})) } else { event(&person, version, "product_viewed") });
        }
    }
    for setup in immediate(&rows) {
        let flaky: Script = Box::new(|request, times| match (times, request.body.as_ref().map_or(0, Vec::len) % 3) {
            (0, 0) => (Answer::Throttled, Vec::new()),
            (0, 1) => (Answer::Broken, Vec::new()),
            _ => (Answer::Taken, Vec::new()),
        });
        let stage = stage(&setup, flaky).await;
        let report = stage.deliver(&rows).await;
        assert_eq!(report["counts"]["dead_lettered"], 0, "{}: {report:#}", setup.label());
        assert_eq!(report["counts"]["pending"], 0, "{}: {report:#}", setup.label());
        let destination = setup.open();
        let taken = stage.spy.log.lock().unwrap().taken.clone();
        assert!(taken.len() >= rows.len(), "{}: {} of {}", setup.label(), taken.len(), rows.len());
        let mut wanted: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for operation in built(&*destination, &parsed(&rows)) {
            wanted.entry(operation.lane).or_default().push(operation.idempotency_key.to_string());
        }
        let provided = parsed(&rows).iter().flat_map(|record| destination.build(record).provided).collect::<Vec<_>>();
        let provided: Vec<String> = provided.iter().map(|provided| provided.operation.idempotency_key.to_string()).collect();
        for (lane, wanted) in wanted {
            let taken: Vec<&String> = taken.iter().filter(|(other, _)| *other == lane).map(|(_, key)| key).collect();
            let taken: Vec<&String> = taken.into_iter().filter(|key| !provided.contains(key)).collect();
            let wanted: Vec<&String> = wanted.iter().filter(|key| taken.contains(key)).collect();
            assert_eq!(taken, wanted, "{}: a lane is out of order or took something twice", setup.label());
        }
        stage.engine.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_poisoned_row_dies_alone() {
    let people: Vec<Value> = (30..39)
        .map(|number| contact(&Person::numbered(number), 1, json!({"last_name": if number == 33 { "poisonous" } else { "Sato" }})))
        .collect();
    let goods: Vec<Value> = (0..9).map(|number| product(number, if number == 4 { "poisonous" } else { "Tee" })).collect();
    for rows in [&people, &goods] {
        for setup in immediate(rows) {
            if built(&*setup.open(), &parsed(rows)).is_empty() {
                continue;
            }
            let picky: Script = Box::new(|request, _| {
                let poisoned = request.body.as_ref().is_some_and(|body| String::from_utf8_lossy(body).contains("poisonous"));
                (if poisoned { Answer::Refused } else { Answer::Taken }, Vec::new())
            });
            let stage = stage(&setup, picky).await;
            let report = stage.deliver(rows).await;
            assert_eq!(report["counts"]["dead_lettered"], 1, "{}: {report:#}", setup.label());
            assert_eq!(report["counts"]["delivered"], 8, "{}: {report:#}", setup.label());
            stage.engine.close().await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_time_that_is_asked_for_is_waited() {
    let rows = [event(&Person::numbered(40), 1, "product_viewed")];
    for setup in immediate(&rows).into_iter().filter(|setup| setup.plain) {
        // Some readings know the time themselves, such as the minute a budget is counted by; that is not waited for here.
        let operations = built(&*setup.open(), &parsed(&rows));
        let refused = setup.vendor.answer(&[&operations[0]], Answer::Throttled).unwrap();
        let own = matches!(setup.open().read(&[&operations[0]], &refused), Reading::Retry(_, Some(_)));
        for after in [None, Some("1")].into_iter().filter(|after| after.is_some() || !own) {
            let busy: Script = Box::new(move |_, times| {
                let headers = after.map(|after| ("retry-after".to_owned(), after.to_owned())).into_iter().collect();
                if times == 0 { (Answer::Throttled, headers) } else { (Answer::Taken, Vec::new()) }
            });
            let stage = stage(&setup, busy).await;
            let began = Instant::now();
            let report = stage.deliver(&rows).await;
            assert_eq!(report["counts"]["delivered"], 1, "{}: {report:#}", setup.label());
            assert_eq!(stage.requests(), 2 * stage.transport.seen.lock().unwrap().len(), "{}", setup.label());
            assert_eq!(began.elapsed() >= Duration::from_millis(950), after.is_some(), "{}: {:?}", setup.label(), began.elapsed());
            stage.engine.close().await.unwrap();
        }
    }
}

// -- silence ---------------------------------------------------------------------------------------------------------

/// What must not be heard: the secrets, and what the rows of [`several`] and [`contact`] hold of people.
fn forbidden(vendor: &dyn Vendor) -> Vec<String> {
    let mut words: Vec<String> = vendor.secrets().iter().map(|secret| (*secret).to_owned()).collect();
    words.extend(["@example.com", "Maraike", "Okoyeson", "+4930"].map(str::to_owned));
    words
}

fn silent(what: &str, text: &str, words: &[String]) {
    for word in words {
        assert!(!text.contains(word.as_str()), "{what} tells `{word}`: {text}");
    }
}

#[test]
fn debug_and_errors_tell_neither_keys_nor_people() {
    for setup in setups() {
        let words = forbidden(&*setup.vendor);
        let config: cartwire::destinations::DestinationConfig = serde_json::from_value(setup.config.clone()).unwrap();
        silent("the configuration", &format!("{config:?}"), &words);
        silent("the configuration as JSON", &serde_json::to_string(&config).unwrap(), &words);
        silent("the check", &format!("{:?}", setup.open().check()), &words);
    }
    each_endpoint(|setup, destination, endpoint, operations| {
        let words = forbidden(&*setup.vendor);
        let request = destination.request(operations).unwrap();
        silent(endpoint.id, &format!("{operations:?} {request:?}"), &words);
        silent(endpoint.id, &operations.iter().map(|operation| format!("{} ", operation.lane)).collect::<String>(), &words);
        let secret = setup.vendor.secrets().iter().any(|secret| request.path.contains(secret));
        assert!(!secret, "{}: a secret in the path is written to every log on the way", endpoint.id);
        for answer in [Answer::HalfRefused, Answer::Refused, Answer::FalseSuccess, Answer::Unauthorized, Answer::Throttled, Answer::Broken]
        {
            let Some(reply) = setup.vendor.answer(operations, answer) else { continue };
            silent(endpoint.id, &format!("{reply:?}"), &words);
            let reading = destination.read(operations, &reply);
            if let Reading::Stop(error) = &reading {
                silent(endpoint.id, &format!("{error} {error:?}"), &words);
            }
            // Warnings and refusals are made of the vendor's words at most.
            silent(endpoint.id, &format!("{reading:?}"), &words);
        }
        let Some(reply) = setup.vendor.answer(operations, Answer::Unauthorized) else { return };
        assert!(matches!(destination.read(operations, &reply), Reading::Stop(_)), "{} {}", setup.label(), endpoint.id);
    });
}

/// Everything that is logged, as text.
#[derive(Clone, Default)]
struct Ear(Arc<Mutex<String>>);

impl tracing::Subscriber for Ear {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, attributes: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        attributes.record(&mut Heard(&self.0));
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, values: &tracing::span::Record<'_>) {
        values.record(&mut Heard(&self.0));
    }
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        event.record(&mut Heard(&self.0));
    }
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

struct Heard<'a>(&'a Mutex<String>);

impl tracing::field::Visit for Heard<'_> {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        self.0.lock().unwrap().push_str(&format!("{field}={value:?}\n"));
    }
}

#[tokio::test]
async fn logs_and_reports_tell_neither_keys_nor_people() {
    let rows: Vec<Value> = (50..54)
        .flat_map(|number| {
            let person = Person::numbered(number);
            [contact(&person, 1, json!({})), event(&person, 2, "product_viewed")]
        })
        .collect();
    for setup in immediate(&rows) {
        for answer in [Answer::Taken, Answer::Refused, Answer::Unauthorized] {
            let ear = Ear::default();
            let heard = ear.0.clone();
            let guard = tracing::subscriber::set_default(ear);
            let stage = stage(&setup, Box::new(move |_, _| (answer, Vec::new()))).await;
            let report = stage.deliver(&rows).await;
            let words = forbidden(&*setup.vendor);
            silent("the report", &report.to_string(), &words);
            let letters: Value = serde_json::from_slice(&stage.engine.dead_letters(Bytes::new()).await.unwrap()).unwrap();
            for letter in letters.as_array().unwrap() {
                // The record and the row are what a letter is for; the rest of it goes into tickets.
                let mut letter = letter.clone();
                letter.as_object_mut().unwrap().retain(|name, _| name != "record" && name != "body");
                silent("a dead letter", &letter.to_string(), &words);
            }
            stage.engine.close().await.unwrap();
            drop(guard);
            let heard = heard.lock().unwrap().clone();
            assert!(answer == Answer::Taken || heard.contains("endpoint"), "nothing was logged");
            silent("the log", &heard, &words);
        }
    }
}
