//! What the destination answers: any status, any headers, any body, for one to three operations of each endpoint.
//! The first three bytes are the status, how many operations, and whether to ask for patience; the rest is the body.
#![no_main]

use std::collections::BTreeMap;
use std::sync::OnceLock;

use cartwire::destinations::{Destination, DestinationConfig, Operation, Reading, Reply, Verdict};
use libfuzzer_sys::fuzz_target;

fn set_up() -> &'static (Vec<Box<dyn Destination>>, Vec<Vec<Operation>>) {
    static SET_UP: OnceLock<(Vec<Box<dyn Destination>>, Vec<Vec<Operation>>)> = OnceLock::new();
    SET_UP.get_or_init(|| {
        let mut destinations = Vec::new();
        for mode in ["additive", "read_modify_write"] {
            let config: DestinationConfig = serde_json::from_str(&format!(
                r#"{{"type":"iterable","api_key":"k","project_type":"hybrid","catalogs":{{"products":"products"}},"subscriptions":"{mode}",
                    "consent":{{"email":{{"message_type":101,"policy":"opt_in","channel":7}}}}}}"#
            ))
            .expect("the set-up is right");
            destinations.push(config.open().expect("the set-up is right"));
        }
        let lines: &[u8] = include_bytes!("../seeds/rows.ndjson");
        let mut by_endpoint: BTreeMap<String, Vec<Operation>> = BTreeMap::new();
        let normalized = cartwire_fuzz::pipeline(true).normalize(lines).expect("normalize answers");
        let normalized: cartwire::facade::answers::Normalized = serde_json::from_slice(&normalized).expect("it can be read");
        assert!(normalized.rejected.is_empty(), "{:?}", normalized.rejected);
        for destination in &destinations {
            for record in &normalized.records {
                for operation in destination.build(record).operations {
                    by_endpoint.entry(format!("{} {}", operation.endpoint, operation.group)).or_default().push(operation);
                }
            }
        }
        assert!(by_endpoint.len() >= 3, "{:?}", by_endpoint.keys());
        (destinations, by_endpoint.into_values().collect())
    })
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
    let (destinations, endpoints) = set_up();
    for destination in destinations {
        let _ = destination.read_check(&reply);
        let _ = reply.retry_after();
        for operations in endpoints {
            let count = 1 + usize::from(*many) % operations.len().min(3);
            let operations: Vec<&Operation> = operations.iter().take(count).collect();
            let reading = destination.read(&operations, &reply);
            let again = destination.read(&operations, &reply);
            assert_eq!(format!("{reading:?}"), format!("{again:?}"), "the same reply was read in two ways");
            match reading {
                Reading::Each(verdicts, _) => {
                    assert_eq!(verdicts.len(), operations.len(), "an operation has no verdict");
                    for verdict in verdicts {
                        if let Verdict::Amended(body, _) = verdict {
                            serde_json::from_slice::<serde::de::IgnoredAny>(&body).expect("an amended body is JSON");
                        }
                    }
                }
                Reading::Job(job) => assert!(!job.id.is_empty(), "a job that cannot be asked for"),
                Reading::First(detour) => assert!(!detour.operations.is_empty(), "a detour that leads nowhere"),
                Reading::Split(_) | Reading::Retry(..) | Reading::Stop(_) => {}
            }
            if destination.prefetch(operations[0]).is_some() {
                let _ = destination.complete(operations[0], &reply);
            }
        }
    }
});
