//! The samples of BigCommerce: the vendor's documentation examples.

use cartwire::model::{Body, ConsentStatus, FindingCode};
use cartwire::sources::bigcommerce::{Bigcommerce, Config};
use cartwire::sources::{DecodeContext, Decoded, Source};
use rust_decimal::Decimal;

use super::{ends, samples_of};

fn decode(raw: &[u8]) -> Decoded {
    let config = serde_json::from_str::<Config>(r#"{"store": "demo", "locale": "en", "currency": "USD"}"#).unwrap();
    let source = Bigcommerce::new(config).unwrap();
    let mut out = Decoded::default();
    source.decode(raw, &DecodeContext::at("2026-01-12T00:00:00Z".parse().unwrap()), &mut out);
    out
}

#[test]
fn every_sample_ends_as_it_should() {
    let Some(folder) = samples_of("bigcommerce") else { return };
    let expected: &[(&str, &[&str])] = &[];
    let mut wrong = Vec::new();
    let mut names: Vec<_> = std::fs::read_dir(&folder).unwrap().filter_map(Result::ok).filter(|f| f.path().extension().is_some_and(|e| e == "json")).map(|f| f.path().file_stem().unwrap().to_string_lossy().into_owned()).collect();
    names.sort();
    for name in names {
        let raw = std::fs::read(folder.join(format!("{name}.json"))).unwrap();
        let out = decode(&raw);
        wrong.push(format!("(\"{name}\", &{:?}), {:?} {:?}", ends(&out), out.rejected, out.records.iter().flat_map(|r| r.findings.clone()).collect::<Vec<_>>()));
    }
    let _ = (expected, Decimal::ZERO, FindingCode::ALL, ConsentStatus::Granted, Body::KINDS);
    panic!("{}", wrong.join("\n"));
}
