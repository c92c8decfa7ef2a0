//! Canonical records: one, lists, lines, and whole answers of `normalize`.
#![no_main]

use cartwire::pipeline::{Layout, intake};
use cartwire::sources::{DecodeContext, Decoded};
use cartwire_fuzz::{judged, now, pipeline};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let context = DecodeContext::at(now());
    for layout in [Layout::Json, Layout::Lines, Layout::Auto] {
        let mut out = Decoded::default();
        intake::read(None, layout, data, &context, &mut out);
        assert_eq!(out.rows, (out.records.len() + out.rejected.len()) as u64);
        for row in &out.records {
            let text = serde_json::to_vec(&row.record).expect("a record can be written");
            let again: cartwire::model::Record = serde_json::from_slice(&text).expect("a record can be read back");
            assert!(again == row.record, "a record changed by being written and read");
        }
    }
    judged(pipeline(false), data);
});
