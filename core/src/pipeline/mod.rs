//! Pipeline: bytes → rows → validated records → operations. Knows traits only, no vendor's name, no state, no clock.

pub mod batch;
pub mod intake;

use crate::destinations::{Destination, Operation, Skip};
use crate::model::{Finding, Record, Rejection, ResourceRef};
use crate::sources::DecodedRecord;
use crate::validate::{ValidateContext, validate};

pub use intake::Layout;

/// A record that may go on, with what was noticed.
#[derive(Debug)]
pub struct Checked {
    /// Position of its row in the input.
    pub position: u64,
    /// The record.
    pub record: Record,
    /// Warnings.
    pub findings: Vec<Finding>,
}

/// What a destination makes of a record.
#[derive(Debug, Default)]
pub struct Draft {
    /// Position of its row in the input.
    pub position: u64,
    /// What to send.
    pub operations: Vec<Operation>,
    /// What is not sent, and why.
    pub skipped: Vec<Skip>,
    /// Warnings.
    pub findings: Vec<Finding>,
}

/// Validates a decoded record under the policy.
///
/// # Errors
/// The rejection, when a finding is an error.
pub fn check(decoded: DecodedRecord, context: &ValidateContext<'_>) -> Result<Checked, Rejection> {
    let DecodedRecord { position, record, findings } = decoded;
    let mut findings: Vec<Finding> = findings.into_iter().filter_map(|finding| context.policy.apply(finding)).collect();
    findings.extend(validate(&record, context));
    if findings.iter().any(Finding::is_error) {
        return Err(reject(position, &record, findings));
    }
    Ok(Checked { position, record, findings })
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
    Ok(Draft { position, operations: built.operations, skipped: built.skipped, findings })
}

fn reject(position: u64, record: &Record, findings: Vec<Finding>) -> Rejection {
    let resource = ResourceRef { kind: record.envelope.resource.kind.clone(), id: record.envelope.resource.id.clone() };
    Rejection { position, resource: Some(resource), findings }
}
