//! What the targets share: fixed set-ups, and what must hold of any input.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use cartwire::facade::Pipeline;
use cartwire::facade::answers::{Normalized, Plan, ValidationReport};
use cartwire::pipeline::Layout;
use cartwire::pipeline::intake;
use cartwire::sources::commercetools::{Commercetools, Config};
use cartwire::sources::{DecodeContext, Decoded, Source};

const SOURCE: &str = r#"{"type":"commercetools","project":"demo","locale":"en","fallback_locales":["de"],"currency":"EUR","country":"DE",
    "brand_attribute":"brand","product_url":"https://shop.example/{locale}/{slug}",
    "consents":[{"channel":"email","field":"newsletter","at_field":"newsletterAt"}],
    "contact_fields":[{"field":"points"},{"field":"born","type":"date"}],"order_fields":[{"field":"gift"}],"attributes":[{"field":"color"}]}"#;

const DESTINATION: &str = r#"{"type":"iterable","api_key":"k","project_type":"hybrid","catalogs":{"products":"products","categories":"categories"},
    "consent":{"email":{"message_type":101,"policy":"opt_in","channel":7}}}"#;

/// What resources are called where a document does not say.
pub const HINTS: [&str; 6] = ["customer", "cart", "order", "product", "category", "payment"];

/// The time that counts as now.
pub fn now() -> cartwire::model::Instant {
    chrono::DateTime::from_timestamp(1_770_000_000, 0).expect("in range")
}

/// A pipeline that reads the source's bytes, or canonical records.
pub fn pipeline(source: bool) -> &'static Pipeline {
    static WITH: OnceLock<Pipeline> = OnceLock::new();
    static WITHOUT: OnceLock<Pipeline> = OnceLock::new();
    let open = |source: &str| {
        let options = format!("{{{source}\"destination\":{DESTINATION},\"now\":\"2026-02-02T02:40:00Z\"}}");
        Pipeline::new(options.as_bytes()).expect("the set-up is right")
    };
    match source {
        true => WITH.get_or_init(|| open(&format!("\"source\":{SOURCE},"))),
        false => WITHOUT.get_or_init(|| open("")),
    }
}

fn source() -> &'static Commercetools {
    static SOURCE_: OnceLock<Commercetools> = OnceLock::new();
    SOURCE_.get_or_init(|| {
        let mut config: serde_json::Value = serde_json::from_str(SOURCE).expect("the set-up is JSON");
        config.as_object_mut().expect("an object").remove("type");
        let config: Config = serde_json::from_value(config).expect("the set-up is right");
        Commercetools::new(config).expect("the set-up is right")
    })
}

/// Every row in exactly one list, every position used by one row, and as many rows as were counted.
pub fn adds_up(decoded: &Decoded) {
    let mut seen: BTreeSet<u64> = decoded.records.iter().map(|row| row.position).collect();
    let others = decoded.rejected.iter().map(|row| row.position);
    let others = others.chain(decoded.ignored.iter().map(|row| row.position));
    for position in others.chain(decoded.fetches.iter().map(|row| row.position)) {
        assert!(seen.insert(position), "row {position} stands in two lists");
    }
    assert_eq!(seen.len() as u64, decoded.rows, "rows went missing");
    for row in &decoded.rejected {
        assert!(row.findings.iter().any(cartwire::model::Finding::is_error), "a rejection without a reason");
    }
}

/// Decodes in every layout and under that hint; twice the same comes out.
pub fn decodes(data: &[u8], hint: Option<&str>) -> Decoded {
    let context = DecodeContext { resource: hint, ..DecodeContext::at(now()) };
    let decode = |layout| {
        let mut out = Decoded::default();
        let behind = intake::read(Some(source() as &dyn Source), layout, data, &context, &mut out);
        adds_up(&out);
        let last = out.records.iter().map(|row| row.position).chain(out.rejected.iter().map(|row| row.position)).max();
        assert!(last.is_none_or(|last| last < behind), "a position behind the last");
        out
    };
    decode(Layout::Lines);
    let out = decode(Layout::Json);
    assert!(out == decode(Layout::Json), "the same bytes were read in two ways");
    out
}

/// The whole way from the source's bytes: read, judged, built; and the records read again as canonical ones.
pub fn goes_through(data: &[u8]) {
    let with = pipeline(true);
    let answer = with.normalize(data).expect("normalize answers");
    assert!(answer == with.normalize(data).expect("normalize answers"), "normalize differs from itself");
    let normalized: Normalized = serde_json::from_slice(&answer).expect("what normalize writes can be read");
    judged(with, data);
    if normalized.records.is_empty() {
        return;
    }
    let report: ValidationReport = judged(pipeline(false), &answer);
    assert_eq!(report.records, normalized.records.len() as u64, "canonical records went missing");
    let unread = report.rejected.iter().flat_map(|row| &row.findings).find(|finding| finding.code.name().starts_with("record."));
    assert!(unread.is_none(), "what normalize wrote cannot be read: {unread:?}");
    let mut again = answer.clone();
    again.clear();
    serde_json::to_writer(&mut again, &normalized).expect("it can be written again");
    assert!(again == answer, "the answer changed by being read and written");
}

/// Validates and builds; both agree on what can be sent, and both answer the same twice.
pub fn judged(pipeline: &Pipeline, data: &[u8]) -> ValidationReport {
    let report = pipeline.validate(data).expect("validate answers");
    assert!(report == pipeline.validate(data).expect("validate answers"), "validate differs from itself");
    let report: ValidationReport = serde_json::from_slice(&report).expect("what validate writes can be read");
    let plan = pipeline.build(data).expect("build answers");
    assert!(plan == pipeline.build(data).expect("build answers"), "build differs from itself");
    let plan: Plan = serde_json::from_slice(&plan).expect("what build writes can be read");
    for row in &report.rejected {
        // What only lacks a name is refused by validate, and by build given back as something to fetch.
        let refused = plan.rejected.iter().any(|other| other.position == row.position);
        assert!(refused || plan.fetches.iter().any(|other| other.position == row.position), "validate refuses what build sends");
    }
    for request in &plan.requests {
        assert!(!request.positions.is_empty() && request.positions.len() == request.idempotency_keys.len());
    }
    report
}
