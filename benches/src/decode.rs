//! Decoding beside a bare parse of the same bytes, per source.
//!
//! Two yardsticks, because the sources differ in how much of a document they use: any JSON parsed and thrown away, which no
//! decoder can beat, and the parse into the very structs that the source reads.

use std::hint::black_box;
use std::time::Duration;

use cartwire::model::Mode;
use cartwire::sources::{DecodeContext, Decoded, Source, SourceConfig, bigcommerce, commercetools};
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use crate::timing::{Cost, Work, rounds};
use crate::{Result, composed};

/// Bytes per second, in MB, of each way through the same documents.
fn rates(bytes: usize, costs: &[Cost]) -> Result<Value> {
    let [skip, parse, decode] = costs else { return Err("three ways are measured".into()) };
    let per_s = |cost: &Cost| f64::from(u32::try_from(bytes).unwrap_or(u32::MAX)) / cost.best.as_secs_f64() / 1e6;
    Ok(json!({ "skipped_mb_per_s": per_s(skip), "parsed_mb_per_s": per_s(parse), "decoded_mb_per_s": per_s(decode) }))
}

fn one(config: Value, documents: &[&[u8]], parse: &dyn Fn(&[u8]) -> bool, budget: Duration) -> Result<Value> {
    let source: Box<dyn Source> = serde_json::from_value::<SourceConfig>(config)?.open()?;
    let context = DecodeContext { mode: Mode::Backfill, resource: Some("order"), ..DecodeContext::at("2026-11-01T00:00:00Z".parse()?) };
    let decode = |document: &[u8]| {
        let mut out = Decoded::default();
        source.decode(document, &context, &mut out);
        out
    };
    for document in documents {
        let out = decode(document);
        if !parse(document) || out.records.is_empty() || !out.rejected.is_empty() {
            return Err(format!("{} does not read what it is measured by: {:?}", source.name(), out.rejected).into());
        }
    }
    let skip = |one: &[u8]| {
        black_box(serde_json::from_slice::<IgnoredAny>(black_box(one)).is_ok());
    };
    let read = |one: &[u8]| {
        black_box(parse(black_box(one)));
    };
    let make = |one: &[u8]| {
        black_box(decode(black_box(one)));
    };
    let mut works: Vec<Work<'_>> = vec![
        Box::new(|| documents.iter().for_each(|one| skip(one))),
        Box::new(|| documents.iter().for_each(|one| read(one))),
        Box::new(|| documents.iter().for_each(|one| make(one))),
    ];
    rates(documents.iter().map(|one| one.len()).sum(), &rounds(budget, &mut works))
}

/// Every source, over its own orders: the same purchases, as each platform writes them.
pub fn measure(orders: &[&[u8]], budget: Duration) -> Result<Value> {
    let written: Vec<Vec<u8>> = (0..orders.len()).map(|number| composed::order(number).to_string().into_bytes()).collect();
    let documents: Vec<&[u8]> = written.iter().map(Vec::as_slice).collect();
    let commercetools = one(
        json!({ "type": "commercetools", "project": "fernweh", "locale": "en" }),
        orders,
        &|order| serde_json::from_slice::<commercetools::wire::Order<'_>>(order).is_ok(),
        budget,
    )?;
    let bigcommerce = one(
        json!({ "type": "bigcommerce", "store": "fernweh", "locale": "en" }),
        &documents,
        &|order| serde_json::from_slice::<bigcommerce::wire::orders::Composed<'_>>(order).is_ok(),
        budget,
    )?;
    Ok(json!({ "bigcommerce": bigcommerce, "commercetools": commercetools }))
}
