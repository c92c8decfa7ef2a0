//! Storefront signals, as `track` takes them: one, lists, lines; from read to built.
#![no_main]

use std::sync::OnceLock;

use cartwire::facade::Pipeline;
use cartwire::facade::answers::Normalized;
use cartwire_fuzz::{judged, pipeline};
use libfuzzer_sys::fuzz_target;

fn signals() -> &'static Pipeline {
    static OPEN: OnceLock<Pipeline> = OnceLock::new();
    OPEN.get_or_init(|| {
        let options = r#"{"source":"commercetools","resource":"signal","now":"2026-02-02T02:40:00Z",
            "destination":{"type":"iterable","api_key":"k","project_type":"hybrid"}}"#;
        Pipeline::new(options.as_bytes()).expect("the set-up is right")
    })
}

fuzz_target!(|data: &[u8]| {
    let answer = signals().normalize(data).expect("normalize answers");
    assert!(answer == signals().normalize(data).expect("normalize answers"), "normalize differs from itself");
    let read: Normalized = serde_json::from_slice(&answer).expect("what normalize writes can be read");
    assert!(read.fetches.is_empty() && read.ignored.is_empty(), "a signal is a record or refused");
    assert!(read.records.iter().all(|record| record.body.kind() == "event"), "a signal became something else");
    judged(signals(), data);
    if !read.records.is_empty() {
        assert_eq!(judged(pipeline(false), &answer).records, read.records.len() as u64, "canonical records went missing");
    }
});
