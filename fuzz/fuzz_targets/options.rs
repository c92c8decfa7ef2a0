//! Options of every call: refused with a place, or understood; what is understood opens or is refused, and never panics.
#![no_main]

use cartwire::ErrorCode;
use cartwire::facade::Pipeline;
use cartwire::facade::options::{CallOptions, FlushOptions, PipelineOptions, ReplayOptions, SyncOptions, parse};
use cartwire::state::LetterFilter;
use libfuzzer_sys::fuzz_target;
use serde::{Serialize, de::DeserializeOwned};

fn stands<T: Serialize + DeserializeOwned>(data: &[u8]) -> Option<T> {
    match parse::<T>(data) {
        Err(error) => {
            assert_eq!(error.code(), ErrorCode::InvalidConfig);
            None
        }
        Ok(options) => {
            let text = serde_json::to_vec(&options).expect("options can be written");
            let again: T = parse(&text).expect("what was written can be read");
            // Seconds are floats: beyond 15 digits their last bit may change, and nobody waits that exactly.
            if !text.split(|byte| !byte.is_ascii_digit() && *byte != b'.').any(|digits| digits.len() > 15) {
                assert!(serde_json::to_vec(&again).expect("options can be written") == text, "options changed by being written and read");
            }
            Some(options)
        }
    }
}

fuzz_target!(|data: &[u8]| {
    stands::<CallOptions>(data);
    stands::<FlushOptions>(data);
    stands::<ReplayOptions>(data);
    stands::<LetterFilter>(data);
    if let Some(options) = stands::<SyncOptions>(data) {
        let _ = options.retry.policy();
        let _ = options.open_destinations();
        let _ = options.source.map(|source| source.open());
    }
    stands::<PipelineOptions>(data);
    if let Ok(pipeline) = Pipeline::new(data) {
        let lines = b"{\"id\":\"c1\",\"version\":1,\"email\":\"a@example.com\",\"isEmailVerified\":true}\n{\"envelope\":1}\n";
        let _ = pipeline.normalize(lines);
        let _ = pipeline.validate(lines).expect("validate answers");
        let _ = pipeline.build(lines);
    }
});
