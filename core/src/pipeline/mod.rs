//! Pipeline: bytes → rows → validated records → operations. Knows traits only, no vendor's name, no state, no clock.

pub mod batch;
pub mod intake;

use std::collections::{HashMap, HashSet};

use crate::destinations::{Destination, Given, Operation, Provided, Skip};
use crate::model::{Body, Finding, FindingCode, IdempotencyKey, Mode, Record, Rejection, ResourceRef};
use crate::sources::{DecodedRecord, Fetch};
use crate::validate::{ValidateContext, validate};

pub use intake::Layout;

/// A record that may go on, with what was noticed.
#[derive(Clone, Debug)]
pub struct Checked {
    /// Position of its row in the input.
    pub position: u64,
    /// The record.
    pub record: Record,
    /// Warnings.
    pub findings: Vec<Finding>,
    /// It stands in no row: it was told from the difference between a row's order and what was known of it.
    pub derived: bool,
}

/// What a destination makes of a record.
#[derive(Debug, Default)]
pub struct Draft {
    /// Position of its row in the input.
    pub position: u64,
    /// What to send.
    pub operations: Vec<Operation>,
    /// What goes in front of it, where what is known of its entity is so.
    pub provided: Vec<Provided>,
    /// What is not sent, and why.
    pub skipped: Vec<Skip>,
    /// Warnings.
    pub findings: Vec<Finding>,
    /// Keys of things that are withheld and must be remembered.
    pub withheld: Vec<IdempotencyKey>,
    /// Whether the record may start journeys.
    pub mode: Mode,
}

/// Why a record does not go on.
#[derive(Debug)]
pub enum Refused {
    /// Validation refuses it.
    Rejected(Rejection),
    /// It tells what happened to an order or payment, but not to whom, and the source can be asked for that.
    Nameless(Rejection, Fetch),
}

impl Refused {
    /// As a rejection, for callers that cannot fetch.
    #[must_use]
    pub fn into_rejection(self) -> Rejection {
        match self {
            Refused::Rejected(rejection) | Refused::Nameless(rejection, _) => rejection,
        }
    }
}

/// Validates a decoded record under the policy.
///
/// # Errors
/// Why it does not go on, when a finding is an error.
#[allow(clippy::result_large_err)] // The rare case, moved once.
pub fn check(decoded: DecodedRecord, context: &ValidateContext<'_>) -> Result<Checked, Refused> {
    let DecodedRecord { position, mut record, findings } = decoded;
    let mut findings: Vec<Finding> = findings.into_iter().filter_map(|finding| context.policy.apply(finding)).collect();
    // What the source has told already, with a place in the row as the shop knows it, is not told again.
    let told = findings.len();
    for finding in validate(&record, context) {
        if findings[..told].iter().all(|old| old.code != finding.code) {
            findings.push(finding);
        }
    }
    // Destinations take them for codes; a word that is none would only hide what a profile has. One that is only spelled in
    // another way (`de_CH`) stays.
    let market = &mut record.envelope.market;
    for finding in findings.iter().skip(told) {
        match (finding.code, finding.pointer.as_str()) {
            (FindingCode::LocaleInvalid, _) => drop(market.locale.take_if(|locale| !locale.contains('_'))),
            (FindingCode::CountryInvalid, "/envelope/market/country") => market.country = None,
            _ => {}
        }
    }
    if !findings.iter().any(Finding::is_error) {
        return Ok(Checked { position, record, findings, derived: false });
    }
    let nameless = findings.iter().filter(|finding| finding.is_error()).all(|finding| finding.code == FindingCode::IdentityMissing);
    let rejection = reject(position, &record, findings);
    match (nameless, follows_an_order(&record.body)) {
        (true, Some(reason)) => {
            let fetch = Fetch { position, resource: record.envelope.resource, reason: reason.to_owned() };
            Err(Refused::Nameless(rejection, fetch))
        }
        _ => Err(Refused::Rejected(rejection)),
    }
}

/// What a record about an existing order is, in one word; such an order knows who placed it.
fn follows_an_order(body: &Body) -> Option<&str> {
    match body {
        Body::Refund(_) | Body::Return(_) | Body::Shipment(_) => Some(body.kind()),
        Body::Event(event) => event.order_id.as_ref().map(|_| event.name.as_str()),
        _ => None,
    }
}

/// Builds the operations for a checked record.
///
/// # Errors
/// The rejection, when the destination cannot take the record.
pub fn draft(
    position: u64,
    record: &Record,
    findings: Vec<Finding>,
    destination: &dyn Destination,
    context: &ValidateContext<'_>,
) -> Result<Draft, Rejection> {
    let built = destination.build(record);
    let mut findings = findings;
    findings.extend(built.findings.into_iter().filter_map(|finding| context.policy.apply(finding)));
    if findings.iter().any(Finding::is_error) {
        return Err(reject(position, record, findings));
    }
    Ok(Draft {
        position,
        operations: built.operations,
        provided: built.provided,
        skipped: built.skipped,
        findings,
        withheld: built.withheld,
        mode: record.envelope.mode,
    })
}

/// Puts in front of each draft's operations what is provided for, as far as the drafts themselves tell: for a dry run, which
/// knows nothing of what was sent before.
pub fn provide(drafts: &mut [Draft]) {
    let wanted: HashSet<String> =
        drafts.iter().flat_map(|draft| &draft.provided).map(|provided| provided.operation.entity.clone()).collect();
    if wanted.is_empty() {
        return;
    }
    // Whether what was seen of an entity so far is open.
    let mut seen: HashMap<String, bool> = HashMap::new();
    for draft in drafts {
        let holds = |provided: &Provided| match (provided.given, seen.get(&provided.operation.entity)) {
            (Given::Unknown, state) => state.is_none(),
            (Given::Open, state) => state == Some(&true),
        };
        let provided = std::mem::take(&mut draft.provided).into_iter().filter(holds).map(|provided| provided.operation);
        draft.operations.splice(0..0, provided.collect::<Vec<_>>());
        for operation in &draft.operations {
            if wanted.contains(&operation.entity) {
                seen.entry(operation.entity.clone()).or_insert(true);
            }
            for closed in operation.supersedes.iter().filter(|entity| operation.once && wanted.contains(*entity)) {
                seen.insert(closed.clone(), false);
            }
        }
    }
}

fn reject(position: u64, record: &Record, findings: Vec<Finding>) -> Rejection {
    let resource = ResourceRef { kind: record.envelope.resource.kind.clone(), id: record.envelope.resource.id.clone() };
    Rejection { position, resource: Some(resource), destination: None, findings }
}
