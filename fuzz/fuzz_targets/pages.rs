//! How documents are cut into rows: the data alone, as a page's list, and between two good rows that must come out.
#![no_main]

use cartwire::sources::split::{End, Keys, value_end};
use cartwire_fuzz::decodes;
use libfuzzer_sys::fuzz_target;

const GOOD: &[u8] =
    br#"{"id":"c1","version":1,"email":"mara@example.com","isEmailVerified":true,"lastModifiedAt":"2026-01-02T03:04:05.000Z"}"#;

fuzz_target!(|data: &[u8]| {
    if let End::At(end) = value_end(data, 0) {
        assert!(end > 0 && end <= data.len());
    }
    for key in Keys::new(data, 0) {
        assert!(key.value <= data.len());
    }
    decodes(data, None);
    decodes(&[br#"{"limit":500,"results":["#, data, br#"],"total":1}"#].concat(), None);
    let lines = [GOOD, b"\n", data, b"\n", GOOD].concat();
    let mut out = cartwire::sources::Decoded::default();
    let context = cartwire::sources::DecodeContext::at(cartwire_fuzz::now());
    let source = cartwire::sources::commercetools::Commercetools::new(Default::default()).expect("the defaults are right");
    cartwire::pipeline::intake::read(Some(&source), cartwire::pipeline::Layout::Lines, &lines, &context, &mut out);
    cartwire_fuzz::adds_up(&out);
    let good = out.records.iter().filter(|row| row.record.envelope.resource.id == "c1").count();
    assert!(good >= 2, "a broken line took its neighbours with it");
});
