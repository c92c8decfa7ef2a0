//! Pushed calls, as a webhook's endpoint hands them on: lines of `name: value`, an empty line, the body. What `receive` does
//! before it touches anything: the proof, what the call is known by, and what it says.
#![no_main]

use std::sync::OnceLock;

use cartwire::error::ErrorCode;
use cartwire::sources::{DecodeContext, Decoded, Source, SourceConfig};
use cartwire_fuzz::{adds_up, now};
use libfuzzer_sys::fuzz_target;

/// Longer than anything is guessed.
const TOKEN: &str = "c5b1f0e2-7a44-4f0e-9d7c-3be0a1d2e4f6";

const SHOPS: [&str; 5] = [
    r#"{"type":"bigcommerce","store":"demo","webhooks":{"token":"TOKEN"}}"#,
    r#"{"type":"bigcommerce","store":"demo","webhooks":{"scheme":"header","token":"TOKEN","token_header":"x-own","max_age_s":0}}"#,
    r#"{"type":"bigcommerce","store":"demo","webhooks":{"scheme":"standard","client_secret":"TOKEN"}}"#,
    r#"{"type":"bigcommerce","store":"demo","webhooks":{"scheme":"body","client_secret":"TOKEN"}}"#,
    r#"{"type":"bigcommerce","store":"demo","webhooks":{"token":"TOKEN","client_secret":"TOKEN"}}"#,
];

fn shops() -> &'static [Box<dyn Source>] {
    static SHOPS_: OnceLock<Vec<Box<dyn Source>>> = OnceLock::new();
    SHOPS_.get_or_init(|| {
        let open = |shop: &str| {
            let config: SourceConfig = serde_json::from_str(&shop.replace("TOKEN", TOKEN)).expect("the set-up is right");
            config.open().expect("the set-up is right")
        };
        SHOPS.into_iter().map(open).collect()
    })
}

fuzz_target!(|data: &[u8]| {
    let split = data.windows(2).position(|two| two == b"\n\n");
    let (head, body) = split.map_or((&data[..0], data), |at| (&data[..at], &data[at + 2..]));
    let head = String::from_utf8_lossy(head);
    let headers: Vec<(&str, &str)> = head.lines().filter_map(|line| line.split_once(':')).map(|(name, value)| (name, value.trim())).collect();
    for (at, shop) in shops().iter().enumerate() {
        // Nothing that was not proven is ever accepted, and it is refused for that before anything else.
        let refused = shop.verify(body, &headers, now()).expect_err("a call without a proof was accepted").code();
        assert!(matches!(refused, ErrorCode::SignatureMismatch | ErrorCode::SignatureExpired));
        let name = if at == 1 { "X-OWN" } else { "X-Webhook-Token" };
        match shop.verify(body, &[(name, TOKEN)], now()) {
            // Proven, whatever it says; only its age may speak against it, where a limit is set.
            Ok(()) => assert!(at < 2 || at == 4),
            Err(error) if at == 0 || at == 4 => assert_eq!(error.code(), ErrorCode::SignatureExpired),
            Err(error) => assert!(at >= 2 && error.code() == ErrorCode::SignatureMismatch),
        }
        for cut in [&TOKEN[..TOKEN.len() - 1], &TOKEN[1..], "", &TOKEN.to_uppercase()] {
            assert!(shop.verify(body, &[(name, cut)], now()).is_err(), "a part of a secret is no secret");
        }
    }
    let shop = &shops()[0];
    let keys = shop.delivery_keys(body);
    assert!(keys == shop.delivery_keys(body), "the same call is known by two names");
    let mut out = Decoded::default();
    shop.decode(body, &DecodeContext::at(now()), &mut out);
    adds_up(&out);
    // What is known by a key was told: a call of which nothing is read must not make another a repetition.
    assert!(keys.len() as u64 <= out.rows, "more keys than things told");
});
