//! What the destinations answer: any status, any headers, any body, for one to three operations of each endpoint.
//! The first three bytes are the status, how many operations, and whether to ask for patience; the rest is the body.
#![no_main]

use std::collections::BTreeMap;
use std::sync::OnceLock;

use cartwire::destinations::{Completed, Destination, DestinationConfig, Operation, Reading, Reply, Verdict};
use cartwire::model::Mode;
use libfuzzer_sys::fuzz_target;

/// Every destination, and those of its settings that answers are read by.
const DESTINATIONS: &[&str] = &[
    r#"{"type":"iterable","api_key":"k","project_type":"hybrid","catalogs":{"products":"products"},"subscriptions":"additive",
        "consent":{"email":{"message_type":101,"policy":"opt_in","channel":7}}}"#,
    r#"{"type":"iterable","api_key":"k","project_type":"hybrid","catalogs":{"products":"products"},"subscriptions":"read_modify_write",
        "consent":{"email":{"message_type":101,"policy":"opt_in","channel":7}}}"#,
    r#"{"type":"cordial","api_key":"k","customer_id_attribute":"customer_id","channels":{"email":"email","sms":"sms"},
        "attributes":{"first_name":{"key":"first_name"}},"supplements":{"shipments":"shipments","categories":"categories"}}"#,
    r#"{"type":"cordial","api_key":"k","channels":{"email":"email"},"api":"async","email_change":"merge",
        "imports":{"upload_url":"https://files.example","authorization":"t","source":{"transport":"HTTP","url":"https://files.example/{file}"}}}"#,
    r#"{"type":"dotdigital","user":"u","password":"p","region":"r1","contact_deleted":"delete","group_lists":{"vip":40211},
        "programs":{"cart_abandoned":3120},"collections":{"categories":"Categories"},"consent":{"email":{"lists":[40212],"preference":7},"sms":{}}}"#,
    r#"{"type":"insider","partner":"p","token":"t","catalog_token":"t","unsubscribe_token":"t","contact_deleted":"delete",
        "left_events":{"sms":"sms_left"},"catalog":{"locales":{"en":"en_GB"}}}"#,
];

struct Place {
    destination: Box<dyn Destination>,
    /// By endpoint and group.
    operations: Vec<Vec<Operation>>,
}

fn set_up() -> &'static [Place] {
    static SET_UP: OnceLock<Vec<Place>> = OnceLock::new();
    SET_UP.get_or_init(|| {
        let lines: &[u8] = include_bytes!("../seeds/rows.ndjson");
        let normalized = cartwire_fuzz::pipeline(true).normalize(lines).expect("normalize answers");
        let normalized: cartwire::facade::answers::Normalized = serde_json::from_slice(&normalized).expect("it can be read");
        assert!(normalized.rejected.is_empty(), "{:?}", normalized.rejected);
        let place = |settings: &&str| {
            let config: DestinationConfig = serde_json::from_str(settings).expect("the set-up is right");
            let destination = config.open().expect("the set-up is right");
            let mut by_endpoint: BTreeMap<String, Vec<Operation>> = BTreeMap::new();
            for mode in [Mode::Live, Mode::Backfill] {
                for record in &normalized.records {
                    let mut record = record.clone();
                    record.envelope.mode = mode;
                    for operation in destination.build(&record).operations {
                        by_endpoint.entry(format!("{} {}", operation.endpoint, operation.group)).or_default().push(operation);
                    }
                }
            }
            assert!(by_endpoint.len() >= 3, "{} {:?}", destination.name(), by_endpoint.keys());
            let mut operations: Vec<Vec<Operation>> = by_endpoint.into_values().collect();
            let doubtful = operations.iter().flatten().filter_map(|operation| in_doubt(&*destination, operation)).collect::<Vec<_>>();
            assert!(destination.name() != "iterable" || !doubtful.is_empty(), "no row has a second read");
            operations.extend(doubtful.into_iter().map(|operation| vec![operation]));
            Place { destination, operations }
        };
        DESTINATIONS.iter().map(place).collect()
    })
}

/// An operation whose first read, an empty profile, leaves it open.
fn in_doubt(destination: &dyn Destination, operation: &Operation) -> Option<Operation> {
    destination.prefetch(operation)?;
    let profile = Reply { status: 200, headers: Vec::new(), body: br#"{"user":{"dataFields":{}}}"#.to_vec() };
    match destination.complete(operation, &profile) {
        Ok(Completed::Look(further)) => Some(*further),
        _ => None,
    }
}

/// One verdict per operation, and whatever is to be done next can be done.
fn holds(reading: &Reading, operations: usize) {
    match reading {
        Reading::Each(verdicts, _) => {
            assert_eq!(verdicts.len(), operations, "an operation has no verdict");
            for verdict in verdicts {
                if let Verdict::Amended(body, _) = verdict {
                    serde_json::from_slice::<serde::de::IgnoredAny>(body).expect("an amended body is JSON");
                }
            }
        }
        Reading::Job(job) => assert!(!job.id.is_empty(), "a job that cannot be asked for"),
        Reading::First(detour) => assert!(!detour.operations.is_empty(), "a detour that leads nowhere"),
        Reading::Split(_) | Reading::Retry(..) | Reading::Stop(_) => {}
    }
}

fuzz_target!(|data: &[u8]| {
    let [status, many, wait, body @ ..] = data else { return };
    const STATUSES: [u16; 14] = [200, 201, 202, 204, 301, 400, 401, 403, 404, 409, 413, 429, 500, 503];
    let status = match *status {
        low @ 0..=200 => STATUSES[usize::from(low) % STATUSES.len()],
        high => u16::from(high) * 5 - 1000,
    };
    let headers = match wait % 4 {
        0 => vec![],
        1 => vec![("retry-after".to_owned(), wait.to_string())],
        2 => vec![("retry-after".to_owned(), "Wed, 21 Oct 2026 07:28:00 GMT".to_owned())],
        _ => vec![("retry-after".to_owned(), String::from_utf8_lossy(&body[..body.len().min(40)]).into_owned())],
    };
    let reply = Reply { status, headers, body: body.to_vec() };
    let _ = reply.retry_after();
    for Place { destination, operations } in set_up() {
        let _ = destination.read_check(&reply);
        for operations in operations {
            let count = 1 + usize::from(*many) % operations.len().min(3);
            let operations: Vec<&Operation> = operations.iter().take(count).collect();
            let reading = destination.read(&operations, &reply);
            let again = destination.read(&operations, &reply);
            assert_eq!(format!("{reading:?}"), format!("{again:?}"), "the same reply was read in two ways");
            holds(&reading, operations.len());
            // Asked after under the id that the answer named, or under one made of the answer.
            let job = match &reading {
                Reading::Job(job) => job.id.clone(),
                _ => String::from_utf8_lossy(&body[..body.len().min(40)]).into_owned(),
            };
            // An id is never empty: `holds` sees to that where one is read.
            if !job.is_empty() && destination.poll(&operations, &job).is_ok() {
                holds(&destination.read_poll(&operations, &job, &reply), operations.len());
            }
            for operation in operations.iter().take(1) {
                if destination.prefetch(operation).is_some() {
                    if let Ok(Completed::Look(further)) = destination.complete(operation, &reply) {
                        assert!(destination.prefetch(&further).is_some(), "a second read that is none");
                    }
                }
                if destination.read_back(operation).is_some() {
                    let held = destination.compare(operation, &reply).ok();
                    assert_eq!(held, destination.compare(operation, &reply).ok(), "the same reply was compared in two ways");
                }
            }
        }
    }
});
