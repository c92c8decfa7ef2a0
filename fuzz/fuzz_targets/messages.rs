//! Messages and their transports: the data is put bare, and as text and as base64 into the envelopes of the queues.
#![no_main]

use cartwire_fuzz::{decodes, goes_through};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

fuzz_target!(|data: &[u8]| {
    decodes(data, None);
    goes_through(data);
    let Ok(text) = std::str::from_utf8(data) else { return };
    for envelope in [
        json!({"Type": "Notification", "TopicArn": "t", "Message": text}),
        json!({"message": {"data": text, "messageId": "1"}, "subscription": "s"}),
        json!({"specversion": "1.0", "id": "1", "source": "/demo", "type": "t", "data_base64": text}),
    ] {
        decodes(envelope.to_string().as_bytes(), None);
    }
    if let Ok(inner) = serde_json::from_str::<Value>(text) {
        decodes(json!({"detail-type": "t", "detail": inner}).to_string().as_bytes(), None);
    }
});
