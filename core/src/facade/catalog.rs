//! The catalogue of codes, capabilities and schemas, for generated types, documentation and tests.

use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use super::{answers, options};
use crate::destinations;
use crate::error::ErrorCode;
use crate::model::{Body, FindingCode, SkipReason};
use crate::sources;

/// Error codes, finding codes, skip reasons, names and capability tables as JSON.
#[must_use]
pub fn catalog() -> Vec<u8> {
    let catalog = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "sources": sources::NAMES,
        "destinations": destinations::NAMES,
        "record_kinds": Body::KINDS,
        "error_codes": ErrorCode::ALL.iter().map(|code| json!({
            "code": code.name(), "class": code.group().class(), "description": code.description().trim(),
        })).collect::<Vec<_>>(),
        "finding_codes": FindingCode::ALL.iter().map(|code| json!({
            "code": code.name(), "severity": code.severity(), "description": code.description(),
        })).collect::<Vec<_>>(),
        "skip_reasons": SkipReason::ALL.iter().map(|reason| json!({
            "reason": reason.name(), "description": reason.description(),
        })).collect::<Vec<_>>(),
        "capabilities": destinations::tables(),
    });
    serde_json::to_vec_pretty(&catalog).unwrap_or_default()
}

/// JSON Schema (2020-12) of every type that crosses into another language, under `$defs`.
#[must_use]
pub fn schema() -> Vec<u8> {
    // A caller may leave out what has a default; an answer always says it. A type that is both counts as an answer.
    let mut taken = SchemaSettings::draft2020_12().into_generator();
    let mut given = SchemaSettings::draft2020_12().for_serialize().into_generator();
    macro_rules! add { ($generator:ident: $($kind:ty),+ $(,)?) => { $( let _ = $generator.subschema_for::<$kind>(); )+ } }
    add!(taken:
        options::PipelineOptions,
        options::CallOptions,
        options::ReplayOptions,
        options::FlushOptions,
        crate::state::LetterFilter,
        super::Signal,
    );
    #[cfg(feature = "delivery")]
    add!(taken: options::SyncOptions, options::PullOptions, options::ReceiveOptions, options::ReconcileOptions);
    add!(given:
        crate::model::Record,
        crate::model::Rejection,
        answers::Normalized,
        answers::ValidationReport,
        answers::Plan,
        answers::Receipt,
        answers::RunReport,
        answers::Progress,
        answers::Flushed,
        answers::Letter,
        answers::CheckReport,
        answers::PullReport,
        answers::Received,
        answers::Reconciliation,
    );
    let definitions = taken.take_definitions(true).into_iter().chain(given.take_definitions(true));
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "cartwire",
        "$defs": Value::Object(definitions.collect()),
    });
    serde_json::to_vec_pretty(&schema).unwrap_or_default()
}
