//! Counts what delivery tells.

use super::runs::Runs;
use crate::delivery::DeliveryEvent;
use crate::model::Status;

/// `at` is the destination, by its place in the engine.
pub(super) fn count(runs: &Runs, at: usize, event: &DeliveryEvent) {
    match event {
        DeliveryEvent::Delivered { subject } => {
            if let Some(run) = &subject.run {
                runs.settle(run, at, subject.position, Some(&subject.endpoint), Status::Delivered);
            }
        }
        DeliveryEvent::Skipped { subject, reason, detail } => {
            if let Some(run) = &subject.run {
                runs.skipped(run, at, subject.position, *reason, detail);
                runs.settle(run, at, subject.position, Some(&subject.endpoint), Status::Skipped);
            }
        }
        DeliveryEvent::DeadLettered { subject, .. } => {
            if let Some(run) = &subject.run {
                runs.settle(run, at, subject.position, Some(&subject.endpoint), Status::DeadLettered);
            }
        }
        DeliveryEvent::Retrying { subject, .. } => {
            if let Some(run) = &subject.run {
                runs.retried(run, at, &subject.endpoint);
            }
        }
        DeliveryEvent::RequestDone { endpoint, .. } => runs.requested(at, endpoint),
        DeliveryEvent::Warning { text, .. } => runs.warned(at, text),
        DeliveryEvent::InJob { subject } => {
            if let Some(run) = &subject.run {
                runs.in_job(run, at, true);
            }
        }
        DeliveryEvent::JobEnded { subject } => {
            if let Some(run) = &subject.run {
                runs.in_job(run, at, false);
            }
        }
        DeliveryEvent::Stopped { .. } => {}
    }
}
