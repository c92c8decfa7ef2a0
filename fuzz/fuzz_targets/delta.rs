//! What is left of a body once what was sent is taken out: JSON stays JSON, what was just sent is not sent again, and
//! what is gone is cleared. The first byte chooses the pointer and whether null clears.
#![no_main]

use std::collections::BTreeSet;

use cartwire::decide::delta::reduce;
use cartwire::destinations::Operation;
use cartwire::model::{CorrelationId, IdempotencyKey};
use cartwire::state::Known;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

/// How many members an object has as it is written, names that stand twice counted twice.
struct Members(usize);

impl<'de> serde::Deserialize<'de> for Members {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Counter;
        impl<'de> serde::de::Visitor<'de> for Counter {
            type Value = Members;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut count = 0;
                while map.next_entry::<serde::de::IgnoredAny, serde::de::IgnoredAny>()?.is_some() {
                    count += 1;
                }
                Ok(Members(count))
            }
        }
        deserializer.deserialize_map(Counter)
    }
}

fuzz_target!(|data: &[u8]| {
    let [choice, body @ ..] = data else { return };
    let pointer = [None, Some(""), Some("/dataFields"), Some("/user/dataFields")][usize::from(choice % 4)];
    let null_clears = choice & 4 != 0;
    let operation = Operation {
        endpoint: "users.update".into(),
        entity: "contact:1".into(),
        lane: "1".into(),
        idempotency_key: IdempotencyKey::new("k"),
        once: false,
        version: Some(1),
        occurred_at: cartwire_fuzz::now(),
        group: String::new(),
        params: Default::default(),
        delta: pointer.map(Into::into),
        supersedes: Vec::new(),
        correlation_id: CorrelationId::new("c"),
        body: body.to_vec(),
    };
    let known = Known::default();
    let Ok(first) = reduce(&operation, &known, null_clears) else { return };
    if pointer.is_some() {
        serde_json::from_slice::<serde::de::IgnoredAny>(&first.body).expect("what is left is JSON");
    }
    let sent = first.fingerprints.iter().filter_map(|(name, print)| Some((name.clone(), (*print)?))).collect();
    let known = Known { sent, ..Known::default() };
    let Ok(second) = reduce(&operation, &known, null_clears) else { panic!("the same body was refused the second time") };
    // Of a name that stands twice only the last is remembered; no destination builds such a body.
    let names: BTreeSet<_> = first.fingerprints.keys().collect();
    let unique = match pointer {
        None => true,
        Some("") => serde_json::from_slice::<Members>(body).is_ok_and(|members| members.0 == names.len()),
        // Members above the one that is pointed at may stand twice as well; the root is enough to hold the rule.
        Some(_) => false,
    };
    if unique && !names.is_empty() {
        assert!(second.unchanged, "what was just sent is news again");
    }
    // A body without any member: everything that was there is gone. A member without a name is remembered under the name of
    // a whole write and so cannot be told from one; no destination has such a member.
    if let (Some(""), true, false) = (pointer, unique, known.sent.contains_key("")) {
        let empty = Operation { body: b"{}".to_vec(), ..operation };
        let Ok(gone) = reduce(&empty, &known, true) else { panic!("an empty body was refused") };
        let cleared: Value = serde_json::from_slice(&gone.body).expect("what is left is JSON");
        assert_eq!(cleared.as_object().map(serde_json::Map::len), Some(known.sent.len()), "a member that is gone was not cleared");
    }
});
